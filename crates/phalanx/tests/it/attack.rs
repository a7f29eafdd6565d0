//! `phalanx attack`: the documented examples, and rows that go on to `phalanx aggregate`.
use crate::program::{Said, Scratch};

const THREE: &str = "1,2,3\n4,5,6\n7,8,9\n";

fn on(rows: &str, words: &str) -> Said {
    let scratch = Scratch::new();
    scratch.write("in.csv", rows);
    let words: Vec<&str> = ["attack"].into_iter().chain(words.split(' ')).collect();
    scratch.phalanx(&words)
}

#[test]
fn documented_examples_through_the_command() {
    let chain = "--rule trimmed-mean --mix nearest-neighbor-mixing --mix static-clipping radius=2";
    let search = "--param factor=expansion-search";
    let ipm = format!("--attack inner-product-manipulation {search} {chain} --byzantine 1");
    let alie = format!("--attack a-little-is-enough {search} {chain} --byzantine 1");
    let cases: &[(&str, [f64; 3])] = &[
        ("--attack sign-flipping --byzantine 1", [-4.0, -5.0, -6.0]),
        ("--attack inner-product-manipulation --param tau=2 --byzantine 1", [-8.0, -10.0, -12.0]),
        ("--attack mimic --byzantine 1", [1.0, 2.0, 3.0]),
        (&ipm, [-2.748_779_07, -3.435_973_84, -4.123_168_6]),
        (&alie, [12.919_851, 13.919_851, 14.919_851]),
    ];
    for (words, expected) in cases {
        let said = on(THREE, &format!("{words} in.csv -o -"));
        assert_eq!(said.code, Some(0), "{words}: {}", said.err);
        let found = said.out.trim().split(',').map(|field| field.parse::<f64>().unwrap());
        for (found, expected) in found.zip(expected) {
            assert!((found - expected).abs() <= 1e-5 * expected.abs(), "{words}: {}", said.out);
        }
    }
}

#[test]
fn forged_rows_go_on_to_a_rule() {
    let scratch = Scratch::new();
    scratch.write("in.csv", THREE);
    let run = |words: &str| {
        let said = scratch.phalanx(&words.split(' ').collect::<Vec<_>>());
        assert_eq!(said.code, Some(0), "{words}: {}", said.err);
        said
    };
    run("attack --attack nan --byzantine 2 --append in.csv -o all.npy");
    let said = run("aggregate --rule coordinate-wise-median -f 2 all.npy -o -");
    assert_eq!(said.out, "7,8,9\n", "two NaN count as the largest");
    let said = run("attack --attack nan --byzantine 2 in.csv -o - -q");
    assert_eq!((said.out.as_str(), said.err.as_str()), ("NaN,NaN,NaN\nNaN,NaN,NaN\n", ""));
    let said = run("attack --attack gaussian --byzantine 2 in.csv -o b.safetensors --json");
    let value: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!((&value["honest"], &value["byzantine"]), (&3.into(), &2.into()));
    run("aggregate --rule average -f 0 b.safetensors -o -");
}

#[test]
fn the_seed_decides_what_is_random() {
    let words = |seed: u64| format!("--attack gaussian --byzantine 1 --seed {seed} in.csv -o -");
    let draw = |seed| on(THREE, &words(seed)).out;
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
}

#[test]
fn nothing_is_chosen_silently() {
    let cases = [
        ("--attack sign-fliping --byzantine 1 in.csv -o -", "unknown attack", "`sign-flipping`"),
        ("--attack silence --byzantine 1 in.csv -o -", "attack `silence` shows no vector", ""),
        (
            "--attack label-flipping --byzantine 1 in.csv -o -",
            "attack `label-flipping` needs gradients on flipped labels, which no file",
            "phalanx run",
        ),
        (
            "--attack equivocation --byzantine 1 in.csv -o -",
            "attack `equivocation` shows each node something else: --receiver",
            "--receiver INDEX",
        ),
        (
            "--attack equivocation --receiver 3 --byzantine 1 in.csv -o -",
            "honest row `3` of `3` does not exist: --receiver 3",
            "from 0",
        ),
        (
            "--attack a-little-is-enough --param factor=line-search --byzantine 1 in.csv -o -",
            "attack `a-little-is-enough` searches against a rule, and none is named: --rule",
            "--rule NAME",
        ),
        ("--attack mimic --mix arc --byzantine 1 in.csv -o -", "mixings without a rule", "--rule"),
        ("--attack mimic --byzantine 0 in.csv -o -", "`0` Byzantine nodes, outside 1 to", ""),
        ("--attack mimic --byzantine 1 -f 9 in.csv -o -", "`f = 9` of `n = 4` nodes", ""),
        (
            "--attack mimic --rule krumm --byzantine 1 in.csv -o -",
            "unknown rule `krumm`: --rule",
            "`krum`",
        ),
    ];
    for (words, message, hint) in cases {
        let said = on(THREE, words);
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{words}");
        assert!(said.err.contains(message), "{words}: {}", said.err);
        assert!(said.err.contains(hint), "{words}: {}", said.err);
    }
    let said = on(THREE, "--attack equivocation --receiver 1 --byzantine 2 in.csv -o -");
    assert_eq!(said.out, "4,5,6\n4,5,6\n", "the mean sits at the centre: {}", said.err);
}
