//! Snapshots: what is written is read, and anything else is refused without a panic.
use phalanx_robust::{StateError, StateReader, StateWriter, Vector};
use proptest::prelude::*;

fn written() -> Vec<u8> {
    let shared = Vector::new(vec![1.0, f32::NAN, -0.0]);
    let mut out = StateWriter::default();
    out.u64(u64::MAX);
    out.f64(f64::from_bits(0x7ff8_0000_0000_0001));
    out.flag(true);
    out.bytes(b"abc");
    out.f32s(&[1.5, -0.0]);
    out.f64s(&[2.5]);
    out.vector(&shared);
    out.vector(&Vector::new(vec![]));
    out.vector(&shared.clone());
    out.f32s(&[7.0]);
    out.finish()
}

#[test]
fn everything_written_is_read_bit_for_bit() {
    let state = written();
    let mut input = StateReader::new(&state);
    assert_eq!(input.u64(), Ok(u64::MAX));
    assert_eq!(input.f64().unwrap().to_bits(), 0x7ff8_0000_0000_0001);
    assert_eq!(input.flag(), Ok(true));
    assert_eq!(input.bytes(), Ok(&b"abc"[..]));
    let values = input.f32s().unwrap();
    assert_eq!(values.iter().map(|v| v.to_bits()).collect::<Vec<_>>(), [0x3fc0_0000, 1 << 31]);
    assert_eq!(input.f64s(), Ok(vec![2.5]));
    let (first, empty, again) =
        (input.vector().unwrap(), input.vector().unwrap(), input.vector().unwrap());
    assert_eq!(first, Vector::new(vec![1.0, f32::NAN, -0.0]));
    assert_eq!(first.address(), again.address(), "shared before, shared again");
    assert!(empty.is_empty());
    assert!(!input.is_at_end());
    let mut exact = [0.0; 1];
    input.f32s_into(&mut exact).unwrap();
    assert_eq!(exact, [7.0]);
    assert!(input.is_at_end());
    assert_eq!(input.u64(), Err(StateError::Truncated { at: state.len() }));
}

#[test]
fn a_shared_vector_is_written_once() {
    let vector = Vector::new(vec![0.0; 1000]);
    let mut out = StateWriter::default();
    (0..50).for_each(|_| out.vector(&vector));
    assert!(out.finish().len() < 4000 + 50 * 8 + 16);
}

#[test]
fn equal_but_separate_vectors_stay_separate() {
    let (a, b) = (Vector::new(vec![1.0]), Vector::new(vec![1.0]));
    let mut out = StateWriter::default();
    out.vector(&a);
    out.vector(&b);
    let state = out.finish();
    let mut input = StateReader::new(&state);
    let (a, b) = (input.vector().unwrap(), input.vector().unwrap());
    assert_eq!(a, b);
    assert_ne!(a.address(), b.address());
}

#[test]
fn a_length_that_differs_is_a_mismatch() {
    let mut out = StateWriter::default();
    out.f32s(&[1.0, 2.0]);
    let state = out.finish();
    let result = StateReader::new(&state).f32s_into(&mut [0.0; 3]);
    assert!(matches!(result, Err(StateError::Mismatch { .. })));
}

#[test]
fn a_promised_length_allocates_nothing() {
    for length in [u64::MAX, u64::MAX / 4, 1 << 60, 9] {
        let mut out = StateWriter::default();
        out.u64(length);
        let state = out.finish();
        assert!(StateReader::new(&state).f32s().is_err());
        assert!(StateReader::new(&state).f64s().is_err());
        assert!(StateReader::new(&state).bytes().is_err());
    }
}

#[test]
fn a_reference_to_a_vector_that_was_not_written_is_a_mismatch() {
    let mut out = StateWriter::default();
    out.u64(3);
    let state = out.finish();
    assert!(matches!(StateReader::new(&state).vector(), Err(StateError::Mismatch { .. })));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn arbitrary_bytes_never_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..64),
        calls in prop::collection::vec(0u8..9, 1..12),
    ) {
        let mut input = StateReader::new(&bytes);
        for call in calls {
            let _ = match call {
                0 => input.u64().map(drop),
                1 => input.f64().map(drop),
                2 => input.flag().map(drop),
                3 => input.bytes().map(drop),
                4 => input.f32s().map(drop),
                5 => input.f64s().map(drop),
                6 => input.f32s_into(&mut [0.0; 2]),
                7 => input.usize().map(drop),
                _ => input.vector().map(drop),
            };
        }
    }
}
