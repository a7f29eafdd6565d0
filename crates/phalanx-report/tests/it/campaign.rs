//! Pages and tables of campaigns, against values that follow from how the runs are made up.
use std::path::{Path, PathBuf};

use phalanx_report::folder::{RECORD, SUMMARY, read_json};
use phalanx_report::{
    EXPECTATIONS, Judgement, PaperStyle, Score, Status, Summary, load, paper_tables,
    write_expectations, write_report,
};

use crate::sample::{Sample, blank, fresh, push, write_json};
use crate::tables::check;

const RULES: [&str; 2] = ["geometric-median", "trimmed-mean"];
const ATTACKS: [&str; 2] = ["fall-of-empires", "sign-flipping"];

/// One run of a made-up grid.
#[derive(Clone, Copy)]
struct Point {
    rule: usize,
    is_mixed: bool,
    attack: usize,
    f: usize,
    gamma: f64,
    seed: u64,
}

impl Point {
    /// Mean accuracy of honest nodes: with mixing the defence loses 0.01 for each f and more where
    /// data differ; without, the second rule breaks down under the second attack at f = 3.
    fn accuracy(&self) -> f64 {
        let spread = 0.01 * (self.seed as f64 - 1.5);
        let mixed: f64 = if self.is_mixed { 0.0 } else { 0.1 };
        let breaks = self.rule == 1 && self.attack == 1 && self.f == 3 && !self.is_mixed;
        let loss = 0.01 * self.f as f64 + 0.2 * (1.0 - self.gamma) * mixed.max(0.05);
        let by_attack = 0.02 * self.attack as f64 + 0.005 * self.rule as f64;
        if breaks { 0.1 + spread } else { 0.9 - mixed - loss - by_attack + spread }
    }

    fn arm(&self) -> String {
        let mixing = if self.is_mixed { "mixed" } else { "plain" };
        let (rule, attack) = (RULES[self.rule], ATTACKS[self.attack]);
        format!("{rule}-{mixing}-{attack}-f{}-g{}", self.f, self.gamma)
    }

    fn folder(&self, experiment: &Path) -> PathBuf {
        // A hash that is the same for the seeds of an arm and another for each arm.
        let hash = self.arm().bytes().fold(7u64, |h, b| h.wrapping_mul(31).wrapping_add(b.into()));
        experiment.join(format!("{}-{:08x}-s{}", self.arm(), hash as u32, self.seed))
    }

    fn write(&self, experiment: &Path, model: &Summary) {
        let folder = self.folder(experiment);
        std::fs::create_dir_all(&folder).unwrap();
        let mean = self.accuracy();
        let score = Score { mean, worst: mean - 0.05, best: mean + 0.05, deviation: 0.03 };
        let mut summary = model.clone();
        (summary.experiment, summary.arm, summary.seed) = ("grid".into(), self.arm(), self.seed);
        (summary.n, summary.f, summary.byzantine) = (17, self.f, self.f);
        summary.scores = [("accuracy".to_owned(), score)].into();
        let mixing = if self.is_mixed { "nearest-neighbor-mixing" } else { "none" };
        let names = [
            ("algorithm", "distributed-sgd"),
            ("rule", RULES[self.rule]),
            ("mixing", mixing),
            ("attack", ATTACKS[self.attack]),
        ];
        summary.names.extend(names.map(|(kind, name)| (kind.to_owned(), name.to_owned())));
        write_json(&folder.join(SUMMARY), &summary);
        let mut record = String::new();
        for (round, value) in [(0, 0.1), (4, mean - 0.1), (8, mean)] {
            for node in 0..2 {
                let mut line = blank(round, node, "evaluated");
                let value = value + if node == 0 { 0.05 } else { -0.05 };
                line.scores = [("accuracy".to_owned(), value)].into();
                push(&mut record, &line);
            }
        }
        std::fs::write(folder.join(RECORD), record).unwrap();
        let mixings = if self.is_mixed { "[{ name = \"nearest-neighbor-mixing\" }]" } else { "[]" };
        let tau = if self.attack == 0 { ", tau = 1.5" } else { "" };
        let text = format!(
            "format = 1\nname = \"grid\"\npopulation = {{ n = 17, f = {f} }}\ntask = {{ name = \
             \"image-classification\", gamma = {gamma:?}, batch = 25 }}\nalgorithm = {{ name = \
             \"distributed-sgd\", momentum = 0.9 }}\nrule = {{ name = \"{}\" }}\nmixing = \
             {mixings}\nattack = {{ name = \"{}\", count = {f}{tau} }}\nrun = {{ rounds = 8, \
             seeds = [{}] }}\n[[arm]]\nname = \"{}\"\n",
            RULES[self.rule],
            ATTACKS[self.attack],
            self.seed,
            self.arm(),
            f = self.f,
            gamma = self.gamma,
        );
        std::fs::write(folder.join("experiment.toml"), text).unwrap();
    }
}

