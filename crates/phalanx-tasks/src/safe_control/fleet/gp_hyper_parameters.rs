//! Training of a fleet's parameters as a task of the engine: any algorithm, rule and attack.
use std::sync::Arc;

use phalanx_learn::{Batch, Scores, Task, TaskError, TaskRule, TaskSetup};
use phalanx_robust::{Args, Entry, Param, Population, Rng, StateError, StateReader, StateWriter};

use super::hyper_parameters::HyperParameters;
use super::scales::common_standardisation;
use super::shares::{Split, held_out, shares};
use crate::safe_control::gp::{
    Calibration, GaussianProcess, GpError, Kernel, Samples, Standardisation, Truth,
};
use crate::safe_control::plant::{self, PlantEntry};

/// The registry entry.
pub const ENTRY: Entry<TaskRule> = Entry {
    name: "gp-hyper-parameters",
    summary: "parameters of a Gaussian process that a fleet learns from private rows of its plant",
    source: "derived for this library: the likelihood of all rows taken as the product of the \
             members' likelihoods",
    params: &[
        Param::choice("plant", &["dubins", "linear", "quadrotor"], "dubins")
            .about("the plant whose rows members have"),
        Param::choice(
            "kernel",
            &["squared-exponential", "matern-five-halves", "squared-exponential-linear"],
            "squared-exponential",
        )
        .about("the covariance of function values"),
        Param::integer("rows", (2, 1000), 60).about("rows of each node"),
        Param::integer("batch", (0, 1000), 0)
            .about("rows of a mini-batch; 0 means all of the node's"),
        Param::integer("test-rows", (2, 1000), 100).about("rows that nobody trains on"),
        Param::choice("split", &["uniform", "sectors"], "uniform")
            .about("sectors: each node sees a window of the third column, three shares wide"),
        Param::number("gradient-length-max", (0.0, 1e9), 1.0)
            .about("longer gradients are shortened to this; 0 means never"),
    ],
    build: TaskRule {
        formula: "θ = (ln l, ln s_f, ln s_n, ln c) of each output; loss: Σ_e NLML_e / N of the \
                  node's rows in the median of all nodes' scales, θ outside its range counting \
                  as its bound;\n\
                  scores: loss on measured rows that nobody has; rmse of the node's own model \
                  with θ, in deviations of each output, mean over outputs",
        scores: &["coverage", "loss", "rmse"],
        build,
    },
};

/// What all nodes of a run share.
struct Common {
    search: HyperParameters,
    standardisation: Standardisation,
    measured: Samples,
    exact: Samples,
}

struct FleetMember {
    common: Arc<Common>,
    samples: Samples,
    batch: usize,
    length_max: f64,
    rng: Rng,
}

fn refused(error: impl std::fmt::Display) -> TaskError {
    TaskError::Data(error.to_string())
}

fn build(setup: TaskSetup<'_>) -> Result<Vec<Box<dyn Task>>, TaskError> {
    let args = setup.args;
    let plant = plant::named(args.text("plant")).expect("one of the choices");
    let kernel = Kernel::named(args.text("kernel")).expect("one of the choices");
    let rows = args.integer("rows");
    let split = match args.text("split") {
        "sectors" => Split::Sectors,
        _ => Split::Uniform,
    };
    let shares = shares(plant, (setup.nodes, rows), split, setup.seed).map_err(refused)?;
    let common = Arc::new(common(&setup, plant, kernel, &shares)?);
    let task = |(node, samples): (usize, Samples)| -> Box<dyn Task> {
        Box::new(FleetMember {
            common: Arc::clone(&common),
            samples,
            batch: args.integer("batch"),
            length_max: args.number("gradient-length-max"),
            rng: Rng::stream(setup.seed, node as u64, "rows of a mini-batch"),
        })
    };
    Ok(shares.into_iter().enumerate().map(task).collect())
}

fn common(
    setup: &TaskSetup<'_>,
    plant: &PlantEntry,
    kernel: Kernel,
    shares: &[Samples],
) -> Result<Common, TaskError> {
    let args: &Args = setup.args;
    let columns = (plant.region.low.len(), plant.states.len());
    let claims: Vec<Standardisation> =
        shares.iter().map(Standardisation::of).collect::<Result<_, _>>().map_err(refused)?;
    let population = Population::new(shares.len(), 0).map_err(refused)?;
    let standardisation = common_standardisation(population, columns, &claims).map_err(refused)?;
    let count = args.integer("test-rows");
    Ok(Common {
        search: HyperParameters::new(kernel, columns),
        standardisation,
        measured: held_out(plant, count, setup.seed, true).map_err(refused)?,
        exact: held_out(plant, count, setup.seed, false).map_err(refused)?,
    })
}

