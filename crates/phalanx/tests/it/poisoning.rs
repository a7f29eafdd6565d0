//! `phalanx poison` and `phalanx audit`, and the published statements on real digits.
use crate::program::{Said, Scratch};

fn words(scratch: &Scratch, line: &str) -> Said {
    scratch.phalanx(&line.split(' ').collect::<Vec<_>>())
}

fn numbers(said: &Said) -> Vec<serde_json::Value> {
    assert_eq!(said.code, Some(0), "{}", said.err);
    said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

const SMALL: &str = "--train-samples 400 --users 4 --points 100 --target-epochs 20";

#[test]
fn poison_writes_points_that_other_tools_read_and_a_sheet() {
    let scratch = Scratch::new();
    let line = format!("poison {SMALL} --epochs 8 --poison-points 30 -o out --json");
    let rows = numbers(&words(&scratch, &line));
    let names: Vec<&str> = rows.iter().map(|row| row["attack"].as_str().unwrap()).collect();
    assert_eq!(names, ["gradient", "model", "data"]);
    let said = words(&scratch, "aggregate --rule average -f 0 out/features.npy -o mean.csv --json");
    assert_eq!((numbers(&said)[0]["dim"].as_u64(), said.code), (Some(784), Some(0)));
    let sheet = std::fs::read(scratch.path().join("out/sheet.png")).unwrap();
    assert!(sheet.starts_with(b"\x89PNG") && sheet.len() > 10_000);
    // A model that was written is read back and pinned without an attack.
    let again =
        format!("poison {SMALL} --model out/model.npy --poison-points 5 --untried -o two -q");
    let said = words(&scratch, &again);
    assert_eq!((said.code, said.out.as_str()), (Some(0), ""), "{}", said.err);
    assert!(scratch.path().join("two/labels.npy").is_file());
}

#[test]
fn an_audit_compares_attacks_and_draws_them() {
    let scratch = Scratch::new();
    let attacks = "--attack gradient,model,data,label-shift,backdoor --poison-points 20,200";
    let line = format!("audit {SMALL} --epochs 10 {attacks} -o out --json");
    let rows = numbers(&words(&scratch, &line));
    assert_eq!(rows.len(), 2 + 3 * 2 + 1, "{rows:?}");
    let last = rows.last().unwrap();
    let bound = last["diameter"].as_f64().unwrap() / 4.0;
    assert!((last["lower_bound"].as_f64().unwrap() - bound).abs() < 1e-9);
    for stem in ["attacks", "influence"] {
        let svg = std::fs::read_to_string(scratch.path().join(format!("out/{stem}.svg"))).unwrap();
        assert!(svg.starts_with("<svg") && svg.contains("data"), "{stem}");
        assert!(scratch.path().join(format!("out/{stem}.csv")).is_file());
    }
    let said = words(&scratch, &format!("audit {SMALL} --epochs 5 --attack gradient --rule krum"));
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.out.contains("no rule that is exact"), "{}", said.out);
}

#[test]
fn what_does_not_fit_is_told_with_value_place_and_hint() {
    let scratch = Scratch::new();
    scratch.write("short.csv", "1,2,3\n");
    scratch.write("two.csv", "1,2,3\n4,5,6\n");
    scratch.write("full/a.txt", "");
    let cases = [
        ("audit --dataset cifar10", "no grey data set `cifar10`: --dataset"),
        ("audit --regularizer l3", "no regulariser `l3`"),
        ("audit --lambda 0", "is `0`, but a positive number is needed: --lambda"),
        ("audit --users 0", "`0`, but at least 1 is needed: --users"),
        ("audit --attack gradeint", "unknown attack `gradeint`: --attack"),
        ("audit --poison-points 5,0", "`0`, but at least 1 is needed: --poison-points"),
        ("poison --poison-points 99999999 -o a", "at most 1000000 are possible: --poison-points"),
        ("audit --users 5000", "`5000`, but at most 4096 are possible: --users"),
        (
            "audit --rule nearest-neighbor-averaging",
            "rule `nearest-neighbor-averaging` is centred at the own vector, and a server has none",
        ),
        ("audit --rule krmu", "unknown rule `krmu`: --rule"),
        ("audit --mix arc", "mixings without a rule: --mix"),
        ("audit --features 20 --attack backdoor --train-samples 50", "not features: --attack"),
        ("poison --spread 0 -o a", "`0`, but a positive number is needed: --spread"),
        ("poison --model two.csv -o a", "`2` vectors, but one is needed: two.csv"),
        ("poison --model short.csv -o b", "a model of `3` numbers, but these images need `7850`"),
        ("poison -o full", "the folder is not empty: full"),
    ];
    for (line, expected) in cases {
        let said = words(&scratch, line);
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{line}: {}", said.err);
        assert!(said.err.contains(expected), "{line}: {}", said.err);
    }
    let said = words(&scratch, "audit --attack gradeint");
    assert!(said.err.contains("hint: an attack with a similar name exists: `gradient`"));
}

#[cfg(feature = "nightly")]
mod nightly {
    use phalanx::poisoning::weighting::{Inequality, train};
    use phalanx_learn::algorithm::personalised::Weighting;
    use phalanx_tasks::dataset;
    use phalanx_tasks::personalised::Images;

    use super::*;

    fn row<'a>(rows: &'a [serde_json::Value], attack: &str) -> &'a serde_json::Value {
        rows.iter().find(|row| row["attack"] == attack).unwrap()
    }

    // Specification 02, section 7, check 7, on the embedded digits: 10 users of 800 points, and
    // ONE more with 266, which is 3.3 % of the data as published.
    #[test]
    fn one_user_with_three_percent_of_the_data_steers_the_squared_regulariser_and_not_l2() {
        let scratch = Scratch::new();
        let attacks = "--attack gradient,model,data --poison-points 266,2000 --json";
        let rows = numbers(&words(&scratch, &format!("audit {attacks}")));
        assert_eq!(rows.len(), 4 + 1);
        for row in &rows[..4] {
            let (accuracy, distance) = (row["accuracy"].as_f64(), row["distance"].as_f64());
            assert!(accuracy.unwrap() < 0.02, "{row}");
            // 6 is for 2,000 points; the 266 that are 3.3 % here hold the model less.
            let room = if row["points"] == 266 { 7.0 } else { 6.0 };
            assert!(distance.unwrap() < room, "{row}");
        }
        let rows = numbers(&words(&scratch, "audit --regularizer l2 --attack gradient --json"));
        let clean = rows.last().unwrap()["clean_accuracy"].as_f64().unwrap();
        let found = row(&rows, "gradient")["accuracy"].as_f64().unwrap();
        assert!((found - clean).abs() < 0.02, "{found} {clean}");
    }

    // Check 8 in small: 8,000 digits, 100 hidden units.
    #[test]
    fn sums_beat_means_by_a_quarter_on_noisy_labels() {
        let data = dataset::load("digits", std::path::Path::new("."), (None, None)).unwrap();
        let images = (Images::of(&data.train), Images::of(&data.test));
        let setting = Inequality { active_points: 8_000, hidden: 100, ..Inequality::published() };
        let global = |weighting| {
            train(setting, (&images.0, &images.1), weighting, &mut |_| {}).unwrap().global
        };
        let (sum, mean) = (global(Weighting::Sum), global(Weighting::Mean));
        assert!(sum - mean >= 0.25, "{sum} {mean}");
    }
}
