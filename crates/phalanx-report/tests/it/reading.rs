//! Reading folders, whole and broken.
use std::path::Path;

use phalanx_report::folder::{RECORD, SUMMARY, read_json};
use phalanx_report::{FolderError, Line, Score, Summary, arms, load, write_report};

use crate::sample::{Sample, blank, fresh, push, run, write_json};

fn edit(path: &Path, change: impl Fn(String) -> String) {
    std::fs::write(path, change(std::fs::read_to_string(path).unwrap())).unwrap();
}

#[test]
fn each_run_is_loaded_once_and_grouped_by_arm() {
    let folder = Sample::small().write("once");
    let one = run(&folder, "averaging-attacked");
    let runs = load(&[one.clone(), folder.clone(), one]).unwrap();
    let seen: Vec<_> = runs.iter().map(|r| (r.summary.arm.as_str(), r.summary.seed)).collect();
    let (free, attacked) = ("averaging-attack-free", "averaging-attacked");
    assert_eq!(seen, [(free, 1), (free, 2), (attacked, 1), (attacked, 2)]);
    let arms = arms(&runs);
    assert_eq!(arms.iter().map(|arm| arm.runs.len()).collect::<Vec<_>>(), [2, 2]);
    let history = &runs[2].history;
    assert_eq!(history.scores["accuracy"].keys().copied().collect::<Vec<_>>(), [0, 2, 4, 6, 8]);
    assert_eq!(history.scores["accuracy"][&8].count, 3);
    assert_eq!(history.loss.len(), 8);
    assert_eq!(history.rejected_from.get(&3), Some(&1));
}

#[test]
fn the_last_point_of_a_curve_is_the_score_of_the_summary() {
    let folder = Sample::small().write("last-point");
    for run in load(&[folder]).unwrap() {
        for (name, score) in &run.summary.scores {
            let last = run.history.scores[name].values().last().unwrap().score(name);
            assert_eq!(last.worst, score.worst);
            assert_eq!(last.best, score.best);
            assert!((last.mean - score.mean).abs() < 1e-12);
            assert!((last.deviation - score.deviation).abs() < 1e-12);
        }
    }
}

#[test]
fn arms_of_one_name_with_other_settings_are_not_mixed() {
    let folder = Sample::small().write("twins");
    let one = run(&folder, "averaging-attacked");
    std::fs::rename(&one, folder.join("averaging-attacked-00c0ffee-s1")).unwrap();
    let runs = load(&[folder]).unwrap();
    let names: Vec<_> = arms(&runs).iter().map(|arm| arm.name.clone()).collect();
    assert_eq!(names.len(), 3);
    assert_eq!(names[1], "averaging-attacked-0001beef");
    assert_eq!(names[2], "averaging-attacked-00c0ffee");
}

// The folder of an arm called `a/b` is called `a-b-…`.
#[test]
fn arms_whose_name_is_no_folder_name_are_told_apart_by_their_settings_too() {
    let folder = Sample::small().write("odd-twins");
    for (seed, hash) in [(1, "00c0ffee"), (2, "0001beef")] {
        let one = folder.join(format!("averaging-attacked-0001beef-s{seed}"));
        edit(&one.join(SUMMARY), |text| text.replace("averaging-attacked", "a/b"));
        std::fs::rename(&one, folder.join(format!("a-b-{hash}-s{seed}"))).unwrap();
    }
    let runs = load(&[folder]).unwrap();
    let names = arms(&runs).into_iter().map(|arm| arm.name);
    let names: Vec<_> = names.filter(|name| name.starts_with("a/b")).collect();
    assert_eq!(names, ["a/b-0001beef", "a/b-00c0ffee"]);
}

