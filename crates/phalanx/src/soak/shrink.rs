//! A failing world made small: fewer rounds, nodes, misbehaviours and hardships.
use crate::soak::case::Case;
use crate::soak::world::{Finding, carry_out};

/// Worlds that are tried at most.
const TRIALS_MAX: usize = 300;

/// The smallest world found in which the same checker objects, with what it says there.
pub fn shrink(case: Case, finding: Finding) -> (Case, Finding) {
    let (mut case, mut finding) = (case, finding);
    let mut trials = 0;
    loop {
        let mut is_smaller = false;
        for candidate in smaller(&case) {
            trials += 1;
            if trials > TRIALS_MAX {
                return (case, finding);
            }
            let found = carry_out(&candidate).finding;
            if let Some(found) = found.filter(|found| found.checker == finding.checker) {
                (case, finding, is_smaller) = (candidate, found, true);
                break;
            }
        }
        if !is_smaller {
            return (case, finding);
        }
    }
}

/// Worlds with one thing less, the greatest steps first.
fn smaller(case: &Case) -> Vec<Case> {
    let mut smaller = Vec::new();
    for at in 0..case.misbehaviours.len() {
        let mut less = case.clone();
        less.misbehaviours.remove(at);
        smaller.push(less);
    }
    if case.order != "network" {
        smaller.push(Case { order: "network", ..case.clone() });
    }
    if case.attack != "mimic" {
        smaller.push(Case { attack: "mimic", ..case.clone() });
    }
    for (name, least) in [
        ("f", 1),
        ("rounds", 1),
        ("n", 2),
        ("partitions", 0),
        ("crashes", 0),
        ("duplication", 0),
        ("skew", 0),
        ("sampled", 0),
        ("dim", 1),
        ("halvings", 1),
    ] {
        let value = case.number(name);
        if value > least {
            smaller.push(case.with(name, least));
            smaller.push(case.with(name, value - 1));
        }
    }
    smaller.retain(Case::is_possible);
    smaller
}
