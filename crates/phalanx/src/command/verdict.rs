//! Whether an experiment's expectations were met.
pub use phalanx_report::Judgement;
use phalanx_report::{Score, Status, Summary};

use crate::experiment::{Arm, Bound, Expectation, Experiment, Statistic};

/// Judges every expectation by the summaries of complete runs. An arm that expects nothing is
/// expected to finish. Expectations about arms that were left out are not judged.
pub fn judge(experiment: &Experiment, summaries: &[Summary]) -> Vec<Judgement> {
    let mut judgements = Vec::new();
    for arm in &experiment.arms {
        let runs = of_arm(summaries, &arm.name);
        if runs.is_empty() {
            continue;
        }
        if arm.expectations.is_empty() {
            judgements.extend(finished(arm, &runs));
        }
        for expectation in &arm.expectations {
            judgements.extend(judged(arm, expectation, &runs, summaries, experiment));
        }
    }
    judgements
}

fn of_arm<'a>(summaries: &'a [Summary], arm: &str) -> Vec<&'a Summary> {
    summaries.iter().filter(|summary| summary.arm == arm).collect()
}

fn finished(arm: &Arm, runs: &[&Summary]) -> Option<Judgement> {
    let failed = runs.iter().find(|summary| summary.status != Status::Finished)?;
    let reason = failed.reason.as_deref().unwrap_or("it did not finish");
    Some(Judgement {
        arm: arm.name.clone(),
        expected: "to finish".into(),
        found: format!("seed {}: {reason}", failed.seed),
        is_met: false,
    })
}

fn judged(
    arm: &Arm,
    expectation: &Expectation,
    runs: &[&Summary],
    summaries: &[Summary],
    experiment: &Experiment,
) -> Option<Judgement> {
    let values: Option<Vec<f64>> = runs.iter().map(|run| value(run, expectation)).collect();
    let values = values.filter(|values| !values.is_empty());
    let unfinished = runs.iter().find(|summary| summary.status != Status::Finished);
    let key = expectation.key();
    let judgement = |expected: String, found: String, is_met: bool| {
        Some(Judgement { arm: arm.name.clone(), expected, found, is_met })
    };
    let absent = || {
        let names = runs.iter().flat_map(|run| run.scores.keys().map(String::as_str));
        let names: std::collections::BTreeSet<&str> = names.collect();
        let names: Vec<&str> = names.into_iter().collect();
        format!("no such score; measured: {}", names.join(", "))
    };
    match &expectation.bound {
        Bound::Least(least) => {
            let expected = format!("{key} at least {least}");
            let Some(values) = values else { return judgement(expected, absent(), false) };
            let found = values.iter().copied().fold(f64::INFINITY, f64::min);
            let text = match unfinished {
                Some(run) => format!("{found:.4}, but seed {} did not finish", run.seed),
                None => format!("{found:.4}"),
            };
            judgement(expected, text, found >= *least && unfinished.is_none())
        }
        Bound::Greatest(greatest) => {
            let expected = format!("{key} at most {greatest}");
            let Some(values) = values else { return judgement(expected, absent(), false) };
            let found = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            judgement(expected, format!("{found:.4}"), found <= *greatest)
        }
        Bound::Within { arm: other, points } | Bound::Above { arm: other, points } => {
            let is_one_sided = matches!(expectation.bound, Bound::Above { .. });
            let expected = match is_one_sided {
                true => format!("{key} at least that of `{other}` less {points}"),
                false => format!("{key} within {points} of `{other}`"),
            };
            let others = of_arm(summaries, other);
            if experiment.is_partial && others.is_empty() {
                return None;
            }
            let reference: Option<Vec<f64>> =
                others.iter().map(|run| value(run, expectation)).collect();
            let (Some(values), Some(reference)) = (values, reference) else {
                return judgement(expected, absent(), false);
            };
            let is_finished = others.iter().chain(runs).all(|run| run.status == Status::Finished);
            let (ours, theirs) = (mean(&values), mean(&reference));
            let found = format!("{ours:.4} against {theirs:.4}");
            let is_near = match is_one_sided {
                true => ours >= theirs - points,
                false => (ours - theirs).abs() <= *points,
            };
            judgement(expected, found, is_finished && is_near)
        }
    }
}

fn value(summary: &Summary, expectation: &Expectation) -> Option<f64> {
    let Score { mean, worst, best, deviation } = summary.scores.get(&expectation.score)?;
    Some(match expectation.statistic {
        Statistic::Mean => *mean,
        Statistic::Worst => *worst,
        Statistic::Best => *best,
        Statistic::Deviation => *deviation,
    })
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}
