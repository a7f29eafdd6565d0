//! From the tables of a file to a checked experiment.
use std::path::Path;

use phalanx_tasks::safe_control::planner::{
    InputLimits, Method, Problem as Task, Scheme, Settings,
};

use super::file::{Expect, LearningPlan, LearntPlan, ModelPlan, SafeExperiment, TrialsPlan};
use super::plant::SafePlant;
use crate::command::control::section::Section;
use crate::experiment::document::{Item, Kind as Shape, Table};
use crate::problem::Problem;

/// Most steps of a plan.
const HORIZON_MAX: u64 = 20_000;
/// Most rows of data.
pub(super) const ROWS_MAX: u64 = 3000;
/// Most trials.
const TRIALS_MAX: u64 = 100_000;
/// Greatest size of a number that means something.
pub(super) const HUGE: f64 = 1e9;

pub(super) struct Reader<'a> {
    pub(super) table: &'a Table,
    pub(super) place: String,
    pub(super) folder: &'a Path,
}

impl<'a> Reader<'a> {
    pub(super) fn read(&self, stem: &str) -> Result<SafeExperiment, Problem> {
        let name = match self.table.get("name") {
            Some(name) => name.text("name")?.to_owned(),
            None => stem.to_owned(),
        };
        let item = self.table.get("plant").ok_or_else(|| {
            let problem = Problem::new("`plant` is missing").at(&self.place);
            problem.hint("for example `plant = { name = \"dubins\" }`")
        })?;
        let plant = SafePlant::read(item)?;
        let task = self.task(&plant)?;
        let obstacles = self.obstacles(&plant)?;
        let (state_limits, input_limits) = self.limits(&plant)?;
        let trials = self.trials(&plant)?;
        let barrier = self.barrier(trials.process_noise)?;
        let settings = self.settings(&plant, input_limits.clone())?;
        let model = self.model(&plant)?;
        let experiment = SafeExperiment {
            name,
            task,
            obstacles,
            state_limits,
            input_limits,
            barrier,
            settings,
            learning: self.learning(&model)?,
            model,
            trials,
            expect: self.expect()?,
            seed: self.section("run", &["seed"])?.integer("seed", (0, i64::MAX as u64), 1)?,
            plant,
        };
        self.check_whole(&experiment)?;
        Ok(experiment)
    }

    /// What no single key can say.
    fn check_whole(&self, experiment: &SafeExperiment) -> Result<(), Problem> {
        let course = experiment.course().map_err(|problem| problem.at(self.origin("obstacles")))?;
        let is_tolerant = experiment.barrier.is_some_and(|barrier| barrier.operator.is_tolerant());
        if experiment.barrier.is_some() && course.is_empty() {
            let problem = Problem::new("there is nothing to stay clear of");
            return Err(problem.at(self.origin("obstacles")).hint(
                "give `obstacles` or `limits` of states; or `barrier = { kind = \"none\" }`",
            ));
        }
        for (key, state) in [("start", &experiment.task.start), ("goal", &experiment.task.goal)] {
            let (which, clearance) = course.least(state);
            if clearance.is_nan() || clearance <= 0.0 {
                // A tolerant barrier is finite everywhere; nobody can want to end inside, though.
                if is_tolerant && key == "start" {
                    continue;
                }
                let broken = course.constraints()[which].describe();
                let message = format!(
                    "the {key} is not safe: it is not {broken} (h is `{clearance}`, and above 0 \
                     is needed)"
                );
                return Err(Problem::new(message).at(self.origin(key)).hint(match key {
                    "start" => "move the start, or allow it with `barrier.kind = \"tolerant\"`",
                    _ => "move the goal: a plan that ends there is not safe",
                }));
            }
        }
        Ok(())
    }

    pub(super) fn origin(&self, key: &str) -> String {
        self.table.get(key).map_or_else(|| self.place.clone(), |item| item.origin.to_string())
    }

