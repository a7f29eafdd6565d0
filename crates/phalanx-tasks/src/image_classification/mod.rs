//! Image classification: models, data and the task that joins them.
use std::sync::Arc;

use phalanx_learn::{Task, TaskError, TaskRule, TaskSetup};
use phalanx_robust::{Args, Entry, Param, Rng};

use crate::dataset::{self, NormalisationTable, Shape};
use crate::partition::{Scheme, partition};

mod batches;
pub mod model;
mod regularizer;
mod task;

pub use batches::Batches;
pub use regularizer::Regularizer;

use model::{CifarCnn, MnistCnn, Mode, Model, Perceptron};
use task::{ImageClassification, Mirroring, Settings};

/// Hidden units of the MLP.
const HIDDEN: usize = 100;

/// The registry entry.
pub const ENTRY: Entry<TaskRule> = Entry {
    name: "image-classification",
    summary: "digits, clothes or photographs, by a linear model, an MLP or a CNN",
    source: "Farhadkhani et al., Robust Collaborative Learning with Linear Gradient Overhead, \
             ICML 2023: models and data of the published code",
    params: &[
        Param::choice(
            "dataset",
            &["digits", "mnist", "fashion-mnist", "cifar10", "synthetic-images", "synthetic-cifar"],
            "digits",
        )
        .about("which images; `digits` is embedded, the synthetic ones are generated"),
        Param::choice("model", &["linear", "mlp", "cnn", "cifar-cnn"], "mlp")
            .about("linear; 784-100-10; CNN of 431,080 or (CIFAR-10) 1,310,922 parameters"),
        Param::choice("mode", &["paper", "published"], "paper")
            .about("published: the deviations of the published code (Q2, and Q7 by `flips`)"),
        Param::choice(
            "split",
            &[
                "iid",
                "dirichlet-per-worker",
                "dirichlet-per-class",
                "gamma-similarity",
                "gamma-similarity-random",
                "label-sorted",
            ],
            "iid",
        )
        .about("how the training samples are divided among the honest nodes"),
        Param::number("alpha", (1e-9, 1e9), 1.0)
            .optional()
            .about("of the Dirichlet splits, which need it: small means different nodes"),
        Param::number("gamma", (0.0, 1.0), 1.0)
            .optional()
            .about("of the gamma-similarity splits, which need it: 1 is iid, 0 is label-sorted"),
        Param::integer("batch", (1, 1_000_000), 25).about("samples of a mini-batch"),
        Param::choice("regularizer", &["none", "norm", "squared"], "none")
            .about("penalty: lambda times the norm, or half lambda times its square"),
        Param::number("regularization", (0.0, 1e6), 0.0)
            .optional()
            .about("lambda of the regularizer"),
        Param::choice("flips", &["auto", "none", "training", "training-and-test"], "auto")
            .about("random mirroring; auto: training images of CIFAR shape, published also test"),
        Param::integer("train-samples", (1, 10_000_000), 1)
            .optional()
            .about("use or generate only so many training samples"),
        Param::integer("test-samples", (1, 10_000_000), 1)
            .optional()
            .about("use or generate only so many test samples"),
        Param::number("validation", (0.001, 0.9), 0.2).optional().about(
            "hold out this share of the training samples and score on it, not on the test set",
        ),
    ],
    build: TaskRule {
        formula: "loss: mean negative log-likelihood of the batch + penalty;\n\
                  batches: shuffled epochs of the node's shard, the last short batch kept;\n\
                  scores: accuracy and loss (without penalty) on the whole test set",
        scores: &["accuracy", "loss"],
        build,
    },
};

fn build(setup: TaskSetup<'_>) -> Result<Vec<Box<dyn Task>>, TaskError> {
    let args = setup.args;
    let scheme = scheme(args)?;
    let regularizer = regularizer(args)?;
    let limits = (args.integer_if("train-samples"), args.integer_if("test-samples"));
    let mut data = dataset::load(args.text("dataset"), setup.data, limits).map_err(refused)?;
    if let Some(share) = args.number_if("validation") {
        data = data.held_out(share, &mut Rng::stream(setup.seed, u64::MAX, "validation"));
    }
    let model = model(args, data.train.shape(), data.train.classes())?;
    let samples = (data.train.labels(), data.train.classes());
    let mut rng = Rng::stream(setup.seed, u64::MAX, "partition");
    let parts = partition(scheme, samples, setup.nodes, &mut rng).map_err(refused)?;
    let settings = Settings {
        table: Arc::new(NormalisationTable::new(data.normalisation)),
        batch: args.integer("batch"),
        regularizer,
        mirroring: mirroring(args, data.train.shape()),
        data,
    };
    let task = |(node, shard): (usize, Vec<u32>)| -> Box<dyn Task> {
        let node = node as u64;
        let model = model.sibling(Rng::stream(setup.seed, node, "dropout"));
        Box::new(ImageClassification::new(settings.clone(), model, shard, (setup.seed, node)))
    };
    Ok(parts.shards.into_iter().enumerate().map(task).collect())
}

