//! `phalanx control fit`, `plan` and `simulate`: what they write, count and refuse.
use std::path::{Path, PathBuf};

use phalanx::command::control::SafeExperiment;
use phalanx::command::list::gather;
use phalanx::experiment::{document, is_safe_control};
use phalanx_report::tidy::{Table, Values};
use serde_json::Value;

use super::program::{Said, Scratch};

const DUBINS: &str = "plant = { name = \"dubins\" }\nplanner = { tolerance = 1e-8 }\n";

fn json(said: &Said) -> Value {
    serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {}", said.err))
}

fn control(scratch: &Scratch, args: &[&str]) -> Said {
    scratch.phalanx(&[&["control"], args].concat())
}

fn near(value: &Value, expected: f64, tolerance: f64) {
    let found = value.as_f64().unwrap_or_else(|| panic!("{value} is no number"));
    assert!((found - expected).abs() <= tolerance, "{found} is not {expected}");
}

fn texts(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(texts(&path));
        } else if !path.ends_with("environment.json") {
            let bytes = std::fs::read(&path).unwrap();
            found.push((PathBuf::from(path.file_name().unwrap()), bytes));
        }
    }
    found.sort();
    found
}

fn experiments() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../experiments/control");
    let mut files = Vec::new();
    gather(&root, &mut files).unwrap();
    files.retain(|file| {
        let text = std::fs::read_to_string(file).unwrap();
        is_safe_control(&document::parse(&text, "file").unwrap())
    });
    files
}

#[test]
fn every_safe_control_experiment_resolves_and_its_resolved_form_is_itself() {
    let scratch = Scratch::new();
    let files = experiments();
    assert!(files.len() >= 6, "{files:?}");
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("# Shows: ") && text.contains("phalanx control plan"));
        let load = |file: &Path, settings: &[String]| {
            SafeExperiment::load(file, settings)
                .unwrap_or_else(|problem| panic!("{problem}\n{:?}", problem.hint))
        };
        let experiment = load(&file, &[]);
        let copy = scratch.write("copy.toml", &experiment.to_toml());
        let again = load(&copy, &[]);
        assert_eq!(again.to_toml(), experiment.to_toml());
        assert_eq!(again.folder_name(), experiment.folder_name());
        let other = load(&file, &["horizon=77".into()]);
        assert_ne!(other.folder_name(), experiment.folder_name());
        let trials = load(&file, &["trials.count=7".into(), "expect.safe=0.5".into()]);
        assert_eq!(trials.folder_name(), experiment.folder_name());
    }
}

