//! Plans and trials as tables: written so that every number reads back to the same bits.
//!
//! Trajectory and gains are written as Parquet too, beside the CSV; what is read back is the CSV.
use std::path::Path;

use super::record::{Flight, Iteration, Names, Plan};
use crate::csv::Csv;
use crate::folder::{FolderError, read_text};
use crate::page::write;
use crate::tidy::{self, Values, apart};

/// The nominal trajectory, one row per step.
pub const TRAJECTORY: &str = "trajectory.csv";
/// Feedback, one row per step and input.
pub const GAINS: &str = "gains.csv";
/// The planner's log.
pub const ITERATIONS: &str = "iterations.csv";
/// Columns of the planner's log.
const ITERATION_HEAD: [&str; 7] =
    ["search", "iteration", "cost", "step", "regularisation", "gradient", "clearance"];
/// What was flown.
pub const TRIALS: &str = "trials.csv";

/// `w 1`, `w 2`, ..
fn numbered(word: &str, count: usize) -> impl Iterator<Item = String> {
    (1..=count).map(move |which| format!("{word} {which}"))
}

/// How many columns of a trajectory are not one per state or input.
#[derive(Debug, Clone, Copy)]
struct Widths {
    barriers: usize,
    margins: usize,
    lifts: usize,
}

impl Widths {
    fn of(plan: &Plan) -> Self {
        let width = |rows: &[Vec<f64>]| rows.first().map_or(0, Vec::len);
        Self {
            barriers: width(&plan.barriers),
            margins: width(&plan.margins),
            lifts: width(&plan.lifts),
        }
    }

    fn read(head: &[&str]) -> Self {
        let count = |word: &str| head.iter().filter(|name| name.starts_with(word)).count();
        Self { barriers: count("w "), margins: count("margin "), lifts: count("lift ") }
    }
}

fn texts(numbers: &[f64]) -> impl Iterator<Item = String> {
    numbers.iter().map(f64::to_string)
}

/// Writes trajectory and gains, as CSV and as Parquet, and the planner's log into a folder.
///
/// # Errors
/// When a file cannot be written.
pub fn write_plan(
    folder: &Path,
    names: &Names,
    plan: &Plan,
    iterations: &[Iteration],
) -> Result<(), FolderError> {
    for (name, table) in
        [(TRAJECTORY, trajectory_table(names, plan)), (GAINS, gains_table(names, plan))]
    {
        let path = folder.join(name);
        write(&path, table.csv())?;
        write(&path.with_extension(tidy::Format::Parquet.ending()), table.parquet())?;
    }
    let mut csv = Csv::new(&ITERATION_HEAD);
    for one in iterations {
        let head = [(one.restart + 1).to_string(), one.iteration.to_string()];
        let numbers = [one.cost, one.step, one.regularisation, one.gradient, one.clearance];
        csv.row(&[&head[..], &numbers.map(|number| number.to_string())].concat());
    }
    write(&folder.join(ITERATIONS), csv.finish())
}

fn trajectory_head(names: &Names, widths: Widths) -> Vec<String> {
    let head = ["step", "seconds"].map(String::from).into_iter();
    let deviations = names.states.iter().map(|state| format!("deviation {state}"));
    head.chain(names.states.iter().cloned())
        .chain(names.inputs.iter().cloned())
        .chain(numbered("w", widths.barriers))
        .chain(["clearance".to_owned()])
        .chain(deviations)
        .chain(numbered("margin", widths.margins))
        .chain(numbered("lift", widths.lifts))
        .fold(Vec::new(), all_apart)
}

/// Names of columns, each once.
fn all_apart(mut head: Vec<String>, name: String) -> Vec<String> {
    let name = apart(name, |other| head.iter().any(|taken| taken == other));
    head.push(name);
    head
}

fn trajectory_table(names: &Names, plan: &Plan) -> tidy::Table {
    let widths = Widths::of(plan);
    let steps = plan.states.len();
    let column = |rows: &[Vec<f64>], entry: usize| {
        // After the last step nothing is asked for.
        Values::Number((0..steps).map(|step| rows.get(step).map(|row| row[entry])).collect())
    };
    let all = |rows: &[Vec<f64>], count: usize| -> Vec<Values> {
        (0..count).map(|entry| column(rows, entry)).collect()
    };
    let seconds = (0..steps).map(|step| Some(step as f64 * plan.dt)).collect();
    let mut columns = vec![counted(0..steps), Values::Number(seconds)];
    columns.extend(all(&plan.states, names.states.len()));
    columns.extend(all(&plan.inputs, names.inputs.len()));
    columns.extend(all(&plan.barriers, widths.barriers));
    columns.push(Values::Number(plan.clearance.iter().copied().map(Some).collect()));
    columns.extend(all(&plan.deviation, names.states.len()));
    columns.extend(all(&plan.margins, widths.margins));
    columns.extend(all(&plan.lifts, widths.lifts));
    table(trajectory_head(names, widths), columns)
}

