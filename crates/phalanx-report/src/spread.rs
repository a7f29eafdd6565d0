//! One quantity over the seeds of an arm: mean, standard deviation, extremes.
use std::collections::{BTreeMap, BTreeSet};

use crate::folder::{Score, Status};
use crate::read::{Arm, LoadedRun};
use crate::record::Tally;

/// A quantity over seeds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// how many seeds
    pub count: usize,
    /// arithmetic mean
    pub mean: f64,
    /// standard deviation of the sample (divisor count - 1); zero for one seed
    pub deviation: f64,
    /// least
    pub least: f64,
    /// greatest
    pub greatest: f64,
}

impl Spread {
    /// Summarises values; `None` if there are none. One value that is not a number makes all so.
    pub fn over(values: &[f64]) -> Option<Self> {
        let count = values.len();
        if count == 0 {
            return None;
        }
        if values.iter().any(|value| value.is_nan()) {
            let nan = f64::NAN;
            return Some(Self { count, mean: nan, deviation: nan, least: nan, greatest: nan });
        }
        let mean = values.iter().sum::<f64>() / count as f64;
        let squares = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>();
        let deviation = if count > 1 { (squares / (count - 1) as f64).sqrt() } else { 0.0 };
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let greatest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        Some(Self { count, mean, deviation, least, greatest })
    }
}

/// One round of a curve over seeds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CurvePoint {
    /// learning iteration
    pub round: u32,
    /// over the seeds that have a value here
    pub spread: Spread,
}

/// Which of an evaluation's numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pick {
    /// mean of honest nodes
    Mean,
    /// the worst honest node
    Worst,
}

impl Pick {
    /// That number.
    pub fn of(self, score: &Score) -> f64 {
        match self {
            Self::Mean => score.mean,
            Self::Worst => score.worst,
        }
    }

    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Mean => "mean of honest nodes",
            Self::Worst => "worst honest node",
        }
    }
}

impl<'a> Arm<'a> {
    /// A quantity of each run that has it.
    pub fn spread(&self, value: impl Fn(&'a LoadedRun) -> Option<f64>) -> Option<Spread> {
        Spread::over(&self.runs.iter().filter_map(|run| value(run)).collect::<Vec<_>>())
    }

    /// A final score.
    pub fn score(&self, name: &str, pick: Pick) -> Option<Spread> {
        self.spread(|run| run.summary.scores.get(name).map(|score| pick.of(score)))
    }

    /// How often each status occurs.
    pub fn statuses(&self) -> Vec<(Status, usize)> {
        [Status::Finished, Status::Diverged, Status::Stalled, Status::Interrupted]
            .into_iter()
            .map(|status| (status, self.runs.iter().filter(|r| r.summary.status == status).count()))
            .filter(|&(_, count)| count > 0)
            .collect()
    }

    /// Its status for a person: `finished`, or `2 of 3 diverged at round 40`, that of the earliest.
    pub fn status(&self) -> String {
        let of_note =
            |&(status, _): &(Status, usize)| status != Status::Finished || self.is_finished();
        let parts = self.statuses().into_iter().filter(of_note).map(|(status, count)| {
            let word = status.word();
            let round = match (status, self.first_failure()) {
                (Status::Diverged, Some(round)) => format!(" at round {round}"),
                _ => String::new(),
            };
            if count == self.runs.len() {
                format!("{word}{round}")
            } else {
                format!("{count} of {} {word}{round}", self.runs.len())
            }
        });
        parts.collect::<Vec<_>>().join(", ")
    }

    /// Whether every seed finished.
    pub fn is_finished(&self) -> bool {
        self.runs.iter().all(|run| run.summary.status == Status::Finished)
    }

    /// Earliest round at which a node of some seed failed.
    pub fn first_failure(&self) -> Option<u32> {
        let recorded = |run: &&LoadedRun| Some(run.history.failure.as_ref()?.round);
        // A record may end before the failure that the summary tells of.
        let summed = |run: &&LoadedRun| {
            let failed = run.summary.nodes.iter().filter(|node| node.failed.is_some());
            failed.map(|node| node.rounds).min()
        };
        self.runs.iter().filter_map(|run| recorded(run).or_else(|| summed(run))).min()
    }

    /// A score over rounds; a seed contributes where all the nodes that it ever evaluates are in.
    pub fn score_curve(&self, name: &str, pick: Pick) -> Vec<CurvePoint> {
        self.curve(|run| run.history.scores.get(name), |tally| pick.of(&tally.score(name)))
    }

    /// The mean batch loss over rounds, under the same condition.
    pub fn loss_curve(&self) -> Vec<CurvePoint> {
        self.curve(|run| Some(&run.history.loss), |tally| tally.score("loss").mean)
    }

    fn curve(
        &self,
        curve: impl Fn(&'a LoadedRun) -> Option<&'a BTreeMap<u32, Tally>>,
        value: impl Fn(&Tally) -> f64,
    ) -> Vec<CurvePoint> {
        let mut values: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
        for points in self.runs.iter().filter_map(|run| curve(run)) {
            let nodes = points.values().map(|tally| tally.count).max().unwrap_or(0);
            for (&round, tally) in points.iter().filter(|(_, tally)| tally.count == nodes) {
                values.entry(round).or_default().push(value(tally));
            }
        }
        let point = |(round, values): (u32, Vec<f64>)| {
            Spread::over(&values).map(|spread| CurvePoint { round, spread })
        };
        values.into_iter().filter_map(point).collect()
    }
}

impl Status {
    /// As in the summary's JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Finished => "finished",
            Self::Diverged => "diverged",
            Self::Stalled => "stalled",
            Self::Interrupted => "interrupted",
        }
    }
}

/// Names of all scores, the one to look at first in front.
pub fn score_names(arms: &[Arm<'_>]) -> Vec<String> {
    let summaries = arms.iter().flat_map(|arm| &arm.runs).map(|run| &run.summary);
    let names: BTreeSet<_> = summaries.flat_map(|summary| summary.scores.keys()).collect();
    let mut names: Vec<String> = names.into_iter().cloned().collect();
    let rank = |name: &String| {
        let is_accuracy = name == "accuracy";
        (!is_accuracy, crate::folder::less_is_better(name))
    };
    names.sort_by_key(rank);
    names
}