#[test]
fn the_plan_of_the_specification_is_found_flown_and_written() {
    let scratch = Scratch::new();
    scratch.write("d.toml", DUBINS);
    let said = control(&scratch, &["plan", "d.toml", "--json"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let plan = &json(&said)["plan"];
    // J, goal error and iterations of the reference; clearance of acceptance check A5.
    near(&plan["cost"], 0.809_270, 1e-4);
    near(&plan["clearance"], 0.077, 2e-3);
    near(&plan["goal_error"], 0.0023, 1e-4);
    // At rest nothing changes: 50 (3.5² + 3²) for the goal, and what the barrier state is off by,
    // β(x₀) = 1.6103052435 against β(x_f) = 11.1459210723, at 120 steps and at the last.
    let off = (11.145_921_072_3 - 1.610_305_243_5_f64).powi(2) / 2.0;
    near(&plan["start_cost"], 50.0 * 21.25 + off * (120.0 * 1e-4 + 1e-3), 1e-6);
    let folder = scratch.only_run("runs");
    for name in ["trajectory.csv", "gains.csv", "iterations.csv", "plan.json", "report.html"] {
        assert!(folder.join(name).is_file(), "{name}");
    }
    let rows = std::fs::read_to_string(folder.join("trajectory.csv")).unwrap();
    assert_eq!(rows.lines().count(), 122);

    let said = control(&scratch, &["simulate", "d.toml", "--json", "--threads", "1"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let trials = json(&said)["trials"].clone();
    assert_eq!(trials[0]["safe"]["count"], 20);
    assert_eq!(trials[0]["success"]["count"], 20);
    let open = trials[1]["safe"]["count"].as_u64().unwrap();
    assert!(open < 18, "without feedback {open} of 20 are safe");
    let one = texts(&folder);
    assert!(one.iter().any(|(name, _)| name == Path::new("scene.svg")));

    // From the folder, with other threads: the same bits but for the command on the page.
    let name = folder.display().to_string();
    let said = control(&scratch, &["simulate", &name, "--threads", "3"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    for (ours, theirs) in one.iter().zip(&texts(&folder)) {
        let is_page = ours.0 == Path::new("report.html");
        assert!(is_page || ours == theirs, "{} depends on the threads", ours.0.display());
    }

    let said = control(&scratch, &["simulate", &name, "--set", "horizon=50"]);
    assert_eq!(said.code, Some(2));
    assert!(said.err.contains("makes another plan") && said.err.contains("hint"), "{}", said.err);
    let strict = ["simulate", &name, "--set", "trials.process-noise=0.03"];
    let said = control(&scratch, &strict);
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(said.err.contains("are expected"), "{}", said.err);
}

#[test]
fn the_quadrotor_of_the_specification_flies_between_its_balls() {
    let scratch = Scratch::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../experiments/control");
    let file = root.join("quadrotor.toml").display().to_string();
    let said = control(&scratch, &["simulate", &file, "--json"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let summary = json(&said);
    near(&summary["plan"]["cost"], 0.756_798, 2e-4);
    near(&summary["plan"]["start_cost"], 8492.52, 5e-3);
    near(&summary["plan"]["clearance"], 0.4888, 0.01);
    // Trials of the reference: 20 of 20 with feedback, least .311; 12 of 20 without.
    let [feedback, open] = [&summary["trials"][0], &summary["trials"][1]];
    assert_eq!((&feedback["safe"]["count"], &open["safe"]["count"]), (&20.into(), &12.into()));
    near(&feedback["least_clearance"], 0.311, 0.005);
    let folder = scratch.only_run("runs").join("figures");
    assert!(folder.join("scene-13.svg").is_file() && folder.join("scene-23.svg").is_file());
}

#[test]
fn a_plan_begins_with_an_earlier_one_and_ends_there() {
    let scratch = Scratch::new();
    scratch.write("d.toml", DUBINS);
    control(&scratch, &["plan", "d.toml"]);
    let cold = scratch.only_run("runs");
    let (earlier, before) = (cold.display().to_string(), texts(&cold));
    let warm = ["plan", "d.toml", "--warm", &earlier, "--json"];
    let said = control(&scratch, &warm);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let plan = &json(&said)["plan"];
    near(&plan["cost"], 0.809_270, 1e-5);
    assert!(plan["attempts"][0]["iterations"].as_u64().unwrap() < 10, "{plan}");
    // Beside the cold plan and not in its place; the same plan again is in the same folder.
    assert_eq!(control(&scratch, &warm).code, Some(0));
    assert!(texts(&cold) == before, "the cold plan was changed");
    let others: Vec<PathBuf> = std::fs::read_dir(cold.parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| *path != cold)
        .collect();
    let [other] = others.as_slice() else { panic!("{others:?}") };
    let environment = std::fs::read_to_string(other.join("environment.json")).unwrap();
    assert!(environment.contains(" --warm "), "{environment}");
    let said = control(&scratch, &["simulate", &other.display().to_string(), "--json"]);
    assert_eq!(json(&said)["plan"], *plan, "{}", said.err);
    let other = ["plan", "d.toml", "--warm", &earlier, "--set", "horizon=100"];
    let said = control(&scratch, &other);
    assert!(said.err.contains("`120` steps, but `100`"), "{}", said.err);
    let said = control(&scratch, &["plan", "d.toml", "--warm", "nowhere"]);
    assert!(said.err.contains("holds no plan"), "{}", said.err);
}

#[cfg(unix)]
#[test]
fn ctrl_c_stops_a_fit_that_has_written_nothing() {
    use std::io::BufRead as _;
    use std::process::Stdio;
    let scratch = Scratch::new();
    // Many times as long as anybody waits.
    scratch.write(
        "long.toml",
        "plant = { name = \"quadrotor\" }\nmodel = { name = \"gaussian-process\", rows = 700 }\n",
    );
    let mut command = scratch.command(&["control", "fit", "long.toml"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufReader::new(child.stderr.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    assert!(first.contains("fitting 12 outputs"), "{first}");
    let pid = child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
    assert_eq!(rest, ["interrupted: nothing was written"]);
    assert!(!scratch.path().join("runs").exists());
}

#[test]
fn learning_fits_plans_flies_and_appends() {
    let scratch = Scratch::new();
    scratch.write(
        "learn.toml",
        "plant = { name = \"dubins\" }\nmodel = { name = \"gaussian-process\", rows = 40 }\n\
         learning = { rounds = 2, flights = 2, keep = 20 }\n\
         planner = { restarts = [1.0, 10.0, 0.1] }\ntrials = { count = 5 }\n",
    );
    let said = control(&scratch, &["plan", "learn.toml", "--json"]);
    assert!(said.code == Some(0) || said.code == Some(1), "{}", said.err);
    let summary = json(&said);
    let rounds = summary["rounds"].as_array().unwrap();
    let rows: Vec<u64> = rounds.iter().map(|round| round["rows"].as_u64().unwrap()).collect();
    assert_eq!(rows, [40, 60]);
    assert_eq!(summary["fit"]["rows"], 80);
    assert!(rounds.iter().all(|round| round["coverage"].as_f64().unwrap() > 0.5));
}

/// A log of flights of an unstable plant with one state too many in it.
fn log(rows: usize) -> String {
    let mut text = String::from("flight,time,v,x,u\n");
    for flight in 0..4 {
        let (mut x, mut v) = (0.3 * f64::from(flight) - 0.4, 0.1);
        for step in 0..rows {
            let u = (step as f64 * 0.37 + f64::from(flight)).sin() - 0.5 * x - v;
            text.push_str(&format!("{flight},{step},{v},{x},{u}\n"));
            (x, v) = (x + 0.1 * v, v + 0.1 * (0.5 * x.sin() + u));
        }
    }
    text
}

const LOGGED: &str =
    "plant = { states = [\"x\", \"v\"], inputs = [\"u\"], step = 0.1, positions = [\"x\", \"v\"] }
model = { data = \"log.csv\" }
start = [-1.0, 0.0]
goal = [0.8, 0.0]
horizon = 40
obstacles = [{ centre = [0.0, -0.9], radius = 0.4 }]
limits = { u = [-4.0, 4.0], v = [-3.0, 3.0] }
cost = { barrier = 1e-3 }
trials = { count = 5, process-noise = 0.001 }
";

#[test]
fn logged_data_are_learnt_from_stored_and_planned_with() {
    let scratch = Scratch::new();
    scratch.write("logged.toml", LOGGED);
    scratch.write("log.csv", &log(25));
    let said = control(&scratch, &["fit", "logged.toml", "--json"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    let fit = json(&said);
    // Ninety-six transitions, one in five held out; none leads from flight to flight.
    assert_eq!((&fit["rows"], &fit["held_out"]), (&Value::from(77), &Value::from(19)));
    for output in fit["outputs"].as_array().unwrap() {
        assert!(output["relative_error"].as_f64().unwrap() < 0.05, "{output}");
    }
    let model = scratch.only_run("runs").join("model.txt");
    let said = control(&scratch, &["simulate", "logged.toml", "--runs", "flown", "--json"]);
    assert!(said.code == Some(0) || said.code == Some(1), "{}", said.err);
    let summary = json(&said);
    assert_eq!(summary["truth"], "the model");
    assert!(said.err.contains("flown on the model itself"), "{}", said.err);
    let with_file =
        LOGGED.replace("data = \"log.csv\"", &format!("file = \"{}\"", model.display()));
    scratch.write("stored.toml", &with_file);
    let said = control(&scratch, &["plan", "stored.toml", "--runs", "stored", "--json"]);
    assert_eq!(json(&said)["plan"]["cost"], summary["plan"]["cost"], "{}", said.err);
}

/// The columns of a log as a table of typed columns.
fn columns(log: &str) -> Table {
    let mut lines = log.lines().map(|line| line.split(','));
    let head: Vec<&str> = lines.next().unwrap().collect();
    let rows: Vec<Vec<&str>> = lines.map(Iterator::collect).collect();
    let mut table = Table::default();
    for (place, name) in head.into_iter().enumerate() {
        let cells = rows.iter().map(|row| row[place]);
        table.push(
            name,
            match name {
                "flight" => Values::Text(cells.map(|cell| Some(format!("no. {cell}"))).collect()),
                "time" => Values::Integer(cells.map(|cell| cell.parse().ok()).collect()),
                _ => Values::Number(cells.map(|cell| cell.parse().ok()).collect()),
            },
        );
    }
    table
}

#[test]
fn a_log_teaches_the_same_whether_csv_or_parquet() {
    let scratch = Scratch::new();
    scratch.write("csv.toml", LOGGED);
    scratch.write("log.csv", &log(12));
    scratch.write("parquet.toml", &LOGGED.replace("log.csv", "log.parquet"));
    std::fs::write(scratch.path().join("log.parquet"), columns(&log(12)).parquet()).unwrap();
    let fit = |file: &str| {
        let said = control(&scratch, &["fit", file, "--json"]);
        assert_eq!(said.code, Some(0), "{}", said.err);
        json(&said)
    };
    assert_eq!(fit("csv.toml"), fit("parquet.toml"));
}

#[test]
fn a_parquet_log_that_cannot_be_learnt_from_is_refused_with_its_row() {
    let scratch = Scratch::new();
    scratch.write("logged.toml", &LOGGED.replace("log.csv", "log.parquet"));
    let refuse = |bytes: &[u8], expected: &[&str]| {
        std::fs::write(scratch.path().join("log.parquet"), bytes).unwrap();
        let said = control(&scratch, &["fit", "logged.toml"]);
        assert_eq!(said.code, Some(2), "{}", said.out);
        expected.iter().for_each(|part| assert!(said.err.contains(part), "{part}: {}", said.err));
        assert!(!said.err.contains("panicked"), "{}", said.err);
        assert!(!scratch.path().join("runs").exists());
    };
    let whole = columns("flight,time,v,x,u\n0,0,1,2,3\n0,1,2,3,4\n").parquet();
    refuse(b"", &["no Parquet file", "log.parquet", "hint"]);
    refuse(&whole[..whole.len() - 9], &["no Parquet file", "log.parquet", "hint"]);
    // Where the path of a column ends, and that it is not compressed; then the number of zstd.
    let mut packed = whole.clone();
    let place = whole.windows(4).position(|bytes| bytes == [1, b'v', 0x15, 0]).unwrap();
    packed[place + 3] = 12;
    refuse(&packed, &["column `v`", "compressed by `zstd`", "log.parquet", "hint: write it anew"]);
    refuse(&columns("x,v,u\n").parquet(), &["no rows"]);
    refuse(&columns("x,speed,u\n1,2,3\n").parquet(), &["no column `v`", "`speed`"]);
    let value = ["log.parquet, row 2", "finite number", "hint"];
    refuse(
        &columns("x,v,u\n1,2,3\n1,nan,3\n").parquet(),
        &[&["`v` is `NaN`"], &value[..]].concat(),
    );
    refuse(&columns("x,v,u\n1,2,3\n1,,3\n").parquet(), &[&["`v` is `null`"], &value[..]].concat());
    let mut table = Table::default();
    table.push("x", Values::Text(vec![Some("1".into()); 3]));
    refuse(&table.parquet(), &["column `x` holds", "numbers are needed", "hint"]);
    std::fs::remove_file(scratch.path().join("log.parquet")).unwrap();
    let said = control(&scratch, &["fit", "logged.toml"]);
    assert!(said.err.contains("cannot read the data"), "{}", said.err);
}

#[test]
fn other_data_make_another_plan_and_the_same_data_the_same_wherever_they_lie() {
    let scratch = Scratch::new();
    scratch.write("logged.toml", LOGGED);
    scratch.write("log.csv", &log(25));
    let planned = || {
        let said = control(&scratch, &["simulate", "logged.toml", "--json"]);
        assert!(said.code == Some(0) || said.code == Some(1), "{}", said.err);
        let is_old = said.err.contains("flying the plan of");
        (json(&said)["plan"]["cost"].clone(), is_old)
    };
    let (first, is_old) = planned();
    assert!(!is_old);
    assert_eq!(planned(), (first.clone(), true));
    scratch.write("log.csv", &log(20));
    let (second, is_old) = planned();
    assert!(!is_old && second != first, "{second}");
    let elsewhere = LOGGED.replace("\"log.csv\"", "\"other.csv\"");
    scratch.write("logged.toml", &elsewhere);
    scratch.write("other.csv", &log(25));
    assert_eq!(planned(), (first, true));
}

#[test]
fn a_plan_is_replaced_as_a_whole_and_what_a_kill_left_is_in_nobodys_way() {
    let scratch = Scratch::new();
    scratch.write("a.toml", "plant = { name = \"dubins\" }\ntrials = { count = 3 }\n");
    assert_eq!(control(&scratch, &["simulate", "a.toml", "--quiet"]).code, Some(0));
    let folder = scratch.only_run("runs");
    assert!(folder.join("trials.csv").exists());
    // Killed at work: a file that was begun, a staging folder, and nothing else.
    std::fs::remove_dir_all(&folder).unwrap();
    std::fs::create_dir_all(folder.join(".plan.part")).unwrap();
    std::fs::write(folder.join(".plan.part/gains.csv"), "step").unwrap();
    std::fs::write(folder.join(".experiment.toml.part"), "form").unwrap();
    let said = control(&scratch, &["simulate", "a.toml"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(!folder.join(".plan.part").exists() && folder.join("trials.csv").exists());
    // Without room: a folder in the place of what is to be staged says it cannot be written.
    let before = texts(&folder);
    std::fs::write(folder.join(".plan.part"), "a file").unwrap();
    let said = control(&scratch, &["plan", "a.toml"]);
    assert_eq!(said.code, Some(2), "{}", said.out);
    assert!(said.err.contains("cannot create the folder"), "{}", said.err);
    std::fs::remove_file(folder.join(".plan.part")).unwrap();
    assert!(texts(&folder) == before);
    // Planned again: no trials of the earlier plan.
    assert_eq!(control(&scratch, &["plan", "a.toml"]).code, Some(0));
    assert!(!folder.join("trials.csv").exists() && folder.join("plan.json").exists());
}

#[test]
fn of_a_plan_that_is_flown_only_trials_are_set() {
    let scratch = Scratch::new();
    scratch.write("a.toml", "plant = { name = \"dubins\" }\ntrials = { count = 3 }\n");
    assert_eq!(control(&scratch, &["plan", "a.toml"]).code, Some(0));
    let folder = scratch.only_run("runs");
    let before = texts(&folder);
    let name = folder.display().to_string();
    let obstacles = "obstacles=[{centre=[9,9],radius=0.5}]";
    for settings in [&[obstacles][..], &["run.seed=2"], &["run.seed=2", obstacles]] {
        let mut args = vec!["simulate", name.as_str()];
        settings.iter().for_each(|setting| args.extend(["--set", setting]));
        let said = control(&scratch, &args);
        assert_eq!(said.code, Some(2), "{settings:?}: {}", said.out);
        assert!(said.err.contains("makes another plan"), "{}", said.err);
        assert!(texts(&folder) == before, "{settings:?}");
    }
    let said = control(&scratch, &["simulate", &name, "--set", "trials.count=2"]);
    assert!(said.code == Some(0) || said.code == Some(1), "{}", said.err);
}

#[test]
fn data_that_cannot_be_learnt_from_are_refused_with_their_line() {
    let scratch = Scratch::new();
    scratch.write("logged.toml", LOGGED);
    let refuse = |data: &str, expected: &[&str]| {
        scratch.write("log.csv", data);
        let said = control(&scratch, &["fit", "logged.toml"]);
        assert_eq!(said.code, Some(2), "{}", said.out);
        expected.iter().for_each(|part| assert!(said.err.contains(part), "{part}: {}", said.err));
        assert!(!scratch.path().join("runs").exists());
    };
    refuse("", &["the data are empty", "log.csv"]);
    refuse("x,v,u\n", &["no rows"]);
    refuse("x,v,u\n1,2,3\n", &["no two rows", "hint"]);
    refuse("x,speed,u\n1,2,3\n", &["no column `v`", "log.csv:1"]);
    refuse("x,v,u\n1,2,3\n1,nan,3\n", &["column `v` is `nan`", "log.csv:3", "hint"]);
    refuse("x,v,u,x\n1,2,3,4\n1,2,3,4\n", &["two columns `x`", "log.csv:1", "hint"]);
    // A byte order mark is no part of a name.
    refuse("\u{feff}x,v,u\n1,2,3\n", &["no two rows", "hint"]);
    refuse("x,v,u\n1,2,3\n1,2\n", &["`2` cells, but the head `3`", "log.csv:3"]);
    refuse("x,v,u\n1,2,3\n1,2,x\n", &["column `u` is `x`"]);
    let constant: String = (0..30).map(|row| format!("{},1,{row}\n", row % 7)).collect();
    refuse(&format!("x,v,u\n{constant}"), &["is `1` in every row", "hint"]);
    std::fs::remove_file(scratch.path().join("log.csv")).unwrap();
    let said = control(&scratch, &["fit", "logged.toml"]);
    assert!(said.err.contains("cannot read the data"), "{}", said.err);
    scratch.write("stored.toml", &LOGGED.replace("data = \"log.csv\"", "file = \"m.txt\""));
    scratch.write("m.txt", "phalanx-gaussian-process 1\nkernel none\n");
    let said = control(&scratch, &["plan", "stored.toml"]);
    assert!(said.err.contains("m.txt:2") && said.err.contains("none"), "{}", said.err);
}

#[test]
fn what_cannot_be_planned_is_refused_with_value_place_and_hint() {
    let scratch = Scratch::new();
    let refuse = |text: &str, expected: &[&str]| {
        scratch.write("bad.toml", text);
        let said = control(&scratch, &["plan", "bad.toml"]);
        assert_eq!(said.code, Some(2), "{text}\n{}{}", said.out, said.err);
        for part in expected {
            assert!(said.err.contains(part), "{part} is not in: {}", said.err);
        }
        assert!(!scratch.path().join("runs").exists(), "nothing is written: {text}");
    };
    let with = |line: &str| format!("plant = {{ name = \"dubins\" }}\n{line}\n");
    refuse(&with("start = [2.5, 2.0, 0.0]"), &["the start is not safe", "bad.toml:2", "hint"]);
    refuse(&with("goal = [2.5, 2.0, 0.0]"), &["the goal is not safe", "bad.toml:2"]);
    refuse(&with("start = [0.0, 0.0]"), &["`start` has `2` numbers, but `3` states"]);
    refuse(&with("start = [0.0, nan, 0.0]"), &["`start` is `NaN`"]);
    refuse(&with("horizon = 0"), &["`horizon` is `0`", "hint"]);
    refuse(&with("horizon = 1000000"), &["outside 1 to 20000"]);
    refuse(&with("limits = { speed = [2, -2] }"), &["nothing lies between", "bad.toml:2"]);
    refuse(&with("limits = { sped = [-2, 2] }"), &["`sped` is neither", "`speed`"]);
    refuse(&with("barier = { kind = \"log\" }"), &["unknown key `barier`", "`barrier`"]);
    refuse(&with("barrier = { kind = \"lok\" }"), &["`barrier.kind` is `lok`", "`log`"]);
    refuse(&with("barrier = { kappa = 2 }"), &["tightens nothing", "risk"]);
    refuse(&with("barrier = { risk = \"tightened\", kappa = 2, delta = 0.1 }"), &["says twice"]);
    refuse(&with("obstacles = []"), &["nothing to stay clear of", "none"]);
    refuse(&with("obstacles = [{ centre = [1, 2], radius = 0 }]"), &["`obstacle.radius`"]);
    refuse(&with("obstacles = [{ centre = [1, 2, 3], radius = 1 }]"), &["`3` numbers, but `2`"]);
    refuse(&with("obstacles = [{ normal = [0, 0], offset = 1 }]"), &["normal of a wall is zero"]);
    refuse(&with("obstacles = [{ radius = 1 }]"), &["a ball or a wall"]);
    refuse(&with("planner = { restarts = [] }"), &["`planner.restarts` is empty"]);
    refuse(&with("learning = { rounds = 2 }"), &["nothing to learn"]);
    refuse(&with("model = { kernel = \"x\", name = \"gaussian-process\" }"), &["unknown kernel"]);
    refuse(&with("model = { file = \"m.txt\", rows = 3 }"), &["no other keys"]);
    refuse("plant = { name = \"dubin\" }", &["unknown plant `dubin`", "`dubins`"]);
    refuse("start = [0.0]", &["`plant` is missing"]);
    refuse("plant = { states = [\"x\"], inputs = [\"u\"] }", &["`plant.step` is missing"]);
    refuse("plant = { step = 0.1 }", &["has no `states`"]);
    refuse("plant = { step = 0.1, states = [\"x\", \"x\"] }", &["`x` is named twice"]);
    // Held at the start, the unicycle cannot be anywhere else: the margins leave no room.
    refuse(
        &with("barrier = { risk = \"tightened\", kappa = 20, noise = 0.2 }"),
        &["there is no plan", "margins", "hint"],
    );
    let linear = "plant = { a = [[1.0]], b = [[1.0], [1.0]], step = 0.1 }\nstart = [1.0]\n";
    refuse(linear, &["plant: ", "bad.toml:1"]);
}

#[test]
fn a_plan_that_misses_the_goal_is_told_and_is_no_success() {
    let scratch = Scratch::new();
    scratch.write("far.toml", &format!("{DUBINS}horizon = 10\nlimits = {{ speed = [-1, 1] }}\n"));
    let said = control(&scratch, &["plan", "far.toml"]);
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(said.err.contains("away from the goal"), "{}", said.err);
    scratch.write("bold.toml", "plant = { name = \"dubins\" }\nbarrier = { kind = \"none\" }\n");
    let said = control(&scratch, &["plan", "bold.toml"]);
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(said.err.contains("the plan enters an obstacle"), "{}", said.err);
}

#[test]
fn files_of_another_command_say_which_one_reads_them() {
    let scratch = Scratch::new();
    scratch.write("d.toml", DUBINS);
    scratch.write("r.toml", "plant = { name = \"x-29a\" }\nepisodes = { horizon = 60 }\n");
    let told = |args: &[&str], expected: &str| {
        let said = scratch.phalanx(args);
        assert_eq!(said.code, Some(2), "{}", said.out);
        assert!(said.err.contains(expected), "{expected}: {}", said.err);
    };
    told(&["run", "d.toml"], "`phalanx control plan d.toml` reads it");
    told(&["check", "r.toml"], "`phalanx control regulate r.toml` reads it");
    told(&["control", "regulate", "d.toml"], "`phalanx control plan d.toml` reads it");
    told(&["control", "plan", "r.toml"], "`phalanx control regulate r.toml` reads it");
}
