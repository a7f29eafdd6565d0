//! One arm's settings, checked against the registries, with every default filled in.
use std::collections::BTreeMap;

use phalanx_learn::{AlgorithmRule, Plan};
use phalanx_protocol::Yields;
use phalanx_robust::registry::find;
use phalanx_robust::{ArgError, Args, Entry, Population, PopulationError, Value};

use crate::experiment::document::{self, Item, Kind as Shape, Table};
use crate::experiment::registries::Registries;
use crate::problem::Problem;

mod travel;

pub use travel::{DIRECT_KEYS, Exchange, Network, Wait};

/// Greatest number of nodes.
pub const NODES_MAX: u64 = 4096;
/// Greatest number of rounds.
pub const ROUNDS_MAX: u64 = 1_000_000_000;
/// Greatest virtual time, in milliseconds, that anything may be set to take: a day.
pub const MS_MAX: f64 = 86_400_000.0;

/// Keys that may stand at the top of an experiment file.
pub const TOP_KEYS: &[&str] = &[
    "algorithm",
    "arm",
    "attack",
    "exchange",
    "expect",
    "format",
    "misbehaviour",
    "mixing",
    "name",
    "network",
    "population",
    "quick",
    "rule",
    "run",
    "select",
    "skip",
    "sweep",
    "task",
];

/// A name out of a registry and its checked parameters.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// the entry's name
    pub name: &'static str,
    /// every parameter, defaults filled in
    pub args: Args,
}

/// Which honest nodes a Byzantine vector reaches in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// every Byzantine vector is among the first that every honest node acts on
    All,
    /// Byzantine vectors travel like any other
    Sampled,
}

/// Keys of an attack besides its parameters.
pub const ATTACK_KEYS: &[&str] = &["count", "reach"];
/// Virtual milliseconds in nanoseconds.
pub fn nanoseconds(ms: f64) -> u64 {
    (ms * 1e6).round() as u64
}

/// Everything that one run depends on, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// the experiment's name
    pub experiment: String,
    /// the arm's name
    pub arm: String,
    /// seed of everything random
    pub seed: u64,
    /// nodes, and how many Byzantine ones are tolerated
    pub population: Population,
    /// nodes that attack, fewer than all
    pub byzantine: usize,
    /// model and data
    pub task: Choice,
    /// what a node does between exchanges
    pub algorithm: Choice,
    /// how vectors are condensed
    pub rule: Choice,
    /// what is done to them before, in order
    pub mixing: Vec<Choice>,
    /// what Byzantine nodes do; none when nobody attacks
    pub attack: Option<Choice>,
    /// what they do to their messages, in order
    pub misbehaviours: Vec<Choice>,
    /// which honest nodes they reach
    pub reach: Reach,
    /// how vectors travel
    pub exchange: Exchange,
    /// how long that takes
    pub network: Network,
    /// how long to train and how often to look
    pub plan: Plan,
    /// whether the algorithm runs on a star with a trusted hub
    pub is_star: bool,
    /// vectors that the rule is given: n − f, or n where all are waited for
    pub collected: usize,
}

/// Checks the settings of one arm; the run's seed is still 0.
///
/// # Errors
/// The first thing that is wrong, where it was written, and what would help.
pub fn resolve(table: &Table, names: (&str, &str), known: &Registries) -> Result<Run, Problem> {
    let resolver = Resolver { table, known };
    let population = resolver.population()?;
    let (algorithm, algorithm_entry) = resolver.algorithm()?;
    let exchange = resolver.exchange(algorithm_entry.build.is_star)?;
    let collected = match exchange.wait {
        Wait::Quorum if !algorithm_entry.build.is_star => exchange.quorum(population),
        _ => population.n(),
    };
    let rule = resolver.rule(algorithm_entry, &exchange)?;
    let (attack, byzantine, reach) = resolver.attack(population)?;
    let run = Run {
        experiment: names.0.into(),
        arm: names.1.into(),
        seed: 0,
        population,
        byzantine,
        task: resolver.task()?,
        algorithm,
        rule,
        mixing: resolver.mixing(&exchange)?,
        misbehaviours: resolver.misbehaviours(byzantine)?,
        attack,
        reach,
        exchange,
        network: resolver.network()?,
        plan: resolver.plan()?,
        is_star: algorithm_entry.build.is_star,
        collected,
    };
    resolver.require_exchange(&run)?;
    resolver.require_tolerance(&run)?;
    resolver.try_builds(&run)?;
    Ok(run)
}

