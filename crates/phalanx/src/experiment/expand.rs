//! Arms × sweep × seeds: one file to the runs that it asks for.
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use phalanx_report::FORMAT;

use crate::experiment::document::{self, Item, Table};
use crate::experiment::expectation::{self, Expectation};
use crate::experiment::file_kind::FileKind;
use crate::experiment::points::{Point, apply, checked_keys, points};
use crate::experiment::quick::Quick;
use crate::experiment::registries::Registries;
use crate::experiment::resolve::{Run, TOP_KEYS, resolve};
use crate::experiment::select::Selection;
use crate::experiment::skip::{self, Skip};
use crate::problem::Problem;

/// Runs that one file may ask for.
pub const RUNS_MAX: usize = 100_000;

/// What the command line changes.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// `KEY=VALUE`, applied to every arm, last to be heard
    pub settings: Vec<String>,
    /// only this seed
    pub seed: Option<u64>,
    /// only these arms; all when empty
    pub arms: Vec<String>,
    /// the file's `quick` form
    pub is_quick: bool,
}

/// One arm, or one point of its sweep.
#[derive(Debug, Clone)]
pub struct Arm {
    /// its name, unique in the experiment
    pub name: String,
    /// the settings; the seed is to be filled in
    pub settings: Run,
    /// seeds to run it with
    pub seeds: Vec<u64>,
    /// what is expected of it
    pub expectations: Vec<Expectation>,
}

/// A checked file.
#[derive(Debug, Clone)]
pub struct Experiment {
    /// where it was read
    pub file: PathBuf,
    /// its name: `name`, or the file's stem
    pub name: String,
    /// arms in the order of the file, points of the sweep in the order of their lists
    pub arms: Vec<Arm>,
    /// whether arms were left out by the command line
    pub is_partial: bool,
    /// entries of `skip`, and how many points each left out
    pub skips: Vec<Skipped>,
    /// how hyper-parameters are selected, where they are
    pub selection: Option<Selection>,
}

/// One entry of `skip` and what it did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// where it was written
    pub origin: String,
    /// its conditions
    pub text: String,
    /// points that match it
    pub points: usize,
    /// whether it matched nothing although the file was taken as it is
    pub is_idle: bool,
}

impl Experiment {
    /// Reads, checks and expands a file.
    ///
    /// # Errors
    /// The first thing that is wrong, where it was written, and what would help.
    pub fn load(file: &Path, overrides: &Overrides, known: &Registries) -> Result<Self, Problem> {
        let text = std::fs::read(file).map_err(|error| {
            let problem = Problem::io("cannot read the experiment file", file, &error);
            problem.hint("`phalanx list experiments` shows the ones below this folder")
        })?;
        let text = String::from_utf8(text)
            .map_err(|_| Problem::new("this is not UTF-8 text").at(file.display()))?;
        Self::parse(&text, file, overrides, known)
    }

    /// Checks and expands a text.
    ///
    /// # Errors
    /// As [`Experiment::load`].
    pub fn parse(
        text: &str,
        file: &Path,
        overrides: &Overrides,
        known: &Registries,
    ) -> Result<Self, Problem> {
        let shown = file.display().to_string();
        let table = document::parse(text, &shown)?;
        refuse_other_kinds(&table, &shown)?;
        document::only(&table, TOP_KEYS, "of an experiment file")?;
        require_format(&table)?;
        let settings: Vec<(String, Item)> = overrides
            .settings
            .iter()
            .map(|setting| checked_setting(setting))
            .collect::<Result<_, _>>()?;
        let mut name = experiment_name(&table, &settings, file)?;
        let mut quick = Quick::read(&table, overrides.is_quick).map_err(|p| p.at(&shown))?;
        if overrides.is_quick {
            name.push_str("-quick");
        }
        let is_as_written = !overrides.is_quick && settings.is_empty();
        quick.settings.extend(settings);
        let skips = table.get("skip").map(skip::read).transpose()?.unwrap_or_default();
        let (sources, counts) =
            sources(&table, &quick, &skips, known).map_err(|problem| problem.at(&shown))?;
        let skipped = skips.iter().zip(counts).map(|(skip, points)| Skipped {
            origin: skip.origin.to_string(),
            text: skip.text.clone(),
            points,
            is_idle: points == 0 && is_as_written,
        });
        let mut experiment = Self {
            file: file.into(),
            name,
            arms: Vec::new(),
            is_partial: false,
            skips: skipped.collect(),
            selection: None,
        };
        let select = quick.select.as_ref().or_else(|| table.get("select"));
        if let Some(item) = select {
            let of = (experiment.name.as_str(), sources.as_slice());
            let selection = Selection::read(item, of, (&quick, overrides.seed), known);
            experiment.selection = Some(selection.map_err(|problem| problem.at(&shown))?);
        }
        for source in &sources {
            let arm = experiment.resolve_arm(source, overrides, known);
            experiment.arms.push(arm.map_err(|problem| problem.at(&shown))?);
        }
        experiment.find_other_arms()?;
        experiment.keep_only(&overrides.arms)?;
        let runs: usize = experiment.arms.iter().map(|arm| arm.seeds.len()).sum();
        if runs > RUNS_MAX {
            let problem = Problem::new(format!("`{runs}` runs are more than `{RUNS_MAX}`"));
            return Err(problem.at(shown).hint("split the sweep into several files"));
        }
        Ok(experiment)
    }

