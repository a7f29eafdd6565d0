//! `phalanx aggregate`: the documented examples, hostile rows, and what is said about them.
use phalanx::command::explanation::shares;
use phalanx::matrix_file::{Format, write};
use phalanx_robust::kernel::order::{Columns, Statistic};
use phalanx_robust::{RULES, Rng};

use crate::program::{Said, Scratch};

const THREE: &str = "1,2,3\n4,5,6\n7,8,9\n";

fn numbers(line: &str) -> Vec<f64> {
    line.trim().split(',').map(|field| field.parse().unwrap()).collect()
}

/// The words after `phalanx aggregate`, on a file `in.csv`.
fn on(rows: &str, words: &str) -> Said {
    let scratch = Scratch::new();
    scratch.write("in.csv", rows);
    let words: Vec<&str> = ["aggregate"].into_iter().chain(words.split(' ')).collect();
    scratch.phalanx(&words)
}

#[test]
fn documented_examples_through_the_command() {
    let clipping = "--rule average --mix static-clipping radius=2 -f 1";
    let chain = "--rule trimmed-mean --mix nearest-neighbor-mixing --mix static-clipping -f 1";
    let cases: &[(&str, [f64; 3])] = &[
        ("--rule average -f 0", [4.0, 5.0, 6.0]),
        ("--rule coordinate-wise-median -f 1", [4.0, 5.0, 6.0]),
        ("--rule trimmed-mean -f 1", [4.0, 5.0, 6.0]),
        ("--rule centered-clipping -f 1", [4.0, 5.0, 6.0]),
        ("--rule caf -f 1", [4.0, 5.0, 6.0]),
        ("--rule meamed -f 1", [2.5, 3.5, 4.5]),
        (
            "--rule geometric-median --param nu=0.1 --param iterations=3 -f 1",
            [3.78788764, 4.78788764, 5.78788764],
        ),
        ("--rule krum --param variant=byzfl -f 1", [1.0, 2.0, 3.0]),
        ("--rule multi-krum --param variant=byzfl -f 1", [2.5, 3.5, 4.5]),
        ("--rule minimum-diameter-averaging -f 1", [2.5, 3.5, 4.5]),
        ("--rule nearest-neighbor-averaging --own 1 -f 1", [2.5, 3.5, 4.5]),
        // The means of the documented rows of mixings.
        ("--rule average --mix nearest-neighbor-mixing -f 1", [3.5, 4.5, 5.5]),
        (clipping, [0.817_116_17, 1.119_127_93, 1.421_139_69]),
        ("--rule average --mix arc -f 1", [3.136_680, 4.013_348_6, 4.890_017]),
        // By hand: the mixed rows are (2.5, 3.5, 4.5) twice and a third that is trimmed.
        (chain, [0.803_219_33, 1.124_507_1, 1.445_794_8]),
    ];
    for (words, expected) in cases {
        let said = on(THREE, &format!("{words} in.csv -o -"));
        assert_eq!(said.code, Some(0), "{words}: {}", said.err);
        for (found, expected) in numbers(&said.out).iter().zip(expected) {
            assert!((found - expected).abs() <= 1e-6 * expected.abs(), "{words}: {}", said.out);
        }
        assert_eq!(said.out.lines().count(), 1, "{words}");
    }
}

#[test]
fn the_krum_librarys_example_through_the_command() {
    let rows = "1,2,3\n1.1,2.1,3.1\n.9,1.9,2.9\n1.2,2.2,3.2\n100,200,300\n";
    let words = "--rule multi-krum --param variant=krum-library --param m=2 -f 1 in.csv -o -";
    let found = numbers(&on(rows, words).out);
    for (found, expected) in found.iter().zip([1.05, 2.05, 3.05]) {
        assert!((found - expected).abs() < 1e-6, "{found} for {expected}");
    }
}