struct Resolver<'a> {
    table: &'a Table,
    known: &'a Registries,
}

/// Parameters and keys of our own in a `{ name = .., .. }` table.
struct Named<'a> {
    name: &'a Item,
    fields: &'a Table,
}

impl<'a> Resolver<'a> {
    fn section(&self, key: &str, known: &[&str]) -> Result<Option<&'a Table>, Problem> {
        let Some(item) = self.table.get(key) else { return Ok(None) };
        let table = item.table(key)?;
        document::only(table, known, &format!("in `{key}`"))?;
        Ok(Some(table))
    }

    fn population(&self) -> Result<Population, Problem> {
        let Some(section) = self.section("population", &["n", "f"])? else {
            let hint = "for example `population = { n = 26, f = 5 }`";
            return Err(Problem::new("`population` is missing").hint(hint));
        };
        let given = |key: &str| {
            section.get(key).ok_or_else(|| {
                let problem = Problem::new(format!("`{key}` of `population` is missing"));
                problem.at(&self.table["population"].origin)
            })
        };
        let n = given("n")?.integer("population.n", 1, NODES_MAX)? as usize;
        let f = given("f")?.integer("population.f", 0, NODES_MAX)? as usize;
        Population::new(n, f)
            .map_err(|error| Problem::new(error.to_string()).at(&section["f"].origin))
    }

    fn named(&self, key: &str) -> Result<Option<Named<'a>>, Problem> {
        let Some(item) = self.table.get(key) else { return Ok(None) };
        named(item, key).map(Some)
    }

    fn required(&self, key: &str) -> Result<Named<'a>, Problem> {
        self.named(key)?.ok_or_else(|| {
            let hint = format!("`phalanx list {key}s` shows what there is");
            Problem::new(format!("`{key}` is missing")).hint(hint)
        })
    }

    fn algorithm(&self) -> Result<(Choice, &'static Entry<AlgorithmRule>), Problem> {
        let named = self.required("algorithm")?;
        let entry = named.entry("algorithm", self.known.algorithms)?;
        Ok((named.choice("algorithm", entry, &[])?, entry))
    }

    fn task(&self) -> Result<Choice, Problem> {
        let named = self.required("task")?;
        named.choice("task", named.entry("task", self.known.tasks)?, &[])
    }

    /// The rule that the file names, or the algorithm's own; either way with the file's parameters.
    fn rule(
        &self,
        algorithm: &Entry<AlgorithmRule>,
        exchange: &Exchange,
    ) -> Result<Choice, Problem> {
        let given = self.table.get("rule");
        if let Some(item) = given
            && item.table("rule")?.contains_key("name")
        {
            let named = named(item, "rule")?;
            let choice = named.choice("rule", named.entry("rule", self.known.rules)?, &[])?;
            return self.unless_replaced(choice, named.name, exchange);
        }
        let name = match exchange.yields {
            Yields::Vectors => algorithm.build.default_rule,
            Yields::Agreed { rule } => rule,
        };
        let entry = find(self.known.rules, name).ok_or_else(|| {
            let message = format!("this build lacks rule `{name}` of `{}`", algorithm.name);
            Problem::new(message).hint("name another one with `rule = { name = \"..\" }`")
        })?;
        let nothing = Table::new();
        let fields = given.map_or(Ok(&nothing), |item| item.table("rule"))?;
        let name = given.unwrap_or(&self.table["algorithm"]);
        Named { name, fields }.choice("rule", entry, &[])
    }

    fn mixing(&self, exchange: &Exchange) -> Result<Vec<Choice>, Problem> {
        let Some(item) = self.table.get("mixing") else { return Ok(Vec::new()) };
        let choices = item.list("mixing")?.iter().map(|item| {
            let named = named(item, "mixing")?;
            let choice = named.choice("mixing", named.entry("mixing", self.known.mixings)?, &[])?;
            self.unless_replaced(choice, named.name, exchange)
        });
        choices.collect()
    }

    fn attack(&self, population: Population) -> Result<(Option<Choice>, usize, Reach), Problem> {
        let Some(named) = self.named("attack")? else { return Ok((None, 0, Reach::All)) };
        if named.name.text("name")? == "none" {
            let known = ["name", "count", "reach"];
            document::only(named.fields, &known, "of attack `none`")?;
            return match named.fields.get("count") {
                Some(count) if count.integer("attack.count", 0, NODES_MAX)? > 0 => {
                    let problem = Problem::new("`attack.count` is not 0, but nobody attacks");
                    Err(problem.at(&count.origin).hint("give `attack.name`"))
                }
                _ => Ok((None, 0, Reach::All)),
            };
        }
        let entry = named.entry("attack", self.known.attacks)?;
        let choice = named.choice("attack", entry, ATTACK_KEYS)?;
        let byzantine = match named.fields.get("count") {
            Some(count) => count
                .integer("attack.count", 0, population.n() as u64 - 1)
                .map_err(|problem| problem.hint("at least one node has to be honest"))?
                as usize,
            None => population.f(),
        };
        let reach = match named.fields.get("reach") {
            Some(reach) if reach.word("attack.reach", &["all", "sampled"])? == "sampled" => {
                Reach::Sampled
            }
            _ => Reach::All,
        };
        Ok(((byzantine > 0).then_some(choice), byzantine, reach))
    }

    fn misbehaviours(&self, byzantine: usize) -> Result<Vec<Choice>, Problem> {
        let Some(item) = self.table.get("misbehaviour") else { return Ok(Vec::new()) };
        let choices = item.list("misbehaviour")?.iter().map(|item| {
            let named = named(item, "misbehaviour")?;
            let entry = named.entry("misbehaviour", self.known.misbehaviours)?;
            named.choice("misbehaviour", entry, &[])
        });
        let choices: Vec<Choice> = choices.collect::<Result<_, _>>()?;
        if byzantine == 0 && !choices.is_empty() {
            let problem = Problem::new("`misbehaviour` without Byzantine nodes").at(&item.origin);
            return Err(problem.hint(
                "give an `attack`, which says how many there are and what they share; `mimic` \
                 shares what an honest node shares",
            ));
        }
        Ok(choices)
    }

    fn plan(&self) -> Result<Plan, Problem> {
        let section = self.section("run", &["rounds", "seeds", "evaluate-every"])?;
        let get = |key: &str| section.and_then(|section| section.get(key));
        let Some(rounds) = get("rounds") else {
            let hint = "for example `run = { rounds = 500, seeds = [1, 2, 3] }`";
            return Err(Problem::new("`run.rounds` is missing").hint(hint));
        };
        let rounds = rounds.integer("run.rounds", 1, ROUNDS_MAX)? as u32;
        let evaluate_every = match get("evaluate-every") {
            Some(every) => every.integer("run.evaluate-every", 0, ROUNDS_MAX)? as u32,
            None => 10,
        };
        Ok(Plan { rounds, evaluate_every })
    }

    /// The bound of the rule must hold for the vectors that it will be given.
    fn require_tolerance(&self, run: &Run) -> Result<(), Problem> {
        let Some(entry) = find(self.known.rules, run.rule.name) else { return Ok(()) };
        let (n, f) = (run.population.n(), run.population.f());
        let holds = |collected: usize, f: usize| {
            Population::new(collected, f).and_then(|given| given.require(entry.build.bound))
        };
        let Err(error) = holds(run.collected, f) else { return Ok(()) };
        let bound = match error {
            PopulationError::Bound { bound, .. } => bound.to_string(),
            PopulationError::Impossible { .. } => "f < n".into(),
        };
        let waited = if run.collected == n { "all" } else { "first" };
        let problem = Problem::new(format!(
            "rule `{}` cannot tolerate `f = {f}` among the {waited} `{}` vectors that a node acts \
             on: {bound} is needed there",
            run.rule.name, run.collected
        ));
        let collected = |f: usize| if run.collected == n { n } else { n - f };
        let largest = (0..f).rev().find(|f| holds(collected(*f), *f).is_ok());
        let place = document::get(self.table, "population.f").unwrap_or(&self.table["population"]);
        let problem = problem.at(&place.origin);
        Err(match largest {
            Some(largest) => {
                problem.hint(format!("with `n = {n}` at most `f = {largest}` will do"))
            }
            None => problem.hint(format!("`phalanx explain {}` shows its bound", run.rule.name)),
        })
    }

    /// Builds rule and mixings once, which finds what no declaration can say.
    fn try_builds(&self, run: &Run) -> Result<(), Problem> {
        let Ok(given) = Population::new(run.collected, run.population.f()) else { return Ok(()) };
        let refused = |kind: &str, name: &str, error: &dyn std::fmt::Display| {
            let problem = Problem::new(format!("{kind} `{name}` cannot be built: {error}"));
            let key = if self.table.contains_key(kind) { kind } else { "algorithm" };
            problem.at(&self.table[key].origin)
        };
        if let Some(entry) = find(self.known.rules, run.rule.name)
            && let Err(error) = (entry.build.build)(&run.rule.args, given)
        {
            return Err(refused("rule", run.rule.name, &error));
        }
        for choice in &run.mixing {
            if let Some(entry) = find(self.known.mixings, choice.name)
                && let Err(error) = (entry.build.build)(&choice.args, given)
            {
                return Err(refused("mixing", choice.name, &error));
            }
        }
        Ok(())
    }
}