    /// Every run: arms in order, seeds in order.
    pub fn runs(&self) -> impl Iterator<Item = (&Arm, Run)> {
        self.arms.iter().flat_map(|arm| {
            arm.seeds.iter().map(move |seed| (arm, Run { seed: *seed, ..arm.settings.clone() }))
        })
    }

    /// Takes the settings of the arms of the same name.
    pub fn take_settings(&mut self, other: &Self) {
        for arm in &mut self.arms {
            if let Some(same) = other.arms.iter().find(|same| same.name == arm.name) {
                arm.settings.clone_from(&same.settings);
            }
        }
    }

    fn resolve_arm(
        &self,
        source: &Source,
        overrides: &Overrides,
        known: &Registries,
    ) -> Result<Arm, Problem> {
        let settings = resolve(&source.table, (&self.name, &source.name), known)?;
        require_whole_opening(&settings, &source.table)?;
        let seeds = match overrides.seed {
            Some(seed) => vec![seed],
            None => seeds(&source.table)?,
        };
        let mut expectations = match source.table.get("expect") {
            Some(item) => expectation::read(item)?,
            None => Vec::new(),
        };
        if let Some(item) = &source.expect {
            let own = expectation::read(item)?;
            let replaced: BTreeSet<String> = own.iter().map(Expectation::key).collect();
            expectations.retain(|expectation| !replaced.contains(&expectation.key()));
            expectations.extend(own);
        }
        for Expectation { score, origin, .. } in &expectations {
            let is_known = known.require_score(settings.task.name, score);
            is_known.map_err(|problem| problem.at(origin))?;
        }
        Ok(Arm { name: source.name.clone(), settings, seeds, expectations })
    }

    /// Gives every comparison the full name of its other arm.
    fn find_other_arms(&mut self) -> Result<(), Problem> {
        let names: Vec<String> = self.arms.iter().map(|arm| arm.name.clone()).collect();
        for arm in &mut self.arms {
            for expectation in &mut arm.expectations {
                let Some(other) = expectation.bound.other() else { continue };
                let Some(found) = counterpart(&arm.name, other, &names) else {
                    let problem = Problem::new(format!("unknown arm `{other}`"));
                    let names = names.iter().map(String::as_str);
                    return Err(problem.at(&expectation.origin).among("arm", other, names));
                };
                expectation.bound = expectation.bound.with_other(found.into());
            }
        }
        Ok(())
    }

    fn keep_only(&mut self, wanted: &[String]) -> Result<(), Problem> {
        for name in wanted {
            if self.arms.iter().all(|arm| arm.name != *name) {
                let problem = Problem::new(format!("unknown arm `{name}`")).at("--arm");
                return Err(problem.among("arm", name, self.arms.iter().map(|arm| &*arm.name)));
            }
        }
        if !wanted.is_empty() {
            let before = self.arms.len();
            self.arms.retain(|arm| wanted.contains(&arm.name));
            self.is_partial = self.arms.len() < before;
        }
        Ok(())
    }
}

/// The arm that `other` means to `arm`: that of its name, or its point with the same values, which
/// may lack those that only `arm` sweeps.
fn counterpart<'a>(arm: &str, other: &str, names: &'a [String]) -> Option<&'a str> {
    if let Some(name) = names.iter().find(|name| *name == other) {
        return Some(name);
    }
    let (own, prefix) = (format!("{arm}-"), format!("{other}-"));
    let is_shared = |name: &&String| {
        let point = name.strip_prefix(&prefix);
        point.is_some_and(|point| own.contains(&format!("-{point}-")))
    };
    names.iter().filter(is_shared).max_by_key(|name| name.len()).map(String::as_str)
}

