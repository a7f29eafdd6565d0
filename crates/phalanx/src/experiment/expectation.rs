//! What an experiment file expects of its scores, which makes it a test.
use crate::experiment::document::{self, Item, Origin, Table};
use crate::problem::Problem;

/// How a score over the honest nodes is condensed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statistic {
    /// arithmetic mean
    Mean,
    /// the worst honest node
    Worst,
    /// the best honest node
    Best,
    /// standard deviation
    Deviation,
}

impl Statistic {
    const WORDS: [(&'static str, Self); 4] = [
        ("mean", Self::Mean),
        ("worst", Self::Worst),
        ("best", Self::Best),
        ("deviation", Self::Deviation),
    ];

    /// Its word in an experiment file.
    pub fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, statistic)| *statistic == self).map_or("", |(word, _)| word)
    }
}

/// What must hold.
#[derive(Debug, Clone, PartialEq)]
pub enum Bound {
    /// in every run, and every run finished
    Least(f64),
    /// in every run, by the last scores that were measured
    Greatest(f64),
    /// the means over seeds of two arms differ by at most so much
    Within {
        /// the other arm
        arm: String,
        /// admissible difference
        points: f64,
    },
}

/// One line of `expect`.
#[derive(Debug, Clone, PartialEq)]
pub struct Expectation {
    /// name of the score
    pub score: String,
    /// how it is condensed over nodes
    pub statistic: Statistic,
    /// what must hold
    pub bound: Bound,
    /// where it was written
    pub origin: Origin,
}

impl Expectation {
    /// `accuracy.worst`, as in the file.
    pub fn key(&self) -> String {
        format!("{}.{}", self.score, self.statistic.word())
    }
}

/// Reads `expect`.
///
/// # Errors
/// When a key or bound is malformed.
pub fn read(item: &Item) -> Result<Vec<Expectation>, Problem> {
    let mut expectations = Vec::new();
    for (key, item) in item.table("expect")? {
        let (score, statistic) = split(key, item)?;
        let bounds = item.table(key)?;
        document::only(bounds, &["min", "max", "within"], &format!("in `expect.\"{key}\"`"))?;
        if bounds.is_empty() {
            let problem = Problem::new(format!("`{key}` expects nothing")).at(&item.origin);
            return Err(problem.hint("for example `{ min = 0.9 }`"));
        }
        for (word, item) in bounds {
            let number = || item.number(&format!("{key}.{word}"), f64::MIN, f64::MAX);
            let bound = match word.as_str() {
                "min" => Bound::Least(number()?),
                "max" => Bound::Greatest(number()?),
                _ => within(item.table("within")?, item)?,
            };
            let (score, origin) = (score.to_owned(), item.origin.clone());
            expectations.push(Expectation { score, statistic, bound, origin });
        }
    }
    Ok(expectations)
}

fn split<'a>(key: &'a str, item: &Item) -> Result<(&'a str, Statistic), Problem> {
    let words = Statistic::WORDS;
    let (score, word) = key.rsplit_once('.').unwrap_or((key, ""));
    match words.iter().find(|(known, _)| *known == word) {
        Some((_, statistic)) if !score.is_empty() => Ok((score, *statistic)),
        _ => {
            let message = format!("`{key}` is no score and statistic such as `accuracy.worst`");
            let problem = Problem::new(message).at(&item.origin);
            Err(problem.among("statistic", word, words.iter().map(|(word, _)| *word)))
        }
    }
}

fn within(table: &Table, item: &Item) -> Result<Bound, Problem> {
    document::only(table, &["arm", "points"], "in `within`")?;
    let missing = |key: &str| {
        let problem = Problem::new(format!("`{key}` of `within` is missing")).at(&item.origin);
        problem.hint("for example `within = { arm = \"attack-free\", points = 0.03 }`")
    };
    let arm = table.get("arm").ok_or_else(|| missing("arm"))?.text("within.arm")?;
    let points = table.get("points").ok_or_else(|| missing("points"))?;
    Ok(Bound::Within { arm: arm.into(), points: points.number("within.points", 0.0, f64::MAX)? })
}
