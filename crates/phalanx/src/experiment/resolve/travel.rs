//! How vectors travel in an experiment: exchange and network.
use phalanx_protocol::{AgreementBounds, AgreementError, AgreementRule, EXCHANGES, Yields};
use phalanx_robust::Population;
use phalanx_robust::registry::find;

use super::{Choice, MS_MAX, Named, Resolver, Run, named};
use crate::experiment::document::{self, Item, Table};
use crate::problem::Problem;

/// Keys of the direct exchange, whose defaults depend on the rest of the experiment.
pub const DIRECT_KEYS: &[&str] = &["wait", "timeout-ms", "finite"];

// A message that is always lost never arrives.
const LOSS_MAX: f64 = 0.999;

/// What a node waits for before it acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wait {
    /// the first n − f vectors
    Quorum,
    /// all n vectors
    All,
}

/// How vectors travel.
#[derive(Debug, Clone, PartialEq)]
pub struct Exchange {
    /// the protocol and its parameters
    pub choice: Choice,
    /// what an algorithm is handed
    pub yields: Yields,
    /// what a node waits for
    pub wait: Wait,
    /// virtual milliseconds after which a node acts on what came; 0: it waits for ever
    pub timeout_ms: f64,
    /// whether vectors with NaN or infinity are refused
    pub is_finite_required: bool,
}

/// How long things take, in virtual milliseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Network {
    /// least and greatest delay of a message
    pub delay_ms: (f64, f64),
    /// least and greatest time of a gradient or an evaluation
    pub compute_ms: (f64, f64),
    /// probability that a message is lost and sent again
    pub loss: f64,
}

impl Exchange {
    /// q: vectors that a node waits for, unless it waits for all.
    pub fn quorum(&self, population: Population) -> usize {
        self.choice.args.integer_if("quorum").unwrap_or(population.quorum())
    }

    /// What an agreement promises for vectors of length `dim`; none for other exchanges.
    ///
    /// # Errors
    /// When n, f or the quorum are outside its bounds.
    pub fn agreement(
        &self,
        population: Population,
        dim: usize,
    ) -> Result<Option<AgreementBounds>, AgreementError> {
        let rule = match self.yields {
            Yields::Vectors => return Ok(None),
            Yields::Agreed { rule: "trimmed-mean" } => AgreementRule::TrimmedMean,
            Yields::Agreed { rule: "trimmed-midpoint" } => AgreementRule::TrimmedMidpoint,
            Yields::Agreed { .. } => {
                AgreementRule::MinimumDiameter { quorum: self.quorum(population) }
            }
        };
        AgreementBounds::new(rule, population, dim).map(Some)
    }
}

