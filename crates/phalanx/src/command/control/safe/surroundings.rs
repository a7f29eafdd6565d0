//! What a plant must stay clear of: obstacles, limits, and how a barrier is made of them.
use phalanx_report::control::safe::Obstacle;
use phalanx_robust::Value;
use phalanx_tasks::safe_control::barrier::{
    Combination, Constraint, Course, HalfPlane, Operator, Risk, Sphere, Spread,
};
use phalanx_tasks::safe_control::planner::InputLimits;

use super::file::BarrierPlan;
use super::plant::SafePlant;
use super::read::{HUGE, Reader, numbers};
use crate::command::control::section::Section;
use crate::experiment::document::{self, Item, Kind as Shape};
use crate::problem::Problem;

/// Least and greatest of each entry.
pub(super) type Limits = (Vec<f64>, Vec<f64>);

impl Reader<'_> {
    pub(super) fn obstacles(&self, plant: &SafePlant) -> Result<Vec<Obstacle>, Problem> {
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
                let problem =
                    Problem::new("the plant has no position, so nothing can be in its way");
                return Err(problem
                    .at(&item.origin)
                    .hint("give `plant.positions`, or use `limits`"));
            }
            obstacle(item, dimensions)
        };
        item.list("obstacles")?.iter().map(one).collect()
    }

    pub(super) fn limits(
        &self,
        plant: &SafePlant,
    ) -> Result<(Limits, Option<InputLimits>), Problem> {
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
                let message =
                    format!("`{key}` is `{}` to `{}`: nothing lies between", ends[0], ends[1]);
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

    pub(super) fn barrier(&self, process_noise: f64) -> Result<Option<BarrierPlan>, Problem> {
        let keys = [
            "combine",
            "contraction",
            "delta",
            "kappa",
            "kind",
            "noise",
            "refreshes",
            "risk",
            "scale",
            "spread",
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
            "second-order" => Risk::SecondOrder,
            "tightened" => self.tightened(&section)?,
            _ => Risk::Mean,
        };
        if !matches!(risk, Risk::Tightened { .. }) {
            for key in ["delta", "kappa"] {
                if let Some(item) = section.get(key) {
                    let problem = Problem::new(format!("`barrier.{key}` tightens nothing here"));
                    return Err(problem
                        .at(&item.origin)
                        .hint("set `barrier.risk = \"tightened\"`"));
                }
            }
        }
        let spread = match word("spread", &["tube", "one-step"])? {
            "one-step" => Spread::OneStep,
            _ => Spread::Tube,
        };
        Ok(Some(BarrierPlan {
            operator,
            combination,
            contraction: section.number("contraction", (-0.999, 0.999), 0.0)?,
            risk,
            spread,
            noise: section.number("noise", (0.0, HUGE), process_noise)?,
            refreshes: section.integer("refreshes", (1, 20), 3)? as usize,
        }))
    }

    /// κ deviations, or as many as a chance δ of a violation asks for.
    fn tightened(&self, section: &Section<'_>) -> Result<Risk, Problem> {
        match (section.get("kappa"), section.get("delta")) {
            (Some(_), Some(delta)) => {
                let problem =
                    Problem::new("`barrier` has a `kappa` and a `delta`, which says twice");
                Err(problem.at(&delta.origin).hint("leave out one of them"))
            }
            (_, Some(delta)) => Risk::chance(delta.number("barrier.delta", 1e-12, 0.5)?)
                .map_err(|error| Problem::new(error.to_string()).at(&delta.origin)),
            (_, None) => Ok(Risk::Tightened { kappa: section.number("kappa", (0.0, 20.0), 2.0)? }),
        }
    }
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
    let refused =
        |error: phalanx_tasks::safe_control::barrier::CourseError| Problem::new(error.to_string());
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
