//! The `quick` form of an experiment file: the same questions, small enough for minutes.
//!
//! ```toml
//! [quick]                          # with --quick; the experiment is then called `<name>-quick`
//! "task.dataset" = "digits"        # settings of every arm, as `--set` would give them
//! "run.rounds"   = 30
//! arms   = ["monna", "nna"]        # these arms only
//! sweep  = { "task.alpha" = [1.0] }                # instead of the values of the same sweep
//! expect = { "accuracy.worst" = { min = 0.5 } }    # instead of what the file and its arms expect
//! # select = { .. }                                # instead of the file's
//!
//! [[arm]]
//! name  = "nna"
//! quick = { expect = { "accuracy.worst" = { min = 0.4 } } }    # settings, too
//! ```
use std::collections::BTreeMap;

use crate::experiment::document::{Item, Table};
use crate::experiment::points::{POINTS, checked_keys};
use crate::problem::Problem;

/// What is set beyond the file: its `quick` form where it was asked for, then the command line.
#[derive(Debug, Clone, Default)]
pub struct Quick {
    /// whether the quick form was asked for
    pub is_on: bool,
    /// settings of every arm, the last to be heard last
    pub settings: Vec<(String, Item)>,
    /// values that replace those of a sweep, by key
    pub sweep: BTreeMap<String, Item>,
    /// what every arm is expected to do
    pub expect: Option<Item>,
    /// what the arm at hand is expected to do
    pub arm_expect: Option<Item>,
    /// how hyper-parameters are selected instead
    pub select: Option<Item>,
    arms: Option<Item>,
}

impl Quick {
    /// Reads the `quick` form of a file; it is checked even where it was not asked for.
    ///
    /// # Errors
    /// When it is malformed, or asked for and absent.
    pub fn read(table: &Table, is_on: bool) -> Result<Self, Problem> {
        let Some(item) = table.get("quick") else {
            if !is_on {
                return Ok(Self::default());
            }
            let problem = Problem::new("this file has no `quick` form").at("--quick");
            return Err(
                problem.hint("give it one: `quick = { \"run.rounds\" = 20, \"run.seeds\" = [1] }`")
            );
        };
        let mut table = item.table("quick")?.clone();
        let (expect, arms) = (table.remove("expect"), table.remove("arms"));
        let select = table.remove("select");
        let sweep = match table.remove("sweep") {
            Some(item) => {
                let mut swept = item.table("quick.sweep")?.clone();
                let together = swept.remove(POINTS);
                let mut swept = checked_keys(&swept, "quick.sweep")?;
                swept.extend(together.map(|item| (POINTS.to_owned(), item)));
                swept
            }
            None => BTreeMap::new(),
        };
        let settings = checked_keys(&table, "quick")?.into_iter().collect();
        let arm_expect = None;
        let read = Self { is_on, settings, sweep, expect, arm_expect, select, arms };
        Ok(if is_on { read } else { Self::default() })
    }

    /// With the quick form of one arm, heard before the command line.
    ///
    /// # Errors
    /// When it is malformed.
    pub fn of_arm(&self, item: Option<&Item>) -> Result<Self, Problem> {
        let Some(item) = item else { return Ok(self.clone()) };
        let mut table = item.table("arm.quick")?.clone();
        let expect = table.remove("expect");
        let own = checked_keys(&table, "arm.quick")?;
        if !self.is_on {
            return Ok(self.clone());
        }
        let mut quick = Self { arm_expect: expect, ..self.clone() };
        // An arm is nearer than its file, a command line nearer than both.
        let is_typed = |origin: &crate::experiment::document::Origin| {
            matches!(origin, crate::experiment::document::Origin::Option(_))
        };
        let typed = quick.settings.iter().position(|(_, item)| is_typed(&item.origin));
        let at = typed.unwrap_or(quick.settings.len());
        quick.settings.splice(at..at, own);
        Ok(quick)
    }

    /// Whether a key is fixed, so that it is not swept.
    pub fn fixes(&self, key: &str) -> bool {
        self.settings.iter().any(|(set, _)| set == key)
    }

    /// The arms that the quick form names, all where it names none.
    ///
    /// # Errors
    /// When it names one that is not there.
    pub fn chosen<A>(
        &self,
        arms: Vec<A>,
        name: impl Fn(&A) -> Option<&str>,
    ) -> Result<Vec<A>, Problem> {
        let Some(item) = &self.arms else { return Ok(arms) };
        let mut wanted = Vec::new();
        for item in item.list("quick.arms")? {
            let text = item.text("quick.arms")?;
            if arms.iter().all(|arm| name(arm) != Some(text)) {
                let problem = Problem::new(format!("unknown arm `{text}`")).at(&item.origin);
                return Err(problem.among("arm", text, arms.iter().filter_map(&name)));
            }
            wanted.push(text);
        }
        Ok(arms.into_iter().filter(|arm| name(arm).is_some_and(|n| wanted.contains(&n))).collect())
    }
}