fn refused(error: impl std::fmt::Display) -> TaskError {
    TaskError::Data(error.to_string())
}

/// The value of a parameter that `owner` needs; given without need it is an error, too, since
/// then somebody believes that it acts.
fn needed(args: &Args, (owner, word): (&str, &str), name: &str) -> Result<f64, TaskError> {
    args.number_if(name)
        .ok_or_else(|| refused(format_args!("{owner} `{word}` needs the parameter `{name}`")))
}

fn refuse_unused(args: &Args, (owner, word): (&str, &str), name: &str) -> Result<(), TaskError> {
    match args.has(name) {
        false => Ok(()),
        true => {
            Err(refused(format_args!("`{name}` is given, but {owner} `{word}` has no use for it")))
        }
    }
}

fn scheme(args: &Args) -> Result<Scheme, TaskError> {
    let split = ("split", args.text("split"));
    let (is_dirichlet, is_similarity) =
        (split.1.starts_with("dirichlet"), split.1.starts_with("gamma-similarity"));
    if !is_dirichlet {
        refuse_unused(args, split, "alpha")?;
    }
    if !is_similarity {
        refuse_unused(args, split, "gamma")?;
    }
    Ok(match split.1 {
        "dirichlet-per-worker" => {
            Scheme::DirichletPerWorker { alpha: needed(args, split, "alpha")? }
        }
        "dirichlet-per-class" => Scheme::DirichletPerClass { alpha: needed(args, split, "alpha")? },
        "gamma-similarity" => Scheme::GammaSimilarity { gamma: needed(args, split, "gamma")? },
        "gamma-similarity-random" => {
            Scheme::GammaSimilarityRandom { gamma: needed(args, split, "gamma")? }
        }
        "label-sorted" => Scheme::LabelSorted,
        _ => Scheme::Iid,
    })
}

fn regularizer(args: &Args) -> Result<Regularizer, TaskError> {
    let word = ("regularizer", args.text("regularizer"));
    match word.1 {
        "norm" => Ok(Regularizer::Norm(needed(args, word, "regularization")?)),
        "squared" => Ok(Regularizer::Squared(needed(args, word, "regularization")?)),
        _ => refuse_unused(args, word, "regularization").map(|()| Regularizer::None),
    }
}

fn mirroring(args: &Args, shape: Shape) -> Mirroring {
    match (args.text("flips"), shape == Shape::CIFAR, args.text("mode")) {
        ("training", _, _) | ("auto", true, "paper") => Mirroring::Training,
        ("training-and-test", _, _) | ("auto", true, _) => Mirroring::TrainingAndTest,
        _ => Mirroring::None,
    }
}

/// The model that all nodes' models are siblings of.
fn model(args: &Args, shape: Shape, classes: usize) -> Result<Box<dyn Model>, TaskError> {
    let mode = if args.text("mode") == "published" { Mode::Published } else { Mode::Paper };
    let model: Box<dyn Model> = match args.text("model") {
        "linear" => Box::new(Perceptron::new(&[shape.len(), classes])),
        "mlp" => Box::new(Perceptron::new(&[shape.len(), HIDDEN, classes])),
        "cnn" => Box::new(MnistCnn::new()),
        // The siblings bring their own dropout streams; this one never trains.
        _ => Box::new(CifarCnn::new(mode, Rng::stream(0, u64::MAX, "dropout"))),
    };
    if model.input_len() == shape.len() && model.classes() == classes {
        return Ok(model);
    }
    let Shape { channels, height, width } = shape;
    Err(refused(format_args!(
        "model `{}` takes `{}` numbers per image, but data set `{}` has images of \
         {channels} x {height} x {width}",
        args.text("model"),
        model.input_len(),
        args.text("dataset"),
    )))
}
