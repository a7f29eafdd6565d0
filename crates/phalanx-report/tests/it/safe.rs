//! Pages, figures and tables of plans that stay clear of obstacles.
use std::path::PathBuf;

use phalanx_report::control::safe::{
    Attempt, FitSummary, Flight, GAINS, Iteration, Names, Obstacle, OutputFit, Plan, PlanSummary,
    Rate, RoundSummary, SafeRecord, SafeSummary, Scene, TRAJECTORY, TRIALS, Trial, TrialsSummary,
    read_plan, safe_tables, write_plan, write_safe_report, write_trials,
};

use crate::parquet::{Cell, read};

const STEPS: usize = 60;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("phalanx-safe-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.join(name)).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn names(positions: usize) -> Names {
    let all = ["px", "py", "pz"];
    let states = all[..positions].iter().chain(&["θ"]).map(|name| (*name).to_owned());
    Names {
        states: states.collect(),
        inputs: ["v", "ω"].map(String::from).into(),
        position: (0..positions).collect(),
    }
}

/// An arc over a disc in the middle, bent by `bend`, with noise that repeats itself.
fn arc(positions: usize, bend: f64, wobble: f64) -> Vec<Vec<f64>> {
    let at = |step: usize| {
        let share = step as f64 / STEPS as f64;
        let shake = wobble * (step as f64 * 1.7).sin();
        let up = bend * (share * std::f64::consts::PI).sin() + shake;
        let mut state = vec![4.0 * share + shake, up, 0.3 * up - share][..positions].to_vec();
        state.push(1.0 - 2.0 * share);
        state
    };
    (0..=STEPS).map(at).collect()
}

fn clearance(states: &[Vec<f64>]) -> Vec<f64> {
    states.iter().map(|s| (s[0] - 2.0).powi(2) + s[1].powi(2) - 0.64).collect()
}

fn plan(positions: usize) -> Plan {
    let states = arc(positions, 1.2, 0.0);
    let clearance = clearance(&states);
    Plan {
        dt: 0.05,
        inputs: (0..STEPS).map(|step| vec![1.4, (step as f64 * 0.1).cos()]).collect(),
        barriers: clearance.iter().map(|h| vec![1.0 / h]).collect(),
        deviation: states
            .iter()
            .enumerate()
            .map(|(step, s)| s.iter().map(|_| 0.002 * (step as f64).sqrt()).collect())
            .collect(),
        gains: (0..STEPS).map(|step| vec![step as f64 / 7.0; 2 * (positions + 2)]).collect(),
        margins: states.iter().map(|_| vec![0.01, 0.02]).collect(),
        lifts: Vec::new(),
        states,
        clearance,
    }
}

fn flight(trial: usize, positions: usize, bend: f64) -> Flight {
    let states = arc(positions, bend, 0.02 + 0.001 * trial as f64);
    let clearance = clearance(&states);
    let least = clearance.iter().copied().fold(f64::INFINITY, f64::min);
    let is_safe = least > 0.0;
    Flight {
        trial: Trial {
            trial,
            is_safe,
            is_success: is_safe,
            cost: 0.8 + trial as f64 / 100.0,
            clearance: least,
            goal_error: 0.02,
            broken: None,
        },
        inputs: vec![vec![1.3, 0.4]; STEPS],
        states,
        clearance,
    }
}

fn fit() -> FitSummary {
    let output = |name: &str, coverage: f64| OutputFit {
        name: name.into(),
        nlml: -304.5,
        noise: 0.001,
        signal: 0.07,
        length_scales: vec![300.0, 2.0, 8.0],
        rmse: 5e-4,
        relative_error: 0.01,
        coverage,
        calibration: [0.1, 0.3, 0.5, 0.7, 0.9, 0.99].map(|p: f64| (p, p * coverage)).into(),
    };
    FitSummary {
        kernel: "squared-exponential".into(),
        rows: 150,
        held_out: 300,
        inputs: ["px", "v", "ω"].map(String::from).into(),
        outputs: vec![output("Δpx", 0.95), output("Δpy", 0.71)],
    }
}