impl Resolver<'_> {
    /// Named or the direct one; the keys of the direct one are refused by all others.
    pub(super) fn exchange(&self, is_star: bool) -> Result<Exchange, Problem> {
        let given = self.table.get("exchange").map(|item| item.table("exchange")).transpose()?;
        let get = |key: &str| given.and_then(|fields| fields.get(key));
        let entry = match self.table.get("exchange") {
            Some(item) if get("name").is_some() => {
                named(item, "exchange")?.entry("exchange", self.known.exchanges)?
            }
            _ => find(EXCHANGES, "direct").expect("the direct exchange is listed"),
        };
        let is_direct = entry.name == "direct";
        let own = if is_direct { DIRECT_KEYS } else { &[] };
        let nothing = Table::new();
        let name = get("name").unwrap_or(&self.table["algorithm"]);
        let fields = given.unwrap_or(&nothing);
        let choice = Named { name, fields }.choice("exchange", entry, own)?;
        if is_star && !is_direct {
            let problem = Problem::new(format!("a star cannot use exchange `{}`", entry.name));
            return Err(problem.at(&name.origin).hint("its hub is trusted: `direct` is enough"));
        }
        let wait = match get("wait").filter(|_| is_direct) {
            Some(wait) if wait.word("exchange.wait", &["quorum", "all"])? == "all" => Wait::All,
            _ => Wait::Quorum,
        };
        let timeout_ms = match get("timeout-ms").filter(|_| is_direct) {
            Some(timeout) => timeout.number("exchange.timeout-ms", 0.0, MS_MAX)?,
            None => 0.0,
        };
        let is_finite_required = match get("finite").filter(|_| is_direct) {
            Some(finite) => finite.flag("exchange.finite")?,
            // Who acts on the first n − f can refuse f vectors and lose nothing. Who waits for all
            // would act on too few for its rule, which tolerates f that are not finite.
            None => wait == Wait::Quorum && !is_star,
        };
        let yields = match entry.build.yields {
            Yields::Agreed { .. } if entry.params.iter().any(|param| param.name == "inner") => {
                let inner = find(self.known.rules, choice.args.text("inner"));
                Yields::Agreed { rule: inner.expect("every inner rule is a rule").name }
            }
            yields => yields,
        };
        Ok(Exchange { choice, yields, wait, timeout_ms, is_finite_required })
    }

    /// What the exchange demands of the population, by name.
    pub(super) fn require_exchange(&self, run: &Run) -> Result<(), Problem> {
        let Choice { name, .. } = run.exchange.choice;
        let entry = find(self.known.exchanges, name).expect("the exchange was resolved");
        if name != "direct" && run.algorithm.args.text_if("mode") == Some("published") {
            let text = format!("mode `published` of `{}` has no broadcast", run.algorithm.name);
            let problem = Problem::new(text).at(&self.table["algorithm"].origin);
            return Err(problem.hint("the published code is simulated with exchange `direct`"));
        }
        let refused = |error: &dyn std::fmt::Display| {
            let place = document::get(self.table, "exchange.quorum")
                .or_else(|| document::get(self.table, "population.f"));
            let problem = Problem::new(format!("exchange `{name}`: {error}"));
            problem
                .at(&place.unwrap_or(&self.table["population"]).origin)
                .hint(format!("`phalanx explain exchange/{name}` shows its bound"))
        };
        run.population.require(entry.build.bound).map_err(|error| refused(&error))?;
        // The length of a vector is not known yet; no bound on n, f or q depends on it.
        run.exchange.agreement(run.population, 1).map_err(|error| refused(&error))?;
        Ok(())
    }

    /// Refuses a rule or mixing that would not be applied, since the exchange condenses by itself.
    pub(super) fn unless_replaced(
        &self,
        choice: Choice,
        at: &Item,
        exchange: &Exchange,
    ) -> Result<Choice, Problem> {
        match exchange.yields {
            Yields::Agreed { rule } if rule != choice.name => {
                let problem = Problem::new(format!(
                    "`{}` would not be applied: exchange `{}` condenses with `{rule}`",
                    choice.name, exchange.choice.name
                ));
                Err(problem.at(&at.origin).hint("leave it out where this exchange is used"))
            }
            _ => Ok(choice),
        }
    }

    pub(super) fn network(&self) -> Result<Network, Problem> {
        let known = ["delay-ms-min", "delay-ms-max", "compute-ms-min", "compute-ms-max", "loss"];
        let section = self.section("network", &known)?;
        let number = |key: &str, max: f64| match section.and_then(|section| section.get(key)) {
            Some(item) => item.number(&format!("network.{key}"), 0.0, max).map(Some),
            None => Ok(None),
        };
        let range = |what: &str, default: (f64, f64)| {
            let (min, max) = (format!("{what}-ms-min"), format!("{what}-ms-max"));
            let (low, high) = match (number(&min, MS_MAX)?, number(&max, MS_MAX)?) {
                (None, None) => default,
                (Some(low), None) => (low, low.max(default.1)),
                (None, Some(high)) => (default.0.min(high), high),
                (Some(low), Some(high)) => (low, high),
            };
            if low > high {
                let problem = Problem::new(format!("`{min}` is `{low}`, above `{max}`, `{high}`"));
                let origin = section.and_then(|section| section.get(&min)).map(|item| &item.origin);
                return Err(origin.map_or(problem.clone(), |origin| problem.at(origin)));
            }
            Ok((low, high))
        };
        let loss = number("loss", LOSS_MAX)?.unwrap_or(0.0);
        Ok(Network {
            delay_ms: range("delay", (1.0, 10.0))?,
            compute_ms: range("compute", (1.0, 10.0))?,
            loss,
        })
    }
}
