//! The rule that the guide adds: the file that it shows is this one, and it keeps the contract.
use std::path::Path;

use phalanx_robust::{Entry, RULES, Rule};

mod least_radius_averaging;

/// Every registered rule and the guide's, which contracts are checked for.
pub fn rules() -> impl Iterator<Item = &'static Entry<Rule>> {
    const GUIDE: &Entry<Rule> = &least_radius_averaging::ENTRY;
    RULES.iter().chain([GUIDE])
}

/// The block of the guide is the file compiled here, but for the paths of its home.
#[test]
fn the_guide_shows_the_rule_that_is_tested() {
    let guide = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/your-own-rule.md");
    let guide = std::fs::read_to_string(guide).unwrap();
    let compiled = include_str!("least_radius_averaging.rs");
    let shown = compiled.replace("use phalanx_robust::", "use crate::");
    assert!(guide.contains(&format!("```rust\n{shown}```\n")), "the guide shows another rule");
}

#[test]
fn the_guides_rule_is_not_registered() {
    assert!(RULES.iter().all(|rule| rule.name != least_radius_averaging::ENTRY.name));
}
