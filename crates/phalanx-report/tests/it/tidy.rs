//! Tidy tables: what is in them, that equal runs give equal files, that readers get it all back.
use std::path::Path;

use phalanx_report::folder::{ENVIRONMENT, RECORD, SUMMARY, read_json};
use phalanx_report::tidy::{Format, Table, Values, costs, curves, results, write_tables};
use phalanx_report::{Environment, Score, Summary, load};

use crate::parquet::{Cell, read};
use crate::sample::{Sample, run, write_json};

fn column<'t>(table: &'t Table, name: &str) -> &'t Values {
    let found = table.columns().iter().find(|column| column.name == name);
    &found.unwrap_or_else(|| panic!("no column `{name}`")).values
}

#[test]
fn a_run_is_a_row_and_what_differs_is_a_column() {
    let folder = Sample::quickstart().write("tidy-results");
    let table = results(&load(&[folder]).unwrap()).unwrap();
    assert_eq!(table.rows(), 12);
    let names: Vec<&str> = table.columns().iter().map(|column| column.name.as_str()).collect();
    for name in ["experiment", "arm", "seed", "rule", "attack", "byzantine", "accuracy.worst"] {
        assert!(names.contains(&name), "{name} in {names:?}");
    }
    assert!(names.contains(&"attack.epsilon"), "some runs have no attack");
    assert!(!names.contains(&"network.loss"), "all runs have the same network");
    assert!(!names.iter().any(|name| name.contains("seconds") && *name != "virtual_seconds"));
    let Values::Number(epsilon) = column(&table, "attack.epsilon") else { panic!("numbers") };
    assert_eq!(epsilon.iter().filter(|value| value.is_none()).count(), 3, "the attack-free arm");
    let Values::Text(status) = column(&table, "status") else { panic!("words") };
    assert_eq!(status.iter().filter(|s| s.as_deref() == Some("diverged")).count(), 2);
    let Values::Count(seeds) = column(&table, "seed") else { panic!("counts") };
    assert_eq!(seeds[..4], [1, 2, 3, 1].map(Some), "by arm, then by seed");
}

#[test]
fn a_curve_has_a_row_for_each_evaluation_of_each_score() {
    let folder = Sample::small().write("tidy-curves");
    let runs = load(&[folder]).unwrap();
    let table = curves(&runs);
    assert_eq!(table.rows(), 4 * 2 * 5, "runs, scores, evaluations at 0, 2, 4, 6, 8");
    let (Values::Number(worst), Values::Count(round)) =
        (column(&table, "worst"), column(&table, "round"))
    else {
        panic!("numbers and counts");
    };
    assert_eq!(round[4], Some(8));
    assert_eq!(worst[4], Some(runs[0].summary.scores["accuracy"].worst));
}

#[test]
fn equal_runs_give_equal_files_wherever_and_whenever_they_ran() {
    let (one, other) = (Sample::small().write("tidy-one"), Sample::small().write("tidy-other"));
    for start in ["averaging-attacked", "averaging-attack-free"] {
        let path = run(&other, start).join(ENVIRONMENT);
        let mut environment: Environment = read_json(&path).unwrap();
        environment.wall_seconds *= 3.0;
        environment.platform = "elsewhere".into();
        write_json(&path, &environment);
    }
    let formats = [Format::Csv, Format::Parquet];
    let write = |folder: &Path, runs: &[std::path::PathBuf]| {
        write_tables(folder, &load(runs).unwrap(), &formats).unwrap()
    };
    let mut folders: Vec<_> =
        std::fs::read_dir(&other).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    folders.reverse();
    let left = write(&one, std::slice::from_ref(&one));
    let right = write(&other, &folders);
    for (left, right) in left.iter().zip(&right) {
        let is_same = std::fs::read(left).unwrap() == std::fs::read(right).unwrap();
        let name = left.file_name().unwrap().to_string_lossy();
        assert_eq!(is_same, !name.starts_with("costs"), "{name}");
    }
}

#[test]
fn seeds_are_in_order_of_size() {
    let mut sample = Sample::small();
    sample.seeds = vec![10, 9, 100];
    let table = results(&load(&[sample.write("tidy-seeds")]).unwrap()).unwrap();
    let Values::Count(seeds) = column(&table, "seed") else { panic!("counts") };
    assert_eq!(seeds[..3], [9, 10, 100].map(Some));
}

