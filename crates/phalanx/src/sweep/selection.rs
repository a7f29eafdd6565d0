//! From the trials of a selection to the choice, and from the choice to the final runs.
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use phalanx_report::folder::{RECORD, less_is_better, read_json};
use phalanx_report::record::History;
use phalanx_report::{FORMAT, Status};
use serde::{Deserialize, Serialize};

use crate::experiment::{Experiment, Run, Selection};
use crate::problem::Problem;
use crate::run::folder::experiment_path;
use crate::sweep::manifest::digest_of;
use crate::sweep::{Plan, Planned, Standing};

/// Folder of the trials, in the folder of the experiment.
pub const TRIALS: &str = "selection";
/// What was chosen and why, in the folder of the experiment.
pub const CHOICE: &str = "selection.json";

/// What was chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Choice {
    /// [`FORMAT`]
    pub format: u32,
    /// the experiment's name
    pub experiment: String,
    /// of the resolved text of every trial
    pub digest: String,
    /// the score that decided
    pub score: String,
    /// the evaluation that counted: `last` or `best`
    pub at: String,
    /// share of the training samples that was held out
    pub validation: f64,
    /// seeds of the trials
    pub seeds: Vec<u64>,
    /// one choice each, in the order of the file
    pub groups: Vec<Group>,
}

/// Arms that chose together.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Group {
    /// what its arms have in common
    pub group: String,
    /// the winner
    pub chosen: String,
    /// in the order of the file, which decides between equals
    pub combinations: Vec<Scored>,
}

/// One combination of a group.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scored {
    /// its settings, as part of a name
    pub combination: String,
    /// by arm: mean over seeds of the mean over honest nodes, on the held-out samples; null where
    /// a trial did not finish
    pub arms: BTreeMap<String, Option<f64>>,
    /// of its worst arm
    pub worst: Option<f64>,
}

/// The trials of an experiment: arms × combinations × seeds, in order.
fn trials(selection: &Selection) -> impl Iterator<Item = Run> {
    let settings = selection.arms.iter().flat_map(|arm| &arm.trials);
    settings.flat_map(|trial| {
        selection.seeds.iter().map(move |seed| Run { seed: *seed, ..trial.clone() })
    })
}

/// Where the trials of an experiment belong.
pub fn folder(root: &Path, experiment: &Experiment) -> PathBuf {
    experiment_path(root, &experiment.name).join(TRIALS)
}

/// The trials and where they stand.
pub fn plan(
    root: &Path,
    (experiment, selection): (&Experiment, &Selection),
    is_forced: bool,
) -> Plan {
    let folder = folder(root, experiment);
    let runs = trials(selection).map(|run| {
        let folder = folder.join(run.folder_name());
        Planned::within(folder, run, is_forced)
    });
    Plan { runs: runs.collect() }
}

fn digest(selection: &Selection) -> String {
    let mut text = format!("{} {}", selection.score, selection.is_best);
    for (arm, run) in selection.arms.iter().flat_map(|arm| arm.trials.iter().map(move |r| (arm, r)))
    {
        text.push_str(&format!("{}\n{}", arm.group, run.to_toml()));
    }
    text.push_str(&format!("{:?}", selection.seeds));
    digest_of(text.as_bytes())
}

impl Choice {
    /// The choice that was written for the same trials, if there is one.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub fn remembered(path: &Path, selection: &Selection) -> Result<Option<Self>, Problem> {
        if !path.exists() {
            return Ok(None);
        }
        let read: Self = read_json(path).map_err(|error| {
            let problem = Problem::new(error.to_string());
            problem.hint("remove it: `phalanx sweep FILE` chooses again from the trials")
        })?;
        Ok((read.digest == digest(selection)).then_some(read))
    }

    /// Writes it in one piece.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), Problem> {
        let beside = path.with_extension(format!("{}.part", std::process::id()));
        let mut text = serde_json::to_vec_pretty(self)
            .map_err(|error| Problem::new(error.to_string()).at(path.display()))?;
        text.push(b'\n');
        fs::write(&beside, text).and_then(|()| fs::rename(&beside, path)).map_err(|error| {
            let _ = fs::remove_file(&beside);
            Problem::io("cannot write the choice", path, &error)
        })
    }

    /// Chooses, once all trials are complete.
    ///
    /// # Errors
    /// When a trial cannot be read, nothing like the score was measured, or no combination of a
    /// group has finished everywhere.
    pub fn of(
        experiment: &Experiment,
        selection: &Selection,
        trials: &Plan,
    ) -> Result<Self, Problem> {
        let mut groups: Vec<Group> = Vec::new();
        let (seeds, combinations) = (selection.seeds.len(), &selection.combinations);
        for (index, arm) in selection.arms.iter().enumerate() {
            let name = &experiment.arms[index].name;
            let place = match groups.iter().position(|group| group.group == arm.group) {
                Some(place) => place,
                None => {
                    groups.push(Group::new(&arm.group, combinations));
                    groups.len() - 1
                }
            };
            for (at, scored) in groups[place].combinations.iter_mut().enumerate() {
                let first = (index * combinations.len() + at) * seeds;
                let runs = &trials.runs[first..first + seeds];
                scored.arms.insert(name.clone(), mean_score(runs, selection)?);
            }
        }
        groups.iter_mut().try_for_each(|group| group.choose(&selection.score))?;
        Ok(Self {
            format: FORMAT,
            experiment: experiment.name.clone(),
            digest: digest(selection),
            score: selection.score.clone(),
            at: if selection.is_best { "best" } else { "last" }.into(),
            validation: selection.validation,
            seeds: selection.seeds.clone(),
            groups,
        })
    }

    /// The experiment with what was chosen. A file that was written by another hand is refused.
    ///
    /// # Errors
    /// When it names no combination for one of the arms.
    pub fn applied(
        &self,
        experiment: &Experiment,
        selection: &Selection,
    ) -> Result<Experiment, Problem> {
        let mut chosen = experiment.clone();
        for (arm, candidate) in chosen.arms.iter_mut().zip(&selection.arms) {
            let group = self.groups.iter().find(|group| group.group == candidate.group);
            let place = group.and_then(|group| {
                selection.combinations.iter().position(|name| *name == group.chosen)
            });
            let place = place.ok_or_else(|| {
                let problem =
                    Problem::new(format!("`{CHOICE}` has no choice for arm `{}`", arm.name));
                problem.hint("remove it: `phalanx sweep FILE` chooses again from the trials")
            })?;
            arm.settings = candidate.finals[place].clone();
        }
        Ok(chosen)
    }
}

