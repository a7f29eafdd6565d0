//! Pages and figures: what they show, and that nothing in a folder can break them.
use std::fmt::Write;
use std::path::Path;

use phalanx_report::folder::{RECORD, SUMMARY, read_json};
use phalanx_report::{Summary, write_figures, write_report};

use crate::sample::{Arm, Sample, blank, push, run, write_json};
use crate::tables::check;

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

fn count(text: &str, part: &str) -> usize {
    text.matches(part).count()
}

/// Every element that is opened is closed, in order, and no attribute swallows an angle bracket.
fn assert_well_formed(svg: &str) {
    let mut open: Vec<&str> = Vec::new();
    for piece in svg.split('<').skip(1) {
        let (tag, _) = piece.split_once('>').expect("each tag ends");
        assert_eq!(count(tag, "\"") % 2, 0, "quotes pair up in <{tag}>");
        let name = tag.trim_start_matches('/').split([' ', '/', '\n']).next().unwrap();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), Some(name), "closed in order");
        } else if !tag.ends_with('/') {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "left open: {open:?}");
    assert!(!svg.contains("NaN") && !svg.contains("\"inf"), "coordinates are finite");
}

#[test]
fn the_page_of_an_experiment_stands_alone_and_says_what_happened() {
    let folder = Sample::quickstart().write("quickstart");
    let page = text(&write_report(&folder).unwrap().page);
    let verdict = "Under fall-of-empires by 5 of 26 nodes, the worst honest node ends at \
        89.0\u{a0}% \
                   accuracy";
    assert!(page.contains(verdict));
    assert!(page.contains("Of 3 runs of local-steps, 2 diverged, the first at round 143."));
    for section in [
        "Results",
        "Traffic and rejections",
        "Costs",
        "Who heard whom",
        "Settings",
        "Environment",
        "Run it again",
        "What was not measured",
        "phalanx run experiments/quickstart.toml",
        "Memory per honest node",
        "nearest-neighbor-averaging",
    ] {
        assert!(page.contains(section), "the page lacks `{section}`");
    }
    let outside = page.replace("http://www.w3.org/2000/svg", "");
    for banned in ["http:", "https:", "<script", "<link", "src=", "@import", "url("] {
        assert!(!outside.contains(banned), "the page reaches out with `{banned}`");
    }
    for stem in ["accuracy-worst", "accuracy-mean", "accuracy-final", "training-loss", "loss-worst"]
    {
        let svg = text(&folder.join(format!("figures/{stem}.svg")));
        assert_well_formed(&svg);
        assert!(svg.contains("prefers-color-scheme: dark"));
        assert!(folder.join(format!("figures/{stem}.csv")).is_file());
    }
    assert!(run(&folder, "monna").join("figures/heard-monna.svg").is_file());
}

#[test]
fn a_diverged_arm_is_crossed_where_it_broke() {
    let folder = Sample::quickstart().write("crossed");
    write_report(&folder).unwrap();
    let svg = text(&folder.join("figures/accuracy-worst.svg"));
    assert_eq!(count(&svg, "class=\"broken l2\""), 2, "two strokes make one cross");
    assert!(svg.contains("2 of 3 diverged, round 143"));
    assert_eq!(count(&svg, "class=\"rest l2\""), 1, "the seed that goes on is dotted");
}

#[test]
fn the_figures_of_a_small_run_are_as_expected() {
    let folder = Sample::small().write("small-figures");
    let one = run(&folder, "averaging-attacked");
    let paths = write_figures(&one).unwrap();
    let names: Vec<_> =
        paths.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
    let stems = ["accuracy", "training-loss", "loss", "heard-averaging-attacked"];
    let expected: Vec<String> =
        stems.iter().flat_map(|stem| [format!("{stem}.svg"), format!("{stem}.csv")]).collect();
    assert_eq!(names, expected);
    check("accuracy.svg", &text(&one.join("figures/accuracy.svg")));
    check("accuracy.csv", &text(&one.join("figures/accuracy.csv")));
    check("heard.svg", &text(&one.join("figures/heard-averaging-attacked.svg")));
    check("heard.csv", &text(&one.join("figures/heard-averaging-attacked.csv")));
}

#[test]
fn a_single_run_has_a_page_of_its_own() {
    let folder = Sample::quickstart().write("single");
    let one = run(&folder, "monna");
    let path = write_report(&one).unwrap().page;
    assert_eq!(path, one.join("report.html"));
    assert!(
        text(&path).contains("the arm with a single seed"),
        "it says what one seed cannot show"
    );
}

#[test]
fn names_are_escaped_everywhere() {
    let folder = Sample::small().write("escaped");
    let path = run(&folder, "averaging-attacked").join(SUMMARY);
    let mut summary: Summary = read_json(&path).unwrap();
    let nasty = "</title><script>\"&'\u{1}";
    summary.arm = nasty.into();
    summary.names.insert("attack".into(), nasty.into());
    summary.reason = Some(nasty.into());
    summary.node_memory_bytes.insert(nasty.into(), u64::MAX);
    summary.scores.insert(nasty.into(), summary.scores["accuracy"]);
    write_json(&path, &summary);
    let page = text(&write_report(&folder).unwrap().page);
    assert!(!page.contains("<script"));
    assert!(page.contains("&lt;script&gt;"));
    for entry in std::fs::read_dir(folder.join("figures")).unwrap() {
        let path = entry.unwrap().path();
        assert!(path.parent().unwrap().ends_with("figures"));
        if path.extension().is_some_and(|ending| ending == "svg") {
            assert_well_formed(&text(&path));
        }
    }
}

