//! Logged data: a table whose columns are named like the states and inputs of a plant.
use std::path::Path;

use phalanx_report::control::safe::Names;
use phalanx_report::parquet::{ParquetError, ParquetFile};
use phalanx_tasks::safe_control::gp::Samples;

use crate::command::control::matrices::read_text;
use crate::problem::Problem;

/// Column that says which flight a row belongs to; between flights nothing is learnt.
const FLIGHT: &str = "flight";
/// Greatest number of rows that are read.
const ROWS_MAX: usize = 5_000_000;
/// Ending of files that are no text.
const PARQUET: &str = "parquet";
const RELATIVE: &str = "the path is relative to the folder of the experiment file";
const LEAVE_OUT: &str = "leave out rows that were not measured; a new `flight` begins behind them";

/// A log as transitions: each row but the last of a flight, and what the next row says.
///
/// Outputs are increments, or rates where `rate_of` has the seconds of a step. Rows follow each
/// other in time, one step apart. A column `flight`, where there is one, says
/// where one flight ends and the next begins; columns with other names are ignored.
///
/// # Errors
/// Which column is missing, or which line or row holds no finite number.
pub(super) fn transitions(
    path: &Path,
    names: &Names,
    rows_max: usize,
    rate_of: Option<f64>,
) -> Result<Samples, Problem> {
    let log = Log::read(path, names)?;
    let (n, m) = (names.states.len(), names.inputs.len());
    let mut pairs: Vec<usize> = Vec::new();
    for at in 1..log.rows.len() {
        if log.rows[at - 1].flight == log.rows[at].flight {
            pairs.push(at - 1);
        }
    }
    if pairs.is_empty() {
        let problem = Problem::new("the data hold no two rows that follow each other");
        return Err(problem.at(path.display()).hint("one row per step, in order of time"));
    }
    // Of more rows than are wanted an even choice, so that no part of the log is lost.
    let kept = rows_max.min(pairs.len());
    let (mut inputs, mut outputs) = (Vec::with_capacity(kept * (n + m)), Vec::new());
    for place in 0..kept {
        let at = pairs[place * pairs.len() / kept];
        let (now, next) = (&log.rows[at], &log.rows[at + 1]);
        inputs.extend_from_slice(&now.numbers);
        let seconds = rate_of.unwrap_or(1.0);
        let change = |entry: usize| (next.numbers[entry] - now.numbers[entry]) / seconds;
        outputs.extend((0..n).map(change));
    }
    Samples::new((n + m, n), inputs, outputs)
        .map_err(|error| super::model::refused(&error).at(path.display()))
}

struct Row {
    flight: String,
    /// state, then input
    numbers: Vec<f64>,
}

struct Log {
    rows: Vec<Row>,
}