/// An arm before its settings are checked.
pub struct Source {
    /// its name
    pub name: String,
    /// all its settings
    pub table: Table,
    expect: Option<Item>,
}

fn refuse_other_kinds(table: &Table, shown: &str) -> Result<(), Problem> {
    match FileKind::of(table) {
        FileKind::Learning => Ok(()),
        other => Err(other.refuse(shown)),
    }
}

fn require_format(table: &Table) -> Result<(), Problem> {
    let Some(item) = table.get("format") else { return Ok(()) };
    let found = item.integer("format", 0, u64::from(u32::MAX))?;
    if found == u64::from(FORMAT) {
        return Ok(());
    }
    let problem = Problem::new(format!("format `{found}`, but this version reads `{FORMAT}`"));
    Err(problem.at(&item.origin).hint("use the version of phalanx that wrote it"))
}

/// The published opening sums the first steps of all honest nodes, so each must hear all of them.
fn require_whole_opening(run: &Run, table: &Table) -> Result<(), Problem> {
    let (honest, collected) = (run.population.n() - run.byzantine, run.collected);
    if run.algorithm.args.text_if("mode") != Some("published") || collected == honest {
        return Ok(());
    }
    let name = run.algorithm.name;
    let problem = Problem::new(format!(
        "mode `published` of `{name}` needs every node to collect exactly the `{honest}` honest \
         vectors in its first exchange, but it collects `{collected}`"
    ));
    let hint = "let `attack.count` be `f`, or `f = 0` where nobody attacks";
    Err(problem.at(&table["algorithm"].origin).hint(hint))
}

fn checked_setting(setting: &str) -> Result<(String, Item), Problem> {
    let (key, item) = document::parse_setting(setting)?;
    let first = key.split('.').next().unwrap_or_default();
    let refused = ["arm", "sweep", "format", "skip", "quick", "select"];
    let settable = || TOP_KEYS.iter().copied().filter(|known| !refused.contains(known));
    if settable().all(|known| known != first) {
        let problem = Problem::new(format!("`{first}` cannot be set")).at(&item.origin);
        return Err(problem.among("key", first, settable()));
    }
    Ok((key, item))
}

fn experiment_name(
    table: &Table,
    settings: &[(String, Item)],
    file: &Path,
) -> Result<String, Problem> {
    let set = settings.iter().rev().find(|(key, _)| key == "name").map(|(_, item)| item);
    let name = match set.or_else(|| table.get("name")) {
        Some(item) => item.text("name")?.to_owned(),
        None => file.file_stem().unwrap_or_default().to_string_lossy().into_owned(),
    };
    if name.trim().is_empty() {
        return Err(Problem::new("the experiment has no name").at(file.display()));
    }
    Ok(name)
}

/// The file's arms, or one without a name of its own, each at every point of the sweep that is not
/// skipped; and how many points each entry of `skip` left out.
fn sources(
    table: &Table,
    quick: &Quick,
    skips: &[Skip],
    known: &Registries,
) -> Result<(Vec<Source>, Vec<usize>), Problem> {
    let mut base = table.clone();
    let listed = base.remove("arm");
    let sweep = base.remove("sweep");
    if quick.is_on {
        base.remove("expect");
        base.extend(quick.expect.clone().map(|expect| ("expect".to_owned(), expect)));
    }
    let arms = match &listed {
        Some(item) => item.list("arm")?.iter().map(ArmTable::read).collect::<Result<_, _>>()?,
        None => vec![ArmTable::default()],
    };
    let arms = quick.chosen(arms, |arm| arm.name.as_deref())?;
    if arms.is_empty() {
        return Err(Problem::new("there is no arm to run"));
    }
    let mut names = BTreeSet::new();
    let (mut found, mut counts) = (Vec::new(), vec![0; skips.len()]);
    for arm in &arms {
        let quick = quick.of_arm(arm.quick.as_ref())?;
        let shared = points(vec![Point::default()], sweep.as_ref(), &quick)?;
        for point in &points(shared, arm.sweep.as_ref(), &quick)? {
            if found.len() >= RUNS_MAX {
                let problem = Problem::new(format!("arms × sweep are more than `{RUNS_MAX}` runs"));
                return Err(problem.hint("split the sweep into several files"));
            }
            let source = arm.source(&base, point, &quick, known)?;
            let matching = skip::matching(skips, &source.table, known);
            matching.iter().for_each(|index| counts[*index] += 1);
            if !matching.is_empty() {
                continue;
            }
            if !names.insert(source.name.clone()) {
                let problem = Problem::new(format!("two arms are called `{}`", source.name));
                let origin = listed.as_ref().or(sweep.as_ref()).map(|item| &item.origin);
                let problem = origin.map_or(problem.clone(), |origin| problem.at(origin));
                return Err(problem.hint("give every arm a name of its own"));
            }
            found.push(source);
        }
    }
    match (found.is_empty(), table.get("skip")) {
        (true, Some(item)) => Err(Problem::new("`skip` leaves nothing to run").at(&item.origin)),
        _ => Ok((found, counts)),
    }
}

