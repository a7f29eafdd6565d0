//! The resolved form of a control experiment: a file that repeats exactly it.
use std::fmt::Write as _;

use phalanx_report::FORMAT;
use phalanx_tasks::control::Matrix;
use phalanx_tasks::diffusion_control::{Method, NoiseModel};

use super::file::{ArmPlan, ControlExperiment};
use crate::experiment::written::{number, text, written};

/// Characters of an id: enough that two settings of one experiment never meet.
const ID_CHARACTERS: usize = 10;

impl ControlExperiment {
    /// The experiment as a file with every default filled in.
    pub fn to_toml(&self) -> String {
        self.written(true)
    }

    /// Name of its run folder.
    pub fn folder_name(&self) -> String {
        let hash = blake3::hash(self.written(false).as_bytes()).to_hex();
        format!("control-{}-s{}", &hash[..ID_CHARACTERS], self.seed)
    }

    fn written(&self, has_seed: bool) -> String {
        let mut out = String::new();
        let mut line = |text: String| {
            writeln!(out, "{text}").expect("writing to a string cannot fail");
        };
        line(format!("format = {FORMAT}"));
        line(format!("name = {}", text(&self.name)));
        let seed = if has_seed { format!(", seed = {}", self.seed) } else { String::new() };
        line(format!("run = {{ replications = {}{seed} }}", self.replications));
        let method = match self.stepping.method {
            Method::EulerMaruyama => "euler-maruyama",
            Method::Exact => "exact",
        };
        let step = number(self.stepping.seconds);
        line(format!("simulation = {{ step = {step}, method = {} }}", text(method)));
        // The model of the noise stands in each arm.
        line(format!("posterior = {{ prior-precision = {} }}", number(self.prior_precision)));
        let phase = &self.stabilisation;
        line(format!(
            "stabilisation = {{ seconds = {}, pieces = {}, gain-deviation = {} }}",
            number(phase.seconds),
            phase.pieces,
            number(phase.gain_deviation)
        ));
        let (growth, horizon) = (number(self.episodes.growth), number(self.episodes.horizon));
        line(format!("episodes = {{ growth = {growth}, horizon = {horizon} }}"));
        let lengths: Vec<String> = self.trials.seconds.iter().map(|s| number(*s)).collect();
        line(format!(
            "trials = {{ seconds = [{}], replications = {} }}",
            lengths.join(", "),
            self.trials.replications
        ));
        line(String::new());
        line("[plant]".into());
        line(format!("name = {}", text(&self.plant_name)));
        let plant = &self.plant;
        for (key, matrix) in [
            ("a", &plant.a),
            ("b", &plant.b),
            ("noise", &plant.noise),
            ("state-cost", &plant.state_cost),
            ("input-cost", &plant.input_cost),
            ("initial-gain", &plant.initial_gain),
        ] {
            line(format!("{key} = {}", rows(matrix)));
        }
        line(format!("dither = {}", number(plant.dither)));
        self.arms.iter().for_each(|arm| line(arm_text(arm)));
        out
    }
}

fn arm_text(arm: &ArmPlan) -> String {
    let noise = match arm.noise_model {
        NoiseModel::Agnostic => "agnostic",
        NoiseModel::Aware => "aware",
    };
    let mut out = format!(
        "\n[[arm]]\nname = {}\npolicy = {}\nnoise = {}",
        text(&arm.name),
        written(&arm.policy, ""),
        text(noise)
    );
    if let Some(fleet) = &arm.fleet {
        let attack = match &fleet.attack {
            Some(attack) => format!(", attack = {}", written(attack, "")),
            None => String::new(),
        };
        let (n, f) = (fleet.population.n(), fleet.population.f());
        let pooling = written(&fleet.pooling, "");
        let byzantine = fleet.byzantine;
        write!(
            out,
            "\nfleet = {{ members = {n}, tolerated = {f}, byzantine = {byzantine}{attack}, \
             pooling = {pooling} }}"
        )
        .expect("writing to a string cannot fail");
    }
    out
}

fn rows(matrix: &Matrix) -> String {
    let row = |i: usize| {
        let entries: Vec<String> = matrix.row(i).iter().map(|entry| number(*entry)).collect();
        format!("[{}]", entries.join(", "))
    };
    let rows: Vec<String> = (0..matrix.rows()).map(row).collect();
    format!("[{}]", rows.join(", "))
}
