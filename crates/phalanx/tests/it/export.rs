//! Tables and event files from the command line.
use crate::program::Scratch;

const GRID: &str = r#"
population = { n = 7, f = 1 }
task       = { name = "quadratic", dim = 8, noise = 0.3 }
algorithm  = { name = "distributed-sgd", learning-rate = 0.3 }
run        = { rounds = 6, seeds = [1, 2], evaluate-every = 3 }

[sweep]
"population.f" = [1, 2]
rule   = [{ name = "trimmed-mean" }, { name = "geometric-median" }]
attack = [{ name = "sign-flipping" }, { name = "fall-of-empires" }, { name = "none" }]
"#;

fn grid() -> Scratch {
    let scratch = Scratch::new();
    scratch.write("grid.toml", GRID);
    let said = scratch.phalanx(&["run", "grid.toml", "-q"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    scratch
}

fn lines(text: &str) -> usize {
    text.lines().count()
}

#[test]
fn a_campaign_gets_its_page_and_its_tables_without_being_asked() {
    let scratch = grid();
    let folder = scratch.path().join("runs/grid");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    assert_eq!(lines(&read("results.csv")), 1 + 2 * 2 * 3 * 2);
    assert!(folder.join("curves.parquet").is_file());
    assert!(read("report.html").contains("Ranking by worst case"));
    let before = (read("results.csv"), read("curves.csv"));
    let said = scratch.phalanx(&["run", "grid.toml", "-q", "--force", "--threads", "2"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(before == (read("results.csv"), read("curves.csv")), "run again, equal files");
}

#[test]
fn tables_go_where_they_are_wanted_in_the_wanted_format() {
    let scratch = grid();
    let said = scratch.phalanx(&["export", "table", "grid", "-o", "out", "--format", "csv"]);
    assert_eq!((said.code, lines(&said.out)), (Some(0), 3), "{}", said.err);
    let mut names: Vec<_> = std::fs::read_dir(scratch.path().join("out"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["costs.csv", "curves.csv", "results.csv"]);
    let latex = scratch.phalanx(&["export", "table", "grid", "--format", "latex"]).out;
    assert_eq!(latex.matches("\\begin{tabular}").count(), 2, "one table per f\n{latex}");
    assert_eq!(latex.matches("\\mathbf").count(), 2 * 4, "each column has a best\n{latex}");
    let args = ["export", "table", "grid", "--format", "markdown", "-o", "out"];
    let said = scratch.phalanx(&args);
    assert!(said.out.trim_end().ends_with("table.md"), "{}", said.out);
    let text = std::fs::read_to_string(scratch.path().join("out/table.md")).unwrap();
    assert!(text.contains("| defence | no attack | fall-of-empires | sign-flipping |"), "{text}");
}

#[test]
fn a_run_that_cannot_be_read_is_warned_of_and_left_out() {
    let scratch = grid();
    let folder = scratch.path().join("runs/grid");
    let entries = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let mut runs: Vec<_> = entries.filter(|path| path.join("summary.json").is_file()).collect();
    runs.sort();
    std::fs::write(runs[3].join("summary.json"), "{\"format\": 99}").unwrap();
    std::fs::remove_file(runs[4].join("summary.json")).unwrap();
    for args in [&["report", "grid"][..], &["export", "table", "grid", "-o", "out"]] {
        let said = scratch.phalanx(args);
        assert_eq!(said.code, Some(0), "{}", said.err);
        assert!(said.err.contains("a run is left out: format `99`"), "{}", said.err);
    }
    let said = scratch.phalanx(&["export", "tensorboard", "grid", "-o", "events"]);
    assert!(said.err.contains("left out, it has no summary"), "{}", said.err);
    assert_eq!(lines(&said.out), 22, "a file for each of the others");
    let said = scratch.phalanx(&["report", &runs[3].display().to_string()]);
    assert_eq!(said.code, Some(2), "asked for alone, it is refused");
}

#[test]
fn what_cannot_be_exported_is_said() {
    let scratch = grid();
    let said = scratch.phalanx(&["export", "table", "grid", "absent"]);
    assert!(said.code == Some(2) && said.err.contains("no such folder: absent"), "{}", said.err);
    scratch.write("other/grid/empty", "");
    let said = scratch.phalanx(&["export", "table", "other/grid"]);
    assert!(said.code == Some(2) && said.err.contains("no run folder"), "{}", said.err);
    let run = scratch.path().join("runs/grid");
    let entries = std::fs::read_dir(&run).unwrap().map(|entry| entry.unwrap().path());
    let runs: Vec<_> = entries.filter(|path| path.join("summary.json").is_file()).collect();
    let [one, two] = [0, 1].map(|place| runs[place].display().to_string());
    let said = scratch.phalanx(&["export", "table", &one, &two]);
    assert!(said.code == Some(2) && said.err.contains("`-o DIR`"), "{}", said.err);
    scratch.write("file", "in the way");
    for args in [
        &["export", "table", "grid", "-o", "file"][..],
        &["export", "tensorboard", "grid", "-o", "file"],
    ] {
        let said = scratch.phalanx(args);
        assert!(said.code == Some(2) && said.err.contains("file"), "{}", said.err);
    }
}
