//! `phalanx agree`: what it promises on real files, and what it says about those it cannot take.
use serde_json::Value;

use crate::program::{Said, Scratch};

const SIX: &str = "0,0\n1,0\n0,1\n1,1\n0.5,2\n3,0.25\n";
const THREE: &str = "0,0\n0,1\n1,0\n";

/// The words after `phalanx agree`, on a file `in.csv`.
fn on(rows: &str, words: &str) -> (Said, Scratch) {
    let scratch = Scratch::new();
    scratch.write("in.csv", rows);
    let words: Vec<&str> = ["agree"].into_iter().chain(words.split(' ')).collect();
    (scratch.phalanx(&words), scratch)
}

fn lines(said: &Said) -> Vec<Value> {
    said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_bound_is_kept_under_every_attack_and_schedule() {
    for attack in ["equivocation", "fall-of-empires", "gaussian", "nan", "silence"] {
        for schedule in ["byzantine-first", "random"] {
            let cases = [
                ("mda -f 1", SIX, 13),
                ("rb-tm -f 1", THREE, 5),
                ("rb-tm --midpoint -f 1", THREE, 5),
            ];
            for (algorithm, rows, passes) in cases {
                let words = format!(
                    "--json --algorithm {algorithm} --attack {attack} --schedule {schedule} \
                     --rounds-of-halving 4 --seeds 3 in.csv -o out.csv"
                );
                let (said, _scratch) = on(rows, &words);
                assert_eq!(said.code, Some(0), "{words}: {}", said.err);
                let lines = lines(&said);
                assert_eq!(lines.len(), 3 * (passes + 1), "{words}");
                assert!(lines.iter().all(|line| line["kept"] == true), "{words}: {}", said.out);
            }
        }
    }
}

#[test]
fn a_person_sees_each_pass_beside_its_bound() {
    let words = "--algorithm rb-tm -f 1 --rounds-of-halving 3 --attack equivocation in.csv \
                 -o out.csv";
    let (said, scratch) = on(THREE, words);
    assert_eq!(said.code, Some(0), "{}", said.err);
    for part in ["n = 4, f = 1, q = 3, d = 2; ρ = 0.500, κ = 0.667", "4 passes", "in box"] {
        assert!(said.out.contains(part), "{part}: {}", said.out);
    }
    assert!(said.out.ends_with("every bound kept in 1 seed\n"), "{}", said.out);
    let outcomes = std::fs::read_to_string(scratch.path().join("out.csv")).unwrap();
    assert_eq!(outcomes.lines().count(), 3, "one vector for each honest node");
}

#[test]
fn equal_rows_come_back_exactly_and_no_halving_changes_nothing() {
    let equal = "0.1,3e-40\n".repeat(6);
    let words = "--algorithm mda -f 1 --attack gaussian in.csv -o -";
    let (said, _scratch) = on(&equal, words);
    assert_eq!((said.code, &*said.out), (Some(0), &*equal), "{}", said.err);
    let (said, _scratch) = on(THREE, "--algorithm rb-tm -f 0 --rounds-of-halving 0 in.csv -o -");
    assert_eq!((said.code, &*said.out), (Some(0), THREE), "{}", said.err);
}

#[test]
fn the_figure_comes_with_the_numbers_behind_it() {
    let words = "--algorithm mda -f 1 --attack equivocation --seeds 2 in.csv -o out.npy \
                 --figure contraction.svg";
    let (said, scratch) = on(SIX, words);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let svg = std::fs::read_to_string(scratch.path().join("contraction.svg")).unwrap();
    for part in ["measured", "bound", "pass", "n = 7, f = 1"] {
        assert!(svg.contains(part), "{part}");
    }
    let csv = std::fs::read_to_string(scratch.path().join("contraction.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1 + 32 + 1, "a head, the inputs and 32 passes");
    assert!(csv.starts_with("pass,bound,diameter of seed 1,diameter of seed 2\n"), "{csv}");
    for line in csv.lines().skip(1) {
        let numbers: Vec<f64> = line.split(',').map(|cell| cell.parse().unwrap()).collect();
        assert!(numbers[2..].iter().all(|found| *found <= numbers[1] + 1e-6), "{line}");
    }
}

#[test]
fn the_same_seed_is_the_same_agreement() {
    let words = "--algorithm rb-tm -f 1 --attack gaussian --schedule random in.csv -o -";
    assert_eq!(on(THREE, words).0.out, on(THREE, words).0.out);
}

#[test]
fn what_cannot_be_taken_is_refused_with_a_way_out() {
    let five = "0\n1\n2\n3\n4\n";
    let cases = [
        (five, "mda -f 1", "does not satisfy n ≥ 6f + 1 (at most `f = 0` here)", "rb-tm"),
        (five, "rb-tm -f 2", "does not satisfy n ≥ 3f + 1 (at most `f = 1` here)", "lower `-f`"),
        (five, "rb-tm -f 5", "not a population", ""),
        ("0\nnan\n1\n2\n", "rb-tm -f 1", "row `1` holds NaN or infinity", "finite"),
        ("0\n1\n2,3\n", "rb-tm -f 0", "in.csv:3", "same length"),
        (five, "mda -f 0 --quorum 2", "outside `3` to `5`", "from `3` to `5`"),
        (five, "rb-tm -f 1 --quorum 4", "waits for n − f witnesses", "leave"),
        (five, "mda -f 0 --midpoint", "has no midpoint", "rb-tm"),
        (five, "rb-tm -f 1 --rounds-of-halving 33", "above `32`", "24 bits"),
        (five, "rb-tm -f 1 --seeds 0", "run nothing", ""),
        (five, "rb-tm -f 0 --attack gaussian", "without Byzantine nodes", "--byzantine"),
        (five, "rb-tm -f 1 --attack gaussian --byzantine 2", "only `1` tolerated", "-f 2"),
        (five, "rb-tm -f 1 --attack label-flipping", "no file of vectors holds", "phalanx run"),
        (five, "rb-tm -f 1 --attack gausian", "unknown attack", "gaussian"),
        (five, "rb-tm -f 1 --figure fig.png", "not `.svg`", ".csv"),
        (five, "rb-tm -f 1 --figure none/fig.svg", "does not exist", ""),
    ];
    for (rows, words, message, hint) in cases {
        let (said, scratch) = on(rows, &format!("--algorithm {words} in.csv -o out.csv"));
        assert_eq!(said.code, Some(2), "{words}: {}", said.err);
        assert!(said.err.contains(message) && said.err.contains(hint), "{words}: {}", said.err);
        assert!(!scratch.path().join("out.csv").exists(), "{words}");
    }
}

#[test]
fn json_and_vectors_do_not_share_stdout() {
    let (said, _scratch) = on(THREE, "--json --algorithm rb-tm -f 0 in.csv -o -");
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("both write to stdout"), "{}", said.err);
}
