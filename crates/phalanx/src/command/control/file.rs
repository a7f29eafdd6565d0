//! An experiment file of `phalanx control regulate`, checked, with every default filled in.
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use phalanx_report::FORMAT;
use phalanx_robust::registry::find;
use phalanx_robust::{Args, Entry, Population};
use phalanx_tasks::diffusion_control::fleet::{FLEET_ATTACKS, POOLINGS};
use phalanx_tasks::diffusion_control::{
    Episodes, Method, NoiseModel, Optimum, POLICIES, Plant, Prior, Setting, Stabilisation, Stepping,
};

use super::matrices::{self, read_text};
use super::section::Section;
use crate::experiment::document::{self, Item, Kind as Shape, Origin, Table};
use crate::experiment::{Choice, FileKind, is_safe_control};
use crate::problem::Problem;

const TOP_KEYS: &[&str] = &[
    "arm",
    "episodes",
    "format",
    "name",
    "plant",
    "posterior",
    "run",
    "simulation",
    "stabilisation",
    "trials",
];

/// Greatest simulated time of a replication, in seconds.
const SECONDS_MAX: f64 = 1e7;
/// Most steps of a replication.
const STEPS_MAX: f64 = 1e11;
/// Most replications of an arm.
const REPLICATIONS_MAX: u64 = 1_000_000;
/// Most members of a fleet.
const MEMBERS_MAX: u64 = 4096;

/// A fleet as a file describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct FleetPlan {
    /// members, and how many liars are tolerated
    pub population: Population,
    /// members that lie
    pub byzantine: usize,
    /// what they say; none when nobody lies
    pub attack: Option<Choice>,
    /// how messages are pooled
    pub pooling: Choice,
}

/// One arm of the experiment.
#[derive(Debug, Clone, PartialEq)]
pub struct ArmPlan {
    /// its name, unique
    pub name: String,
    /// who decides
    pub policy: Choice,
    /// which covariance the posterior takes
    pub noise_model: NoiseModel,
    /// who flies beside it
    pub fleet: Option<FleetPlan>,
}

/// Stabilisation phases by themselves.
#[derive(Debug, Clone, PartialEq)]
pub struct Trials {
    /// their lengths
    pub seconds: Vec<f64>,
    /// how many of each
    pub replications: u32,
}

/// A checked file.
#[derive(Debug, Clone)]
pub struct ControlExperiment {
    /// its name: `name`, or the file's stem
    pub name: String,
    /// the plant's name, or `custom`
    pub plant_name: String,
    /// the plant
    pub plant: Plant,
    /// its optimum
    pub optimum: Optimum,
    /// what is believed before the first second
    pub prior: Prior,
    /// scale of the prior's precision
    pub prior_precision: f64,
    /// step length and method
    pub stepping: Stepping,
    /// the first phase
    pub stabilisation: Stabilisation,
    /// when is decided
    pub episodes: Episodes,
    /// replications of each arm
    pub replications: u32,
    /// seed of every stream
    pub seed: u64,
    /// arms in the order of the file
    pub arms: Vec<ArmPlan>,
    /// stabilisation phases by themselves, for the arms that are no fleet
    pub trials: Trials,
}

impl ControlExperiment {
    /// Reads and checks a file; `settings` are of the form `KEY=VALUE`.
    ///
    /// # Errors
    /// The first thing that is wrong, where it was written, and what would help.
    pub fn load(file: &Path, settings: &[String]) -> Result<Self, Problem> {
        let text = read_text("experiment file", file)?;
        let mut table = document::parse(&text, &file.display().to_string())?;
        for setting in settings {
            let (key, item) = document::parse_setting(setting)?;
            document::set(&mut table, &key, item)?;
        }
        if is_safe_control(&table) {
            return Err(FileKind::SafeControl.refuse(&file.display().to_string()));
        }
        let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let folder = file.parent().unwrap_or(Path::new(""));
        let place = file.display().to_string();
        Reader { table: &table, place }.read(&stem, folder)
    }

    /// What the replications of an arm share.
    pub fn setting<'a>(&'a self, arm: &ArmPlan) -> Setting<'a> {
        Setting {
            plant: &self.plant,
            optimum: &self.optimum,
            stepping: self.stepping,
            prior: &self.prior,
            noise_model: arm.noise_model,
            stabilisation: self.stabilisation,
        }
    }
}

