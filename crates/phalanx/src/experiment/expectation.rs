//! What an experiment file expects of its scores, which makes it a test.
//!
//! ```toml
//! [expect]
//! "accuracy.worst" = { min = 0.85, max = 1.0 }    # in every run
//! "accuracy.mean"  = { within = { arm = "attack-free", points = 0.03 } }    # of means over seeds
//!
//! [[arm]]
//! name   = "monna"
//! expect = { "accuracy.mean" = { above = [{ arm = "bridge", points = 0.02 }] } }    # or a little less
//! ```
//!
//! Where arms are swept, the name of another arm stands for its point with the same values.
use crate::experiment::document::{self, Item, Kind, Origin};
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
    /// the mean over seeds is at least that of another arm less so much
    Above {
        /// the other arm
        arm: String,
        /// admissible shortfall
        points: f64,
    },
}

impl Bound {
    /// The other arm of a comparison.
    pub fn other(&self) -> Option<&str> {
        match self {
            Self::Least(_) | Self::Greatest(_) => None,
            Self::Within { arm, .. } | Self::Above { arm, .. } => Some(arm),
        }
    }

    /// The same comparison with another arm.
    pub fn with_other(&self, other: String) -> Self {
        match *self {
            Self::Within { points, .. } => Self::Within { arm: other, points },
            Self::Above { points, .. } => Self::Above { arm: other, points },
            Self::Least(_) | Self::Greatest(_) => self.clone(),
        }
    }
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
        let known = ["min", "max", "within", "above"];
        document::only(bounds, &known, &format!("in `expect.\"{key}\"`"))?;
        if bounds.is_empty() {
            let problem = Problem::new(format!("`{key}` expects nothing")).at(&item.origin);
            return Err(problem.hint("for example `{ min = 0.9 }`"));
        }
        for (word, item) in bounds {
            let number = || item.number(&format!("{key}.{word}"), f64::MIN, f64::MAX);
            let found = match word.as_str() {
                "min" => vec![Bound::Least(number()?)],
                "max" => vec![Bound::Greatest(number()?)],
                word => comparisons(word, item)?,
            };
            expectations.extend(found.into_iter().map(|bound| Expectation {
                score: score.to_owned(),
                statistic,
                bound,
                origin: item.origin.clone(),
            }));
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

/// `within` or `above`: one other arm, or a list of them.
fn comparisons(word: &str, item: &Item) -> Result<Vec<Bound>, Problem> {
    match &item.kind {
        Kind::List(items) => items.iter().map(|item| comparison(word, item)).collect(),
        _ => Ok(vec![comparison(word, item)?]),
    }
}

fn comparison(word: &str, item: &Item) -> Result<Bound, Problem> {
    let table = item.table(word)?;
    document::only(table, &["arm", "points"], &format!("in `{word}`"))?;
    let missing = |key: &str| {
        let problem = Problem::new(format!("`{key}` of `{word}` is missing")).at(&item.origin);
        problem.hint(format!("for example `{word} = {{ arm = \"attack-free\", points = 0.03 }}`"))
    };
    let arm = table.get("arm").ok_or_else(|| missing("arm"))?;
    let arm = arm.text(&format!("{word}.arm"))?.to_owned();
    let points = table.get("points").ok_or_else(|| missing("points"))?;
    let points = points.number(&format!("{word}.points"), 0.0, f64::MAX)?;
    Ok(if word == "within" { Bound::Within { arm, points } } else { Bound::Above { arm, points } })
}
