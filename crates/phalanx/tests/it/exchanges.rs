//! Which exchange an experiment gets, and what is refused because it would not be applied.
use std::path::Path;

use phalanx::experiment::{Experiment, Overrides, Registries, Run};
use phalanx::problem::Problem;

use crate::program::small;

fn first(n: usize, f: usize, exchange: &str, settings: &[&str]) -> Result<Run, Problem> {
    let mut all = vec![format!("population.n={n}"), format!("population.f={f}")];
    all.extend([format!("attack.count={f}"), format!("exchange.name={exchange}")]);
    all.extend(settings.iter().map(|setting| (*setting).to_owned()));
    let overrides = Overrides { settings: all, ..Overrides::default() };
    let text = small(10);
    let experiment = Experiment::parse(&text, Path::new("a.toml"), &overrides, &Registries::ALL)?;
    let (_, run) = experiment.runs().next().unwrap();
    Ok(run)
}

fn refused(n: usize, f: usize, exchange: &str, settings: &[&str]) -> String {
    let problem = first(n, f, exchange, settings).unwrap_err();
    format!("{problem}\nhint: {}", problem.hint.as_deref().unwrap_or(""))
}

// Spec 03, check 10: with n = 6 and f = 1 nothing contracts.
#[test]
fn a_population_outside_the_bound_is_refused_by_the_bounds_name() {
    let said = refused(6, 1, "mda-agreement", &[]);
    assert!(said.contains("does not satisfy n ≥ 6f + 1"), "{said}");
    for name in ["reliable-broadcast", "signed-echo", "rb-tm-agreement"] {
        let said = refused(6, 2, name, &[]);
        assert!(said.contains("does not satisfy n ≥ 3f + 1"), "{said}");
        assert!(said.contains(&format!("`phalanx explain exchange/{name}`")), "{said}");
    }
    assert!(first(7, 1, "mda-agreement", &[]).is_ok());
    assert!(first(7, 2, "rb-tm-agreement", &[]).is_ok());
}

#[test]
fn what_an_agreement_would_not_apply_is_refused_where_it_was_written() {
    let said = refused(7, 1, "mda-agreement", &["rule.name=krum"]);
    assert!(said.starts_with("`krum` would not be applied"), "{said}");
    assert!(said.contains("--set rule.name=krum"), "{said}");
    let run = first(7, 1, "mda-agreement", &[]).unwrap();
    assert_eq!((run.rule.name, run.collected), ("minimum-diameter-averaging", 6));
    let inner = ["exchange.inner=trimmed-midpoint"];
    assert_eq!(first(7, 2, "rb-tm-agreement", &inner).unwrap().rule.name, "trimmed-midpoint");
}

#[test]
fn keys_of_the_direct_exchange_belong_to_it_alone() {
    let said = refused(7, 2, "signed-echo", &["exchange.wait=all"]);
    assert!(said.contains("unknown parameter `wait` of `signed-echo`"), "{said}");
    assert!(first(7, 2, "direct", &["exchange.wait=all"]).is_ok());
    let said = refused(7, 2, "signed-ecko", &[]);
    assert!(said.contains("an exchange with a similar name exists: `signed-echo`"), "{said}");
}

#[test]
fn misbehaviours_need_somebody_to_misbehave() {
    let text = small(10);
    let with = |text: &str| {
        let file = Path::new("a.toml");
        Experiment::parse(text, file, &Overrides::default(), &Registries::ALL)
    };
    let lines = "misbehaviour = [{ name = \"omit\", chance = 0.25 }, { name = \"delay\" }]\n";
    let run = with(&format!("{lines}{text}")).unwrap().runs().next().unwrap().1;
    assert_eq!(run.misbehaviours[0].args.number("chance"), 0.25);
    let written = run.to_toml();
    assert_eq!(with(&written).unwrap().runs().next().unwrap().1, run, "{written}");
    let calm = format!("{lines}{}", text.replace("\"gaussian\"", "\"none\""));
    let said = with(&calm).unwrap_err().to_string();
    assert!(said.starts_with("`misbehaviour` without Byzantine nodes: a.toml:1"), "{said}");
    let said = with(&format!("{}{text}", lines.replace("omit", "omitt"))).unwrap_err();
    assert!(said.hint.unwrap().ends_with("`omit`"));
}

#[test]
fn a_resolved_experiment_reads_back_as_the_same_run() {
    let exchanges =
        ["direct", "reliable-broadcast", "signed-echo", "mda-agreement", "rb-tm-agreement"];
    for name in exchanges {
        let run = first(7, 1, name, &[]).unwrap();
        let text = run.to_toml();
        let file = Path::new("experiment.toml");
        let again = Experiment::parse(&text, file, &Overrides::default(), &Registries::ALL);
        assert_eq!(again.unwrap().runs().next().unwrap().1, run, "{text}");
    }
}
