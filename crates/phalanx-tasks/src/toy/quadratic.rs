//! A quadratic per node: the optimum of the population is the mean of the nodes' centres.
use std::sync::Arc;

use phalanx_learn::{Batch, Scores, Task, TaskError, TaskRule, TaskSetup};
use phalanx_robust::{Entry, Param, Rng, StateError, StateReader, StateWriter};
use rand_distr::{Distribution, StandardNormal};

/// The registry entry.
pub const ENTRY: Entry<TaskRule> = Entry {
    name: "quadratic",
    summary: "a quadratic loss per node with a known common optimum",
    source: "textbook",
    params: &[
        Param::integer("dim", (1, 100_000_000), 10).about("number of parameters, d"),
        Param::number("spread", (0.0, 1e6), 1.0)
            .about("standard deviation of the nodes' centres in each coordinate"),
        Param::number("noise", (0.0, 1e6), 0.1)
            .about("standard deviation of a sample around its node's centre, sigma"),
        Param::integer("batch", (1, 1_000_000), 1).about("samples of a mini-batch"),
    ],
    build: TaskRule {
        formula: "Q_j(θ) = E ½‖θ − x_j − σξ‖² with ξ ~ N(0, I); optimum of the mean: mean of x_j.\n\
                  scores: distance ‖θ − x̄‖, loss (1/n) Σ ½‖θ − x_j‖², excess ½‖θ − x̄‖²",
        scores: &["distance", "excess", "loss"],
        build,
    },
};

/// The nodes' centres x_j, the same that the tasks of this seed are built with.
///
/// # Shape
/// `nodes × dim`.
pub fn centers(seed: u64, nodes: usize, dim: usize, spread: f64) -> Vec<Vec<f32>> {
    let center = |node: usize| {
        let mut rng = Rng::stream(seed, node as u64, "quadratic center");
        (0..dim).map(|_| (spread * normal(&mut rng)) as f32).collect()
    };
    (0..nodes).map(center).collect()
}

fn normal(rng: &mut Rng) -> f64 {
    StandardNormal.sample(rng)
}

fn build(setup: TaskSetup<'_>) -> Result<Vec<Box<dyn Task>>, TaskError> {
    let args = setup.args;
    let (dim, nodes) = (args.integer("dim"), setup.nodes);
    let centers = centers(setup.seed, nodes, dim, args.number("spread"));
    let mut mean = vec![0.0; dim];
    for center in &centers {
        mean.iter_mut().zip(center).for_each(|(sum, entry)| *sum += f64::from(*entry));
    }
    mean.iter_mut().for_each(|sum| *sum /= nodes as f64);
    let to_mean = |center: &Vec<f32>| half_square(center.iter().zip(&mean));
    let spread_loss = centers.iter().map(to_mean).sum::<f64>() / nodes as f64;
    let optimum: Arc<[f64]> = mean.into();
    let task = |(node, center): (usize, Vec<f32>)| -> Box<dyn Task> {
        Box::new(Quadratic {
            center,
            optimum: Arc::clone(&optimum),
            spread_loss,
            noise: args.number("noise"),
            batch: args.integer("batch"),
            sum: vec![0.0; dim],
            rng: Rng::stream(setup.seed, node as u64, "quadratic noise"),
        })
    };
    Ok(centers.into_iter().enumerate().map(task).collect())
}

/// ½ Σ (a − b)² in the order of the coordinates.
fn half_square<'a>(pairs: impl Iterator<Item = (&'a f32, &'a f64)>) -> f64 {
    0.5 * pairs.map(|(a, b)| (f64::from(*a) - b).powi(2)).sum::<f64>()
}

struct Quadratic {
    center: Vec<f32>,
    optimum: Arc<[f64]>,
    // (1/n) Σ ½‖x_j − x̄‖², the loss that nobody can get below.
    spread_loss: f64,
    noise: f64,
    batch: usize,
    // Sum over the batch of θ − sample.
    sum: Vec<f64>,
    rng: Rng,
}

impl Task for Quadratic {
    fn dim(&self) -> usize {
        self.center.len()
    }

    fn init(&self, rng: &mut Rng, out: &mut [f32]) {
        out.iter_mut().for_each(|entry| *entry = normal(rng) as f32);
    }

    fn gradient(
        &mut self,
        params: &[f32],
        batch: Batch,
        grad: &mut [f32],
    ) -> Result<f64, TaskError> {
        let count = match batch {
            Batch::Fresh => self.batch,
            Batch::FreshOf(0) => return Err(TaskError::Unsupported { what: "batch of nothing" }),
            Batch::FreshOf(count) => count,
            Batch::LastFlipped => {
                return Err(TaskError::Unsupported { what: "labels to flip" });
            }
        };
        self.sum.fill(0.0);
        let mut loss = 0.0;
        for _ in 0..count {
            let entries = params.iter().zip(&self.center).zip(&mut self.sum);
            for ((param, center), sum) in entries {
                let draw = if self.noise > 0.0 { normal(&mut self.rng) } else { 0.0 };
                let difference = f64::from(*param) - f64::from(*center) - self.noise * draw;
                loss += 0.5 * difference * difference;
                *sum += difference;
            }
        }
        let count = count as f64;
        for (entry, sum) in grad.iter_mut().zip(&self.sum) {
            *entry = (sum / count) as f32;
        }
        loss /= count;
        if !loss.is_finite() {
            return Err(TaskError::NotFinite { what: "loss" });
        }
        if grad.iter().any(|entry| !entry.is_finite()) {
            return Err(TaskError::NotFinite { what: "gradient" });
        }
        Ok(loss)
    }

    fn evaluate(&mut self, params: &[f32]) -> Result<Scores, TaskError> {
        let excess = half_square(params.iter().zip(&*self.optimum));
        if !excess.is_finite() {
            return Err(TaskError::NotFinite { what: "loss" });
        }
        // Σ ½‖θ − x_j‖² / n splits exactly into the distance to the mean and the spread.
        let scores = [
            ("distance", (2.0 * excess).sqrt()),
            ("excess", excess),
            ("loss", excess + self.spread_loss),
        ];
        Ok(scores.into_iter().map(|(name, score)| (name.to_owned(), score)).collect())
    }

    fn memory_bytes(&self) -> u64 {
        (self.center.len() * 4 + self.sum.len() * 8) as u64
    }

    fn save(&self, out: &mut StateWriter) {
        self.rng.save(out);
    }

    fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        self.rng.load(input)
    }
}