    pub(super) fn section(&self, key: &str, known: &[&str]) -> Result<Section<'a>, Problem> {
        Section::of(self.table, key, known)
    }

    fn task(&self, plant: &SafePlant) -> Result<Task, Problem> {
        let (n, m) = (plant.n(), plant.m());
        let default = plant.entry.map(|entry| (entry.problem)());
        let missing = |key: &str| {
            let problem = Problem::new(format!("`{key}` is missing")).at(&self.place);
            problem.hint("a plant of one's own needs `start`, `goal` and `horizon`")
        };
        let state = |key: &str, default: Option<&Vec<f64>>| match (self.table.get(key), default) {
            (Some(item), _) => numbers(item, key, (n, "states"), (-HUGE, HUGE)),
            (None, Some(default)) => Ok(default.clone()),
            (None, None) => Err(missing(key)),
        };
        let start = state("start", default.as_ref().map(|task| &task.start))?;
        let goal = state("goal", default.as_ref().map(|task| &task.goal))?;
        let horizon = match (self.table.get("horizon"), &default) {
            (Some(item), _) => item.integer("horizon", 1, HORIZON_MAX).map_err(|problem| {
                let hint = "the horizon is a number of steps; `plant.step` is their length";
                problem.hint(hint)
            })? as usize,
            (None, Some(task)) => task.horizon,
            (None, None) => return Err(missing("horizon")),
        };
        let keys = ["barrier", "barrier-terminal", "input", "input-goal", "state", "terminal"];
        let section = self.section("cost", &keys)?;
        let list = |key: &str, count, range, default: Vec<f64>| match section.get(key) {
            Some(item) => numbers(item, &format!("cost.{key}"), count, range),
            None => Ok(default),
        };
        let or = |of: fn(&Task) -> &Vec<f64>, fill: f64, count: usize| {
            default.as_ref().map_or_else(|| vec![fill; count], |task| of(task).clone())
        };
        let (states, inputs) = ((n, "states"), (m, "inputs"));
        let barrier = default.as_ref().map_or(1e-4, |task| task.barrier_cost);
        let last = default.as_ref().map_or(1e-3, |task| task.barrier_terminal_cost);
        Ok(Task {
            start,
            goal,
            horizon,
            input_goal: list("input-goal", inputs, (-HUGE, HUGE), or(|t| &t.input_goal, 0.0, m))?,
            state_cost: list("state", states, (0.0, HUGE), or(|t| &t.state_cost, 0.0, n))?,
            input_cost: list("input", inputs, (1e-12, HUGE), or(|t| &t.input_cost, 1e-2, m))?,
            terminal_cost: list(
                "terminal",
                states,
                (0.0, HUGE),
                or(|t| &t.terminal_cost, 100.0, n),
            )?,
            barrier_cost: section.number("barrier", (0.0, HUGE), barrier)?,
            barrier_terminal_cost: section.number("barrier-terminal", (0.0, HUGE), last)?,
        })
    }

    fn settings(
        &self,
        plant: &SafePlant,
        limits: Option<InputLimits>,
    ) -> Result<Settings, Problem> {
        let keys = ["iterations", "method", "reach", "regularisation", "restarts", "tolerance"];
        let section = self.section("planner", &keys)?;
        let default = Settings::default();
        let method = match section.get("method") {
            Some(item) => {
                let word = item.word("planner.method", &["ilqr", "ddp"])?;
                Method::named(word).expect("the words are names")
            }
            None => default.method,
        };
        let scheme = match section.get("regularisation") {
            Some(item) => {
                let word = item.word("planner.regularisation", &["accelerating", "ten-fold"])?;
                Scheme::named(word).expect("the words are names")
            }
            None => default.scheme,
        };
        let restarts = match section.get("restarts") {
            Some(item) => {
                let list = item.list("planner.restarts")?;
                let starts: Result<Vec<f64>, Problem> =
                    list.iter().map(|one| one.number("planner.restarts", 0.0, 1e9)).collect();
                let starts = starts?;
                if starts.is_empty() {
                    let problem = Problem::new("`planner.restarts` is empty").at(&item.origin);
                    return Err(problem.hint("one regularisation per start, such as `[0.1, 1.0]`"));
                }
                starts
            }
            None => default.restarts.clone(),
        };
        let reach = plant.entry.map_or(default.goal_tolerance, |entry| entry.trial.reach);
        Ok(Settings {
            method,
            scheme,
            restarts,
            tolerance: section.number("tolerance", (0.0, 1e6), default.tolerance)?,
            iterations_max: section.integer("iterations", (1, 1_000_000), 500)? as usize,
            goal_tolerance: section.number("reach", (1e-9, HUGE), reach)?,
            goal_entries: plant.names.position.clone(),
            limits,
        })
    }

    fn trials(&self, plant: &SafePlant) -> Result<TrialsPlan, Problem> {
        let keys = ["count", "open-loop", "process-noise", "start-noise"];
        let section = self.section("trials", &keys)?;
        let default = plant.entry.map(|entry| entry.trial);
        let noise = |of: fn(&phalanx_tasks::safe_control::plant::Trial) -> f64| {
            default.as_ref().map_or(0.0, of)
        };
        let has_open_loop = match section.get("open-loop") {
            Some(item) => item.flag("trials.open-loop")?,
            None => true,
        };
        Ok(TrialsPlan {
            count: section.integer("count", (1, TRIALS_MAX), 20)? as usize,
            start_noise: section.number("start-noise", (0.0, HUGE), noise(|t| t.start_noise))?,
            process_noise: section.number(
                "process-noise",
                (0.0, HUGE),
                noise(|t| t.process_noise),
            )?,
            has_open_loop,
        })
    }

    fn learning(&self, model: &ModelPlan) -> Result<Option<LearningPlan>, Problem> {
        let Some(item) = self.table.get("learning") else { return Ok(None) };
        let section = self.section("learning", &["flights", "keep", "rounds"])?;
        match model {
            ModelPlan::Learnt(LearntPlan { data: None, .. }) => {}
            ModelPlan::Learnt(_) => {
                let problem = Problem::new("rounds of learning need a plant that can be flown");
                let hint = "leave out `model.data`, or leave out `learning`";
                return Err(problem.at(&item.origin).hint(hint));
            }
            ModelPlan::Plant | ModelPlan::File(_) => {
                let problem = Problem::new("there is nothing to learn: the model is given");
                return Err(problem
                    .at(&item.origin)
                    .hint("set `model = { name = \"gaussian-process\" }`"));
            }
        }
        Ok(Some(LearningPlan {
            rounds: section.integer("rounds", (1, 50), 3)? as usize,
            flights: section.integer("flights", (1, 1000), 5)? as usize,
            keep: section.integer("keep", (1, ROWS_MAX), 60)? as usize,
        }))
    }

    fn expect(&self) -> Result<Expect, Problem> {
        let section = self.section("expect", &["safe", "success"])?;
        Ok(Expect {
            safe: section.number("safe", (0.0, 1.0), 0.95)?,
            success: section.number("success", (0.0, 1.0), 0.9)?,
        })
    }
}

/// A list of so many numbers, or one number for all of them.
pub(super) fn numbers(
    item: &Item,
    key: &str,
    (count, what): (usize, &str),
    (low, high): (f64, f64),
) -> Result<Vec<f64>, Problem> {
    if let Shape::Scalar(_) = &item.kind {
        return Ok(vec![item.number(key, low, high)?; count]);
    }
    let list = item.list(key)?;
    if list.len() != count {
        let message = format!("`{key}` has `{}` numbers, but `{count}` {what}", list.len());
        return Err(Problem::new(message).at(&item.origin));
    }
    list.iter().map(|item| item.number(key, low, high)).collect()
}
