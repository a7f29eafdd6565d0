//! Every experiment file of the repository, and the resolved form.
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use phalanx::command::list::gather;
use phalanx::experiment::{Arm, Experiment, Overrides, Registries};

use super::program::Scratch;

fn files() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../experiments");
    let mut files = Vec::new();
    gather(&root, &mut files).unwrap();
    // Those of `phalanx control` are files of another kind, with tests of their own.
    files.retain(|file| !file.starts_with(root.join("control")));
    files.sort();
    files
}

fn load(file: &Path) -> Experiment {
    Experiment::load(file, &Overrides::default(), &Registries::ALL)
        .unwrap_or_else(|problem| panic!("{problem}\n{:?}", problem.hint))
}

#[test]
fn every_experiment_file_resolves_and_opens_with_a_sentence() {
    let files = files();
    assert!(files.len() >= 6, "{files:?}");
    for file in files {
        let experiment = load(&file);
        assert!(experiment.runs().count() > 0);
        let quick = Overrides { is_quick: true, ..Overrides::default() };
        match Experiment::load(&file, &quick, &Registries::ALL) {
            Ok(quick) => assert!(quick.runs().count() <= experiment.runs().count()),
            Err(problem) => assert_eq!(problem.message, "this file has no `quick` form"),
        }
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("# "), "{}", file.display());
    }
}

#[test]
fn the_resolved_form_of_every_run_reads_back_to_the_same_run() {
    for file in files() {
        for (_, run) in load(&file).runs() {
            let text = run.to_toml();
            let file = Path::new("experiment.toml");
            let again =
                Experiment::parse(&text, file, &Overrides::default(), &Registries::ALL).unwrap();
            let runs: Vec<_> = again.runs().map(|(_, run)| run).collect();
            assert_eq!(runs, std::slice::from_ref(&run), "{text}");
            assert_eq!(runs[0].to_toml(), text);
            assert_eq!(runs[0].folder_name(), run.folder_name());
        }
    }
}

#[test]
fn the_campaign_has_the_33_settings_of_the_paper_per_heterogeneity_and_seed() {
    for (name, heterogeneities) in [
        ("mnist", 2),
        ("mnist-published", 2),
        ("fashion", 2),
        ("fashion-published", 2),
        ("cifar10", 1),
        ("cifar10-published", 1),
    ] {
        let file = files().into_iter().find(|file| file.ends_with(format!("monna/{name}.toml")));
        let experiment = load(&file.unwrap());
        assert_eq!(experiment.arms.len(), 33 * heterogeneities, "{name}");
        assert_eq!(experiment.runs().count(), 165 * heterogeneities, "{name}");
        let reference = &experiment.arms[0].settings;
        assert_eq!((reference.byzantine, reference.collected), (0, reference.population.n()));
        let alphas: BTreeSet<String> =
            experiment.runs().map(|(_, run)| run.task.args.number("alpha").to_string()).collect();
        assert_eq!(alphas.len(), heterogeneities, "{name}: {alphas:?}");
    }
}

#[test]
fn the_grid_of_the_library_has_its_288_runs() {
    let file = files().into_iter().find(|file| file.ends_with("byzfl/grid.toml")).unwrap();
    let experiment = load(&file);
    assert_eq!(experiment.runs().count(), 288);
    let honest = |arm: &Arm| arm.settings.population.n() - arm.settings.byzantine;
    assert!(experiment.arms.iter().all(|arm| honest(arm) == 10));
}

/// A quick form is a test of the campaign's claims without its data: it ends in minutes, so it
/// needs no file that is not here, and it expects something.
#[test]
fn every_campaign_has_a_quick_form_on_embedded_data_that_expects_something() {
    let campaigns = |file: &PathBuf| {
        let folder = file.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
        ["monna", "byzfl", "jungle"].contains(&folder.as_str()) && !file.ends_with("exchanges.toml")
    };
    let files: Vec<PathBuf> = files().into_iter().filter(campaigns).collect();
    assert!(files.len() >= 10, "{files:?}");
    for file in files {
        let overrides = Overrides { is_quick: true, ..Overrides::default() };
        let experiment = Experiment::load(&file, &overrides, &Registries::ALL)
            .unwrap_or_else(|problem| panic!("{problem}\n{:?}", problem.hint));
        assert!(experiment.name.ends_with("-quick"));
        let expected: usize = experiment.arms.iter().map(|arm| arm.expectations.len()).sum();
        assert!(expected > 0, "{} expects nothing", file.display());
        assert!(experiment.runs().count() <= 80, "{}", file.display());
        for (_, run) in experiment.runs() {
            let dataset = run.task.args.text_if("dataset");
            assert!(matches!(dataset, None | Some("digits")), "{}: {dataset:?}", file.display());
            assert!(run.plan.rounds <= 200, "{}", file.display());
        }
    }
}

const SWEPT: &str = r#"population = { n = 7, f = 1 }
task = { name = "quadratic" }
run = { rounds = 3, seeds = [1] }
algorithm = { name = "monna" }
sweep = { "task.dim" = [2, 3] }
[[arm]]
name = "free"
set = { "population.f" = 0 }
[[arm]]
name = "robust"
sweep."attack.name" = ["sign-flipping", "mimic"]
expect."distance.mean" = { above = [{ arm = "free", points = 1 }, { arm = "plain", points = 2 }] }
[[arm]]
name = "plain"
set = { "algorithm.name" = "d-sgd" }
sweep."attack.name" = ["sign-flipping", "mimic"]
"#;

