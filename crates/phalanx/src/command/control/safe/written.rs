//! The resolved form of a safe-control experiment: a file that repeats exactly it.
use std::fmt::Write as _;
use std::path::Path;

use phalanx_report::FORMAT;
use phalanx_report::control::safe::Obstacle;
use phalanx_tasks::control::Matrix;
use phalanx_tasks::safe_control::barrier::{Combination, Operator, Risk, Spread};
use phalanx_tasks::safe_control::planner::{Method, Scheme};

use super::file::{BarrierPlan, LearntPlan, ModelPlan, SafeExperiment};
use crate::experiment::written::{number, text};

/// Characters of an id: enough that two settings of one experiment never meet.
const ID_CHARACTERS: usize = 10;

impl SafeExperiment {
    /// The experiment as a file with every default filled in.
    pub fn to_toml(&self) -> String {
        self.written(true)
    }

    /// Name of its run folder.
    pub fn folder_name(&self) -> String {
        format!("safe-{}-s{}", self.id(), self.seed)
    }

    /// Name of the folder of a plan that begins with these inputs: it may be another plan.
    pub fn warm_folder_name(&self, inputs: &[f64]) -> String {
        let bytes: Vec<u8> = inputs.iter().flat_map(|input| input.to_le_bytes()).collect();
        let hash = blake3::hash(&bytes).to_hex();
        format!("safe-{}-warm-{}-s{}", self.id(), &hash[..ID_CHARACTERS], self.seed)
    }

    /// Name of the folder of its model.
    pub fn fit_folder_name(&self) -> String {
        format!("model-{}-s{}", self.id(), self.seed)
    }

    fn id(&self) -> String {
        // How a plan is tried out and what is expected of it do not make it another plan.
        let hash = blake3::hash(self.written(false).as_bytes()).to_hex();
        hash[..ID_CHARACTERS].to_owned()
    }

    fn written(&self, is_whole: bool) -> String {
        let mut out = String::new();
        let mut line = |text: String| {
            writeln!(out, "{text}").expect("writing to a string cannot fail");
        };
        line(format!("format = {FORMAT}"));
        line(format!("name = {}", text(&self.name)));
        line(format!("start = {}", list(&self.task.start)));
        line(format!("goal = {}", list(&self.task.goal)));
        line(format!("horizon = {}", self.task.horizon));
        if is_whole {
            line(format!("run = {{ seed = {} }}", self.seed));
            let trials = &self.trials;
            line(format!(
                "trials = {{ count = {}, start-noise = {}, process-noise = {}, open-loop = {} }}",
                trials.count,
                number(trials.start_noise),
                number(trials.process_noise),
                trials.has_open_loop
            ));
            let (safe, success) = (number(self.expect.safe), number(self.expect.success));
            line(format!("expect = {{ safe = {safe}, success = {success} }}"));
        }
        line(self.obstacles_text());
        line(self.limits_text());
        line(barrier_text(self.barrier.as_ref()));
        line(self.planner_text());
        line(if is_whole {
            model_text(&self.model, path_text)
        } else {
            // What a file holds makes another plan, where it lies does not.
            model_text(&self.model, contents_text)
        });
        if let Some(learning) = self.learning {
            line(format!(
                "learning = {{ rounds = {}, flights = {}, keep = {} }}",
                learning.rounds, learning.flights, learning.keep
            ));
        }
        let task = &self.task;
        line(String::from("\n[cost]"));
        for (key, weights) in [
            ("state", &task.state_cost),
            ("input", &task.input_cost),
            ("input-goal", &task.input_goal),
            ("terminal", &task.terminal_cost),
        ] {
            line(format!("{key} = {}", list(weights)));
        }
        line(format!("barrier = {}", number(task.barrier_cost)));
        line(format!("barrier-terminal = {}", number(task.barrier_terminal_cost)));
        line(self.plant_text());
        out
    }

    fn obstacles_text(&self) -> String {
        let one = |obstacle: &Obstacle| match obstacle {
            Obstacle::Ball { centre, radius } => {
                format!("    {{ centre = {}, radius = {} }},\n", list(centre), number(*radius))
            }
            Obstacle::HalfSpace { normal, offset } => {
                format!("    {{ normal = {}, offset = {} }},\n", list(normal), number(*offset))
            }
        };
        let all: String = self.obstacles.iter().map(one).collect();
        if all.is_empty() { "obstacles = []".into() } else { format!("obstacles = [\n{all}]") }
    }

    fn limits_text(&self) -> String {
        let names = &self.plant.names;
        let states = (&names.states, &self.state_limits.0[..], &self.state_limits.1[..]);
        let inputs = self.input_limits.as_ref();
        let inputs = inputs.map(|limits| (&names.inputs, limits.low(), limits.high()));
        let mut parts = Vec::new();
        for (names, low, high) in std::iter::once(states).chain(inputs) {
            for ((name, low), high) in names.iter().zip(low).zip(high) {
                if low.is_finite() && high.is_finite() {
                    parts.push(format!("{} = {}", text(name), list(&[*low, *high])));
                }
            }
        }
        if parts.is_empty() {
            "limits = {}".into()
        } else {
            format!("limits = {{ {} }}", parts.join(", "))
        }
    }

