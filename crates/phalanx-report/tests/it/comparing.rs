//! What `compare` finds.
use std::path::{Path, PathBuf};

use phalanx_report::folder::{CHECKPOINT, ENVIRONMENT, RECORD, SUMMARY};
use phalanx_report::{Comparison, FolderError, compare};

use crate::sample::{Sample, run};

fn pair(place: &str) -> (PathBuf, PathBuf) {
    let sample = Sample::small();
    (sample.write(&format!("{place}-left")), sample.write(&format!("{place}-right")))
}

fn arm(folder: &Path) -> PathBuf {
    run(folder, "averaging-attacked")
}

fn replace(path: &Path, old: &str, new: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(old), "{old} is not in {}", path.display());
    std::fs::write(path, text.replacen(old, new, 1)).unwrap();
}

#[test]
fn equal_runs_and_experiments_are_equal() {
    let (left, right) = pair("equal");
    let lines = std::fs::read_to_string(arm(&left).join(RECORD)).unwrap().lines().count() as u64;
    std::fs::write(arm(&right).join(ENVIRONMENT), "{}").unwrap();
    let found = compare(&arm(&left), &arm(&right)).unwrap();
    assert_eq!(found, Comparison::Equal { runs: 1, lines });
    assert!(matches!(compare(&left, &right).unwrap(), Comparison::Equal { runs: 4, .. }));
}

#[test]
fn one_bit_of_a_loss_is_found_with_line_and_both_values() {
    let (left, right) = pair("bit");
    let text = std::fs::read_to_string(arm(&left).join(RECORD)).unwrap();
    let (place, line) =
        text.lines().enumerate().filter(|(_, line)| line.contains("proposed")).nth(5).unwrap();
    let event: phalanx_report::Line = serde_json::from_str(line).unwrap();
    let loss = event.loss.unwrap();
    let flipped = f64::from_bits(loss.to_bits() ^ 1);
    let changed = line.replace(&loss.to_string(), &flipped.to_string());
    replace(&arm(&right).join(RECORD), line, &changed);
    for found in [compare(&left, &right), compare(&arm(&left), &arm(&right))] {
        let Comparison::Different { file, line, what, left: one, right: other } = found.unwrap()
        else {
            panic!("a flipped bit must be found");
        };
        assert_eq!(file, arm(&left).join(RECORD));
        assert_eq!(line, place as u64 + 1);
        assert!(what.starts_with("loss of event proposed node"), "{what}");
        assert_eq!(one.unwrap(), loss.to_string());
        assert_eq!(other.unwrap(), flipped.to_string());
    }
}

#[test]
fn the_sign_of_zero_in_a_summary_is_a_difference() {
    let (left, right) = pair("zero");
    let seconds = "\"virtual_seconds\": 0.3384";
    replace(&arm(&left).join(SUMMARY), seconds, "\"virtual_seconds\": 0.0");
    replace(&arm(&right).join(SUMMARY), seconds, "\"virtual_seconds\": -0.0");
    let found = compare(&arm(&left), &arm(&right)).unwrap();
    let text = found.to_string();
    assert!(!found.is_equal());
    assert!(text.contains("virtual_seconds") && text.contains("-0.0"), "{text}");
}

#[test]
fn a_missing_event_a_missing_line_feed_and_a_missing_run_are_differences() {
    let (left, right) = pair("missing");
    let path = arm(&right).join(RECORD);
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.trim_end()).unwrap();
    let found = compare(&arm(&left), &arm(&right)).unwrap().to_string();
    assert!(found.contains("line feed at the end"), "{found}");
    let cut = text.trim_end().rfind('\n').unwrap() + 1;
    std::fs::write(&path, &text[..cut]).unwrap();
    let found = compare(&arm(&left), &arm(&right)).unwrap().to_string();
    assert!(found.contains("right: (absent)"), "{found}");
    std::fs::remove_dir_all(arm(&right)).unwrap();
    let found = compare(&left, &right).unwrap().to_string();
    assert!(found.contains("run folder") && found.contains("right: (absent)"), "{found}");
}

#[test]
fn checkpoints_count_where_both_have_one() {
    let (left, right) = pair("checkpoint");
    std::fs::write(arm(&left).join(CHECKPOINT), [1, 2, 3]).unwrap();
    assert!(compare(&arm(&left), &arm(&right)).unwrap().is_equal());
    std::fs::write(arm(&right).join(CHECKPOINT), [1, 2, 7]).unwrap();
    let found = compare(&arm(&left), &arm(&right)).unwrap().to_string();
    assert!(found.contains("byte 3 of the checkpoint") && found.contains("0x07"), "{found}");
}

#[test]
fn what_cannot_be_compared_is_an_error_not_a_difference() {
    let (left, right) = pair("unlike");
    assert!(matches!(compare(&left, &arm(&right)), Err(FolderError::Unlike { .. })));
    assert!(matches!(compare(&left, &right.join("absent")), Err(FolderError::Io { .. })));
    std::fs::write(arm(&right).join(SUMMARY), "{\"format\": 7}").unwrap();
    let result = compare(&arm(&left), &arm(&right));
    assert!(matches!(result, Err(FolderError::Format { found: 7, .. })));
}
