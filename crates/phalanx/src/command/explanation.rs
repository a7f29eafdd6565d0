//! What became of each vector: dropped, clipped, weighted or used, and how far it lies.
use phalanx_robust::kernel::order::Statistic;
use phalanx_robust::mixing::MixingRule;
use phalanx_robust::{Aggregator, Effects, Rule, Vectors, kernel};
use rayon::prelude::*;
use serde_json::json;

use crate::command::choice::Chosen;
use crate::command::columns::{columns, paragraph};
use crate::printer::{Printer, Tone};

/// The part of each row in the result.
#[derive(Debug, Clone, PartialEq)]
enum Parts {
    /// `Σ w_i x_i`, and by which factors rows were clipped
    Weights(Vec<f64>, Option<Vec<f64>>),
    /// shares of the coordinates
    Shares(Vec<Shares>),
    /// the rule says nothing about single rows
    Unknown,
}

/// Shares of the coordinates in which a row was used, and trimmed for being low or high.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Shares {
    /// its value is part of the result
    pub used: f64,
    /// its value was among those trimmed below
    pub below: f64,
    /// its value was among those trimmed above; NaN counts as `+∞`
    pub above: f64,
}

/// Distance of a row to the result, and its coordinates that are not finite.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placed {
    distance: f64,
    not_finite: usize,
}

/// What one mixing did.
#[derive(Debug)]
pub struct MixingEffect {
    name: &'static str,
    formula: &'static str,
    counts: (usize, usize),
    /// norm before, norm after, length of the difference; where rows correspond
    moves: Option<Vec<[f64; 3]>>,
}

/// What became of each vector.
#[derive(Debug)]
pub struct Explanation {
    rule: &'static str,
    formula: &'static str,
    parts: Parts,
    placed: Vec<Placed>,
    /// what mixings did before, first to last
    pub mixings: Vec<MixingEffect>,
    /// the rows of the file, where mixings replaced them
    pub given: Option<Vec<Placed>>,
    /// names of the rows of the file
    names: Option<Vec<String>>,
}

/// Where rows lie from `out`.
pub fn distances(rows: &[&[f32]], out: &[f32]) -> Vec<Placed> {
    let place = |row: &&[f32]| Placed {
        distance: kernel::squared_distance(row, out).sqrt(),
        not_finite: row.iter().filter(|value| !value.is_finite()).count(),
    };
    rows.par_iter().map(place).collect()
}

impl Explanation {
    /// Explains the result `out` that `rule` has just had of `vectors`.
    pub fn new(
        chosen: &Chosen<Rule>,
        rule: &dyn Aggregator,
        vectors: Vectors<'_>,
        out: &[f32],
    ) -> Self {
        let placed = distances(vectors.rows(), out);
        let parts = match (rule.effects(), rule.statistic(vectors.count())) {
            (Some(Effects { weights, factors }), _) => {
                Parts::Weights(weights.to_vec(), factors.map(<[f64]>::to_vec))
            }
            (None, Some(statistic)) => Parts::Shares(shares(vectors.rows(), statistic)),
            (None, None) => Parts::Unknown,
        };
        let (rule, formula) = (chosen.entry.name, chosen.entry.build.formula);
        let (mixings, given, names) = (Vec::new(), None, None);
        Self { rule, formula, parts, placed, mixings, given, names }
    }

    /// The same with names for the rows of the file.
    #[must_use]
    pub fn with_names(self, names: Option<Vec<String>>) -> Self {
        Self { names, ..self }
    }

    /// Prints it: to stdout as a result, or to stderr where stdout holds the vector.
    pub fn show(&self, printer: &mut Printer, is_stdout_taken: bool) {
        let say = |printer: &mut Printer, text: String| {
            if is_stdout_taken { printer.note(text) } else { printer.result(text) }
        };
        for mixing in &self.mixings {
            say(printer, heading(printer, is_stdout_taken, mixing.name, mixing.formula));
            say(printer, mixing.table() + "\n");
        }
        say(printer, heading(printer, is_stdout_taken, self.rule, self.formula));
        say(printer, self.table());
        if let Some(given) = &self.given {
            let title = "the vectors of the file, and the result";
            say(printer, format!("\n{title}"));
            let rows = given
                .iter()
                .enumerate()
                .map(|(i, row)| vec![self.label(i, true), short(row.distance), fault(*row)]);
            say(printer, with_titles(&["row", "distance", ""], rows.collect()));
        }
    }

    fn label(&self, i: usize, is_of_file: bool) -> String {
        let name = self.names.as_ref().filter(|_| is_of_file).and_then(|names| names.get(i));
        name.map_or_else(|| i.to_string(), |name| format!("{i} {name}"))
    }