fn named<'a>(item: &'a Item, key: &str) -> Result<Named<'a>, Problem> {
    let fields = item.table(key)?;
    let name = fields.get("name").ok_or_else(|| {
        let problem = Problem::new(format!("`{key}` has no `name`")).at(&item.origin);
        problem.hint(format!(
            "for example `{{ name = \"..\" }}`; `phalanx list {}` shows names",
            plural(key)
        ))
    })?;
    Ok(Named { name, fields })
}

/// The word for many of a kind.
pub fn plural(kind: &str) -> String {
    format!("{kind}s")
}

impl Named<'_> {
    fn entry<B>(
        &self,
        kind: &str,
        entries: &'static [Entry<B>],
    ) -> Result<&'static Entry<B>, Problem> {
        let name = self.name.text("name")?;
        find(entries, name).ok_or_else(|| {
            let problem = Problem::new(format!("unknown {kind} `{name}`")).at(&self.name.origin);
            let known = entries.iter().map(|entry| entry.name);
            let none = (kind == "attack").then_some("none");
            problem.among(kind, name, none.into_iter().chain(known))
        })
    }

    fn choice<B>(
        &self,
        kind: &str,
        entry: &'static Entry<B>,
        own: &[&str],
    ) -> Result<Choice, Problem> {
        let mut given = BTreeMap::new();
        for (key, item) in self.fields {
            if key == "name" || own.contains(&key.as_str()) {
                continue;
            }
            let Shape::Scalar(value) = &item.kind else {
                let kind_of = item.type_name();
                let problem =
                    Problem::new(format!("`{key}` of {kind} `{}` is {kind_of}", entry.name));
                return Err(problem.at(&item.origin).hint("a parameter is one value"));
            };
            given.insert(key.clone(), value.clone());
        }
        let args = Args::check(entry.name, entry.params, &given)
            .map_err(|error| self.refused(&error, kind, own))?;
        Ok(Choice { name: entry.name, args })
    }

    fn refused(&self, error: &ArgError, kind: &str, own: &[&str]) -> Problem {
        let problem = Problem::new(error.to_string());
        let (name, problem) = match error {
            ArgError::Unknown { name, known, .. } => {
                let known = known.iter().chain(own).copied();
                (name.as_str(), problem.clone().among("parameter", name, known))
            }
            ArgError::Missing { name, entry } => {
                (*name, problem.hint(format!("`phalanx explain {kind}/{entry}` shows its meaning")))
            }
            ArgError::Range { name, found: Value::Text(found), expected, .. } => {
                (*name, problem.clone().among("word", found, expected.split(", ")))
            }
            ArgError::Type { name, entry, .. } | ArgError::Range { name, entry, .. } => {
                (*name, problem.hint(format!("`phalanx explain {kind}/{entry}` shows its range")))
            }
        };
        problem.at(&self.fields.get(name).unwrap_or(self.name).origin)
    }
}