impl Group {
    fn new(group: &str, combinations: &[String]) -> Self {
        let scored = combinations.iter().map(|combination| Scored {
            combination: combination.clone(),
            arms: BTreeMap::new(),
            worst: None,
        });
        Self { group: group.into(), chosen: String::new(), combinations: scored.collect() }
    }

    /// The combination whose worst arm is best; of equals, the first.
    fn choose(&mut self, score: &str) -> Result<(), Problem> {
        let is_better = |one: f64, other: f64| match less_is_better(score) {
            true => one < other,
            false => one > other,
        };
        let mut best: Option<(f64, &str)> = None;
        for scored in &mut self.combinations {
            let all: Option<Vec<f64>> = scored.arms.values().copied().collect();
            let worst = |all: Vec<f64>| {
                all.into_iter().reduce(|one, other| if is_better(one, other) { other } else { one })
            };
            scored.worst = all.and_then(worst);
            if let Some(worst) = scored.worst
                && best.is_none_or(|(best, _)| is_better(worst, best))
            {
                best = Some((worst, &scored.combination));
            }
        }
        let Some((_, name)) = best else {
            let message = format!("no combination finished in every arm of `{}`", self.group);
            return Err(Problem::new(message).hint("select over gentler settings"));
        };
        self.chosen = name.to_owned();
        Ok(())
    }
}

/// Mean over the runs of one arm and combination; none where one did not finish.
fn mean_score(runs: &[Planned], selection: &Selection) -> Result<Option<f64>, Problem> {
    let mut curve: BTreeMap<u32, f64> = BTreeMap::new();
    for planned in runs {
        let Standing::Complete(summary) = &planned.standing else {
            return Err(Problem::new("a trial is not complete").at(planned.folder.display()));
        };
        if summary.status != Status::Finished {
            return Ok(None);
        }
        let history = History::read(&planned.folder.join(RECORD))
            .map_err(|error| Problem::new(error.to_string()))?;
        let Some(rounds) = history.scores.get(&selection.score) else {
            let problem = Problem::new(format!("no score `{}` was measured", selection.score));
            let known = history.scores.keys().map(String::as_str);
            return Err(problem.at(planned.folder.display()).among(
                "score",
                &selection.score,
                known,
            ));
        };
        for (round, tally) in rounds {
            let mean = tally.score(&selection.score).mean;
            *curve.entry(*round).or_default() += mean / runs.len() as f64;
        }
    }
    let last = curve.values().next_back().copied();
    let best = |one: f64, other: f64| match less_is_better(&selection.score) {
        true => one.min(other),
        false => one.max(other),
    };
    let found = if selection.is_best { curve.values().copied().reduce(best) } else { last };
    Ok(found.filter(|value| !value.is_nan()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(rows: &[&[Option<f64>]]) -> Group {
        let names: Vec<String> = (0..rows.len()).map(|row| format!("c{row}")).collect();
        let mut group = Group::new("g", &names);
        for (scored, row) in group.combinations.iter_mut().zip(rows) {
            scored.arms = row.iter().enumerate().map(|(i, v)| (format!("a{i}"), *v)).collect();
        }
        group
    }

    #[test]
    fn the_best_worst_arm_wins_and_of_equals_the_first() {
        let some = Some;
        let rows: [&[Option<f64>]; 4] = [
            &[some(0.99), some(0.10)],
            &[some(0.60), some(0.50)],
            &[some(0.50), some(0.90)],
            &[some(1.00), None],
        ];
        let mut accuracy = group(&rows);
        accuracy.choose("accuracy").unwrap();
        assert_eq!(accuracy.chosen, "c1");
        assert_eq!(accuracy.combinations[0].worst, Some(0.10));
        assert_eq!(accuracy.combinations[3].worst, None);
        let mut loss = group(&rows);
        loss.choose("loss").unwrap();
        assert_eq!((loss.chosen.as_str(), loss.combinations[2].worst), ("c1", Some(0.90)));
        assert!(group(&rows[3..]).choose("accuracy").is_err());
    }
}
