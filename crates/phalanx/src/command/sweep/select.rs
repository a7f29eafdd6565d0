//! The first half of a sweep that selects its hyper-parameters.
use std::fs;

use serde_json::json;

use crate::command::Verdict;
use crate::command::columns::{columns, counted};
use crate::command::sweep::{Ground, plan, work};
use crate::experiment::{Experiment, Selection};
use crate::printer::Printer;
use crate::problem::Problem;
use crate::sweep::Planned;
use crate::sweep::selection::{self, CHOICE, Choice};

/// What came of the selection.
pub enum Settled {
    /// the experiment with what was chosen
    Chosen(Experiment),
    /// there is no choice yet, and why nothing more is to be done
    Open(Verdict),
}

impl Ground<'_> {
    /// Takes the choice that is there, or makes it.
    ///
    /// # Errors
    /// When a trial could not be done or the choice cannot be written.
    pub fn settle(
        &self,
        printer: &mut Printer,
        experiment: &Experiment,
        selection: &Selection,
    ) -> Result<Settled, Problem> {
        let path = self.folder.join(CHOICE);
        if !self.sweep.force
            && let Some(choice) = Choice::remembered(&path, selection)?
        {
            tell(printer, &choice);
            return Ok(Settled::Chosen(choice.applied(experiment, selection)?));
        }
        if self.sweep.shard.is_some() {
            let problem = Problem::new("hyper-parameters are not selected yet").at(path.display());
            return Err(problem.hint(
                "select on one machine by `phalanx sweep FILE --select-only`, and copy \
                 `selection.json` to the folder of the experiment on the others",
            ));
        }
        let mut trials = selection::plan(self.root, (experiment, selection), self.sweep.force);
        let crew = self.crew(&trials);
        let costs = self.costs(printer, &trials, crew)?;
        if self.interrupt.is_asked() {
            return Ok(Settled::Open(Verdict::Interrupted));
        }
        let name = format!("{}, selection", experiment.name);
        let of = counted(selection.combinations.len(), "combination");
        let arms = counted(experiment.arms.len(), "arm");
        let seeds = counted(selection.seeds.len(), "seed");
        let title =
            format!("{name}: {of} in {arms} with {seeds}: {}", counted(trials.runs.len(), "trial"));
        plan::show(printer, &title, &trials, (&costs, crew), self.sweep.plan);
        if self.sweep.plan {
            return Ok(Settled::Open(Verdict::Yes));
        }
        let trial_folder = selection::folder(self.root, experiment);
        fs::create_dir_all(&trial_folder)
            .map_err(|error| Problem::io("cannot create the folder", &trial_folder, &error))?;
        let replay = |planned: &Planned| Self::replay_folder(planned);
        let toll =
            work::carry_out(printer, &mut trials, (&costs, crew), &self.conditions(&replay))?;
        match work::settle(printer, &mut trials, toll)? {
            work::Left::Nothing => {}
            work::Left::Interrupted => return Ok(Settled::Open(Verdict::Interrupted)),
            work::Left::Elsewhere => return Ok(Settled::Open(Verdict::Yes)),
        }
        let choice = Choice::of(experiment, selection, &trials)?;
        choice.write(&path)?;
        tell(printer, &choice);
        Ok(Settled::Chosen(choice.applied(experiment, selection)?))
    }
}

fn tell(printer: &mut Printer, choice: &Choice) {
    let shown =
        |score: Option<f64>| score.map_or_else(|| "-".into(), |score| format!("{score:.4}"));
    let mut rows = vec![["group", "chosen", "worst arm"].map(String::from).to_vec()];
    for group in &choice.groups {
        let chosen = group.combinations.iter().find(|scored| scored.combination == group.chosen);
        let worst = chosen.and_then(|scored| scored.worst);
        if printer.is_json() {
            printer.json(&json!({
                "group": group.group, "chosen": group.chosen, "worst": worst,
                "score": choice.score,
            }));
        }
        rows.push(vec![group.group.clone(), group.chosen.clone(), shown(worst)]);
    }
    let (score, at) = (&choice.score, &choice.at);
    printer.note(format!("selected by the {at} {score} on held-out training samples:"));
    columns(&rows).lines().for_each(|line| printer.note(format!("  {line}")));
}