fn full_name(arm: Option<&String>, label: &str, table: &Table) -> String {
    match (arm, label) {
        (Some(arm), "") => arm.clone(),
        (Some(arm), label) => format!("{arm}-{label}"),
        (None, "") => {
            let name = document::get(table, "algorithm.name");
            name.map_or_else(|| "run".into(), Item::brief)
        }
        (None, label) => label.into(),
    }
}

/// One `[[arm]]`, or what stands for it in a file without any.
#[derive(Default)]
struct ArmTable {
    name: Option<String>,
    set: BTreeMap<String, Item>,
    sweep: Option<Item>,
    expect: Option<Item>,
    quick: Option<Item>,
}

impl ArmTable {
    /// This arm at one point.
    fn source(
        &self,
        base: &Table,
        point: &Point,
        quick: &Quick,
        known: &Registries,
    ) -> Result<Source, Problem> {
        let mut table = base.clone();
        apply(&mut table, &self.set, known)?;
        apply(&mut table, &point.set, known)?;
        for (key, item) in &quick.settings {
            apply(&mut table, &BTreeMap::from([(key.clone(), item.clone())]), known)?;
        }
        let name = full_name(self.name.as_ref(), &point.label, &table);
        let expect = if quick.is_on { quick.arm_expect.clone() } else { self.expect.clone() };
        Ok(Source { name, table, expect })
    }

    fn read(item: &Item) -> Result<Self, Problem> {
        let table = item.table("arm")?;
        document::only(table, &["name", "set", "sweep", "expect", "quick"], "of an arm")?;
        let Some(name) = table.get("name") else {
            let problem = Problem::new("an arm has no `name`").at(&item.origin);
            return Err(problem.hint("for example `[[arm]]` and below it `name = \"monna\"`"));
        };
        let text = name.text("arm.name")?;
        if text.trim().is_empty() {
            return Err(Problem::new("an arm's name is empty").at(&name.origin));
        }
        let set = match table.get("set") {
            Some(set) => checked_keys(set.table("set")?, "set")?,
            None => BTreeMap::new(),
        };
        let get = |key: &str| table.get(key).cloned();
        let (sweep, expect, quick) = (get("sweep"), get("expect"), get("quick"));
        Ok(Self { name: Some(text.into()), set, sweep, expect, quick })
    }
}

/// The seeds that an arm's settings ask for.
///
/// # Errors
/// When they are malformed.
pub fn seeds(table: &Table) -> Result<Vec<u64>, Problem> {
    let Some(item) = document::get(table, "run.seeds") else { return Ok(vec![1]) };
    listed_seeds(item, "run.seeds")
}

/// A list of distinct seeds.
///
/// # Errors
/// When it is none.
pub fn listed_seeds(item: &Item, key: &str) -> Result<Vec<u64>, Problem> {
    let list = item.list(key)?;
    if list.is_empty() {
        let problem = Problem::new(format!("`{key}` is empty: nothing would run")).at(&item.origin);
        return Err(problem.hint("for example `seeds = [1, 2, 3]`"));
    }
    let mut seen = BTreeSet::new();
    let mut seeds = Vec::new();
    for item in list {
        let seed = item.integer(key, 0, i64::MAX as u64)?;
        if !seen.insert(seed) {
            return Err(Problem::new(format!("seed `{seed}` is listed twice")).at(&item.origin));
        }
        seeds.push(seed);
    }
    Ok(seeds)
}
