//! Tables, as text that a person can check.
use phalanx_report::{TableStyle, load, summary_table};

use crate::sample::{Sample, fresh, run};

/// Compares with `tests/it/expected/<name>`; what was found lies ready to replace it.
pub fn check(name: &str, found: &str) {
    let place = fresh(&format!("found-{name}")).join(name);
    std::fs::write(&place, found).unwrap();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/expected");
    let expected = std::fs::read_to_string(format!("{folder}/{name}")).unwrap_or_default();
    let update = format!("cp {} {folder}/{name}", place.display());
    assert!(expected == found, "not as expected; if the new text is right: {update}\n{found}");
}

#[test]
fn each_style_is_as_expected() {
    let mut sample = Sample::quickstart();
    sample.rounds = 160;
    let runs = load(&[sample.write("tables")]).unwrap();
    check("table.txt", &summary_table(&runs, TableStyle::Plain));
    check("table.md", &summary_table(&runs, TableStyle::Markdown));
    check("table.csv", &summary_table(&runs, TableStyle::Csv));
    check("table.jsonl", &summary_table(&runs, TableStyle::JsonLines));
}

#[test]
fn json_lines_are_json_and_plain_columns_line_up() {
    let runs = load(&[Sample::small().write("aligned")]).unwrap();
    for line in summary_table(&runs, TableStyle::JsonLines).lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(row["seeds"], serde_json::json!([1, 2]));
        assert!(row["scores"]["accuracy"]["worst"]["mean"].is_f64());
    }
    let table = summary_table(&runs, TableStyle::Plain);
    let ends: Vec<usize> = table.lines().map(|line| line.chars().count()).collect();
    assert!(ends.windows(2).all(|pair| pair[0] == pair[1]), "{table}");
}

#[test]
fn a_name_cannot_break_a_table() {
    let folder = Sample::small().write("names");
    let path = run(&folder, "averaging-attacked").join("summary.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let name = r#""arm": "a,\"b|c\nd\u001b[31m""#;
    std::fs::write(&path, text.replace("\"arm\": \"averaging-attacked\"", name)).unwrap();
    let runs = load(&[folder]).unwrap();
    for style in [TableStyle::Plain, TableStyle::Markdown] {
        let table = summary_table(&runs, style);
        let heads = if style == TableStyle::Plain { 1 } else { 2 };
        assert_eq!(table.lines().count(), heads + 3, "{table}");
        assert!(!table.contains('\u{1b}'), "{table}");
    }
    assert!(summary_table(&runs, TableStyle::Markdown).contains("b\\|c"));
    assert!(summary_table(&runs, TableStyle::Csv).contains("\"a,\"\"b|c\n"));
    assert_eq!(summary_table(&runs, TableStyle::JsonLines).lines().count(), 3);
}

#[test]
fn no_runs_make_a_table_of_its_head_alone() {
    assert_eq!(summary_table(&[], TableStyle::Plain).lines().count(), 1);
    assert_eq!(summary_table(&[], TableStyle::JsonLines), "");
}
