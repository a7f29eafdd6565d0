//! The plant of a file: a listed one, matrices, or one that is known from data alone.
use phalanx_report::control::safe::Names;
use phalanx_tasks::control::Matrix;
use phalanx_tasks::safe_control::dynamics::Dynamics;
use phalanx_tasks::safe_control::plant::{Euler, Flow, Linear, PLANTS, PlantEntry, named};

use crate::command::control::matrices::matrix;
use crate::experiment::document::{self, Item, Table};
use crate::problem::Problem;

/// Keys of a plant.
const KEYS: &[&str] = &["a", "b", "inputs", "name", "positions", "states", "step"];
/// Greatest number of states, and of inputs.
const ORDER_MAX: usize = 64;
/// Shortest and longest step in seconds.
const STEP: (f64, f64) = (1e-6, 1e3);

/// A plant as a file has it.
#[derive(Clone)]
pub struct SafePlant {
    /// as it is listed, or `custom`
    pub name: String,
    /// the listed plant, if it is one
    pub entry: Option<&'static PlantEntry>,
    /// A and B of a linear plant of one's own
    pub matrices: Option<(Matrix, Matrix)>,
    /// what its numbers are called
    pub names: Names,
    /// seconds per step
    pub step: f64,
}

impl std::fmt::Debug for SafePlant {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("SafePlant")
            .field("name", &self.name)
            .field("matrices", &self.matrices)
            .field("names", &self.names)
            .field("step", &self.step)
            .finish_non_exhaustive()
    }
}

impl SafePlant {
    /// States.
    pub fn n(&self) -> usize {
        self.names.states.len()
    }

    /// Inputs.
    pub fn m(&self) -> usize {
        self.names.inputs.len()
    }

    /// Its motion in continuous time; `None` where it is known from data alone.
    pub fn flow(&self) -> Option<Box<dyn Flow>> {
        match (&self.matrices, self.entry) {
            (Some((a, b)), _) => {
                let linear = Linear::new(a.clone(), b.clone());
                Some(Box::new(linear.expect("the matrices were checked")))
            }
            (None, Some(entry)) => Some((entry.flow)()),
            (None, None) => None,
        }
    }

    /// Its motion in steps; `None` where it is known from data alone.
    pub fn dynamics(&self) -> Option<Box<dyn Dynamics>> {
        self.flow().map(|flow| Box::new(Euler::new(flow, self.step)) as Box<dyn Dynamics>)
    }

    /// Reads `plant = { .. }`.
    ///
    /// # Errors
    /// When the name is unknown, or what a plant of one's own needs is missing.
    pub(super) fn read(item: &Item) -> Result<Self, Problem> {
        let table = item.table("plant")?;
        document::only(table, KEYS, "of a plant")?;
        let name = match table.get("name") {
            Some(name) => name.text("plant.name")?,
            None => "custom",
        };
        let step = |default: Option<f64>| match (table.get("step"), default) {
            (Some(item), _) => item.number("plant.step", STEP.0, STEP.1),
            (None, Some(step)) => Ok(step),
            (None, None) => {
                let problem = Problem::new("`plant.step` is missing").at(&item.origin);
                Err(problem.hint("how many seconds lie between two rows, such as `step = 0.05`"))
            }
        };
        if name == "custom" {
            return Self::custom(item, table, step(None)?);
        }
        let entry = named(name).ok_or_else(|| {
            let origin = &table.get("name").unwrap_or(item).origin;
            let problem = Problem::new(format!("unknown plant `{name}`")).at(origin);
            let known = PLANTS.iter().map(|entry| entry.name).chain(["custom"]);
            problem.among("plant", name, known)
        })?;
        for key in ["a", "b", "inputs", "positions", "states"] {
            if let Some(item) = table.get(key) {
                let message = format!("`{key}` is not a matter of the plant `{name}`");
                let hint = "leave out `name` for a plant of your own";
                return Err(Problem::new(message).at(&item.origin).hint(hint));
            }
        }
        let texts = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Ok(Self {
            name: entry.name.into(),
            entry: Some(entry),
            matrices: None,
            names: Names {
                states: texts(entry.states),
                inputs: texts(entry.inputs),
                position: entry.positions.into(),
            },
            step: step(Some(entry.seconds))?,
        })
    }