fn summary(positions: usize, flights: &[Flight]) -> SafeSummary {
    let plan = plan(positions);
    let centre = |x: f64, y: f64| vec![x, y, 0.5][..positions].to_vec();
    let mut normal = vec![0.0; positions];
    normal[1] = 1.0;
    let attempt = |regularisation, cost, is_taken| Attempt {
        regularisation,
        iterations: 20,
        cost,
        goal_error: 0.01,
        end: "converged".into(),
        is_taken,
    };
    let round = |round: usize| RoundSummary {
        round,
        rows: 60 * round,
        coverage: 0.7 + 0.07 * round as f64,
        least_coverage: 0.5,
        flown_coverage: 0.6 + 0.1 * round as f64,
        relative_error: 0.1 / round as f64,
        plan_cost: 1.0,
        safe: Rate::new(4 + 2 * round, 10),
        success: Rate::new(3 * round, 10),
        least_clearance: 0.01,
        failure: (round == 1).then(|| "no safe start".into()),
    };
    SafeSummary {
        format: 1,
        kind: "safe-control".into(),
        experiment: "sample".into(),
        seed: 1,
        plant: "arc".into(),
        model: "a Gaussian process fitted to 150 rows".into(),
        truth: "the true plant".into(),
        names: names(positions),
        scene: Scene {
            obstacles: vec![
                Obstacle::Ball { centre: centre(2.0, 0.0), radius: 0.8 },
                Obstacle::Ball { centre: centre(3.5, 1.8), radius: 0.4 },
                Obstacle::Ball { centre: centre(2.0, -60.0), radius: 58.5 },
                Obstacle::HalfSpace { normal, offset: -1.3 },
            ],
            start: plan.states[0].clone(),
            goal: plan.states[STEPS].clone(),
            input_limits: Some((vec![-1.0, -2.0], vec![2.0, 2.0])),
        },
        plan: Some(PlanSummary {
            horizon: STEPS,
            dt: 0.05,
            cost: 0.81,
            start_cost: 1070.0,
            clearance: plan.clearance.iter().copied().fold(f64::INFINITY, f64::min),
            goal_error: 0.01,
            goal_tolerance: 0.2,
            attempts: vec![attempt(0.1, 7.9, false), attempt(1.0, 0.81, true)],
        }),
        fit: Some(fit()),
        rounds: (1..=3).map(round).collect(),
        trials: vec![TrialsSummary::of("feedback", flights.iter().map(|flight| &flight.trial))],
    }
}

fn iterations() -> Vec<Iteration> {
    let one = |at: usize| Iteration {
        restart: at / 10,
        iteration: at % 10,
        cost: 1000.0 * 0.5f64.powi((at % 10) as i32) + 0.8,
        step: if at % 4 == 3 { 0.0 } else { 1.0 },
        regularisation: 1.6f64.powi(-(at as i32)),
        gradient: 3.0 * 0.3f64.powi((at % 10) as i32),
        clearance: 0.1,
    };
    (0..20).map(one).collect()
}

fn written(folder: &Folder, positions: usize, flights: Vec<Flight>) -> (SafeSummary, String) {
    let (summary, plan) = (summary(positions, &flights), plan(positions));
    let record = SafeRecord {
        summary: &summary,
        plan: &plan,
        iterations: &iterations(),
        flights: &[flights],
    };
    let page = write_safe_report(&folder.0, &record, ("seed = 1", "phalanx again")).unwrap();
    let text = std::fs::read_to_string(page).unwrap();
    (summary, text)
}

#[test]
fn a_page_holds_verdict_trials_coverage_and_every_figure() {
    let folder = Folder::new("page");
    let mut flights: Vec<Flight> = (0..12).map(|trial| flight(trial, 2, 1.2)).collect();
    flights.push(flight(12, 2, 0.7));
    let (summary, text) = written(&folder, 2, flights);
    for part in [
        "Flown 13 times on the true plant with feedback: safe 92.3 %",
        "1 of 13 trials unsafe",
        "over-confident about Δpy: 71.0 %",
        "neither is a certificate",
        "Round 1: no plan: no safe start",
        "phalanx again",
    ] {
        assert!(text.contains(part), "{part}");
    }
    assert!(!text.contains("<script") && !text.contains("NaN"));
    for stem in
        ["scene", "clearance", "inputs", "barrier", "cost", "steps", "calibration", "rounds"]
    {
        let svg = folder.text(&format!("figures/{stem}.svg"));
        assert!(svg.starts_with("<svg") && !svg.contains("NaN"), "{stem}");
        let csv = folder.text(&format!("figures/{stem}.csv"));
        assert!(csv.lines().count() > 1, "{stem}");
    }
    let tables = safe_tables(&summary);
    assert_eq!(tables.len(), 4);
    assert!(tables[3].contains("92.3 % (12 of 13;"), "{}", tables[3]);
    let json = serde_json::to_string(&summary).unwrap();
    assert_eq!(serde_json::from_str::<SafeSummary>(&json).unwrap(), summary);
}

#[test]
fn an_unsafe_trial_is_drawn_with_a_cross_where_it_first_was_unsafe() {
    let folder = Folder::new("unsafe");
    let safe: Vec<Flight> = (0..3).map(|trial| flight(trial, 2, 1.2)).collect();
    written(&folder, 2, safe.clone());
    let without = folder.text("figures/scene.svg");
    assert!(!without.contains("broken l7"));
    written(&folder, 2, safe.into_iter().chain([flight(3, 2, 0.6)]).collect());
    let with = folder.text("figures/scene.svg");
    // One on the path, one in the legend, two strokes each.
    assert_eq!(with.matches("broken l7").count(), 4);
    assert!(with.contains("1 unsafe") && with.contains("3 trials flown"));
}