    fn planner_text(&self) -> String {
        let settings = &self.settings;
        let method = match settings.method {
            Method::Ilqr => "ilqr",
            Method::Ddp => "ddp",
        };
        let scheme = match settings.scheme {
            Scheme::Accelerating => "accelerating",
            Scheme::TenFold => "ten-fold",
        };
        format!(
            "planner = {{ method = {}, regularisation = {}, restarts = {}, tolerance = {}, \
             iterations = {}, reach = {} }}",
            text(method),
            text(scheme),
            list(&settings.restarts),
            number(settings.tolerance),
            settings.iterations_max,
            number(settings.goal_tolerance)
        )
    }

    fn plant_text(&self) -> String {
        let plant = &self.plant;
        let mut out =
            format!("\n[plant]\nname = {}\nstep = {}", text(&plant.name), number(plant.step));
        if plant.entry.is_some() {
            return out;
        }
        let words = |words: &[String]| {
            let all: Vec<String> = words.iter().map(|word| text(word)).collect();
            format!("[{}]", all.join(", "))
        };
        let names = &plant.names;
        let positions: Vec<String> =
            names.position.iter().map(|at| names.states[*at].clone()).collect();
        for (key, list) in
            [("states", &names.states), ("inputs", &names.inputs), ("positions", &positions)]
        {
            write!(out, "\n{key} = {}", words(list)).expect("writing to a string cannot fail");
        }
        if let Some((a, b)) = &plant.matrices {
            for (key, matrix) in [("a", a), ("b", b)] {
                write!(out, "\n{key} = {}", rows(matrix)).expect("writing to a string cannot fail");
            }
        }
        out
    }
}

fn barrier_text(barrier: Option<&BarrierPlan>) -> String {
    let Some(barrier) = barrier else { return "barrier = { kind = \"none\" }".into() };
    let (kind, scale) = match barrier.operator {
        Operator::Inverse { scale } => ("inverse", scale),
        Operator::Log { scale } => ("log", scale),
        Operator::Tolerant { .. } => ("tolerant", 1.0),
    };
    let combine = match barrier.combination {
        Combination::Sum => "sum",
        Combination::Vector => "vector",
        Combination::Harmonic => "harmonic",
    };
    let risk = match barrier.risk {
        Risk::Mean => "risk = \"mean\"".to_owned(),
        Risk::SecondOrder => "risk = \"second-order\"".to_owned(),
        Risk::Tightened { kappa } => {
            format!("risk = \"tightened\", kappa = {}", number(kappa))
        }
    };
    let spread = match barrier.spread {
        Spread::Tube => "tube",
        Spread::OneStep => "one-step",
    };
    format!(
        "barrier = {{ kind = {}, scale = {}, combine = {}, contraction = {}, {risk}, spread = {}, \
         noise = {}, refreshes = {} }}",
        text(kind),
        number(scale),
        text(combine),
        number(barrier.contraction),
        text(spread),
        number(barrier.noise),
        barrier.refreshes
    )
}

fn path_text(path: &Path) -> String {
    text(&absolute(path))
}

/// A digest of what a file holds; of one that cannot be read, its path.
fn contents_text(path: &Path) -> String {
    match std::fs::read(path) {
        Ok(bytes) => text(&blake3::hash(&bytes).to_hex()),
        Err(_) => path_text(path),
    }
}

fn model_text(model: &ModelPlan, path: impl Fn(&Path) -> String) -> String {
    match model {
        ModelPlan::Plant => "model = { name = \"plant\" }".into(),
        ModelPlan::File(file) => format!("model = {{ file = {} }}", path(file)),
        ModelPlan::Learnt(learnt) => {
            let LearntPlan { kernel, rows, noise, low, high, data, held_out } = learnt;
            let source = match data {
                Some(data) => format!("data = {}", path(data)),
                None => format!("low = {}, high = {}", list(low), list(high)),
            };
            format!(
                "model = {{ name = \"gaussian-process\", kernel = {}, rows = {rows}, noise = {}, \
                 {source}, held-out = {held_out} }}",
                text(kernel.name()),
                number(*noise)
            )
        }
    }
}

/// Paths in a file are relative to its folder, and the resolved file lies in another one.
fn absolute(path: &Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.into()).display().to_string()
}

fn list(numbers: &[f64]) -> String {
    let all: Vec<String> = numbers.iter().map(|one| number(*one)).collect();
    format!("[{}]", all.join(", "))
}

fn rows(matrix: &Matrix) -> String {
    let rows: Vec<String> = (0..matrix.rows()).map(|row| list(matrix.row(row))).collect();
    format!("[{}]", rows.join(", "))
}