#[test]
fn an_arm_is_compared_with_another_one_at_the_same_point() {
    let parse = |text: &str| {
        let overrides = Overrides::default();
        Experiment::parse(text, Path::new("a.toml"), &overrides, &Registries::ALL)
    };
    let experiment = parse(SWEPT).unwrap();
    let others = |name: &str| -> Vec<String> {
        let arm = experiment.arms.iter().find(|arm| arm.name == name).unwrap();
        let others = arm.expectations.iter().map(|found| found.bound.other().unwrap().into());
        others.collect()
    };
    assert_eq!(others("robust-dim=2-mimic"), ["free-dim=2", "plain-dim=2-mimic"]);
    assert_eq!(others("robust-dim=3-sign-flipping"), ["free-dim=3", "plain-dim=3-sign-flipping"]);
    // No point of that arm has the same values.
    let lonely = SWEPT.replace("\"mimic\"]\nexpect", "\"gaussian\"]\nexpect");
    let problem = parse(&lonely).unwrap_err().to_string();
    assert!(problem.contains("unknown arm `plain`"), "{problem}");
}

#[test]
fn ids_tell_settings_apart_and_seeds_share_them() {
    let text = super::program::small(10);
    let parse = |text: &str, setting: &str| {
        let overrides = Overrides { settings: vec![setting.into()], ..Overrides::default() };
        let file = Path::new("a.toml");
        let experiment = Experiment::parse(text, file, &overrides, &Registries::ALL).unwrap();
        let (_, run) = experiment.runs().next().unwrap();
        run
    };
    let base = parse(&text, "run.seeds=[1]");
    assert_eq!(base.id(), parse(&text, "run.seeds=[2]").id());
    assert_ne!(base.id(), parse(&text, "run.rounds=11").id());
    assert_ne!(base.id(), parse(&text, "network.loss=0.11").id());
    // A default that is written out is the same setting.
    assert_eq!(base.id(), parse(&text, "exchange.wait=quorum").id());
}

#[test]
fn an_arm_must_be_above_another_one_less_some_points_and_may_be_far_above_it() {
    let text = r#"population = { n = 4, f = 0 }
task = { name = "quadratic", noise = 0.0 }
run = { rounds = 20, seeds = [1, 2], evaluate-every = 20 }
[[arm]]
name = "slow"
set = { "algorithm.name" = "d-sgd", "algorithm.learning-rate" = 0.001 }
expect."distance.mean" = { above = { arm = "quick", points = 0.0 } }
[[arm]]
name = "quick"
set = { "algorithm.name" = "d-sgd", "algorithm.learning-rate" = 0.5, "algorithm.momentum" = 0.0 }
expect."distance.mean" = { above = { arm = "slow", points = POINTS } }
[algorithm]
name = "d-sgd"
"#;
    for (points, code, word) in [("0.1", 1, "missed"), ("100.0", 0, "met")] {
        let scratch = Scratch::new();
        scratch.write("a.toml", &text.replace("POINTS", points));
        let said = scratch.phalanx(&["run", "a.toml"]);
        assert_eq!(said.code, Some(code), "{}{}", said.out, said.err);
        let line = |arm: &str| {
            let found = said.out.lines().find(|line| line.contains(arm) && line.contains("less"));
            found.unwrap_or_else(|| panic!("{}", said.out)).to_owned()
        };
        assert!(line("of `quick`").starts_with("met"), "{}", said.out);
        assert!(
            line(&format!("of `slow` less {}", points.trim_end_matches(".0"))).starts_with(word)
        );
    }
}

#[test]
fn the_list_of_experiments_says_which_commands_carry_out_each_file() {
    let scratch = Scratch::new();
    let files = [
        ("learn", super::program::small(5)),
        ("regulate", "plant = { name = \"x-29a\" }\nepisodes = { horizon = 60 }\n".into()),
        ("safe", "plant = { name = \"dubins\" }\nplanner = { tolerance = 1e-8 }\n".into()),
        ("broken", "plant = {".into()),
    ];
    for (name, text) in &files {
        let text = format!("# Shows: {name}.\n{text}");
        scratch.write(&format!("experiments/deep/{name}.toml"), &text);
    }
    let said = scratch.phalanx(&["list", "experiments"]);
    let expected = "\
for `phalanx run FILE` and `phalanx sweep FILE`:
experiments/deep/learn.toml     Shows: learn.

for `phalanx control regulate FILE`:
experiments/deep/regulate.toml  Shows: regulate.

for `phalanx control plan FILE` and `phalanx control simulate FILE`:
experiments/deep/safe.toml      Shows: safe.

not readable:
experiments/deep/broken.toml    Shows: broken.
";
    assert_eq!(said.out, expected, "{}", said.err);
    let said = scratch.phalanx(&["list", "experiments", "--json"]);
    let read = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap();
    let commands = |row: serde_json::Value| row["commands"][0].as_str().map(str::to_owned);
    let commands: Vec<Option<String>> = said.out.lines().map(|line| commands(read(line))).collect();
    let named = ["phalanx run", "phalanx control regulate", "phalanx control plan"];
    let named = named.iter().map(|command| Some((*command).to_owned()));
    assert_eq!(commands, named.chain([None]).collect::<Vec<_>>());
}
