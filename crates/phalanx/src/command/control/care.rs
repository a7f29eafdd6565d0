//! `phalanx control care`: gain, closed-loop poles and residual of a known plant.
use std::path::{Path, PathBuf};

use clap::Args;
use phalanx_tasks::control::{Care, CareError, Matrix, Regulator, care};
use phalanx_tasks::diffusion_control::{PLANTS, named};
use serde_json::{Value, json};

use super::matrices::{self, PLANT_KEYS, matrix, read_text};
use crate::command::Verdict;
use crate::experiment::document::{self, Item, Kind as Shape, Table};
use crate::printer::{Printer, Tone};
use crate::problem::Problem;

const AFTER_HELP: &str = "\
The file is TOML: `a`, `b`, `state-cost`, `input-cost` and, if wanted, `cross-cost` and `noise`,
each a list of rows; or an experiment file of `phalanx control regulate`, whose plant is taken.
Costs may be single numbers, which stand for multiples of the identity.

Minimised is the integral of x'Qx + 2x'Nu + u'Ru along dx/dt = Ax + Bu; the law is u = +Kx.

Examples:
  phalanx control care plant.toml
  phalanx control care experiments/control/x-29a.toml
  phalanx control care --plant x-29a --json";

/// Solve the Riccati equation of a known plant: gain, closed-loop poles, residual
#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct CareCommand {
    /// File with the plant
    #[arg(value_name = "FILE", required_unless_present = "plant")]
    file: Option<PathBuf>,
    /// Take a listed plant instead of a file
    #[arg(long, value_name = "NAME", conflicts_with = "file")]
    plant: Option<String>,
}

struct Question {
    a: Matrix,
    b: Matrix,
    state_cost: Matrix,
    input_cost: Matrix,
    cross_cost: Option<Matrix>,
    noise: Option<Matrix>,
}

impl CareCommand {
    /// Solves and prints.
    ///
    /// # Errors
    /// For files that hold no plant, and plants without a stabilising gain.
    pub(super) fn carry_out(self, printer: &mut Printer) -> Result<Verdict, Problem> {
        let (question, origins) = match (&self.file, &self.plant) {
            (Some(file), _) => from_file(file)?,
            (None, Some(name)) => (
                from_name(name)?,
                Origins { table: Table::new(), place: format!("--plant {name}") },
            ),
            (None, None) => return Err(Problem::new("no plant is given").hint("name a file")),
        };
        let solved = care(&question.regulator()).map_err(|error| origins.refused(&error))?;
        let cost = question.noise.as_ref().map(|noise| solved.cost_to_go.inner(noise));
        match printer.is_json() {
            true => printer.json(&as_json(&solved, cost)),
            false => show(printer, &solved, cost),
        }
        Ok(Verdict::Yes)
    }
}

impl Question {
    fn regulator(&self) -> Regulator<'_> {
        Regulator {
            a: &self.a,
            b: &self.b,
            state_cost: &self.state_cost,
            input_cost: &self.input_cost,
            cross_cost: self.cross_cost.as_ref(),
        }
    }
}

/// Where the matrices were written.
struct Origins {
    table: Table,
    place: String,
}

impl Origins {
    fn refused(&self, error: &CareError) -> Problem {
        let (what, hint) = match error {
            CareError::Shape { what, .. } => (
                *what,
                "with n states and m inputs `a` is n × n, `b` and `cross-cost` n × m, \
                 `state-cost` n × n, `input-cost` m × m",
            ),
            CareError::NotFinite { what } => (*what, "every entry must be a finite number"),
            CareError::Indefinite { what, .. } => (
                *what,
                "the state cost must be positive semidefinite, the input cost positive definite",
            ),
            CareError::NotStabilisable(_) => {
                ("b", "add an input that reaches this mode, or leave the mode out of the plant")
            }
            CareError::NotStable { .. } => (
                "state-cost",
                "a mode that costs nothing is not worth moving; give its state a cost",
            ),
            CareError::Poles(_) | CareError::NotConverged | CareError::Residual { .. } => {
                ("a", "scale the states so that the entries of `a` are of one size")
            }
        };
        let problem = Problem::new(error.to_string()).hint(hint);
        match self.table.get(what) {
            Some(item) => problem.at(&item.origin),
            None => problem.at(&self.place),
        }
    }
}

