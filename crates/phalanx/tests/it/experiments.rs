//! Every experiment file of the repository, and the resolved form.
use std::path::{Path, PathBuf};

use phalanx::command::list::gather;
use phalanx::experiment::{Experiment, Overrides, Registries};

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
fn the_campaign_has_the_33_runs_of_the_paper_per_seed() {
    for name in ["mnist", "cifar10"] {
        let file = files().into_iter().find(|file| file.ends_with(format!("monna/{name}.toml")));
        let experiment = load(&file.unwrap());
        assert_eq!(experiment.arms.len(), 33);
        assert_eq!(experiment.runs().count(), 165);
        let reference = &experiment.arms[0].settings;
        assert_eq!((reference.byzantine, reference.collected), (0, reference.population.n()));
    }
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