    fn verdict(&self, i: usize) -> String {
        let fault = fault(self.placed[i]);
        let word = match &self.parts {
            Parts::Weights(weights, factors) => {
                let factor = factors.as_ref().map_or(1.0, |factors| factors[i]);
                let most = weights.iter().fold(0.0, |most: f64, weight| most.max(*weight));
                match weights[i] {
                    0.0 => "dropped".into(),
                    _ if factor < 1.0 => format!("clipped, times {}", short(factor)),
                    weight if weight < most * (1.0 - 1e-9) => "weighted down".into(),
                    _ => "kept".into(),
                }
            }
            _ => String::new(),
        };
        match (word.as_str(), fault.as_str()) {
            ("", fault) => fault.into(),
            (word, "") => word.into(),
            (word, fault) => format!("{word}: {fault}"),
        }
    }

    fn table(&self) -> String {
        let is_of_file = self.given.is_none();
        let row = |i: usize| {
            let mut cells = vec![self.label(i, is_of_file)];
            match &self.parts {
                Parts::Weights(weights, _) => cells.push(short(weights[i])),
                Parts::Shares(shares) => {
                    let Shares { used, below, above } = shares[i];
                    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
                    cells.extend([used, below, above].map(percent));
                }
                Parts::Unknown => {}
            }
            cells.extend([short(self.placed[i].distance), self.verdict(i)]);
            cells
        };
        let titles: &[&str] = match &self.parts {
            Parts::Weights(..) => &["row", "weight", "distance", ""],
            Parts::Shares(_) => &["row", "used", "trimmed below", "trimmed above", "distance", ""],
            Parts::Unknown => &["row", "distance", ""],
        };
        let table = with_titles(titles, (0..self.placed.len()).map(row).collect());
        match &self.parts {
            Parts::Unknown => {
                table + "\nthis rule has neither weights nor ranks: only distances are known"
            }
            _ => table,
        }
    }

    /// The same for a program; a distance that is not finite is `null`.
    pub fn as_json(&self) -> serde_json::Value {
        let is_of_file = self.given.is_none();
        let name = |i: usize| self.names.as_ref().and_then(|names| names.get(i));
        let rows = self.placed.iter().enumerate().map(|(i, row)| {
            let mut value = row.as_json(i);
            if let Some(name) = name(i).filter(|_| is_of_file) {
                value["name"] = json!(name);
            }
            match &self.parts {
                Parts::Weights(weights, factors) => {
                    value["weight"] = json!(weights[i]);
                    if let Some(factors) = factors {
                        value["clip_factor"] = json!(factors[i]);
                    }
                }
                Parts::Shares(shares) => {
                    value["used"] = json!(shares[i].used);
                    value["trimmed_below"] = json!(shares[i].below);
                    value["trimmed_above"] = json!(shares[i].above);
                }
                Parts::Unknown => {}
            }
            value["verdict"] = json!(self.verdict(i));
            value
        });
        let mut value = json!({
            "formula": self.formula,
            "rows": rows.collect::<Vec<_>>(),
            "mixings": self.mixings.iter().map(MixingEffect::as_json).collect::<Vec<_>>(),
        });
        if let Some(given) = &self.given {
            let rows = given.iter().enumerate().map(|(i, row)| {
                let mut value = row.as_json(i);
                if let Some(name) = name(i) {
                    value["name"] = json!(name);
                }
                value
            });
            value["given"] = rows.collect();
        }
        value
    }
}

impl Placed {
    fn as_json(&self, i: usize) -> serde_json::Value {
        json!({ "row": i, "distance": self.distance, "not_finite": self.not_finite })
    }
}

fn heading(printer: &Printer, is_plain: bool, name: &str, formula: &str) -> String {
    let title = if is_plain { name.to_owned() } else { printer.paint(Tone::Strong, name) };
    let formula: Vec<&str> = formula.split_whitespace().collect();
    format!("{title}\n{}", paragraph("", 0, &formula.join(" ")))
}

fn with_titles(titles: &[&str], rows: Vec<Vec<String>>) -> String {
    let titles = titles.iter().map(|title| (*title).to_owned()).collect();
    columns(&std::iter::once(titles).chain(rows).collect::<Vec<_>>())
}

fn fault(row: Placed) -> String {
    match row.not_finite {
        0 => String::new(),
        1 => "1 coordinate is not finite".into(),
        count => format!("{count} coordinates are not finite"),
    }
}

