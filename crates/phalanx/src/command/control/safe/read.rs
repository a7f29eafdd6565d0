//! From the tables of a file to a checked experiment.
use std::path::Path;

use phalanx_report::control::safe::Obstacle;
use phalanx_robust::Value;
use phalanx_tasks::safe_control::barrier::{
    Combination, Constraint, Course, HalfPlane, Operator, Sphere,
};
use phalanx_tasks::safe_control::gp::{KERNELS, Kernel};
use phalanx_tasks::safe_control::planner::{InputLimits, Method, Problem as Task, Scheme, Settings};

use super::file::{
    BarrierPlan, Expect, LearningPlan, LearntPlan, ModelPlan, RiskPlan, SafeExperiment, TrialsPlan,
};
use super::plant::SafePlant;
use crate::command::control::section::Section;
use crate::experiment::document::{self, Item, Kind as Shape, Table};
use crate::problem::Problem;

/// Most steps of a plan.
const HORIZON_MAX: u64 = 20_000;
/// Most rows of data.
const ROWS_MAX: u64 = 3000;
/// Most trials.
const TRIALS_MAX: u64 = 100_000;
/// Greatest size of a number that means something.
const HUGE: f64 = 1e9;

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
        let barrier = self.barrier()?;
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
            trials: self.trials(&plant)?,
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

    fn origin(&self, key: &str) -> String {
        self.table.get(key).map_or_else(|| self.place.clone(), |item| item.origin.to_string())
    }

    fn section(&self, key: &str, known: &[&str]) -> Result<Section<'a>, Problem> {
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
            terminal_cost: list("terminal", states, (0.0, HUGE), or(|t| &t.terminal_cost, 100.0, n))?,
            barrier_cost: section.number("barrier", (0.0, HUGE), barrier)?,
            barrier_terminal_cost: section.number("barrier-terminal", (0.0, HUGE), last)?,
        })
    }

    fn obstacles(&self, plant: &SafePlant) -> Result<Vec<Obstacle>, Problem> {
        let listed = || -> Vec<Obstacle> {
            let all = plant.entry.map_or(&[][..], |entry| entry.obstacles);
            let ball = |one: &phalanx_tasks::safe_control::plant::Obstacle| Obstacle::Ball {
                centre: one.centre.to_vec(),
                radius: one.radius,
            };
            all.iter().map(ball).collect()
        };
        let Some(item) = self.table.get("obstacles") else { return Ok(listed()) };
        if let Shape::Scalar(Value::Text(_)) = &item.kind {
            item.word("obstacles", &["course"])?;
            if plant.entry.is_none() {
                let problem = Problem::new("a plant of one's own has no course");
                return Err(problem.at(&item.origin).hint("list its obstacles"));
            }
            return Ok(listed());
        }
        let dimensions = plant.names.position.len();
        let one = |item: &Item| -> Result<Obstacle, Problem> {
            if dimensions == 0 {
                let problem = Problem::new("the plant has no position, so nothing can be in its way");
                return Err(problem.at(&item.origin).hint("give `plant.positions`, or use `limits`"));
            }
            obstacle(item, dimensions)
        };
        item.list("obstacles")?.iter().map(one).collect()
    }

    fn limits(&self, plant: &SafePlant) -> Result<(Limits, Option<InputLimits>), Problem> {
        let (n, m) = (plant.n(), plant.m());
        let free = |count: usize| (vec![f64::NEG_INFINITY; count], vec![f64::INFINITY; count]);
        let (mut states, mut inputs) = (free(n), free(m));
        let Some(item) = self.table.get("limits") else { return Ok((states, None)) };
        let names = &plant.names;
        let mut has_inputs = false;
        for (name, pair) in item.table("limits")? {
            let key = format!("limits.{name}");
            let ends = numbers(pair, &key, (2, "numbers: least and greatest"), (-HUGE, HUGE))?;
            if ends[0] >= ends[1] {
                let message = format!("`{key}` is `{}` to `{}`: nothing lies between", ends[0], ends[1]);
                let problem = Problem::new(message).at(&pair.origin);
                return Err(problem.hint("write the least first, such as `[-1.0, 1.0]`"));
            }
            let at = |list: &[String]| list.iter().position(|known| known == name);
            let side = match (at(&names.states), at(&names.inputs)) {
                (Some(at), _) => Some((&mut states, at)),
                (None, Some(at)) => {
                    has_inputs = true;
                    Some((&mut inputs, at))
                }
                (None, None) => None,
            };
            let Some((side, at)) = side else {
                let problem = Problem::new(format!("`{name}` is neither a state nor an input"));
                let all = names.states.iter().chain(&names.inputs).map(String::as_str);
                return Err(problem.at(&pair.origin).among("name", name, all));
            };
            (side.0[at], side.1[at]) = (ends[0], ends[1]);
        }
        let inputs = InputLimits::new(inputs.0, inputs.1)
            .map_err(|error| Problem::new(error.to_string()).at(&item.origin))?;
        Ok((states, has_inputs.then_some(inputs)))
    }

    fn barrier(&self) -> Result<Option<BarrierPlan>, Problem> {
        let keys = [
            "combine", "contraction", "delta", "kappa", "kind", "refreshes", "risk", "scale", "tube",
        ];
        let section = self.section("barrier", &keys)?;
        let word = |key: &str, words: &[&'static str]| match section.get(key) {
            Some(item) => item.word(&format!("barrier.{key}"), words),
            None => Ok(words[0]),
        };
        let kind = word("kind", &["inverse", "log", "tolerant", "none"])?;
        if kind == "none" {
            return Ok(None);
        }
        let scale = section.number("scale", (1e-9, HUGE), 1.0)?;
        let operator = match Operator::named(kind).expect("the words are names of operators") {
            Operator::Inverse { .. } => Operator::Inverse { scale },
            Operator::Log { .. } => Operator::Log { scale },
            tolerant @ Operator::Tolerant { .. } => tolerant,
        };
        let combination = word("combine", &["sum", "vector", "harmonic"])?;
        let combination = Combination::named(combination).expect("the words are names");
        let risk = match word("risk", &["mean", "second-order", "tightened"])? {
            "second-order" => RiskPlan::SecondOrder,
            "tightened" => RiskPlan::Tightened { kappa: self.kappa(&section)? },
            _ => RiskPlan::Mean,
        };
        if !matches!(risk, RiskPlan::Tightened { .. }) {
            for key in ["delta", "kappa"] {
                if let Some(item) = section.get(key) {
                    let problem = Problem::new(format!("`barrier.{key}` tightens nothing here"));
                    return Err(problem.at(&item.origin).hint("set `barrier.risk = \"tightened\"`"));
                }
            }
        }
        Ok(Some(BarrierPlan {
            operator,
            combination,
            contraction: section.number("contraction", (-0.999, 0.999), 0.0)?,
            risk,
            is_tube: word("tube", &["one-step", "closed-loop"])? == "closed-loop",
            refreshes: section.integer("refreshes", (1, 20), 2)? as usize,
        }))
    }

    /// κ, or what a chance δ of a violation asks for.
    fn kappa(&self, section: &Section<'_>) -> Result<f64, Problem> {
        match (section.get("kappa"), section.get("delta")) {
            (Some(_), Some(delta)) => {
                let problem = Problem::new("`barrier` has a `kappa` and a `delta`, which says twice");
                Err(problem.at(&delta.origin).hint("leave out one of them"))
            }
            (_, Some(delta)) => {
                let delta = delta.number("barrier.delta", 1e-12, 0.5)?;
                Ok(phalanx_tasks::safe_control::barrier::normal_quantile(1.0 - delta))
            }
            (_, None) => section.number("kappa", (0.0, 20.0), 2.0),
        }
    }

    fn settings(&self, plant: &SafePlant, limits: Option<InputLimits>) -> Result<Settings, Problem> {
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

    fn model(&self, plant: &SafePlant) -> Result<ModelPlan, Problem> {
        let keys = ["data", "file", "held-out", "high", "kernel", "low", "name", "noise", "rows"];
        let section = self.section("model", &keys)?;
        let path = |item: &Item, key: &str| Ok(self.folder.join(item.text(key)?));
        if let Some(item) = section.get("file") {
            let others = keys.iter().filter(|key| **key != "file");
            if let Some(other) = others.filter_map(|key| section.get(key)).next() {
                let problem = Problem::new("a model that is read from a file has no other keys");
                return Err(problem.at(&other.origin).hint("it was fitted before"));
            }
            return Ok(ModelPlan::File(path(item, "model.file")?));
        }
        let fallback = if plant.flow().is_some() && section.get("data").is_none() {
            "plant"
        } else {
            "gaussian-process"
        };
        let name = match section.get("name") {
            Some(item) => item.word("model.name", &["gaussian-process", "plant"])?,
            None => fallback,
        };
        if name == "plant" {
            if let (None, Some(item)) = (plant.flow(), section.get("name")) {
                let problem = Problem::new("nobody knows how a plant of one's own moves");
                return Err(problem.at(&item.origin).hint("learn it: give `model.data`"));
            }
            return Ok(ModelPlan::Plant);
        }
        self.learnt(plant, &section).map(ModelPlan::Learnt)
    }

    fn learnt(&self, plant: &SafePlant, section: &Section<'_>) -> Result<LearntPlan, Problem> {
        let data = match section.get("data") {
            Some(item) => Some(self.folder.join(item.text("model.data")?)),
            None => None,
        };
        let columns = plant.n() + plant.m();
        let region = plant.entry.map(|entry| entry.region);
        let side = |key: &str, default: Option<&[f64]>| match (section.get(key), default, &data) {
            (Some(item), _, None) => {
                let needed = (columns, "states and inputs");
                numbers(item, &format!("model.{key}"), needed, (-HUGE, HUGE))
            }
            (Some(item), _, Some(_)) => {
                let problem = Problem::new("logged data are not gathered from a box");
                Err(problem.at(&item.origin).hint("leave out `low` and `high`, or `data`"))
            }
            (None, Some(default), None) => Ok(default.to_vec()),
            (None, None, None) => {
                let problem = Problem::new(format!("`model.{key}` is missing"));
                Err(problem.at(self.origin("model")).hint(
                    "give `model.data`, or the box `low` to `high` of states and inputs to gather \
                     data from",
                ))
            }
            (None, _, Some(_)) => Ok(Vec::new()),
        };
        let (low, high) = (
            side("low", region.as_ref().map(|region| region.low))?,
            side("high", region.as_ref().map(|region| region.high))?,
        );
        if let Some(at) = (0..low.len()).find(|at| low[*at] >= high[*at]) {
            let message = format!(
                "the box of `model` is `{}` to `{}` in entry `{}`: nothing lies between",
                low[at],
                high[at],
                at + 1
            );
            return Err(Problem::new(message).at(self.origin("model")));
        }
        if data.is_none() && plant.flow().is_none() {
            let problem = Problem::new("there is no plant to gather data from");
            return Err(problem.at(self.origin("model")).hint("give `model.data`"));
        }
        let kernel = match section.get("kernel") {
            Some(item) => {
                let text = item.text("model.kernel")?;
                Kernel::named(text).ok_or_else(|| {
                    let problem = Problem::new(format!("unknown kernel `{text}`")).at(&item.origin);
                    problem.among("kernel", text, KERNELS.iter().map(|entry| entry.name))
                })?
            }
            None => Kernel::SquaredExponential,
        };
        let rows = region.map_or(ROWS_MAX, |region| region.rows as u64);
        let held_out = if data.is_some() { (0, 90, 20) } else { (0, ROWS_MAX, 500) };
        Ok(LearntPlan {
            kernel,
            rows: section.integer("rows", (2, ROWS_MAX), rows)? as usize,
            noise: section.number("noise", (0.0, HUGE), region.map_or(0.0, |r| r.noise))?,
            low,
            high,
            data,
            held_out: section.integer("held-out", (held_out.0, held_out.1), held_out.2)? as usize,
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
            process_noise: section.number("process-noise", (0.0, HUGE), noise(|t| t.process_noise))?,
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

/// Least and greatest of each entry.
type Limits = (Vec<f64>, Vec<f64>);

/// A list of so many numbers, or one number for all of them.
fn numbers(
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

fn obstacle(item: &Item, dimensions: usize) -> Result<Obstacle, Problem> {
    let table = item.table("obstacles")?;
    document::only(table, &["centre", "normal", "offset", "radius"], "of an obstacle")?;
    let place = (dimensions, "coordinates of the position");
    let number = |key: &str, low: f64| match table.get(key) {
        Some(item) => item.number(&format!("obstacle.{key}"), low, HUGE),
        None => {
            let problem = Problem::new(format!("an obstacle has no `{key}`")).at(&item.origin);
            Err(problem.hint("`{ centre = [..], radius = r }` or `{ normal = [..], offset = d }`"))
        }
    };
    match (table.get("centre"), table.get("normal")) {
        (Some(centre), None) => Ok(Obstacle::Ball {
            centre: numbers(centre, "obstacle.centre", place, (-HUGE, HUGE))?,
            radius: number("radius", 1e-9)?,
        }),
        (None, Some(normal)) => {
            let entries = numbers(normal, "obstacle.normal", place, (-HUGE, HUGE))?;
            if entries.iter().all(|entry| *entry == 0.0) {
                return Err(Problem::new("the normal of a wall is zero").at(&normal.origin));
            }
            Ok(Obstacle::HalfSpace { normal: entries, offset: number("offset", -HUGE)? })
        }
        _ => {
            let problem = Problem::new("an obstacle is a ball or a wall").at(&item.origin);
            Err(problem.hint(
                "`{ centre = [..], radius = r }`, or `{ normal = [..], offset = d }` for all \
                 positions p with normal · p below d",
            ))
        }
    }
}

/// The constraints of a plant: obstacles, then limits of states.
pub(super) fn course(
    plant: &SafePlant,
    obstacles: &[Obstacle],
    (low, high): &Limits,
) -> Result<Course, Problem> {
    let refused = |error: phalanx_tasks::safe_control::barrier::CourseError| {
        Problem::new(error.to_string())
    };
    let positions = &plant.names.position;
    let constraint = |obstacle: &Obstacle| -> Result<Box<dyn Constraint>, Problem> {
        Ok(match obstacle {
            Obstacle::Ball { centre, radius } => {
                Box::new(Sphere::new(positions, centre, *radius).map_err(refused)?)
            }
            Obstacle::HalfSpace { normal, offset } => {
                let mut whole = vec![0.0; plant.n()];
                positions.iter().zip(normal).for_each(|(at, entry)| whole[*at] = *entry);
                Box::new(HalfPlane::new(&whole, *offset).map_err(refused)?)
            }
        })
    };
    let mut all = obstacles.iter().map(constraint).collect::<Result<Vec<_>, Problem>>()?;
    all.extend(Course::limits(low, high).map_err(refused)?);
    Course::new(plant.n(), all).map_err(refused)
}