fn from_name(name: &str) -> Result<Question, Problem> {
    let entry = named(name).ok_or_else(|| {
        let problem = Problem::new(format!("unknown plant `{name}`")).at("--plant");
        problem.among("plant", name, PLANTS.iter().map(|entry| entry.name))
    })?;
    Ok(of_plant(entry.plant()))
}

fn of_plant(plant: phalanx_tasks::diffusion_control::Plant) -> Question {
    Question {
        a: plant.a,
        b: plant.b,
        state_cost: plant.state_cost,
        input_cost: plant.input_cost,
        cross_cost: None,
        noise: Some(plant.noise),
    }
}

fn from_file(file: &Path) -> Result<(Question, Origins), Problem> {
    let place = file.display().to_string();
    let table = document::parse(&read_text("plant file", file)?, &place)?;
    if let Some(item) = table.get("plant") {
        let folder = file.parent().unwrap_or(Path::new(""));
        let question = of_plant(matrices::plant(item, folder)?.plant);
        let inner = match &item.kind {
            Shape::Table(inner) => inner.clone(),
            _ => Table::new(),
        };
        return Ok((question, Origins { table: inner, place }));
    }
    let known: Vec<&str> = PLANT_KEYS.iter().copied().chain(["cross-cost"]).collect();
    document::only(&table, &known, "of a plant")?;
    let get = |key: &str, order: Option<usize>| -> Result<Option<Matrix>, Problem> {
        table.get(key).map(|item: &Item| matrix(item, key, order)).transpose()
    };
    let needed = |key: &str, order: Option<usize>| {
        get(key, order)?.ok_or_else(|| {
            let problem = Problem::new(format!("`{key}` is missing")).at(&place);
            problem.hint("`a`, `b`, `state-cost` and `input-cost` are needed")
        })
    };
    let (a, b) = (needed("a", None)?, needed("b", None)?);
    let (n, m) = (a.rows(), b.columns());
    let question = Question {
        state_cost: needed("state-cost", Some(n))?,
        input_cost: needed("input-cost", Some(m))?,
        cross_cost: get("cross-cost", None)?,
        noise: get("noise", Some(n))?,
        a,
        b,
    };
    if let Some(noise) =
        question.noise.as_ref().filter(|noise| (noise.rows(), noise.columns()) != (n, n))
    {
        let message =
            format!("`noise` is {} × {}, but {n} × {n} is needed", noise.rows(), noise.columns());
        return Err(Problem::new(message).at(&table["noise"].origin));
    }
    Ok((question, Origins { table, place }))
}

fn rows(matrix: &Matrix) -> Vec<Vec<f64>> {
    (0..matrix.rows()).map(|i| matrix.row(i).to_vec()).collect()
}

fn as_json(solved: &Care, cost: Option<f64>) -> Value {
    let poles: Vec<[f64; 2]> = solved.poles.iter().map(|pole| [pole.re, pole.im]).collect();
    json!({
        "gain": rows(&solved.gain),
        "cost-to-go": rows(&solved.cost_to_go),
        "closed-loop-poles": poles,
        "residual": solved.residual,
        "iterations": solved.iterations,
        "average-cost": cost,
    })
}

fn show(printer: &mut Printer, solved: &Care, cost: Option<f64>) {
    for (what, matrix) in
        [("gain K of u = +Kx", &solved.gain), ("cost to go P", &solved.cost_to_go)]
    {
        let heading = printer.paint(Tone::Strong, what);
        printer.result(heading);
        for row in rows(matrix) {
            let cells: Vec<String> = row.iter().map(|entry| format!("{entry:>16.8}")).collect();
            printer.result(cells.concat());
        }
    }
    let heading = printer.paint(Tone::Strong, "closed-loop poles");
    printer.result(heading);
    for pole in &solved.poles {
        let imaginary = if pole.im == 0.0 { String::new() } else { format!(" {:+.8}i", pole.im) };
        printer.result(format!("{:>16.8}{imaginary}", pole.re));
    }
    if let Some(cost) = cost {
        let heading = printer.paint(Tone::Strong, "average cost");
        printer.result(format!("{heading}  {cost:.8}"));
    }
    let heading = printer.paint(Tone::Strong, "residual");
    let iterations = solved.iterations;
    printer.result(format!("{heading}  {:.1e} after {iterations} doublings", solved.residual));
}
