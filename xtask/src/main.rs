//! House keeping: tidy, ci, gen, bench.
fn main() {}