/// What is wrong with parameters that have left the numbers is divergence, not the data.
fn as_logarithms(params: &[f32]) -> Result<Vec<f64>, TaskError> {
    match params.iter().all(|param| param.is_finite()) {
        true => Ok(params.iter().map(|param| f64::from(*param)).collect()),
        false => Err(TaskError::NotFinite { what: "loss" }),
    }
}

impl FleetMember {
    /// The rows of a batch: all of them, or some that are drawn without repetition.
    fn rows(&mut self, count: usize) -> Result<Option<Samples>, GpError> {
        if count >= self.samples.rows() {
            return Ok(None);
        }
        let mut order: Vec<usize> = (0..self.samples.rows()).collect();
        self.rng.shuffle(&mut order);
        let rows = &order[..count];
        let columns = (self.samples.inputs(), self.samples.outputs());
        let inputs = rows.iter().flat_map(|row| self.samples.input(*row).iter().copied());
        let outputs = rows.iter().flat_map(|row| self.samples.output(*row).iter().copied());
        Samples::new(columns, inputs.collect(), outputs.collect()).map(Some)
    }
}

impl Task for FleetMember {
    fn dim(&self) -> usize {
        let (inputs, outputs) = self.common.search.columns;
        self.common.search.kernel.parameters(inputs) * outputs
    }

    fn init(&self, _rng: &mut Rng, out: &mut [f32]) {
        let start = self.common.search.start();
        out.iter_mut().zip(start).for_each(|(out, start)| *out = start as f32);
    }

    fn gradient(
        &mut self,
        params: &[f32],
        batch: Batch,
        grad: &mut [f32],
    ) -> Result<f64, TaskError> {
        let count = match batch {
            Batch::Fresh if self.batch == 0 => usize::MAX,
            Batch::Fresh => self.batch,
            Batch::FreshOf(0) => return Err(TaskError::Unsupported { what: "batch of nothing" }),
            Batch::FreshOf(count) => count,
            Batch::LastFlipped => return Err(TaskError::Unsupported { what: "labels to flip" }),
        };
        let logarithms = as_logarithms(params)?;
        let drawn = self.rows(count).map_err(refused)?;
        let rows = drawn.as_ref().unwrap_or(&self.samples);
        let Common { search, standardisation, .. } = &*self.common;
        let found = search.likelihood(rows, standardisation, &logarithms);
        let (loss, gradient) = found.map_err(refused)?;
        let length = gradient.iter().map(|slope| slope * slope).sum::<f64>().sqrt();
        let scale = match self.length_max > 0.0 {
            true => (self.length_max / length).min(1.0),
            false => 1.0,
        };
        grad.iter_mut().zip(&gradient).for_each(|(to, slope)| *to = (scale * slope) as f32);
        match loss.is_finite() && grad.iter().all(|slope| slope.is_finite()) {
            true => Ok(loss),
            false => Err(TaskError::NotFinite { what: "loss" }),
        }
    }

    fn evaluate(&mut self, params: &[f32]) -> Result<Scores, TaskError> {
        let logarithms = as_logarithms(params)?;
        let Common { search, standardisation, measured, exact } = &*self.common;
        let (loss, _) =
            search.likelihood(measured, standardisation, &logarithms).map_err(refused)?;
        let parameters = search.parameters(&logarithms).map_err(refused)?;
        let scales = standardisation.clone();
        let model =
            GaussianProcess::with_parameters(&self.samples, scales, search.kernel, parameters);
        let model = Arc::new(model.map_err(refused)?);
        let calibration = model.calibration(exact, Truth::Exact).map_err(refused)?;
        let mean = |of: fn(&Calibration) -> f64| {
            calibration.iter().map(of).sum::<f64>() / calibration.len() as f64
        };
        let scores = [
            ("coverage", mean(|output| output.coverage)),
            ("loss", loss),
            ("rmse", mean(|output| output.relative_rmse)),
        ];
        if scores.iter().any(|(_, score)| !score.is_finite()) {
            return Err(TaskError::NotFinite { what: "loss" });
        }
        Ok(scores.into_iter().map(|(name, score)| (name.to_owned(), score)).collect())
    }

    fn memory_bytes(&self) -> u64 {
        let columns = self.samples.inputs() + self.samples.outputs();
        (self.samples.rows() * columns * 8) as u64
    }

    fn save(&self, out: &mut StateWriter) {
        self.rng.save(out);
    }

    fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        self.rng.load(input)
    }
}