/// Nine rows near (1, …, 1) and one that is not a vector at all.
#[test]
fn every_robust_rule_is_finite_although_a_row_is_not() {
    let honest: Vec<String> = (0..9).map(|i| format!("1.{i},0.9{i},1,1.0{i}")).collect();
    for bad in ["nan,nan,nan,nan", "inf,-inf,inf,-inf", "1,1,nan,1", "1e38,-1e38,1e38,1e39"] {
        let rows = format!("{}\n{bad}\n", honest.join("\n"));
        for rule in RULES {
            let own = if rule.build.is_self_centred { "--own 0 " } else { "" };
            let words = format!("--rule {} -f 1 {own}in.csv -o -", rule.name);
            let said = on(&rows, &words);
            assert_eq!(said.code, Some(0), "{words}: {}", said.err);
            let found = numbers(&said.out);
            assert!(found.iter().all(|value| value.is_finite()), "{words}: {}", said.out);
            // Clipped or not, 1e38 moves a mean, and no robust rule.
            if rule.name != "average" {
                let is_near = |value: &f64| (-100.0..100.0).contains(value);
                assert!(found.iter().all(is_near), "{words}: {}", said.out);
            }
        }
    }
}

#[test]
fn more_bad_rows_than_tolerated_are_an_error_and_no_file() {
    let scratch = Scratch::new();
    scratch.write("in.csv", "1,2\nnan,1\n3,inf\n4,5\n5,6\n");
    let words = ["aggregate", "--rule", "medoid", "-f", "1", "in.csv", "-o", "out.npy"];
    let said = scratch.phalanx(&words);
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""));
    assert_eq!(
        said.err,
        "error: rule `medoid`: `2` of the vectors are not finite, but only `1` are tolerated\n\n\
         hint: nothing can be promised with fewer than `-f 2`\n"
    );
    let left = std::fs::read_dir(scratch.path()).unwrap().count();
    assert_eq!(left, 1, "no output, no part of one");
}

#[test]
fn an_explanation_says_who_was_dropped_clipped_or_used() {
    let said = on(THREE, "--rule minimum-diameter-averaging -f 1 in.csv -o out.csv --explain");
    assert_eq!(said.code, Some(0), "{}", said.err);
    let table: Vec<&str> = said.out.lines().rev().take(4).collect();
    assert_eq!(table[0], "2    0       7.79423   dropped");
    assert_eq!(table[1], "1    0.5     2.59808   kept");
    assert_eq!(table[3], "row  weight  distance");
    let said = on(THREE, "--rule trimmed-mean -f 1 in.csv -o out.csv --explain");
    let last = "2    0.0 %    0.0 %          100.0 %        5.19615";
    assert_eq!(said.out.lines().last(), Some(last), "{}", said.out);
    let words = "--rule average --mix static-clipping radius=9 -f 1 in.csv -o out.csv --explain";
    let said = on("1,2\n30,40\nnan,1\n", words);
    for line in [
        "0    2.23607      2.23607  0         unchanged",
        "1    50           9        41        clipped, times 0.18",
        "2    inf          0        inf       not finite: replaced",
    ] {
        assert!(said.out.lines().any(|found| found == line), "{}", said.out);
    }
    let words = "--rule centered-clipping --param tau=5 -f 1 in.csv -o out.csv --explain";
    let said = on("3,4\n6,8\n0,0\n", words);
    for line in [
        "0    0.33333  1.66667   kept",
        "1    0.16667  6.66667   clipped, times 0.5",
        "2    0.33333  3.33333   kept",
    ] {
        assert!(said.out.lines().any(|found| found == line), "{}", said.out);
    }
    let said = on("3,4\n6,8\n0,0\n", &(words.to_owned() + " --json"));
    let value: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(value["explanation"]["rows"][1]["clip_factor"], 0.5);
    let words = "--rule average --mix bucketing size=2 -f 1 in.csv -o out.csv --explain";
    assert!(on(THREE, words).out.contains("3 vectors became 2"));
    let said = on("1,2\n3,4\nnan,1\n", "--rule average -f 1 in.csv -o out.csv --explain");
    assert!(said.out.contains("2    0       inf       dropped: 1 coordinate is not finite"));
}