#[test]
fn a_cut_off_last_line_is_left_out_and_said() {
    let folder = Sample::small().write("cut");
    let one = run(&folder, "averaging-attacked");
    let whole = load(std::slice::from_ref(&one)).unwrap()[0].history.lines;
    edit(&one.join(RECORD), |text| text[..text.len() - 9].to_owned());
    let history = &load(std::slice::from_ref(&one)).unwrap()[0].history;
    assert!(history.truncated);
    assert_eq!(history.lines, whole - 1);
    let page = std::fs::read_to_string(write_report(&one).unwrap().page).unwrap();
    assert!(page.contains(&format!("in the middle of line {whole}")), "the page must say so");
}

#[test]
fn a_broken_line_is_refused_with_file_and_number() {
    let folder = Sample::small().write("broken-line");
    let one = run(&folder, "averaging-attacked");
    let wrong_lines = [
        "",
        "nonsense",
        "{\"t\":1}",
        "{\"t\":-1,\"node\":0,\"event\":\"finished\",\"round\":1}",
        "{\"t\":1,\"node\":0,\"event\":\"finished\"}",
        "{\"t\":1,\"node\":0,\"event\":\"invented\",\"round\":1}",
        "{\"t\":1,\"node\":0,\"event\":\"proposed\",\"round\":1,\"loss\":\"0.5\"}",
        "{\"t\":1,\"node\":70000,\"event\":\"finished\",\"round\":1}",
    ];
    for wrong in wrong_lines {
        let path = one.join(RECORD);
        let before = std::fs::read_to_string(&path).unwrap();
        edit(&path, |text| {
            let mut lines: Vec<&str> = text.lines().collect();
            lines[4] = wrong;
            lines.join("\n") + "\n"
        });
        match load(std::slice::from_ref(&one)) {
            Err(FolderError::Syntax { path: at, line: 5, .. }) => assert_eq!(at, path),
            other => panic!("`{wrong}` gave {other:?}"),
        }
        std::fs::write(&path, before).unwrap();
    }
}

#[test]
fn a_line_without_end_is_refused_in_bounded_memory() {
    let folder = Sample::small().write("long-line");
    let one = run(&folder, "averaging-attacked");
    std::fs::write(one.join(RECORD), vec![b' '; (16 << 20) + 2]).unwrap();
    let error = load(&[one]).unwrap_err().to_string();
    assert!(error.contains("more than 16777216 bytes in line `1`"), "{error}");
}

#[test]
fn another_version_is_refused_by_number() {
    let folder = Sample::small().write("version");
    let one = run(&folder, "averaging-attacked");
    for version in [0u64, 2, (1 << 32) + 1, u64::MAX] {
        edit(&one.join(SUMMARY), |_| format!("{{\"format\": {version}, \"novelty\": []}}"));
        let result = load(std::slice::from_ref(&one));
        assert!(matches!(result, Err(FolderError::Format { found, .. }) if found == version));
    }
}

#[test]
fn a_wrong_value_in_a_summary_is_refused_at_its_line() {
    let folder = Sample::small().write("summary-line");
    let one = run(&folder, "averaging-attacked");
    edit(&one.join(SUMMARY), |text| text.replace("\"seed\": 1", "\"seed\": \"one\""));
    let error = load(&[one]).unwrap_err();
    assert!(matches!(error, FolderError::Syntax { line: 5, .. }), "{error:?}");
}

#[test]
fn a_folder_without_runs_is_not_an_empty_experiment() {
    let folder = fresh("no-runs");
    assert!(matches!(load(std::slice::from_ref(&folder)), Err(FolderError::Empty { .. })));
    assert!(matches!(load(&[folder.join("absent")]), Err(FolderError::Io { .. })));
}

