//! Fixed seeds of the swarm find nothing, and what is broken on purpose is found.
use phalanx::soak::case::EXCHANGES;
use phalanx::soak::{Case, carry_out, shrink};

/// The first seed from 1 on in which some checker objects, with the checker's name.
fn first_found(exchange: &'static str, fault: &'static str, most: u64) -> Option<(u64, String)> {
    (1..=most).find_map(|seed| {
        let finding = carry_out(&Case::draw(seed, Some(exchange), fault)).finding?;
        Some((seed, format!("{}: {}", finding.checker, finding.text)))
    })
}

#[test]
fn no_checker_objects_in_the_fixed_seeds() {
    for exchange in EXCHANGES {
        let seeds = if *exchange == "direct" { 60 } else { 20 };
        assert_eq!(first_found(exchange, "none", seeds), None, "{exchange}");
    }
}

fn assert_bites(exchange: &'static str, fault: &'static str, most: u64, checkers: &[&str]) {
    let (seed, text) = first_found(exchange, fault, most).expect("a checker objects");
    let is_expected = checkers.iter().any(|checker| text.starts_with(checker));
    assert!(is_expected, "{fault}, seed {seed}: {text}");
}

#[test]
fn without_witnesses_two_nodes_share_too_little() {
    assert_bites("rb-tm-agreement", "witnesses-off", 5, &["overlap"]);
}

#[test]
fn a_quorum_lowered_by_one_breaks_consistency() {
    assert_bites("signed-echo", "quorum-lowered", 25, &["consistency"]);
}

#[test]
fn unchecked_signatures_break_consistency_or_accuse_the_honest() {
    let checkers = ["consistency", "no-honest-accusation"];
    assert_bites("signed-echo", "echo-unchecked", 60, &checkers);
}

#[test]
fn a_node_that_forgets_what_it_signed_is_caught() {
    let checkers = ["no-honest-", "consistency", "integrity", "liveness"];
    assert_bites("signed-echo", "sign-once-forgotten", 5, &checkers);
}

#[test]
fn keeping_all_vectors_breaks_contraction() {
    assert_bites("mda-agreement", "mda-keeps-all", 5, &["contraction"]);
}

#[test]
fn a_world_is_its_words_and_a_finding_shrinks_to_one_that_replays() {
    let case = Case::draw(5, Some("mda-agreement"), "mda-keeps-all");
    let words = case.to_string();
    let read = Case::draw(5, None, "none").replay(&words).unwrap();
    assert_eq!(read, case);
    let outcome = carry_out(&case);
    assert_eq!(outcome, carry_out(&read), "one world, one outcome");
    let (small, finding) = shrink(case, outcome.finding.unwrap());
    let again = Case::draw(5, None, "none").replay(&small.to_string()).unwrap();
    assert_eq!(carry_out(&again).finding, Some(finding));
    assert!(small.to_string().len() <= words.len(), "{small}");
}

#[test]
fn words_that_mean_nothing_are_refused() {
    for words in ["n", "n=x", "n=3 f=1", "colour=red", "attack=kindness", "rounds=0"] {
        let case = Case::draw(1, Some("reliable-broadcast"), "none");
        assert!(case.replay(words).is_err(), "{words}");
    }
}
