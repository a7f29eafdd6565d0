//! Hyper-parameters that are selected before they are used, without a look at the test set.
//!
//! ```toml
//! [select]
//! over       = { "algorithm.learning-rate" = [0.1, 0.5], "algorithm.momentum" = [0.0, 0.9] }
//! for-each   = ["algorithm.name", "rule.name", "mixing"]   # each group of arms chooses for itself
//! validation = 0.2             # share of the training samples that is held out; default 0.2
//! seeds      = [101, 102]      # none of those of the final runs
//! score      = "accuracy"      # default; less is better for losses and the like
//! at         = "last"          # evaluation that counts: the last (default), or the best of all
//! ```
//!
//! Every combination is trained in every arm (under every attack) with part of the training
//! samples held out, and scored on those. Of a group, the combination whose worst arm is best is
//! chosen; of equals, the first. The final runs use it on all training samples and the test set.
//!
//! # Source
//! The procedure of ByzFL's benchmark, which takes the best evaluation instead of the last one
//! (`at = "best"`), scores a trusted server's model where we take the mean over honest nodes, and
//! never sets a run that diverged aside (ours is worse than any other).
use crate::experiment::document::{self, Item, Kind as Shape, Origin, Table};
use crate::experiment::expand::{Source, listed_seeds, seeds};
use crate::experiment::points::{Point, apply, checked_keys, points};
use crate::experiment::quick::Quick;
use crate::experiment::registries::Registries;
use crate::experiment::resolve::{Run, resolve};
use crate::experiment::skip::in_effect;
use crate::problem::Problem;
use phalanx_robust::Value;

/// How hyper-parameters are selected, and between what.
#[derive(Debug, Clone)]
pub struct Selection {
    /// share of the training samples that is held out
    pub validation: f64,
    /// seeds of the trials
    pub seeds: Vec<u64>,
    /// what decides
    pub score: String,
    /// whether the best evaluation counts instead of the last
    pub is_best: bool,
    /// what is chosen between, in order, as part of a name
    pub combinations: Vec<String>,
    /// of each arm, in order
    pub arms: Vec<Candidate>,
}

/// What an arm chooses between.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// arms of one group choose together
    pub group: String,
    /// per combination: the settings of a trial; the seed is to be filled in
    pub trials: Vec<Run>,
    /// per combination: the settings of the final runs
    pub finals: Vec<Run>,
}

const KEYS: &[&str] = &["at", "for-each", "over", "score", "seeds", "validation"];

impl Selection {
    /// Reads `select` and prepares what every arm chooses between.
    ///
    /// # Errors
    /// When it is malformed, a combination is refused, or seeds are those of the final runs.
    pub fn read(
        item: &Item,
        (experiment, sources): (&str, &[Source]),
        (quick, seed): (&Quick, Option<u64>),
        known: &Registries,
    ) -> Result<Self, Problem> {
        let table = item.table("select")?;
        document::only(table, KEYS, "in `select`")?;
        let needed = |key: &str, example: &str| {
            table.get(key).ok_or_else(|| {
                let problem = Problem::new(format!("`select.{key}` is missing")).at(&item.origin);
                problem.hint(format!("for example `{key} = {example}`"))
            })
        };
        let over = needed("over", "{ \"algorithm.learning-rate\" = [0.1, 0.5] }")?;
        let combinations = points(vec![Point::default()], Some(over), quick)?;
        let own_seeds = listed_seeds(needed("seeds", "[101, 102]")?, "select.seeds")?;
        require_disjoint(&own_seeds, (sources, seed), &table["seeds"].origin)?;
        let for_each = needed("for-each", "[\"algorithm.name\", \"rule.name\"]")?;
        let keys = group_keys(for_each)?;
        let groups: Vec<String> = sources
            .iter()
            .map(|source| {
                let parts = keys.iter().map(|key| group_part(&source.table, key, known));
                parts.collect::<Vec<_>>().join(", ")
            })
            .collect();
        require_free(over, &combinations, (sources, &groups, &keys), known)?;
        let validation = match table.get("validation") {
            Some(item) => item.number("select.validation", 0.001, 0.9)?,
            None => 0.2,
        };
        let written = table.get("score");
        let score = written.map_or(Ok("accuracy"), |item| item.text("select.score"))?;
        let score_origin = &written.unwrap_or(item).origin;
        let at = table.get("at").map(|item| item.word("select.at", &["last", "best"]));
        let held =
            Item { kind: Shape::Scalar(Value::Number(validation)), origin: item.origin.clone() };
        let mut arms = Vec::with_capacity(sources.len());
        for (source, group) in sources.iter().zip(groups) {
            let mut candidate = Candidate { group, trials: Vec::new(), finals: Vec::new() };
            for point in &combinations {
                let mut table = source.table.clone();
                apply(&mut table, &point.set, known)?;
                candidate.finals.push(resolve(&table, (experiment, &source.name), known)?);
                document::set(&mut table, "task.validation", held.clone())?;
                let name = format!("{}-{}", source.name, point.label);
                let of = format!("{experiment}-selection");
                let trial = resolve(&table, (&of, &name), known)?;
                let is_known = known.require_score(trial.task.name, score);
                is_known.map_err(|problem| problem.at(score_origin))?;
                candidate.trials.push(trial);
            }
            arms.push(candidate);
        }
        Ok(Self {
            validation,
            seeds: own_seeds,
            score: score.into(),
            is_best: at.transpose()? == Some("best"),
            combinations: combinations.into_iter().map(|point| point.label).collect(),
            arms,
        })
    }
}

