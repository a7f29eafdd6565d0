//! After the first call a rule allocates nothing: counted by the allocator itself.
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::collections::BTreeMap;

use phalanx_robust::mixing::MIXINGS;
use phalanx_robust::{Args, Param, ParamKind, Population, RULES, Rng, Rows, Value, Vectors};

struct Counting;

thread_local! {
    static COUNT: Cell<usize> = const { Cell::new(0) };
    static BYTES: Cell<usize> = const { Cell::new(0) };
}

/// Rules that may allocate up to 64 bytes per row, and why; nobody may allocate with d.
const SMALL: &[(&str, &str)] = &[
    ("bulyan", "lists the chosen rows"),
    ("dnc", "marks n rows"),
    ("nearest-neighbor-averaging", "sorts n indices"),
];

// SAFETY: every call is passed on to the system's allocator unchanged; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        BYTES.with(|bytes| bytes.set(bytes.get() + layout.size()));
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn args(name: &str, params: &'static [Param]) -> Args {
    let required = params.iter().filter(|param| !param.is_optional);
    let given: BTreeMap<String, Value> = required
        .filter_map(|param| match param.kind {
            ParamKind::Number { min, max, default: None } => {
                Some((param.name.to_string(), Value::Number(1f64.clamp(min, max))))
            }
            ParamKind::Integer { min, default: None, .. } => {
                Some((param.name.to_string(), Value::Integer(min.max(1))))
            }
            _ => None,
        })
        .collect();
    Args::check(name, params, &given).unwrap()
}

/// Small enough for one block: a pool's own bookkeeping is not the rule's.
fn rows() -> Vec<Vec<f32>> {
    let mut rng = Rng::stream(1, 0, "allocations");
    (0..11).map(|_| (0..500).map(|_| rng.unit() as f32).collect()).collect()
}

/// Number and bytes of the allocations of a third call.
fn allocations(mut act: impl FnMut()) -> (usize, usize) {
    act();
    act();
    let before = (COUNT.with(Cell::get), BYTES.with(Cell::get));
    act();
    (COUNT.with(Cell::get) - before.0, BYTES.with(Cell::get) - before.1)
}

#[test]
fn rules_allocate_nothing_after_the_first_call() {
    let rows = rows();
    let views: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
    let vectors = Vectors::new(&views).unwrap().with_own(3);
    for entry in RULES {
        let mut rule =
            (entry.build.build)(&args(entry.name, entry.params), Population::new(11, 2).unwrap())
                .unwrap();
        let mut out = vec![0.0; 500];
        let (found, bytes) = allocations(|| rule.aggregate(vectors, &mut out).unwrap());
        let is_small = SMALL.iter().any(|(name, _)| *name == entry.name);
        let limit = if is_small { 64 * 11 } else { 0 };
        assert!(bytes <= limit, "`{}`: {found} allocations, {bytes} bytes", entry.name);
    }
}

#[test]
fn mixings_allocate_nothing_after_the_first_call() {
    let rows = rows();
    let views: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
    let vectors = Vectors::new(&views).unwrap().with_own(3);
    for entry in MIXINGS {
        let mut mixing =
            (entry.build.build)(&args(entry.name, entry.params), Population::new(11, 2).unwrap())
                .unwrap();
        let mut out = Rows::default();
        let found = allocations(|| mixing.mix(vectors, &mut out).unwrap());
        assert_eq!(found, (0, 0), "`{}`", entry.name);
    }
}
