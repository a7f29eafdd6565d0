//! IDX files of any bytes, raw or in gzip: values as many as promised, or an error.
#![no_main]
use std::path::Path;

use libfuzzer_sys::fuzz_target;
use phalanx_tasks::dataset::idx;

fuzz_target!(|bytes: &[u8]| {
    let Some((rank, bytes)) = bytes.split_first() else { return };
    let rank = rank % 5;
    let Ok(idx) = idx::parse(Path::new("a"), bytes, rank) else { return };
    assert_eq!(idx.dims.len(), usize::from(rank));
    assert_eq!(idx.values.len(), idx.dims.iter().product::<usize>());
});
