//! An experiment file of `phalanx control plan`, checked, with every default filled in.
use std::path::{Path, PathBuf};

use phalanx_report::FORMAT;
use phalanx_report::control::safe::Obstacle;
use phalanx_tasks::safe_control::barrier::{Combination, Course, Operator, Risk, Spread};
use phalanx_tasks::safe_control::gp::Kernel;
use phalanx_tasks::safe_control::planner::{InputLimits, Problem as Task, Settings};

use super::plant::SafePlant;
use super::read::Reader;
use crate::command::control::matrices::read_text;
use crate::experiment::FileKind;
use crate::experiment::document;
use crate::problem::Problem;

/// Keys of the file.
pub(super) const TOP_KEYS: &[&str] = &[
    "barrier",
    "cost",
    "expect",
    "format",
    "goal",
    "horizon",
    "learning",
    "limits",
    "model",
    "name",
    "obstacles",
    "plant",
    "planner",
    "run",
    "start",
    "trials",
];
/// Barrier states of a file.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BarrierPlan {
    /// B
    pub operator: Operator,
    /// how constraints are combined
    pub combination: Combination,
    /// ρ
    pub contraction: f64,
    /// how uncertainty enters
    pub risk: Risk,
    /// whose deviations count: those of one step, or of the flight so far under feedback
    pub spread: Spread,
    /// deviation of each entry of the state's noise per step that is reckoned with
    pub noise: f64,
    /// how often deviations are found anew from the plan so far
    pub refreshes: usize,
}

/// What the plan is made with.
#[derive(Debug, Clone, PartialEq)]
pub enum ModelPlan {
    /// the plant itself
    Plant,
    /// a model that is fitted
    Learnt(LearntPlan),
    /// a model that was fitted before
    File(PathBuf),
}

/// How a model is fitted.
#[derive(Debug, Clone, PartialEq)]
pub struct LearntPlan {
    /// covariance of function values
    pub kernel: Kernel,
    /// rows to learn from
    pub rows: usize,
    /// deviation of the noise of an observation
    pub noise: f64,
    /// least state and input of gathered data
    pub low: Vec<f64>,
    /// greatest state and input of gathered data
    pub high: Vec<f64>,
    /// table with logged data instead of gathered ones
    pub data: Option<PathBuf>,
    /// rows to judge by: so many gathered ones, or so many of every hundred of logged ones
    pub held_out: usize,
}

/// How a plan is tried out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrialsPlan {
    /// how many
    pub count: usize,
    /// deviation of each coordinate of the start's position
    pub start_noise: f64,
    /// deviation of each entry of the state's noise per step
    pub process_noise: f64,
    /// whether the same trials are flown without feedback too
    pub has_open_loop: bool,
}

/// Rounds of learning.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LearningPlan {
    /// how many
    pub rounds: usize,
    /// flights of a round
    pub flights: usize,
    /// transitions of a round's flights that are kept
    pub keep: usize,
}

/// What has to come out for exit code 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expect {
    /// least share of safe trials
    pub safe: f64,
    /// least share of trials that reach the goal
    pub success: f64,
}

/// A checked file.
#[derive(Debug, Clone)]
pub struct SafeExperiment {
    /// its name: `name`, or the file's stem
    pub name: String,
    /// the plant
    pub plant: SafePlant,
    /// from where to where, in how many steps, at what cost
    pub task: Task,
    /// what to stay clear of
    pub obstacles: Vec<Obstacle>,
    /// least and greatest value of each state; infinite where there is none
    pub state_limits: (Vec<f64>, Vec<f64>),
    /// limits of inputs, if there are any
    pub input_limits: Option<InputLimits>,
    /// barrier states; none for the baseline that ignores obstacles
    pub barrier: Option<BarrierPlan>,
    /// how the planner searches
    pub settings: Settings,
    /// what the plan is made with
    pub model: ModelPlan,
    /// how it is tried out
    pub trials: TrialsPlan,
    /// rounds of learning, if there are any
    pub learning: Option<LearningPlan>,
    /// what has to come out
    pub expect: Expect,
    /// seed of every stream
    pub seed: u64,
}

impl SafeExperiment {
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
        if table.contains_key("stabilisation") || table.contains_key("episodes") {
            return Err(FileKind::Regulation.refuse(&file.display().to_string()));
        }
        document::only(&table, TOP_KEYS, "of a safe-control experiment")?;
        if let Some(format) = table.get("format") {
            format.integer("format", u64::from(FORMAT), u64::from(FORMAT))?;
        }
        let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let folder = file.parent().unwrap_or(Path::new(""));
        let place = file.display().to_string();
        Reader { table: &table, place, folder }.read(&stem)
    }

    /// The constraints: obstacles, then limits of states.
    ///
    /// # Errors
    /// When one of them makes no sense.
    pub fn course(&self) -> Result<Course, Problem> {
        super::surroundings::course(&self.plant, &self.obstacles, &self.state_limits)
    }
}