#[test]
fn three_positions_are_drawn_from_three_sides() {
    let folder = Folder::new("sides");
    written(&folder, 3, vec![flight(0, 3, 1.2)]);
    for (stem, up) in [("scene", "py"), ("scene-13", "pz"), ("scene-23", "pz")] {
        assert!(folder.text(&format!("figures/{stem}.svg")).contains(&format!(">{up}<")), "{stem}");
    }
}

#[test]
fn a_plan_reads_back_to_the_same_bits() {
    let folder = Folder::new("plan");
    let plan = plan(2);
    write_plan(&folder.0, &names(2), &plan, &iterations()).unwrap();
    assert_eq!(read_plan(&folder.0, &names(2), 0.05).unwrap(), plan);
    write_trials(&folder.0, (&names(2), 0.05), &[("feedback", &[flight(0, 2, 1.2)])]).unwrap();
    assert_eq!(folder.text(TRIALS).lines().count(), 2 + STEPS);
}

/// A cell of CSV, as text, is what the cell of the other table is, bit for bit.
fn is_same(text: &str, cell: &Cell) -> bool {
    match cell {
        Cell::Null => text.is_empty(),
        Cell::Text(word) => text == word,
        Cell::Count(count) => text.parse() == Ok(*count),
        Cell::Number(number) => {
            text.parse().is_ok_and(|read: f64| read.to_bits() == number.to_bits())
        }
        Cell::Integer(_) | Cell::Flag(_) => false,
    }
}

#[test]
fn trajectory_and_gains_are_the_same_in_parquet() {
    let folder = Folder::new("parquet");
    // A state that is called like another column stands beside it under another name.
    let mut names = names(2);
    names.states[2] = "clearance".into();
    write_plan(&folder.0, &names, &plan(2), &[]).unwrap();
    for file in [TRAJECTORY, GAINS] {
        let text = folder.text(file);
        let mut lines = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
        let bytes = std::fs::read(folder.0.join(file).with_extension("parquet")).unwrap();
        let columns = read(&bytes);
        let head: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(lines.next().unwrap(), head, "{file}");
        let rows: Vec<Vec<&str>> = lines.collect();
        for (place, (name, cells)) in columns.iter().enumerate() {
            assert_eq!(cells.len(), rows.len(), "{file}");
            for (row, cell) in rows.iter().zip(cells) {
                assert!(is_same(row[place], cell), "{file}, {name}: {} and {cell:?}", row[place]);
            }
        }
    }
    assert!(folder.text(TRAJECTORY).starts_with("step,seconds,px,py,clearance,v,ω,w 1"));
    assert_eq!(read_plan(&folder.0, &names, 0.05).unwrap(), plan(2));
}

#[test]
fn a_spoiled_plan_is_refused_with_its_line() {
    let folder = Folder::new("spoiled");
    write_plan(&folder.0, &names(2), &plan(2), &[]).unwrap();
    let refuse = |file: &str, from: &str, to: &str, expected: &str| {
        let text = folder.text(file);
        let spoiled = text.replacen(from, to, 1);
        assert_ne!(spoiled, text);
        std::fs::write(folder.0.join(file), spoiled).unwrap();
        let error = read_plan(&folder.0, &names(2), 0.05).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
        std::fs::write(folder.0.join(file), text).unwrap();
    };
    refuse(TRAJECTORY, "\n1,", "\n2,", "step `1` was expected here in line `3`");
    refuse(TRAJECTORY, "\n1,0.05,", "\n1,0.05,NaN,", "cells, but `14` columns in line `3`");
    refuse(TRAJECTORY, ",1.4,", ",nan,", "`nan` is no finite number in line `2`");
    refuse(TRAJECTORY, "px", "py", "the columns are not");
    refuse(GAINS, "\n0,ω,", "\n0,v,", "step `0` of input `ω` was expected here in line `3`");
    refuse(GAINS, "\n1,v", "\n", "cells");
    std::fs::remove_file(folder.0.join(GAINS)).unwrap();
    assert!(read_plan(&folder.0, &names(2), 0.05).is_err());
}

#[test]
fn a_trial_that_broke_off_counts_as_unsafe_and_far_from_the_goal() {
    let mut broken = flight(0, 2, 1.2).trial;
    broken.is_safe = false;
    broken.is_success = false;
    broken.broken = Some("the state is not finite".into());
    let summary = TrialsSummary::of("feedback", &[flight(1, 2, 1.2).trial, broken]);
    assert_eq!((summary.safe.count, summary.success.count), (1, 1));
    assert!(summary.worst_goal_error.is_infinite());
    assert!((summary.mean_cost - 0.81).abs() < 1e-12);
    let json = serde_json::to_string(&summary).unwrap();
    assert!(json.contains("\"worst_goal_error\":\"inf\""), "{json}");
}