    fn custom(item: &Item, table: &Table, step: f64) -> Result<Self, Problem> {
        let matrices = match (table.get("a"), table.get("b")) {
            (Some(a), Some(b)) => {
                let pair = (matrix(a, "plant.a", None)?, matrix(b, "plant.b", None)?);
                Linear::new(pair.0.clone(), pair.1.clone())
                    .map_err(|error| Problem::new(format!("plant: {error}")).at(&a.origin))?;
                Some(pair)
            }
            (None, None) => None,
            (Some(only), None) | (None, Some(only)) => {
                let problem = Problem::new("a linear plant needs both `a` and `b`");
                return Err(problem.at(&only.origin));
            }
        };
        let numbered = |letter: &str, count: usize| -> Vec<String> {
            (1..=count).map(|at| format!("{letter}{at}")).collect()
        };
        let sizes = matrices.as_ref().map(|(a, b)| (a.rows(), b.columns()));
        let names = |key: &str, letter: &str, size: Option<usize>| match (table.get(key), size) {
            (Some(list), size) => names(list, key, size),
            (None, Some(size)) => Ok(numbered(letter, size)),
            (None, None) => Err(Problem::new(format!("a plant of one's own has no `{key}`"))
                .at(&item.origin)
                .hint(
                    "name the columns of the data, such as `states = [\"x\", \"v\"]` and \
                         `inputs = [\"u\"]`; or give matrices `a` and `b`; or the `name` of a \
                         listed plant",
                )),
        };
        let states = names("states", "x", sizes.map(|(n, _)| n))?;
        let inputs = names("inputs", "u", sizes.map(|(_, m)| m))?;
        if let Some(twice) = inputs.iter().find(|name| states.contains(name)) {
            let problem = Problem::new(format!("`{twice}` is the name of a state and of an input"));
            return Err(problem.at(&item.origin));
        }
        let position = match table.get("positions") {
            Some(list) => positions(list, &states)?,
            None if states.len() == 2 || states.len() == 3 => (0..states.len()).collect(),
            None => Vec::new(),
        };
        let names = Names { states, inputs, position };
        Ok(Self { name: "custom".into(), entry: None, matrices, names, step })
    }
}

fn names(list: &Item, key: &str, size: Option<usize>) -> Result<Vec<String>, Problem> {
    let of = format!("plant.{key}");
    let mut names: Vec<String> = Vec::new();
    for item in list.list(&of)? {
        let name = item.text(&of)?.trim().to_owned();
        if name.is_empty() || name.contains([',', '"', '\n', '\r']) || name.starts_with("w ") {
            let problem = Problem::new(format!("`{name}` cannot be a name in a table"));
            return Err(problem.at(&item.origin));
        }
        if names.contains(&name) {
            return Err(Problem::new(format!("`{name}` is named twice")).at(&item.origin));
        }
        names.push(name);
    }
    let expected = size.unwrap_or(names.len());
    if names.is_empty() || names.len() > ORDER_MAX || names.len() != expected {
        let needed = size.map_or(format!("1 to {ORDER_MAX}"), |size| size.to_string());
        let message = format!("`{of}` has `{}` names, but {needed} are needed", names.len());
        return Err(Problem::new(message).at(&list.origin));
    }
    Ok(names)
}

fn positions(list: &Item, states: &[String]) -> Result<Vec<usize>, Problem> {
    let mut positions = Vec::new();
    for item in list.list("plant.positions")? {
        let name = item.text("plant.positions")?;
        let at = states.iter().position(|state| state == name).ok_or_else(|| {
            let problem = Problem::new(format!("`{name}` is no state")).at(&item.origin);
            problem.among("state", name, states.iter().map(String::as_str))
        })?;
        if positions.contains(&at) {
            return Err(Problem::new(format!("`{name}` is named twice")).at(&item.origin));
        }
        positions.push(at);
    }
    if positions.len() > 3 {
        let problem = Problem::new("a position has at most three coordinates");
        return Err(problem.at(&list.origin));
    }
    Ok(positions)
}
