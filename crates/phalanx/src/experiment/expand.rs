//! Arms × sweep × seeds: one file to the runs that it asks for.
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use phalanx_report::FORMAT;

use crate::command::control::is_safe_control;
use crate::experiment::document::{self, Item, Kind as Shape, Table};
use crate::experiment::expectation::{self, Bound, Expectation};
use crate::experiment::registries::{Kind, Registries};
use crate::experiment::resolve::{ATTACK_KEYS, DIRECT_KEYS, Run, TOP_KEYS, resolve};
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
        let name = experiment_name(&table, &settings, file)?;
        let sources = arms(&table, &settings, known).map_err(|problem| problem.at(&shown))?;
        let mut experiment = Self { file: file.into(), name, arms: Vec::new(), is_partial: false };
        for source in &sources {
            let arm = experiment.resolve_arm(source, overrides, known);
            experiment.arms.push(arm.map_err(|problem| problem.at(&shown))?);
        }
        experiment.require_known_arms()?;
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
        Ok(Arm { name: source.name.clone(), settings, seeds, expectations })
    }

    fn require_known_arms(&self) -> Result<(), Problem> {
        let names = || self.arms.iter().map(|arm| arm.name.as_str());
        for arm in &self.arms {
            for expectation in &arm.expectations {
                if let Bound::Within { arm: other, .. } = &expectation.bound
                    && names().all(|name| name != other)
                {
                    let problem = Problem::new(format!("unknown arm `{other}`"));
                    return Err(problem.at(&expectation.origin).among("arm", other, names()));
                }
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

/// An arm before its settings are checked.
struct Source {
    name: String,
    table: Table,
    expect: Option<Item>,
}

/// Which command reads a file that is none of `phalanx run`; `None` for one that is, or may be.
///
/// Files of `phalanx control` have a plant and no task.
pub fn other_reader(table: &Table) -> Option<&'static str> {
    let is_control = table.contains_key("plant") && !table.contains_key("task");
    match (is_control, is_safe_control(table)) {
        (true, true) => Some("phalanx control plan"),
        (true, false) => Some("phalanx control regulate"),
        (false, _) => None,
    }
}

fn refuse_other_kinds(table: &Table, shown: &str) -> Result<(), Problem> {
    match other_reader(table) {
        Some(command) => {
            let problem = Problem::new(format!("this is a file of `{command}`")).at(shown);
            Err(problem.hint(format!("`{command} {shown}` reads it")))
        }
        None => Ok(()),
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
    let refused = ["arm", "sweep", "format"];
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

/// The file's arms, or one without a name of its own, each at every point of the sweep.
fn arms(
    table: &Table,
    settings: &[(String, Item)],
    known: &Registries,
) -> Result<Vec<Source>, Problem> {
    let mut base = table.clone();
    let listed = base.remove("arm");
    let sweep = base.remove("sweep");
    let shared = points(vec![Point::default()], sweep.as_ref(), settings)?;
    let arms = match &listed {
        Some(item) => item.list("arm")?.iter().map(ArmTable::read).collect::<Result<_, _>>()?,
        None => vec![ArmTable::default()],
    };
    if arms.is_empty() {
        return Err(Problem::new("there is no arm to run"));
    }
    let mut names = BTreeSet::new();
    let mut sources = Vec::new();
    for ArmTable { name, set, sweep: own, expect } in &arms {
        for point in &points(shared.clone(), own.as_ref(), settings)? {
            if sources.len() >= RUNS_MAX {
                let problem = Problem::new(format!("arms × sweep are more than `{RUNS_MAX}` runs"));
                return Err(problem.hint("split the sweep into several files"));
            }
            let mut table = base.clone();
            apply(&mut table, set, known)?;
            apply(&mut table, &point.set, known)?;
            for (key, item) in settings {
                apply(&mut table, &BTreeMap::from([(key.clone(), item.clone())]), known)?;
            }
            let name = full_name(name.as_ref(), &point.label, &table);
            if !names.insert(name.clone()) {
                let problem = Problem::new(format!("two arms are called `{name}`"));
                let origin = listed.as_ref().or(sweep.as_ref()).map(|item| &item.origin);
                let problem = origin.map_or(problem.clone(), |origin| problem.at(origin));
                return Err(problem.hint("give every arm a name of its own"));
            }
            sources.push(Source { name, table, expect: expect.clone() });
        }
    }
    Ok(sources)
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
}

impl ArmTable {
    fn read(item: &Item) -> Result<Self, Problem> {
        let table = item.table("arm")?;
        document::only(table, &["name", "set", "sweep", "expect"], "of an arm")?;
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
        let (sweep, expect) = (table.get("sweep").cloned(), table.get("expect").cloned());
        Ok(Self { name: Some(text.into()), set, sweep, expect })
    }
}

fn checked_keys(table: &Table, what: &str) -> Result<BTreeMap<String, Item>, Problem> {
    let refused = ["arm", "sweep", "format", "name", "expect"];
    for (key, item) in table {
        let first = key.split('.').next().unwrap_or_default();
        let settable = || TOP_KEYS.iter().copied().filter(|known| !refused.contains(known));
        if settable().all(|known| known != first) {
            let problem = Problem::new(format!("unknown key `{first}` in `{what}`"));
            return Err(problem.at(&item.origin).among("key", first, settable()));
        }
    }
    Ok(table.clone())
}

/// One point of the cross product.
#[derive(Default, Clone)]
struct Point {
    label: String,
    set: BTreeMap<String, Item>,
}

/// The given points times the lists of one sweep.
fn points(
    mut points: Vec<Point>,
    sweep: Option<&Item>,
    settings: &[(String, Item)],
) -> Result<Vec<Point>, Problem> {
    let Some(sweep) = sweep else { return Ok(points) };
    for (key, item) in &checked_keys(sweep.table("sweep")?, "sweep")? {
        if let Shape::Table(_) = item.kind {
            let problem = Problem::new(format!("`sweep.{key}` is a table, but a list is needed"));
            return Err(problem
                .at(&item.origin)
                .hint("quote dotted keys: `\"attack.name\" = [..]`"));
        }
        let values = item.list(&format!("sweep.{key}"))?;
        if values.is_empty() {
            return Err(Problem::new(format!("`sweep.{key}` is empty")).at(&item.origin));
        }
        // What the command line fixes is not swept.
        if settings.iter().any(|(set, _)| set == key) {
            continue;
        }
        if points.len().saturating_mul(values.len()) > RUNS_MAX {
            let problem = Problem::new(format!("the sweep has more than `{RUNS_MAX}` points"));
            return Err(problem.at(&item.origin).hint("split the sweep into several files"));
        }
        let extended = points.iter().flat_map(|point| values.iter().map(move |v| (point, v)));
        points = extended.map(|(point, value)| point.with(key, value)).collect();
    }
    Ok(points)
}

impl Point {
    fn with(&self, key: &str, value: &Item) -> Self {
        let last = key.rsplit('.').next().unwrap_or_default();
        let brief = match value.brief() {
            brief if brief.is_empty() => "none".into(),
            brief => brief,
        };
        let names_itself = matches!(&value.kind, Shape::Table(table) if table.contains_key("name"));
        let part = if last == "name" || names_itself { brief } else { format!("{last}={brief}") };
        let mut point = self.clone();
        if !point.label.is_empty() {
            point.label.push('-');
        }
        point.label.push_str(&part);
        point.set.insert(key.into(), value.clone());
        point
    }
}

/// Overrides keys, names first, since a new name brings its own parameters.
fn apply(
    table: &mut Table,
    set: &BTreeMap<String, Item>,
    known: &Registries,
) -> Result<(), Problem> {
    let is_name = |key: &str| key.ends_with(".name");
    for (key, item) in set.iter().filter(|(key, _)| is_name(key)) {
        drop_parameters(table, key, item, known);
        document::set(table, key, item.clone())?;
    }
    for (key, item) in set.iter().filter(|(key, _)| !is_name(key)) {
        document::set(table, key, item.clone())?;
    }
    Ok(())
}

/// Drops the parameters of the former choice that the new one does not have. What neither knows
/// stays, so that a misspelt key is still found.
fn drop_parameters(table: &mut Table, key: &str, name: &Item, known: &Registries) {
    let section = key.trim_end_matches(".name");
    let Some(kind) = Kind::ALL.into_iter().find(|kind| kind.word() == section) else { return };
    let Some(Item { kind: Shape::Table(fields), .. }) = table.get_mut(section) else { return };
    let declared = |name: &str| -> BTreeSet<&'static str> {
        let listed = known.find(kind, name);
        let params = listed.map_or(&[][..], |listed| listed.params);
        let own = match kind {
            Kind::Attack if name != "none" => ATTACK_KEYS,
            Kind::Exchange if name == "direct" => DIRECT_KEYS,
            _ => &[],
        };
        params.iter().map(|param| param.name).chain(own.iter().copied()).collect()
    };
    let former = fields.get("name").map(Item::brief).unwrap_or_default();
    let (former, new) = (declared(&former), declared(&name.brief()));
    fields.retain(|field, _| !former.contains(field.as_str()) || new.contains(field.as_str()));
}

fn seeds(table: &Table) -> Result<Vec<u64>, Problem> {
    let Some(item) = document::get(table, "run.seeds") else { return Ok(vec![1]) };
    let list = item.list("run.seeds")?;
    if list.is_empty() {
        let problem = Problem::new("`run.seeds` is empty: nothing would run").at(&item.origin);
        return Err(problem.hint("for example `seeds = [1, 2, 3]`"));
    }
    let mut seen = BTreeSet::new();
    let mut seeds = Vec::new();
    for item in list {
        let seed = item.integer("run.seeds", 0, i64::MAX as u64)?;
        if !seen.insert(seed) {
            return Err(Problem::new(format!("seed `{seed}` is listed twice")).at(&item.origin));
        }
        seeds.push(seed);
    }
    Ok(seeds)
}