#[test]
fn json_says_the_same_and_stdout_is_not_shared() {
    let said = on(
        THREE,
        "--rule multi-krum --param variant=byzfl -f 1 in.csv -o o.npy --json -q --explain",
    );
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    let value: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(value["rule"], "multi-krum");
    assert_eq!((&value["count"], &value["dim"], &value["f"]), (&3.into(), &3.into(), &1.into()));
    let rows = value["explanation"]["rows"].as_array().unwrap();
    let weights: Vec<f64> = rows.iter().map(|row| row["weight"].as_f64().unwrap()).collect();
    assert_eq!(weights, [0.5, 0.5, 0.0]);
    assert_eq!(rows[2]["verdict"], "dropped");
    let words = "--rule meamed --mix arc -f 1 in.csv -o o.npy --json --explain";
    let said = on("1,2\nnan,4\n5,6\n", words);
    let value: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    let explanation = &value["explanation"];
    assert_eq!(explanation["mixings"][0]["rows"][1]["verdict"], "not finite: replaced");
    assert_eq!(explanation["given"][1]["not_finite"], 1);
    assert!(explanation["given"][1]["distance"].is_null());
    assert!(explanation["rows"][0]["used"].is_number());
    let said = on(THREE, "--rule average -f 0 in.csv -o - --json");
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""));
    let said = on(THREE, "--rule average -f 0 in.csv -o - --explain");
    assert_eq!(said.out, "4,5,6\n");
    assert!(said.err.contains("weight"), "{}", said.err);
}

#[test]
fn the_share_of_coordinates_is_what_the_kernel_uses() {
    let mut rng = Rng::stream(5, 0, "shares");
    for n in 1..=9 {
        for trial in 0..200 {
            // Few distinct values, so that ties are common.
            let mut draw = || rng.below(if trial % 2 == 0 { 7 } else { 1000 }) as f32 - 3.0;
            let values: Vec<f32> = (0..n).map(|_| draw()).collect();
            let rows: Vec<&[f32]> = values.iter().map(std::slice::from_ref).collect();
            let mut all = vec![Statistic::Median];
            all.extend((1..=n).map(|keep| Statistic::MeanAroundMedian { keep }));
            for trim in 0..n.div_ceil(2) {
                all.push(Statistic::TrimmedMean { trim });
                all.push(Statistic::TrimmedMidpoint { trim });
                all.push(Statistic::MeanAroundTrimmedMean { trim });
            }
            for statistic in all {
                let mut out = [0.0];
                Columns::default().compute(&rows, statistic, &mut out);
                let shares = shares(&rows, statistic);
                let total: f64 = shares.iter().map(|s| s.used + s.below + s.above).sum();
                assert_eq!(total, n as f64);
                let used = shares.iter().zip(&values).filter(|(share, _)| share.used == 1.0);
                let used: Vec<f64> = used.map(|(_, value)| f64::from(*value)).collect();
                let mean = used.iter().sum::<f64>() / used.len() as f64;
                assert!((mean - f64::from(out[0])).abs() < 1e-4, "{statistic:?} of {values:?}");
            }
        }
    }
}