struct Reader<'a> {
    table: &'a Table,
    place: String,
}

impl Reader<'_> {
    fn read(&self, stem: &str, folder: &Path) -> Result<ControlExperiment, Problem> {
        document::only(self.table, TOP_KEYS, "of a control experiment")?;
        if let Some(format) = self.table.get("format") {
            format.integer("format", u64::from(FORMAT), u64::from(FORMAT))?;
        }
        let name = match self.table.get("name") {
            Some(name) => name.text("name")?.to_owned(),
            None => stem.to_owned(),
        };
        let item = self.table.get("plant").ok_or_else(|| {
            let problem = Problem::new("`plant` is missing").at(&self.place);
            problem.hint("for example `plant = { name = \"x-29a\" }`")
        })?;
        let named = matrices::plant(item, folder)?;
        let plant = named.plant;
        let optimum = plant.check().map_err(|error| matrices::refused(&error, item))?;
        let (noise_model, prior_precision) = self.posterior()?;
        let stepping = self.stepping()?;
        let stabilisation = self.stabilisation(&plant, stepping)?;
        let episodes = self.episodes(stepping)?;
        let (replications, seed) = self.run()?;
        let experiment = ControlExperiment {
            name,
            plant_name: named.name,
            prior: Prior::isotropic(plant.states(), plant.inputs(), prior_precision),
            plant,
            optimum,
            prior_precision,
            stepping,
            stabilisation,
            episodes,
            replications,
            seed,
            arms: self.arms(noise_model)?,
            trials: self.trials(stepping)?,
        };
        self.check_whole(&experiment)?;
        Ok(experiment)
    }

    /// What no single key can say.
    fn check_whole(&self, experiment: &ControlExperiment) -> Result<(), Problem> {
        let setting = experiment.setting(&experiment.arms[0]);
        experiment.episodes.decisions(&setting).map_err(|error| {
            let problem = Problem::new(error.to_string()).at(self.origin("episodes"));
            problem.hint("`episodes.horizon` is the end, `stabilisation.seconds` the first phase")
        })?;
        if experiment.replications == 0 && experiment.trials.seconds.is_empty() {
            let problem = Problem::new("there is nothing to fly").at(self.origin("run"));
            return Err(problem.hint("give `run.replications` or `trials.seconds`"));
        }
        Ok(())
    }

    fn origin(&self, key: &str) -> String {
        self.table.get(key).map_or_else(|| self.place.clone(), |item| item.origin.to_string())
    }

    fn section(&self, key: &str, known: &[&str]) -> Result<Section<'_>, Problem> {
        Section::of(self.table, key, known)
    }

    fn posterior(&self) -> Result<(NoiseModel, f64), Problem> {
        let section = self.section("posterior", &["noise", "prior-precision"])?;
        let noise_model = section.get("noise").map(noise_model).transpose()?;
        let precision = section.number("prior-precision", (1e-12, 1e12), 1.0)?;
        Ok((noise_model.unwrap_or(NoiseModel::Agnostic), precision))
    }

    fn stepping(&self) -> Result<Stepping, Problem> {
        let section = self.section("simulation", &["method", "step"])?;
        let method = match section.get("method") {
            Some(item) => match item.word("simulation.method", &["euler-maruyama", "exact"])? {
                "exact" => Method::Exact,
                _ => Method::EulerMaruyama,
            },
            None => Method::EulerMaruyama,
        };
        Ok(Stepping { seconds: section.number("step", (1e-9, 1e3), 1e-3)?, method })
    }

    fn stabilisation(&self, plant: &Plant, stepping: Stepping) -> Result<Stabilisation, Problem> {
        let section = self.section("stabilisation", &["gain-deviation", "pieces", "seconds"])?;
        let seconds = section.number("seconds", (stepping.seconds, SECONDS_MAX), 20.0)?;
        let mut stabilisation = Stabilisation::of(seconds, plant.inputs());
        if let Some(item) = section.get("pieces") {
            let least = plant.inputs() as u64;
            let pieces = item.integer("stabilisation.pieces", least, 1_000_000).map_err(|p| {
                p.hint("with fewer pieces than inputs some input direction is never tried")
            })?;
            stabilisation.pieces = pieces as usize;
        }
        stabilisation.gain_deviation = section.number("gain-deviation", (0.0, 1e6), 0.0)?;
        Ok(stabilisation)
    }

    fn episodes(&self, stepping: Stepping) -> Result<Episodes, Problem> {
        let section = self.section("episodes", &["growth", "horizon"])?;
        let growth = section.number("growth", (1.0, 1e6), 1.1)?;
        let horizon = section.number("horizon", (stepping.seconds, SECONDS_MAX), 600.0)?;
        if horizon / stepping.seconds > STEPS_MAX {
            let message =
                format!("`{horizon}` s in steps of `{}` s take too long", stepping.seconds);
            return Err(Problem::new(message)
                .at(self.origin("episodes"))
                .hint("take longer steps"));
        }
        Ok(Episodes { growth, horizon })
    }

    fn run(&self) -> Result<(u32, u64), Problem> {
        let section = self.section("run", &["replications", "seed"])?;
        let replications = section.integer("replications", (0, REPLICATIONS_MAX), 100)?;
        Ok((replications as u32, section.integer("seed", (0, i64::MAX as u64), 1)?))
    }

    fn trials(&self, stepping: Stepping) -> Result<Trials, Problem> {
        let section = self.section("trials", &["replications", "seconds"])?;
        let mut seconds = Vec::new();
        if let Some(list) = section.get("seconds") {
            for item in list.list("trials.seconds")? {
                seconds.push(item.number("trials.seconds", stepping.seconds, SECONDS_MAX)?);
            }
        }
        let replications = section.integer("replications", (1, REPLICATIONS_MAX), 1000)? as u32;
        Ok(Trials { seconds, replications })
    }

    fn arms(&self, noise_model: NoiseModel) -> Result<Vec<ArmPlan>, Problem> {
        let Some(item) = self.table.get("arm") else {
            let policy = listed_default("policy", POLICIES, "thompson-sampling");
            let name = policy.name.to_owned();
            return Ok(vec![ArmPlan { name, policy, noise_model, fleet: None }]);
        };
        let mut names = BTreeSet::new();
        let mut arms = Vec::new();
        for item in item.list("arm")? {
            let arm = read_arm(item, noise_model)?;
            if !names.insert(arm.name.clone()) {
                let problem = Problem::new(format!("two arms are called `{}`", arm.name));
                return Err(problem.at(&item.origin).hint("give each `[[arm]]` a `name`"));
            }
            arms.push(arm);
        }
        match arms.is_empty() {
            true => Err(Problem::new("`arm` is an empty list").at(&item.origin)),
            false => Ok(arms),
        }
    }
}