/// Few digits, and an exponent where it says more.
fn short(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 || !value.is_finite() {
        format!("{value}")
    } else if (1e-3..1e6).contains(&size) {
        let text = format!("{value:.5}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        format!("{value:.4e}")
    }
}

impl MixingEffect {
    /// Compares rows before and after.
    pub fn new(mixing: &Chosen<MixingRule>, before: &[&[f32]], after: &[&[f32]]) -> Self {
        let norm = |row: &[f32]| {
            let norm = kernel::dot(row, row).sqrt();
            if norm.is_nan() { f64::INFINITY } else { norm }
        };
        let moves = |(from, to): (&&[f32], &&[f32])| {
            [norm(from), norm(to), kernel::squared_distance(from, to).sqrt()]
        };
        let counts = (before.len(), after.len());
        let is_same = counts.0 == counts.1;
        let moves = is_same.then(|| before.par_iter().zip(after).map(moves).collect());
        let (name, formula) = (mixing.entry.name, mixing.entry.build.formula);
        Self { name, formula, counts, moves }
    }

    fn table(&self) -> String {
        let Some(moves) = &self.moves else {
            let (from, to) = self.counts;
            return format!("{from} vectors became {to}");
        };
        let rows = moves.iter().enumerate().map(|(i, [from, to, moved])| {
            let verdict = verdict([*from, *to, *moved]);
            vec![i.to_string(), short(*from), short(*to), short(*moved), verdict]
        });
        with_titles(&["row", "norm before", "after", "moved by", ""], rows.collect())
    }

    fn as_json(&self) -> serde_json::Value {
        let mut value = json!({
            "name": self.name, "formula": self.formula,
            "count_before": self.counts.0, "count_after": self.counts.1,
        });
        if let Some(moves) = &self.moves {
            let rows = moves.iter().enumerate().map(|(i, [from, to, moved])| {
                json!({
                    "row": i, "norm_before": from, "norm_after": to, "moved_by": moved,
                    "verdict": verdict([*from, *to, *moved]),
                })
            });
            value["rows"] = rows.collect();
        }
        value
    }
}

fn verdict([from, to, moved]: [f64; 3]) -> String {
    // What was only shortened moved by exactly what its norm lost, but for rounding.
    let is_shortened = to < from && (moved - (from - to)).abs() <= 1e-5 * from;
    if !from.is_finite() {
        "not finite: replaced".into()
    } else if moved == 0.0 {
        "unchanged".into()
    } else if is_shortened {
        format!("clipped, times {}", short(to / from))
    } else {
        "mixed".into()
    }
}

/// Coordinates that one thread looks at in one go.
const BLOCK: usize = 1 << 12;

/// In which share of the coordinates each row was used or trimmed.
///
/// Among equal values the lower row counts as the smaller.
pub fn shares(rows: &[&[f32]], statistic: Statistic) -> Vec<Shares> {
    let (n, dim) = (rows.len(), rows[0].len());
    let count = |block: usize| {
        let mut counts = vec![[0u64; 3]; n];
        let mut column = Vec::with_capacity(n);
        for k in block * BLOCK..dim.min((block + 1) * BLOCK) {
            column.clear();
            column.extend(rows.iter().zip(0u32..).map(|(row, i)| (ordered(row[k]), i)));
            column.sort_unstable();
            let (low, high, is_ends) = window(&column, statistic);
            for (rank, (_, i)) in column.iter().enumerate() {
                let is_inner = is_ends && low < rank && rank < high;
                let place = if rank < low || (is_inner && 2 * rank < n) {
                    1
                } else if rank > high || is_inner {
                    2
                } else {
                    0
                };
                counts[*i as usize][place] += 1;
            }
        }
        counts
    };
    let add = |mut a: Vec<[u64; 3]>, b: Vec<[u64; 3]>| {
        a.iter_mut().zip(b).for_each(|(a, b)| (0..3).for_each(|place| a[place] += b[place]));
        a
    };
    let blocks = (0..dim.div_ceil(BLOCK)).into_par_iter();
    let counts = blocks.map(count).reduce(|| vec![[0; 3]; n], add);
    let share = |count: u64| count as f64 / dim as f64;
    let named = |[used, below, above]: [u64; 3]| Shares {
        used: share(used),
        below: share(below),
        above: share(above),
    };
    counts.into_iter().map(named).collect()
}

/// Bits that are ordered as the values; NaN as `+∞`.
fn ordered(value: f32) -> u32 {
    let value = if value.is_nan() { f32::INFINITY } else { value };
    let bits = value.to_bits();
    if bits >> 31 == 1 { !bits } else { bits | 1 << 31 }
}

fn value(ordered: u32) -> f64 {
    let bits = if ordered >> 31 == 1 { ordered & !(1 << 31) } else { !ordered };
    f32::from_bits(bits).into()
}

/// First and last rank that is used, and whether only those two are.
fn window(column: &[(u32, u32)], statistic: Statistic) -> (usize, usize, bool) {
    let n = column.len();
    let around = |low: usize, high: usize, keep: usize| {
        let center = &column[low..=high];
        let twice_sum = 2.0 * center.iter().map(|(key, _)| value(*key)).sum::<f64>();
        let both = |first: usize| value(column[first].0) + value(column[first + keep].0);
        // The window slides up while what enters is closer than what leaves.
        let first = (0..n - keep).find(|first| {
            let is_closer = both(*first) * (center.len() as f64) < twice_sum;
            !is_closer
        });
        let first = first.unwrap_or(n - keep);
        (first, first + keep - 1, false)
    };
    match statistic {
        Statistic::Median => ((n - 1) / 2, n / 2, true),
        Statistic::TrimmedMean { trim } => (trim, n - trim - 1, false),
        Statistic::TrimmedMidpoint { trim } => (trim, n - trim - 1, true),
        Statistic::MeanAroundMedian { keep } => around((n - 1) / 2, n / 2, keep),
        Statistic::MeanAroundTrimmedMean { trim } => around(trim, n - trim - 1, n - trim),
    }
}