impl Log {
    fn read(path: &Path, names: &Names) -> Result<Self, Problem> {
        if path.extension().is_some_and(|ending| ending == PARQUET) {
            return Self::read_parquet(path, names);
        }
        let text = read_text("data", path).map_err(|problem| problem.hint(RELATIVE))?;
        // Spreadsheets write a byte order mark before the first column's name.
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let mut lines = text.lines().enumerate();
        let head: Vec<&str> = match lines.next() {
            Some((_, head)) => head.split(',').map(|cell| cell.trim().trim_matches('"')).collect(),
            None => return Err(Problem::new("the data are empty").at(path.display())),
        };
        let column = |name: &str| head.iter().position(|cell| *cell == name);
        let all = || names.states.iter().chain(&names.inputs).map(String::as_str);
        let is_twice = |name: &&str| head.iter().filter(|cell| *cell == name).count() > 1;
        if let Some(name) = all().chain([FLIGHT]).find(is_twice) {
            let problem = Problem::new(format!("the data have two columns `{name}`"));
            let problem = problem.at(format!("{}:1", path.display()));
            return Err(problem.hint("leave out one of them"));
        }
        let wanted: Vec<usize> = all()
            .map(|name| {
                column(name).ok_or_else(|| {
                    let problem = Problem::new(format!("the data have no column `{name}`"));
                    let problem = problem.at(format!("{}:1", path.display()));
                    problem.among("column", name, head.iter().copied())
                })
            })
            .collect::<Result<_, Problem>>()?;
        let flight = column(FLIGHT);
        let mut rows = Vec::new();
        for (place, line) in lines.filter(|(_, line)| !line.trim().is_empty()) {
            let at = || format!("{}:{}", path.display(), place + 1);
            let cells: Vec<&str> = line.split(',').map(str::trim).collect();
            if cells.len() != head.len() {
                let message =
                    format!("this row has `{}` cells, but the head `{}`", cells.len(), head.len());
                return Err(Problem::new(message).at(at()));
            }
            if rows.len() == ROWS_MAX {
                return Err(Problem::new(format!("there are more than `{ROWS_MAX}` rows")).at(at()));
            }
            let number = |column: &usize| match cells[*column].trim_matches('"').parse::<f64>() {
                Ok(value) if value.is_finite() => Ok(value),
                _ => {
                    let message = format!(
                        "column `{}` is `{}`, but a finite number is needed",
                        head[*column], cells[*column]
                    );
                    Err(Problem::new(message).at(at()).hint(LEAVE_OUT))
                }
            };
            let numbers = wanted.iter().map(number).collect::<Result<Vec<f64>, Problem>>()?;
            let flight = flight.map_or("", |column| cells[column]).to_owned();
            rows.push(Row { flight, numbers });
        }
        match rows.is_empty() {
            true => Err(Problem::new("the data have a head but no rows").at(path.display())),
            false => Ok(Self { rows }),
        }
    }

    fn read_parquet(path: &Path, names: &Names) -> Result<Self, Problem> {
        let bytes = std::fs::read(path)
            .map_err(|error| Problem::io("cannot read the data", path, &error).hint(RELATIVE))?;
        let file = ParquetFile::open(bytes, ROWS_MAX).map_err(|error| refused(path, &error))?;
        let known = file.names();
        let column = |name: &String| {
            file.numbers(name).map_err(|error| match error {
                ParquetError::Missing(_) => {
                    let problem = Problem::new(format!("the data have no column `{name}`"));
                    let problem = problem.at(path.display());
                    problem.among("column", name, known.iter().map(String::as_str))
                }
                error => refused(path, &error),
            })
        };
        let wanted = names.states.iter().chain(&names.inputs);
        let columns = wanted.map(column).collect::<Result<Vec<Vec<f64>>, Problem>>()?;
        let mut flights = match file.words(FLIGHT) {
            Ok(flights) => Some(flights.into_iter()),
            Err(ParquetError::Missing(_)) => None,
            Err(error) => return Err(refused(path, &error)),
        };
        let mut flight = || flights.as_mut().and_then(Iterator::next).unwrap_or_default();
        let row = |at: usize| {
            let numbers = columns.iter().map(|column| column[at]).collect();
            Row { flight: flight(), numbers }
        };
        let rows: Vec<Row> = (0..file.rows()).map(row).collect();
        match rows.is_empty() {
            true => Err(Problem::new("the data have columns but no rows").at(path.display())),
            false => Ok(Self { rows }),
        }
    }
}

/// What is wrong with a file that is no text, in our words.
fn refused(path: &Path, error: &ParquetError) -> Problem {
    let problem = match error {
        ParquetError::Value { column, row, found } => {
            let message = format!("column `{column}` is `{found}`, but a finite number is needed");
            Problem::new(message).at(format!("{}, row {row}", path.display()))
        }
        other => Problem::new(other.to_string()).at(path.display()),
    };
    problem.hint(match error {
        ParquetError::Value { .. } => LEAVE_OUT,
        ParquetError::Long { .. } => "keep fewer rows",
        ParquetError::Type { .. } | ParquetError::Missing(_) => {
            "states and inputs are columns of 32-bit or 64-bit numbers"
        }
        ParquetError::Codec { .. } => {
            "write it anew without compression, by snappy or by gzip, or as CSV"
        }
        ParquetError::Broken(_) => "it may be damaged, or something else under that name",
    })
}