fn noise_model(item: &Item) -> Result<NoiseModel, Problem> {
    Ok(match item.word("posterior.noise", &["agnostic", "aware"])? {
        "aware" => NoiseModel::Aware,
        _ => NoiseModel::Agnostic,
    })
}

fn read_arm(item: &Item, default: NoiseModel) -> Result<ArmPlan, Problem> {
    let table = item.table("arm")?;
    document::only(table, &["fleet", "name", "noise", "policy"], "of an arm")?;
    let policy = match table.get("policy") {
        Some(policy) => choice("policy", POLICIES, policy)?,
        None => listed_default("policy", POLICIES, "thompson-sampling"),
    };
    let name = match table.get("name") {
        Some(name) => name.text("arm.name")?.trim().to_owned(),
        None => policy.name.to_owned(),
    };
    if name.is_empty() {
        return Err(Problem::new("an arm's name is empty").at(&item.origin));
    }
    let noise_model = table.get("noise").map(noise_model).transpose()?.unwrap_or(default);
    let fleet = table.get("fleet").map(read_fleet).transpose()?;
    Ok(ArmPlan { name, policy, noise_model, fleet })
}

fn read_fleet(item: &Item) -> Result<FleetPlan, Problem> {
    let table = item.table("fleet")?;
    let known = ["members", "attack", "byzantine", "pooling", "tolerated"];
    document::only(table, &known, "of a fleet")?;
    let section = Section::new("fleet", Some(table));
    let members = section.integer("members", (1, MEMBERS_MAX), 8)? as usize;
    let tolerated = section.integer("tolerated", (0, MEMBERS_MAX), 0)? as usize;
    let population = Population::new(members, tolerated)
        .map_err(|error| Problem::new(error.to_string()).at(&item.origin))?;
    let attack = match table.get("attack") {
        Some(attack) => Some(choice("attack", FLEET_ATTACKS, attack)?),
        None => None,
    };
    let byzantine = section.integer(
        "byzantine",
        (0, members as u64 - 1),
        match attack {
            Some(_) => tolerated as u64,
            None => 0,
        },
    );
    let byzantine = byzantine.map_err(|p| p.hint("at least one member has to be honest"))? as usize;
    if byzantine > 0 && attack.is_none() {
        let problem = Problem::new("`fleet.byzantine` is not 0, but nobody attacks");
        return Err(problem.at(&table["byzantine"].origin).hint("give `fleet.attack`"));
    }
    let pooling = match table.get("pooling") {
        Some(pooling) => choice("pooling", POOLINGS, pooling)?,
        None => listed_default("pooling", POOLINGS, "screen"),
    };
    let place = table.get("pooling").map_or(&item.origin, |pooling| &pooling.origin);
    let entry = find(POOLINGS, pooling.name).expect("the way of pooling was found before");
    let built = (entry.build.build)(&pooling.args).and_then(|pool| pool.check(population));
    built.map_err(|error| {
        let message = format!("pooling `{}` cannot be used: {error}", pooling.name);
        Problem::new(message).at(place).hint("`phalanx list rules` shows rules and their bounds")
    })?;
    let attack = attack.filter(|_| byzantine > 0);
    Ok(FleetPlan { population, byzantine, attack, pooling })
}