fn counted(steps: impl Iterator<Item = usize>) -> Values {
    Values::Count(steps.map(|step| Some(step as u64)).collect())
}

fn table(head: Vec<String>, columns: Vec<Values>) -> tidy::Table {
    let mut table = tidy::Table::default();
    head.into_iter().zip(columns).for_each(|(name, values)| table.push(name, values));
    table
}

fn gains_head(names: &Names, barriers: usize) -> Vec<String> {
    let head = ["step", "input"].map(String::from).into_iter();
    head.chain(names.states.iter().cloned())
        .chain(numbered("w", barriers))
        .fold(Vec::new(), all_apart)
}

fn gains_table(names: &Names, plan: &Plan) -> tidy::Table {
    let head = gains_head(names, plan.barriers.first().map_or(0, Vec::len));
    let (columns, inputs) = (head.len() - 2, names.inputs.len());
    let steps = (0..plan.gains.len()).flat_map(|step| std::iter::repeat_n(step, inputs));
    let words = plan.gains.iter().flat_map(|_| names.inputs.iter().cloned().map(Some));
    let mut values = vec![counted(steps), Values::Text(words.collect())];
    values.extend((0..columns).map(|column| {
        let rows = plan.gains.iter().flat_map(|gain| gain.chunks(columns).take(inputs));
        Values::Number(rows.map(|row| Some(row[column])).collect())
    }));
    table(head, values)
}

/// Writes what was flown, one row per way of flying, trial and step.
///
/// # Errors
/// When the file cannot be written.
pub fn write_trials(
    folder: &Path,
    (names, dt): (&Names, f64),
    arms: &[(&str, &[Flight])],
) -> Result<(), FolderError> {
    let head = ["arm", "trial", "step", "seconds"].map(String::from).into_iter();
    let head = head.chain(names.states.iter().cloned()).chain(names.inputs.iter().cloned());
    let mut csv = Csv::new(&head.chain(["clearance".to_owned()]).collect::<Vec<_>>());
    for (arm, flights) in arms {
        for flight in *flights {
            for (step, state) in flight.states.iter().enumerate() {
                let mut row = vec![(*arm).to_owned(), flight.trial.trial.to_string()];
                row.extend([step.to_string(), (step as f64 * dt).to_string()]);
                row.extend(texts(state));
                match flight.inputs.get(step) {
                    Some(input) => row.extend(texts(input)),
                    None => row.extend(names.inputs.iter().map(|_| String::new())),
                }
                row.push(flight.clearance[step].to_string());
                csv.row(&row);
            }
        }
    }
    write(&folder.join(TRIALS), csv.finish())
}

/// A table of numbers below a known head.
struct Table<'a> {
    path: &'a Path,
    text: String,
}

impl Table<'_> {
    fn wrong(&self, line: usize, reason: String) -> FolderError {
        FolderError::Syntax { path: self.path.into(), line, reason }
    }

    /// Rows with their line numbers, each as many cells as the head; the head is checked by
    /// `expected`, which is told how many columns there are.
    fn rows(
        &self,
        expected: impl Fn(&[&str]) -> Vec<String>,
    ) -> Result<Vec<(usize, Vec<&str>)>, FolderError> {
        let mut lines = self.text.lines().enumerate();
        let head: Vec<&str> =
            lines.next().map_or(Vec::new(), |(_, head)| head.split(',').collect());
        let wanted = expected(&head);
        if head != wanted {
            let reason = format!("the columns are not `{}`", wanted.join(","));
            return Err(self.wrong(1, reason));
        }
        let mut rows = Vec::new();
        for (place, line) in lines {
            let cells: Vec<&str> = line.split(',').collect();
            if cells.len() != head.len() {
                let reason = format!("`{}` cells, but `{}` columns", cells.len(), head.len());
                return Err(self.wrong(place + 1, reason));
            }
            rows.push((place + 1, cells));
        }
        Ok(rows)
    }

    fn numbers(&self, line: usize, cells: &[&str]) -> Result<Vec<f64>, FolderError> {
        let number = |cell: &&str| match cell.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(value),
            _ => Err(self.wrong(line, format!("`{cell}` is no finite number"))),
        };
        cells.iter().map(number).collect()
    }
}

