//! `--set`, arms and sweeps.
use std::path::Path;

use phalanx::experiment::{Experiment, Overrides, Registries, Run};
use phalanx::problem::Problem;

use crate::program::small;

fn parse(text: &str, settings: &[&str]) -> Result<Experiment, Problem> {
    let settings = settings.iter().map(|setting| (*setting).into()).collect();
    let overrides = Overrides { settings, ..Overrides::default() };
    Experiment::parse(text, Path::new("a.toml"), &overrides, &Registries::ALL)
}

fn first(text: &str, settings: &[&str]) -> Run {
    let experiment = parse(text, settings).unwrap();
    let (_, run) = experiment.runs().next().unwrap();
    run
}

fn refused(text: &str, settings: &[&str]) -> String {
    parse(text, settings).unwrap_err().to_string()
}

#[test]
fn settings_are_typed_like_the_file() {
    let text = small(10);
    assert_eq!(
        first(&text, &["algorithm.learning-rate=1"]).algorithm.args.number("learning-rate"),
        1.0
    );
    assert_eq!(first(&text, &["run.rounds=0x20"]).plan.rounds, 32);
    assert_eq!(first(&text, &["attack.reach=sampled"]).reach, phalanx::experiment::Reach::Sampled);
    assert_eq!(
        first(&text, &["attack.reach=\"sampled\""]).reach,
        phalanx::experiment::Reach::Sampled
    );
    assert!(!first(&text, &["exchange.finite=false"]).exchange.is_finite_required);
    assert_eq!(
        refused(&text, &["algorithm.learning-rate=fast"]),
        "parameter `learning-rate` of `monna` is `fast`, but a number is needed: \
         --set algorithm.learning-rate=fast"
    );
    assert_eq!(
        refused(&text, &["run.rounds=1.5"]),
        "`run.rounds` is `1.5`, but a whole number is needed: --set run.rounds=1.5"
    );
    assert_eq!(
        refused(&text, &["exchange.finite=1"]),
        "`exchange.finite` is `1`, but `true` or `false` is needed: --set exchange.finite=1"
    );
    assert_eq!(refused(&text, &["run"]), "`run` sets nothing: `KEY=VALUE` is needed: --set");
}

#[test]
fn the_last_setting_wins_over_file_arm_and_earlier_settings() {
    let text = format!("{}[[arm]]\nname = \"x\"\nset = {{ \"run.rounds\" = 20 }}\n", small(10));
    assert_eq!(first(&text, &[]).plan.rounds, 20);
    assert_eq!(first(&text, &["run.rounds=30", "run.rounds=40"]).plan.rounds, 40);
}

#[test]
fn a_new_name_brings_its_own_parameters_and_misspelt_ones_are_still_found() {
    let text = small(10).replace("\"gaussian\"", "\"gaussian\", count = 1");
    let run = first(&text, &["attack.name=none"]);
    assert_eq!((run.attack, run.byzantine), (None, 0));
    let text = small(10).replace("momentum", "momentun");
    assert!(refused(&text, &["algorithm.name=learn"]).starts_with("unknown parameter `momentun`"));
    // `learn` has no momentum, so what the file says of it for MoNNA does not concern it.
    let run = first(&small(10), &["algorithm.name=local-only"]);
    assert_eq!(run.algorithm.args.number("learning-rate"), 0.2);
}

#[test]
fn the_algorithm_names_its_rule_unless_the_file_does() {
    assert_eq!(first(&small(10), &[]).rule.name, "nearest-neighbor-averaging");
    assert_eq!(first(&small(10), &["algorithm.name=d-sgd"]).rule.name, "average");
    assert_eq!(first(&small(10), &["rule.name=average"]).rule.name, "average");
    // Without a name the parameters are those of the algorithm's own rule.
    assert!(
        refused(&small(10), &["rule.tau=5"])
            .starts_with("unknown parameter `tau` of `nearest-neighbor-averaging`: --set rule.tau")
    );
}

#[test]
fn arms_times_sweep_times_seeds_are_the_runs() {
    let text = small(10).replace("seeds = [1]", "seeds = [1, 2]")
        + "sweep = { \"network.loss\" = [0.0, 0.1], \"attack.name\" = [\"none\", \"nan\"] }\n\
           [[arm]]\nname = \"a\"\n[[arm]]\nname = \"b\"\n\
           sweep = { \"population.f\" = [0, 1] }\n";
    let experiment = parse(&text, &[]).unwrap();
    let names: Vec<&str> = experiment.arms.iter().map(|arm| arm.name.as_str()).collect();
    assert_eq!(names.len(), 4 + 8);
    assert_eq!(names[..2], ["a-none-loss=0", "a-none-loss=0.1"]);
    assert!(names.contains(&"b-nan-loss=0.1-f=1"), "{names:?}");
    assert_eq!(experiment.runs().count(), 24);
    // What the command line fixes is not swept.
    assert_eq!(parse(&text, &["network.loss=0.5"]).unwrap().arms.len(), 6);
}

#[test]
fn what_a_node_waits_for_decides_how_many_vectors_the_rule_gets() {
    assert_eq!(first(&small(10), &[]).collected, 6);
    assert_eq!(first(&small(10), &["exchange.wait=all"]).collected, 7);
    let star = first(&small(10), &["algorithm.name=distributed-sgd"]);
    assert_eq!((star.collected, star.is_star), (7, true));
}