#[test]
fn numbers_come_back_exactly_and_what_is_none_is_said() {
    let odd = [0.1 + 0.2, -0.0, 5e-324, f64::MAX, f64::NAN, f64::NEG_INFINITY, 1.0 / 3.0];
    let mut table = Table::default();
    table.push("x", Values::Number(odd.iter().copied().map(Some).collect()));
    let csv = table.csv();
    for (text, value) in csv.lines().skip(1).zip(odd) {
        let back: f64 = text.parse().unwrap();
        assert!(back.to_bits() == value.to_bits() || (back.is_nan() && value.is_nan()), "{text}");
    }
    let back = read(&table.parquet());
    for (cell, value) in back[0].1.iter().zip(odd) {
        assert!(matches!(cell, Cell::Number(back) if back.to_bits() == value.to_bits()));
    }
}

/// What a reader should get for a column.
fn cells(values: &Values) -> Vec<Cell> {
    fn each<T: Clone>(values: &[Option<T>], cell: fn(T) -> Cell) -> Vec<Cell> {
        values.iter().map(|value| value.clone().map_or(Cell::Null, cell)).collect()
    }
    match values {
        Values::Text(values) => each(values, Cell::Text),
        Values::Count(values) => each(values, Cell::Count),
        Values::Integer(values) => each(values, Cell::Integer),
        Values::Number(values) => each(values, Cell::Number),
        Values::Flag(values) => each(values, Cell::Flag),
    }
}

fn assert_comes_back(table: &Table) {
    let back = read(&table.parquet());
    assert_eq!(back.len(), table.columns().len());
    for ((name, found), column) in back.iter().zip(table.columns()) {
        assert_eq!(*name, column.name);
        assert_eq!(*found, cells(&column.values), "column {name}");
    }
}

#[test]
fn parquet_gives_back_every_value_of_every_type() {
    let runs = load(&[Sample::quickstart().write("tidy-parquet")]).unwrap();
    for table in [results(&runs).unwrap(), curves(&runs), costs(&runs)] {
        assert_comes_back(&table);
    }
    // Columns enough for the long form of lists, runs of nulls, bits over the edge of a byte, and
    // rows for three groups.
    let rows = 150_000;
    let mut table = Table::default();
    let keep = |row: usize| !(row / 3).is_multiple_of(5);
    let flags = (0..rows).map(|row| keep(row).then_some(row % 7 < 3)).collect();
    table.push("flag", Values::Flag(flags));
    let texts = (0..rows).map(|row| keep(row).then(|| "é\"\n".repeat(row % 4))).collect();
    table.push("text", Values::Text(texts));
    let counts = (0..rows).map(|row| keep(row).then_some(u64::MAX - row as u64)).collect();
    table.push("count", Values::Count(counts));
    let integers = (0..rows).map(|row| keep(row).then_some(i64::MIN + row as i64)).collect();
    table.push("integer", Values::Integer(integers));
    for place in 0..20 {
        table.push(format!("empty {place}"), Values::Number(vec![None; rows]));
    }
    assert_comes_back(&table);
    assert_comes_back(&Table::default());
    let mut none = Table::default();
    none.push("no rows", Values::Text(Vec::new()));
    assert_comes_back(&none);
}

#[test]
fn names_that_meet_stay_apart_and_odd_scores_do_no_harm() {
    let folder = Sample::small().write("tidy-odd");
    let one = run(&folder, "averaging-attacked");
    let mut summary: Summary = read_json(&one.join(SUMMARY)).unwrap();
    summary.scores.insert("a.mean".into(), Score::over("a", &[f64::NAN]));
    summary.scores.insert("a".into(), Score::over("a", &[0.5]));
    summary.names.insert("seed".into(), "a setting called as a column".into());
    summary.reason = Some("a,\"b\"\nc".into());
    write_json(&one.join(SUMMARY), &summary);
    std::fs::write(one.join(RECORD), "").unwrap();
    let table = results(&load(&[folder]).unwrap()).unwrap();
    let names: std::collections::BTreeSet<&String> =
        table.columns().iter().map(|column| &column.name).collect();
    assert_eq!(names.len(), table.columns().len());
    assert!(table.csv().contains("\"a,\"\"b\"\"\nc\""));
    assert!(table.csv().contains("NaN"));
}