/// Reads a plan that [`write_plan`] wrote.
///
/// # Errors
/// When a file is missing, has other columns, a cell that is no finite number, or steps that do
/// not follow each other; the line is named.
pub fn read_plan(folder: &Path, names: &Names, dt: f64) -> Result<Plan, FolderError> {
    let path = folder.join(TRAJECTORY);
    let table = Table { path: &path, text: read_text(&path)? };
    let rows = table.rows(|head| trajectory_head(names, Widths::read(head)))?;
    let head: Vec<&str> = table.text.lines().next().unwrap_or_default().split(',').collect();
    let widths = Widths::read(&head);
    let (n, m) = (names.states.len(), names.inputs.len());
    let mut plan = Plan {
        dt,
        states: Vec::new(),
        inputs: Vec::new(),
        barriers: Vec::new(),
        clearance: Vec::new(),
        deviation: Vec::new(),
        gains: Vec::new(),
        margins: Vec::new(),
        lifts: Vec::new(),
    };
    let last = rows.len();
    for (place, (line, cells)) in rows.into_iter().enumerate() {
        if cells[0] != place.to_string() {
            return Err(table.wrong(line, format!("step `{place}` was expected here")));
        }
        plan.states.push(table.numbers(line, &cells[2..2 + n])?);
        let inputs = &cells[2 + n..2 + n + m];
        if place + 1 < last {
            plan.inputs.push(table.numbers(line, inputs)?);
        }
        let rest = table.numbers(line, &cells[2 + n + m..])?;
        let (barriers, rest) = rest.split_at(widths.barriers);
        let (clearance, rest) = rest.split_at(1);
        let (deviation, rest) = rest.split_at(n);
        let (margins, lifts) = rest.split_at(widths.margins);
        plan.barriers.push(barriers.to_vec());
        plan.clearance.push(clearance[0]);
        plan.deviation.push(deviation.to_vec());
        for (rows, row) in [(&mut plan.margins, margins), (&mut plan.lifts, lifts)] {
            if !row.is_empty() {
                rows.push(row.to_vec());
            }
        }
    }
    if plan.inputs.is_empty() {
        return Err(table.wrong(1, "a plan has at least one step".into()));
    }
    plan.gains = read_gains(folder, names, &plan)?;
    Ok(plan)
}

/// Reads the planner's log that [`write_plan`] wrote.
///
/// # Errors
/// As [`read_plan`].
pub fn read_iterations(folder: &Path) -> Result<Vec<Iteration>, FolderError> {
    let path = folder.join(ITERATIONS);
    let table = Table { path: &path, text: read_text(&path)? };
    let rows = table.rows(|_| ITERATION_HEAD.map(String::from).into())?;
    let one = |(line, cells): (usize, Vec<&str>)| {
        let counts: Option<Vec<usize>> = cells[..2].iter().map(|cell| cell.parse().ok()).collect();
        let values: Option<Vec<f64>> = cells[2..].iter().map(|cell| cell.parse().ok()).collect();
        match (counts.as_deref(), values.as_deref()) {
            (
                Some(&[start, iteration]),
                Some(&[cost, step, regularisation, gradient, clearance]),
            ) if start > 0 => Ok(Iteration {
                restart: start - 1,
                iteration,
                cost,
                step,
                regularisation,
                gradient,
                clearance,
            }),
            _ => Err(table.wrong(line, "this is no iteration".into())),
        }
    };
    rows.into_iter().map(one).collect()
}

fn read_gains(folder: &Path, names: &Names, plan: &Plan) -> Result<Vec<Vec<f64>>, FolderError> {
    let path = folder.join(GAINS);
    let table = Table { path: &path, text: read_text(&path)? };
    let rows = table.rows(|_| gains_head(names, plan.barriers[0].len()))?;
    let m = names.inputs.len();
    if rows.len() != m * plan.inputs.len() {
        let reason = format!("`{}` rows, but `{}` are needed", rows.len(), m * plan.inputs.len());
        return Err(table.wrong(1, reason));
    }
    let mut gains = Vec::with_capacity(plan.inputs.len());
    for (step, rows) in rows.chunks(m).enumerate() {
        let mut gain = Vec::new();
        for ((line, cells), name) in rows.iter().zip(&names.inputs) {
            if cells[0] != step.to_string() || cells[1] != name {
                let reason = format!("step `{step}` of input `{name}` was expected here");
                return Err(table.wrong(*line, reason));
            }
            gain.extend(table.numbers(*line, &cells[2..])?);
        }
        gains.push(gain);
    }
    Ok(gains)
}