fn require_disjoint(
    own: &[u64],
    (sources, seed): (&[Source], Option<u64>),
    origin: &Origin,
) -> Result<(), Problem> {
    let mut finals = Vec::from_iter(seed);
    for source in sources {
        finals.extend(seeds(&source.table)?);
    }
    match own.iter().find(|seed| finals.contains(seed)) {
        None => Ok(()),
        Some(seed) => {
            let message = format!("seed `{seed}` of `select` is a seed of the final runs, too");
            let problem = Problem::new(message).at(origin);
            Err(problem.hint("what was selected with a seed must be shown with others"))
        }
    }
}

/// Refuses to select over what tells the arms of a group, or the groups, from each other: the
/// choice would make one arm of several, each still under its own name.
fn require_free(
    over: &Item,
    combinations: &[Point],
    (sources, groups, keys): (&[Source], &[String], &[String]),
    known: &Registries,
) -> Result<(), Problem> {
    let problem = |message: String| {
        let problem = Problem::new(message).at(&over.origin);
        problem.hint("select over what is the same in all arms of a group, such as a learning rate")
    };
    for key in combinations.iter().flat_map(|point| point.set.keys()) {
        if keys.contains(key) {
            return Err(problem(format!("`select.over` changes `{key}` of `select.for-each`")));
        }
        if matches!(key.as_str(), "run.seeds" | "task.validation") {
            return Err(problem(format!("`select` sets `{key}` itself")));
        }
        for (at, source) in sources.iter().enumerate() {
            let first = groups.iter().position(|group| *group == groups[at]).unwrap_or(at);
            let value = |source: &Source| in_effect(&source.table, key, known);
            let mate = &sources[first];
            if value(mate) != value(source) {
                let (one, other) = (&mate.name, &source.name);
                let message = format!(
                    "`select.over` changes `{key}`, in which arms `{one}` and `{other}` differ"
                );
                return Err(problem(message));
            }
        }
    }
    Ok(())
}

fn group_keys(item: &Item) -> Result<Vec<String>, Problem> {
    let mut keys = Vec::new();
    for item in item.list("select.for-each")? {
        let key = item.text("select.for-each")?;
        checked_keys(&Table::from([(key.to_owned(), item.clone())]), "select.for-each")?;
        keys.push(key.to_owned());
    }
    Ok(keys)
}

fn group_part(table: &Table, key: &str, known: &Registries) -> String {
    let value = in_effect(table, key, known).map(|value| value.to_string());
    format!("{key} = {}", value.unwrap_or_else(|| "none".into()))
}