/// An entry with its defaults.
fn listed_default<B>(kind: &str, entries: &'static [Entry<B>], name: &str) -> Choice {
    let entry = find(entries, name).expect("the default of a kind is listed");
    let args = Args::check(kind, entry.params, &BTreeMap::new());
    Choice { name: entry.name, args: args.expect("every parameter has a default") }
}

/// `"name"`, or `{ name = "name", parameter = value }`.
fn choice<B>(kind: &str, entries: &'static [Entry<B>], item: &Item) -> Result<Choice, Problem> {
    let empty = Table::new();
    let (name, fields): (&Item, &Table) = match &item.kind {
        Shape::Table(table) => {
            let name = table.get("name").ok_or_else(|| {
                let problem = Problem::new(format!("`{kind}` has no `name`")).at(&item.origin);
                problem.hint(known(kind, entries))
            })?;
            (name, table)
        }
        _ => (item, &empty),
    };
    let text = name.text(kind)?;
    let entry = find(entries, text).ok_or_else(|| {
        let problem = Problem::new(format!("unknown {kind} `{text}`")).at(&name.origin);
        problem.among(kind, text, entries.iter().map(|entry| entry.name))
    })?;
    let mut given = BTreeMap::new();
    for (key, field) in fields.iter().filter(|(key, _)| *key != "name") {
        let Shape::Scalar(value) = &field.kind else {
            let message = format!("`{key}` of {kind} `{text}` is {}", field.type_name());
            return Err(Problem::new(message).at(&field.origin).hint("a parameter is one value"));
        };
        given.insert(key.clone(), value.clone());
    }
    let args = Args::check(entry.name, entry.params, &given).map_err(|error| {
        let origin: &Origin = fields.values().next().map_or(&name.origin, |field| &field.origin);
        Problem::new(error.to_string()).at(origin).hint(match entry.params {
            [] => format!("`{}` has no parameters", entry.name),
            params => {
                let names = params.iter().map(|param| format!("`{}`", param.name));
                format!("its parameters: {}", names.collect::<Vec<_>>().join(", "))
            }
        })
    })?;
    Ok(Choice { name: entry.name, args })
}

fn known<B>(kind: &str, entries: &'static [Entry<B>]) -> String {
    let names: Vec<String> = entries.iter().map(|entry| format!("`{}`", entry.name)).collect();
    format!("for example `{{ name = \"..\" }}`; {kind}: {}", names.join(", "))
}