#[test]
fn many_points_are_thinned_in_figures_and_kept_in_the_csv() {
    let folder = Sample::small().write("thinned");
    let one = run(&folder, "averaging-attacked");
    let mut record = String::new();
    for round in 0..100_000 {
        for node in 0..2 {
            let mut line = blank(round, node, "proposed");
            line.loss = Some(1.0 + f64::from(round % 7));
            push(&mut record, &line);
        }
    }
    std::fs::write(one.join(RECORD), record).unwrap();
    write_figures(&one).unwrap();
    let svg = text(&one.join("figures/training-loss.svg"));
    assert!(svg.len() < 40_000, "{} bytes of drawing", svg.len());
    assert_eq!(text(&one.join("figures/training-loss.csv")).lines().count(), 100_001);
    let page = text(&write_report(&one).unwrap().page);
    assert!(page.contains("Each drawn point joins"), "the caption says so");
}

#[test]
fn curves_with_nan_and_infinity_break_and_go_on() {
    let folder = Sample::small().write("odd-numbers");
    let one = run(&folder, "averaging-attacked");
    let values =
        [1.0, 0.5, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e308, -1e308, 0.25, 5e-324];
    let mut record = String::new();
    for (round, value) in values.into_iter().enumerate() {
        let mut line = blank(round as u32, 0, "proposed");
        line.loss = Some(value);
        push(&mut record, &line);
        line.event = "evaluated".into();
        line.scores = [("accuracy".into(), value)].into();
        push(&mut record, &line);
    }
    std::fs::write(one.join(RECORD), record).unwrap();
    write_report(&folder).unwrap();
    write_figures(&one).unwrap();
    for stem in ["accuracy", "training-loss"] {
        let svg = text(&one.join(format!("figures/{stem}.svg")));
        assert_well_formed(&svg);
        assert!(svg.contains("class=\"broken"), "a cross marks the first that is not finite");
    }
    let csv = text(&one.join("figures/training-loss.csv"));
    assert!(csv.contains("2,1,NaN") && csv.contains("3,1,inf"), "{csv}");
}

#[test]
fn of_many_arms_the_best_and_worst_are_in_colour() {
    let names: Vec<&'static str> =
        (0..30).map(|place| &*format!("arm-{place:02}").leak()).collect();
    let mut sample = Sample::small();
    let arm = sample.arms[1].clone();
    let named = |(place, name): (usize, &&'static str)| Arm {
        name,
        limit: 0.2 + 0.025 * place as f64,
        ..arm.clone()
    };
    sample.arms = names.iter().enumerate().map(named).collect();
    let folder = sample.write("many");
    let page = text(&write_report(&folder).unwrap().page);
    let svg = text(&folder.join("figures/accuracy-worst.svg"));
    assert_eq!(count(&svg, "\"muted\""), 22);
    assert_eq!(count(&svg, "class=\"curve "), 8);
    assert!(svg.contains(">arm-29<") && svg.contains(">arm-00<") && !svg.contains(">arm-15<"));
    assert!(page.contains("the 4 best and 4 worst of 30 arms"));
    assert!(page.contains("6 of 30 arms"), "heat maps that are left out are counted");
}

#[test]
fn a_hub_is_a_sender_that_is_not_byzantine_and_large_populations_are_averaged() {
    let folder = Sample::small().write("hub");
    let one = run(&folder, "averaging-attacked");
    let mut summary: Summary = read_json(&one.join(SUMMARY)).unwrap();
    summary.nodes.iter_mut().for_each(|node| node.heard.push(8));
    write_json(&one.join(SUMMARY), &summary);
    write_figures(&one).unwrap();
    let stem = "figures/heard-averaging-attacked";
    let svg = text(&one.join(format!("{stem}.svg")));
    assert!(svg.contains(">hub<"));
    assert_eq!(count(&svg, "class=\"broken l1\""), 3, "above and below node 3, and in the key");
    let mut csv = String::new();
    writeln!(csv, "2,3,true,8\n2,4,false,8").unwrap();
    assert!(text(&one.join(format!("{stem}.csv"))).ends_with(&csv));

    summary.n = 500;
    let node = summary.nodes[0].clone();
    summary.nodes = (0..450)
        .map(|place| phalanx_report::NodeSummary {
            node: place,
            heard: vec![3; 500],
            ..node.clone()
        })
        .collect();
    write_json(&one.join(SUMMARY), &summary);
    write_figures(&one).unwrap();
    let svg = text(&one.join(format!("{stem}.svg")));
    assert!(count(&svg, "class=\"heat\"") <= 64 * 64 + 5);
    assert_eq!(text(&one.join(format!("{stem}.csv"))).lines().count(), 450 * 500 + 1);
}

#[test]
fn a_page_that_cannot_be_written_is_an_error_that_names_the_file() {
    let folder = Sample::small().write("unwritable");
    std::fs::write(folder.join("figures"), "in the way").unwrap();
    let error = write_report(&folder).unwrap_err().to_string();
    assert!(error.ends_with(&folder.join("figures").display().to_string()), "{error}");
    assert!(!folder.join("report.html").exists());
}

#[test]
fn a_failure_that_only_the_summary_knows_is_marked_too() {
    let folder = Sample::small().write("summary-failure");
    let one = run(&folder, "averaging-attacked");
    let mut summary: Summary = read_json(&one.join(SUMMARY)).unwrap();
    summary.status = phalanx_report::Status::Diverged;
    summary.nodes[1].failed = Some("the rule refused".into());
    summary.nodes[1].rounds = 5;
    write_json(&one.join(SUMMARY), &summary);
    write_figures(&one).unwrap();
    let svg = text(&one.join("figures/accuracy.svg"));
    assert!(svg.contains("diverged, round 5"));
    assert_eq!(count(&svg, "class=\"broken l0\""), 2);
}
