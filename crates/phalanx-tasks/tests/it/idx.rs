//! IDX files: what is read, and that everything else is refused with its reason.
use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use phalanx_tasks::dataset::DatasetError;
use phalanx_tasks::dataset::idx::{Idx, parse};
use proptest::prelude::*;

fn file(magic: [u8; 4], dims: &[u32], values: &[u8]) -> Vec<u8> {
    let mut bytes = magic.to_vec();
    bytes.extend(dims.iter().flat_map(|dim| dim.to_be_bytes()));
    bytes.extend_from_slice(values);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn read(bytes: &[u8], rank: u8) -> Result<Idx, DatasetError> {
    parse(Path::new("some/file"), bytes, rank)
}

const IMAGES: [u8; 4] = [0, 0, 8, 3];

#[test]
fn a_file_is_read_raw_and_packed() {
    let bytes = file(IMAGES, &[2, 1, 3], &[1, 2, 3, 4, 5, 6]);
    let expected = Idx { dims: vec![2, 1, 3], values: vec![1, 2, 3, 4, 5, 6] };
    assert_eq!(read(&bytes, 3).unwrap(), expected);
    assert_eq!(read(&gzip(&bytes), 3).unwrap(), expected);
}

#[test]
fn a_promise_of_2_to_the_40_bytes_is_refused_without_allocation() {
    let bytes = file(IMAGES, &[1 << 20, 1 << 10, 1 << 10], &[0; 9]);
    for bytes in [bytes.clone(), gzip(&bytes)] {
        let error = read(&bytes, 3).unwrap_err();
        let DatasetError::Oversized { promised, limit, .. } = &error else { panic!("{error}") };
        assert_eq!(*promised, 1 << 40);
        assert!(*limit <= 1 << 31);
        assert!(error.to_string().contains("`1099511627776`"), "{error}");
    }
    let most = file(IMAGES, &[u32::MAX; 3], &[]);
    assert!(matches!(read(&most, 3), Err(DatasetError::Oversized { .. })));
}

#[test]
fn a_packed_file_cannot_promise_more_than_deflate_can_hold() {
    // 100 MB are admissible by themselves, but not in a file of some forty bytes.
    let bytes = gzip(&file(IMAGES, &[100, 1000, 1000], &[7; 4]));
    let error = read(&bytes, 3).unwrap_err();
    let expected = 1032 * bytes.len() as u64;
    assert!(matches!(error, DatasetError::Oversized { limit, .. } if limit == expected), "{error}");
}

#[test]
fn truncation_is_told_with_both_lengths() {
    let whole = file(IMAGES, &[2, 2, 2], &[9; 8]);
    for cut in 0..whole.len() {
        let error = read(&whole[..cut], 3).unwrap_err();
        let DatasetError::Truncated { expected, found, .. } = &error else { panic!("{error}") };
        let header = if cut < 16 { 16 } else { 24 };
        assert_eq!((*expected, *found), (header, cut as u64));
        let error = read(&gzip(&whole[..cut]), 3).unwrap_err();
        assert!(matches!(error, DatasetError::Truncated { .. }), "{error}");
    }
}

#[test]
fn a_packed_file_cut_anywhere_is_refused() {
    let packed = gzip(&file(IMAGES, &[10, 28, 28], &[3; 7840]));
    for cut in 0..packed.len() {
        assert!(read(&packed[..cut], 3).is_err(), "cut at {cut}");
    }
}

#[test]
fn bytes_after_the_end_are_refused() {
    let mut bytes = file(IMAGES, &[1, 1, 2], &[5, 6]);
    let mut packed = gzip(&bytes);
    bytes.push(0);
    for bytes in [bytes.clone(), gzip(&bytes)] {
        let error = read(&bytes, 3).unwrap_err();
        assert!(matches!(error, DatasetError::Trailing { expected: 18, .. }), "{error}");
    }
    packed.push(0);
    assert!(matches!(read(&packed, 3), Err(DatasetError::Trailing { .. })));
}

#[test]
fn another_rank_or_type_is_refused_with_both_magics() {
    let bytes = file([0, 0, 0x0d, 3], &[1, 1, 1], &[1, 2, 3, 4]);
    let error = read(&bytes, 3).unwrap_err();
    assert!(error.to_string().contains("`[00, 00, 0d, 03]`"), "{error}");
    assert!(error.to_string().contains("`[00, 00, 08, 03]`"), "{error}");
    let labels = file([0, 0, 8, 1], &[4], &[1, 2, 3, 4]);
    assert!(matches!(read(&labels, 3), Err(DatasetError::Magic { .. })));
}

#[test]
fn a_wrong_checksum_is_damage() {
    let mut packed = gzip(&file(IMAGES, &[2, 2, 2], &[9; 8]));
    let crc = packed.len() - 8;
    packed[crc] ^= 1;
    let error = read(&packed, 3).unwrap_err();
    assert!(matches!(error, DatasetError::Gzip { at: 24, .. }), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), rank in 0u8..=5) {
        let _ = read(&bytes, rank);
    }

    #[test]
    fn no_values_after_a_plausible_header_panic(
        dims in proptest::array::uniform3(prop_oneof![0u32..4, any::<u32>()]),
        values in proptest::collection::vec(any::<u8>(), 0..64),
        flip in any::<(u16, u8)>(),
    ) {
        let bytes = file(IMAGES, &dims, &values);
        let product: u128 = dims.iter().map(|dim| u128::from(*dim)).product();
        prop_assert_eq!(read(&bytes, 3).is_ok(), product == values.len() as u128);
        let mut packed = gzip(&bytes);
        prop_assert_eq!(read(&packed, 3).is_ok(), product == values.len() as u128);
        let at = usize::from(flip.0) % packed.len();
        packed[at] ^= flip.1;
        if let Ok(idx) = read(&packed, 3) {
            // Bits of the gzip header that carry no content may change; the content may not.
            prop_assert_eq!(idx.values, values);
        }
    }
}