#[test]
fn mistakes_are_answered() {
    let cases = [
        ("--rule krumm -f 1 in.csv -o -", "unknown rule `krumm`: --rule", "`krum`"),
        ("--rule krum -f 1 in.csv -o -", "`n = 3`, `f = 1` does not satisfy n ≥ 2f + 3", "explain"),
        ("--rule average -f 3 in.csv -o -", "`f = 3` of `n = 3` nodes", ""),
        (
            "--rule geometric-median --param nuu=1 -f 1 in.csv -o -",
            "unknown parameter `nuu` of `geometric-median`: --rule",
            "`nu`",
        ),
        (
            "--rule geometric-median --param nu -f 1 in.csv -o -",
            "`nu` is not of the form `key=value`: --rule",
            "explain",
        ),
        (
            "--rule geometric-median --param nu=x -f 1 in.csv -o -",
            "parameter `nu` of `geometric-median` is `x`, but a number is needed: --rule",
            "range",
        ),
        (
            "--rule krum --param variant=byzfll -f 1 in.csv -o -",
            "parameter `variant` of `krum` is `byzfll`, outside original, byzfl, krum-library",
            "`byzfl`",
        ),
        (
            "--rule average --param a=1 --param a=2 -f 1 in.csv -o -",
            "parameter `a` of `average` is given twice: --rule",
            "",
        ),
        ("--rule average --mix arcc -f 1 in.csv -o -", "unknown mixing `arcc`: --mix", "`arc`"),
        (
            "--rule nearest-neighbor-averaging -f 1 in.csv -o -",
            "rule `nearest-neighbor-averaging` is centred at the own vector, and none is marked: \
             --own",
            "--own INDEX",
        ),
        (
            "--rule nearest-neighbor-averaging --mix bucketing size=1 --own 0 -f 1 in.csv -o -",
            "rule `nearest-neighbor-averaging`: rule `nearest-neighbor-averaging` is centred",
            "bucketing",
        ),
        (
            "--rule average --own 3 -f 1 in.csv -o -",
            "row `3` of `3` does not exist: --own 3",
            "from 0",
        ),
        ("--rule average -f 1 absent.csv -o -", "cannot read: no such file", ""),
        ("--rule average -f 1 in.txt -o -", "the ending is none of", "`-` stands for CSV"),
        ("--rule average -f 1 in.npz -o -", "the ending is none of", "numpy.save"),
        ("--rule average -f 1 in.csv -o in.csv", "the output would replace the input", "name"),
        ("--rule average -f 1 in.csv -o no/out.csv", "the folder of the output does not", ""),
        ("--rule average -f 1 in.csv -o - --tensor a", "a `.csv` file has no named tensors", ""),
        ("--rule average -f 1 -o -", "no input file is named", "in.npy"),
        ("--rule average -f 1 --mix arc in.csv more.csv -o -", "`in.csv` is not of the form", ""),
    ];
    for (words, message, hint) in cases {
        let said = on(THREE, words);
        assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{words}");
        assert!(said.err.contains(message), "{words}: {}", said.err);
        assert!(said.err.contains(hint), "{words}: {}", said.err);
        assert!(said.err.starts_with("error: "), "{words}: {}", said.err);
    }
}

#[test]
fn the_input_may_follow_a_mixing_and_come_from_stdin() {
    let expected = on(THREE, "--rule average --mix arc -f 1 in.csv -o -").out;
    assert_eq!(on(THREE, "--rule average -f 1 -o - --mix arc in.csv").out, expected);
    assert_eq!(on(THREE, "--rule average -f 1 -o - in.csv --mix arc").out, expected);
    let scratch = Scratch::new();
    let mut command =
        scratch.command(&["aggregate", "--rule", "meamed", "-f", "1", "-", "-o", "-"]);
    let pipe = std::process::Stdio::piped;
    let mut child = command.stdin(pipe()).stdout(pipe()).stderr(pipe()).spawn().unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), THREE.as_bytes()).unwrap();
    let said = crate::program::said(child.wait_with_output().unwrap());
    assert_eq!((said.code, said.out.as_str()), (Some(0), "2.5,3.5,4.5\n"), "{}", said.err);
}

/// Every shell line of the guide, in its order, in one folder.
#[test]
fn the_guide_works_as_written() {
    let guide = include_str!("../../../../docs/aggregate.md");
    let lines: Vec<&str> = guide.lines().filter(|line| line.starts_with("phalanx ")).collect();
    assert!(lines.len() >= 7, "{lines:?}");
    let scratch = Scratch::new();
    let rows: Vec<Vec<f32>> = (0..9).map(|i| vec![1.0 + i as f32, 2.0, 0.5 * i as f32]).collect();
    let rows: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
    let mut bytes = Vec::new();
    write(&mut bytes, Format::Npy, &rows, ("", true)).unwrap();
    std::fs::write(scratch.path().join("in.npy"), bytes).unwrap();
    for line in lines {
        let said = scratch.phalanx(&line.split(' ').skip(1).collect::<Vec<_>>());
        assert_eq!(said.code, Some(0), "{line}: {}", said.err);
    }
    assert!(scratch.path().join("forged.npy").is_file());
}
