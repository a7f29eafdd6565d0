//! The attack that the guide adds: the file that it shows is this one, and it keeps the contract.
use std::path::Path;

use phalanx_attack::{ATTACKS, AttackRule};
use phalanx_robust::Entry;

use crate::setting::*;

mod farthest;

/// Every registered attack and the guide's, which contracts are checked for.
pub fn attacks() -> impl Iterator<Item = &'static Entry<AttackRule>> {
    const GUIDE: &Entry<AttackRule> = &farthest::ENTRY;
    ATTACKS.iter().chain([GUIDE])
}

/// The block of the guide is the file compiled here, but for the paths of its home.
#[test]
fn the_guide_shows_the_attack_that_is_tested() {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/your-own-rule.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let compiled = include_str!("farthest.rs");
    let shown = compiled.replace("use phalanx_attack::", "use crate::");
    assert!(guide.contains(&format!("```rust\n{shown}```\n")), "the guide shows another attack");
}

#[test]
fn the_guides_attack_is_not_registered() {
    assert!(ATTACKS.iter().all(|attack| attack.name != farthest::ENTRY.name));
}

#[test]
fn it_repeats_the_row_farthest_from_the_mean() {
    let honest = [vec![0.0, 0.0], vec![1.0, 0.0], vec![0.0, 5.0], vec![1.0, 1.0]];
    let mut attack = build("farthest", &[], Scenario { n: 6, f: 2, byzantine: 2 }).unwrap();
    assert_eq!(forged(&mut *attack, &honest), [0.0, 5.0]);
}