/// All points of the grid.
fn points() -> Vec<Point> {
    let mut points = Vec::new();
    for rule in 0..2 {
        for is_mixed in [false, true] {
            for attack in 0..2 {
                for f in [1, 3] {
                    for gamma in [0.0, 1.0] {
                        for seed in [1, 2] {
                            points.push(Point { rule, is_mixed, attack, f, gamma, seed });
                        }
                    }
                }
            }
        }
    }
    points
}

/// A fresh folder with these points.
fn write(place: &str, points: &[Point]) -> PathBuf {
    let model = Sample::small().write(&format!("{place}-model"));
    let model: Summary =
        read_json(&crate::sample::run(&model, "averaging-attacked").join(SUMMARY)).unwrap();
    let folder = fresh(place).join("grid");
    points.iter().for_each(|point| point.write(&folder, &model));
    folder
}

fn page(folder: &Path) -> String {
    std::fs::read_to_string(write_report(folder).unwrap().page).unwrap()
}

fn edit(point: &Point, folder: &Path, change: impl Fn(&mut Summary)) {
    let path = point.folder(folder).join(SUMMARY);
    let mut summary: Summary = read_json(&path).unwrap();
    change(&mut summary);
    write_json(&path, &summary);
}

/// Text of a page without its tags and its style.
fn words(page: &str) -> String {
    let body = page.split_once("</style>").map_or(page, |(_, body)| body);
    let mut text = String::new();
    for piece in body.split('<') {
        text.push(' ');
        text.push_str(piece.split_once('>').map_or("", |(_, text)| text));
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn the_page_says_what_varies_and_ranks_by_the_worst_case() {
    let folder = write("campaign", &points());
    let page = page(&folder);
    let text = words(&page);
    for part in [
        "Phalanx campaign",
        "mixing row nearest-neighbor-mixing, none",
        "rule row geometric-median, trimmed-mean",
        "attack column fall-of-empires, sign-flipping and with it attack.tau",
        "population.f table 1, 3 and with it byzantine",
        "task.gamma table 0, 1",
        "NNM is nearest-neighbor-mixing",
        "1 NNM + geometric-median 84.0 ± 0.7 79.0 ± 0.7 sign-flipping, f = 3, gamma = 0",
        "2 NNM + trimmed-mean 83.5 ± 0.7",
        "3 geometric-median 73.0 ± 0.7 68.0 ± 0.7 sign-flipping, f = 3, gamma = 0",
        "4 trimmed-mean 10.0 ± 0.7 5.0 ± 0.7 sign-flipping, f = 3, gamma = 0",
        "Over 2 attacks in 4 settings, the worst case is best with NNM + geometric-median: 84.0",
        "The last of 4 is trimmed-mean: 10.0",
    ] {
        let text = text.replace('\u{a0}', " ");
        assert!(text.contains(part), "the page lacks `{part}`:\n{text}");
    }
    let outside = page.replace("http://www.w3.org/2000/svg", "");
    for banned in ["http:", "https:", "<script", "<link", "src=", "@import", "url("] {
        assert!(!outside.contains(banned), "the page reaches out with `{banned}`");
    }
}

#[test]
fn heat_maps_hold_the_worst_case_over_attacks() {
    let folder = write("campaign-heat", &points());
    write_report(&folder).unwrap();
    let csv = std::fs::read_to_string(folder.join("figures/accuracy-by-f-and-gamma.csv")).unwrap();
    for rule in 0..2 {
        for is_mixed in [false, true] {
            for f in [1, 3] {
                for gamma in [0.0, 1.0] {
                    let over_seeds = |attack: usize| {
                        let point = Point { rule, is_mixed, attack, f, gamma, seed: 1 };
                        (point.accuracy() + Point { seed: 2, ..point }.accuracy()) / 2.0
                    };
                    let worst = over_seeds(0).min(over_seeds(1));
                    let name = if is_mixed { "NNM + " } else { "" };
                    let start = format!("{name}{},{f},{gamma},", RULES[rule]);
                    let line = csv.lines().find(|line| line.starts_with(&start)).unwrap();
                    let found: f64 = line.split(',').nth(3).unwrap().parse().unwrap();
                    assert!((found - worst).abs() < 1e-12, "{line}, expected {worst}");
                }
            }
        }
    }
    let svg = std::fs::read_to_string(folder.join("figures/accuracy-by-f-and-gamma.svg")).unwrap();
    assert!(svg.contains(">10.0</text>"), "the value stands in its cell");
    assert_eq!(svg.matches("class=\"heat\"").count(), 4 * 4 + 6, "cells and the key");
}

#[test]
fn every_figure_lies_beside_the_page_and_every_run_is_linked() {
    let folder = write("campaign-files", &points());
    let page = page(&folder);
    for stem in [
        "accuracy-worst-case",
        "accuracy-by-f-and-gamma",
        "accuracy-curves-f1-gamma0",
        "accuracy-curves-f3-gamma1",
    ] {
        for ending in ["svg", "csv"] {
            assert!(folder.join(format!("figures/{stem}.{ending}")).is_file(), "{stem}.{ending}");
        }
    }
    for name in ["results", "curves", "costs"] {
        for ending in ["csv", "parquet"] {
            assert!(folder.join(format!("{name}.{ending}")).is_file(), "{name}.{ending}");
        }
    }
    for point in points() {
        let name = point.folder(&folder).file_name().unwrap().to_string_lossy().into_owned();
        assert!(page.contains(&format!("href=\"./{name}/\"")), "{name} is linked");
        assert!(page.contains(&format!("id=\"run-{name}\"")), "{name} can be linked to");
    }
    let links = page.split("href=\"#").skip(1).map(|rest| rest.split_once('"').unwrap().0);
    for link in links {
        assert!(page.contains(&format!("id=\"{link}\"")), "`{link}` leads somewhere");
    }
}

#[test]
fn a_run_that_failed_is_named_marked_and_never_best() {
    let all = points();
    let folder = write("campaign-failed", &all);
    let best = all.iter().find(|p| p.rule == 0 && p.is_mixed && p.f == 1).unwrap();
    edit(best, &folder, |summary| {
        summary.status = Status::Diverged;
        summary.reason = Some("node 0 at round 3: batch loss is not finite".into());
        summary.scores.insert("accuracy".into(), Score::over("accuracy", &[0.99]));
    });
    let text = words(&page(&folder));
    let name = best.folder(&folder).file_name().unwrap().to_string_lossy().into_owned();
    assert!(text.contains(&format!("1 run diverged: {name}")), "{text}");
    assert!(text.contains("1 NNM + trimmed-mean"), "the failed one does not lead");
    assert!(text.contains("4 NNM + geometric-median 84.0 ± 0.7†"), "{text}");
    let latex = paper_tables(&load(&[folder]).unwrap(), PaperStyle::Latex).unwrap();
    let line = latex.lines().find(|line| line.starts_with("NNM + geometric-median")).unwrap();
    assert!(line.contains("^{\\dagger}"), "{line}");
    assert!(!line.split('&').nth(1).unwrap().contains("mathbf"), "{line}");
}

#[test]
fn what_is_not_a_number_is_shown_and_is_the_worst_of_all() {
    let all = points();
    let folder = write("campaign-nan", &all);
    let point = all.iter().find(|p| p.rule == 0 && p.is_mixed && p.attack == 0).unwrap();
    edit(point, &folder, |summary| {
        summary.scores.insert("accuracy".into(), Score::over("accuracy", &[f64::NAN]));
    });
    let text = words(&page(&folder));
    assert!(text.contains("4 NNM + geometric-median nan† nan fall-of-empires"), "{text}");
    let svg = std::fs::read_to_string(folder.join("figures/accuracy-by-f-and-gamma.svg")).unwrap();
    assert!(svg.contains(">nan†</text>") && svg.contains("class=\"void\""));
    assert!(!svg.contains("NaN"));
}

#[test]
fn a_corrupt_run_is_named_and_the_others_stay() {
    let all = points();
    let folder = write("campaign-corrupt", &all);
    let (one, other) = (all[0].folder(&folder), all[5].folder(&folder));
    std::fs::write(one.join(SUMMARY), "{").unwrap();
    std::fs::write(other.join("experiment.toml"), "a = 1\nb = ").unwrap();
    let report = write_report(&folder).unwrap();
    assert_eq!(report.broken.len(), 2);
    let text = words(&std::fs::read_to_string(report.page).unwrap());
    for folder in [&one, &other] {
        let name = folder.file_name().unwrap().to_string_lossy();
        assert!(text.contains(&format!("{name} cannot be read and is left out")), "{text}");
    }
    assert!(text.contains("in line `2`"), "{text}");
    assert!(text.contains("runs 62 62 finished"), "{text}");
}

#[test]
fn a_defence_that_met_fewer_attacks_is_marked_and_comes_after_the_others() {
    let is_kept = |p: &Point| !(p.rule == 0 && p.is_mixed && p.attack == 1);
    let some: Vec<Point> = points().into_iter().filter(is_kept).collect();
    let folder = write("campaign-missing", &some);
    let text = words(&page(&folder));
    assert!(text.contains("4 NNM + geometric-median 86.0 ± 0.7*"), "{text}");
    assert!(text.contains("* not every attack was run"), "{text}");
    assert!(text.contains("is best with NNM + trimmed-mean"), "{text}");
    assert!(text.contains("The last of the 3 of 4 whose runs are complete"), "{text}");
    assert!(text.contains("4 combinations of defence, attack and setting"), "{text}");
}

#[test]
fn an_order_of_folders_changes_nothing() {
    let all = points();
    let folder = write("campaign-order", &all);
    let mut folders: Vec<PathBuf> = all.iter().map(|point| point.folder(&folder)).collect();
    let whole = paper_tables(&load(&[folder]).unwrap(), PaperStyle::Markdown).unwrap();
    folders.reverse();
    assert_eq!(paper_tables(&load(&folders).unwrap(), PaperStyle::Markdown).unwrap(), whole);
}

#[test]
fn tables_for_papers_are_as_expected() {
    let is_one = |p: &Point| p.f == 3 && p.gamma == 0.0;
    let some: Vec<Point> = points().into_iter().filter(is_one).collect();
    let runs = load(&[write("campaign-paper", &some)]).unwrap();
    check("paper.tex", &paper_tables(&runs, PaperStyle::Latex).unwrap());
    check("paper.md", &paper_tables(&runs, PaperStyle::Markdown).unwrap());
}

#[test]
fn no_name_breaks_a_page_or_a_table() {
    let all = points();
    let folder = write("campaign-names", &all);
    let nasty = "</title><script>\"&'_%$#{}~^\\|\u{1}";
    for point in all.iter().filter(|point| point.attack == 0) {
        edit(point, &folder, |summary| {
            summary.names.insert("attack".into(), nasty.into());
        });
    }
    let page = page(&folder);
    assert!(!page.contains("<script") && page.contains("&lt;script&gt;"));
    let runs = load(&[folder]).unwrap();
    let latex = paper_tables(&runs, PaperStyle::Latex).unwrap();
    let head = latex.lines().find(|line| line.starts_with("defence")).unwrap();
    assert!(head.contains("\\_\\%\\$\\#\\{\\}\\textasciitilde{}\\textasciicircum{}"), "{head}");
    let markdown = paper_tables(&runs, PaperStyle::Markdown).unwrap();
    assert!(markdown.contains("\\|"));
}

#[test]
fn what_other_commands_stored_is_shown_and_must_be_whole() {
    let folder = write("campaign-stored", &points());
    let judgement = |arm: &str, is_met| Judgement {
        arm: arm.into(),
        expected: "accuracy.worst at least 0.8".into(),
        found: "0.7".into(),
        is_met,
    };
    write_expectations(&folder, &[judgement("held", true), judgement("broke", false)]).unwrap();
    let selection = r#"{ "format": 1, "experiment": "grid", "digest": "0", "score": "accuracy",
        "at": "best", "validation": 0.2, "seeds": [91, 92], "groups": [{ "group": "NNM",
        "chosen": "learning-rate=0.1", "combinations": [
        { "combination": "learning-rate=0.1", "arms": { "a": 0.75, "b": 0.5 }, "worst": 0.5 },
        { "combination": "learning-rate=1", "arms": { "a": 0.9, "b": null }, "worst": null }]}]}"#;
    std::fs::write(folder.join("selection.json"), selection).unwrap();
    let text = words(&page(&folder));
    assert!(text.contains("1 of 2 met") && text.contains("missed broke accuracy.worst"), "{text}");
    for part in [
        "a share of 20.0 % of the training samples that was held out: the best evaluation",
        "seeds 91, 92",
        "NNM learning-rate=0.1 50.0 2",
        "learning-rate=0.1 chosen 50.0 75.0 50.0 learning-rate=1 – 90.0 –",
    ] {
        assert!(text.contains(part), "`{part}` in {text}");
    }
    std::fs::write(folder.join("selection.json"), "{\"format\": 2}").unwrap();
    let error = write_report(&folder).unwrap_err().to_string();
    assert!(error.contains("format `2`") && error.contains("selection.json"), "{error}");
    std::fs::remove_file(folder.join("selection.json")).unwrap();
    std::fs::write(folder.join(EXPECTATIONS), "[{}]").unwrap();
    let error = write_report(&folder).unwrap_err().to_string();
    assert!(error.contains(EXPECTATIONS), "{error}");
}

#[test]
fn few_arms_keep_the_page_that_lists_them() {
    let is_few = |p: &Point| p.f == 1 && p.gamma == 0.0;
    let few: Vec<Point> = points().into_iter().filter(is_few).collect();
    let text = words(&page(&write("campaign-few", &few)));
    assert!(text.contains("Phalanx experiment"), "8 arms are listed");
}