#[test]
fn no_content_of_a_file_makes_us_panic() {
    let odd: [&[u8]; 8] = [
        b"",
        b"\0\0\0",
        b"\xff\xfe",
        b"[]\n",
        b"{\n",
        b"null\n",
        b"{\"t\":0,\"node\":65535,\"event\":\"evaluated\",\"round\":4294967295,\
          \"scores\":{\"\":1e308,\"accuracy\":\"-inf\"}}\n",
        b"a = 1979-05-27\n[b]\nc = [[], {}]\n",
    ];
    for (place, bytes) in odd.iter().enumerate() {
        for name in ["record.jsonl", "summary.json", "environment.json", "experiment.toml"] {
            let folder = Sample::small().write(&format!("odd-{place}"));
            std::fs::write(run(&folder, "averaging-attacked").join(name), bytes).unwrap();
            let report = write_report(&folder).unwrap();
            if name == "summary.json" {
                assert_eq!(report.broken.len(), 1, "{name} with {bytes:?} is no summary");
            }
            let page = std::fs::read_to_string(report.page).unwrap();
            for (_, error) in &report.broken {
                assert!(page.contains("cannot be read and is left out"), "{error}");
            }
        }
    }
}

#[test]
fn numbers_that_json_cannot_hold_come_back() {
    let mut line = blank(3, 1, "evaluated");
    line.loss = Some(f64::NEG_INFINITY);
    line.scores = [("a".into(), f64::INFINITY), ("b".into(), 0.1 + 0.2)].into();
    let text = serde_json::to_string(&line).unwrap();
    assert_eq!(serde_json::from_str::<Line>(&text).unwrap(), line);
    line.loss = Some(f64::NAN);
    let text = serde_json::to_string(&line).unwrap();
    assert!(text.contains("\"loss\":\"nan\""), "{text}");
    assert!(serde_json::from_str::<Line>(&text).unwrap().loss.unwrap().is_nan());

    let folder = Sample::small().write("not-finite");
    let path = run(&folder, "averaging-attacked").join(SUMMARY);
    let mut summary: Summary = read_json(&path).unwrap();
    summary.scores.insert("accuracy".into(), Score::over("accuracy", &[0.5, f64::NAN]));
    write_json(&path, &summary);
    let back: Summary = read_json(&path).unwrap();
    assert!(back.scores["accuracy"].worst.is_nan() && back.scores["accuracy"].mean.is_nan());
}

#[test]
fn no_other_node_hides_one_whose_score_is_not_a_number() {
    let folder = Sample::small().write("hidden");
    let one = run(&folder, "averaging-attacked");
    let mut record = String::new();
    for (node, value) in [(0, 0.5), (1, f64::NAN), (2, 0.7)] {
        let mut line = blank(4, node, "evaluated");
        line.scores = [("accuracy".into(), value)].into();
        push(&mut record, &line);
    }
    std::fs::write(one.join(RECORD), record).unwrap();
    let runs = load(&[one]).unwrap();
    let score = runs[0].history.scores["accuracy"][&4].score("accuracy");
    assert!(score.worst.is_nan() && score.mean.is_nan() && score.best.is_nan());
}

#[test]
fn the_worst_node_is_the_one_with_the_greatest_loss_and_least_accuracy() {
    let score = Score::over("loss", &[1.0, 3.0, 2.0]);
    assert_eq!((score.worst, score.best, score.mean), (3.0, 1.0, 2.0));
    let score = Score::over("excess", &[1.0, 3.0, 2.0]);
    assert_eq!((score.worst, score.best), (3.0, 1.0), "excess of a loss over its least value");
    let score = Score::over("accuracy", &[1.0, 3.0, 2.0]);
    assert_eq!((score.worst, score.best), (1.0, 3.0));
    assert!(Score::over("accuracy", &[]).mean.is_nan());
}

#[test]
fn a_run_without_summary_is_left_out_and_said() {
    let folder = Sample::small().write("killed");
    let one = run(&folder, "averaging-attacked");
    std::fs::remove_file(one.join(SUMMARY)).unwrap();
    let page = std::fs::read_to_string(write_report(&folder).unwrap().page).unwrap();
    assert!(page.contains("averaging-attacked-0001beef-s1 has no summary"));
}
