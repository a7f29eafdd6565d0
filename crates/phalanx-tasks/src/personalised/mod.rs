//! Users of personalised learning: losses that are sums over points, and where the points come
//! from.
use std::sync::Arc;

use phalanx_learn::algorithm::personalised::Motion;
use phalanx_learn::{Task, TaskError, TaskRule, TaskSetup};
use phalanx_robust::{Args, Entry, Param, Rng};

use crate::dataset;

mod features;
mod images;
mod linear_regression;
mod logistic_regression;
mod network;
mod product;
mod softmax;
pub mod target;
mod task;

pub use features::Features;
pub use images::{Images, Targets};
pub use linear_regression::LinearRegression;
pub use logistic_regression::LogisticRegression;
pub use network::NetworkLoss;
pub use softmax::LinearSoftmax;

use task::{Holding, PersonalData};

/// The registry entry.
pub const ENTRY: Entry<TaskRule> = Entry {
    name: "personalised",
    summary: "users with a linear softmax classifier and as many images each as they like",
    source: "Farhadkhani et al., An Equivalence Between Data Poisoning and Byzantine Gradient \
             Attacks, ICML 2022: data and model of the published code",
    params: &[
        Param::choice(
            "dataset",
            &["digits", "mnist", "fashion-mnist", "synthetic-images"],
            "digits",
        )
        .about("which images; pixels in 0..=1, not normalised further"),
        Param::integer("points", (1, 10_000_000), 800)
            .about("images of each user, drawn with replacement across users"),
        Param::choice("loss", &["sum", "mean"], "sum")
            .about("sum over a user's points, as the framework has it, or their mean"),
        Param::integer("batch", (0, 10_000_000), 0)
            .about("points of a stochastic slope, scaled up to the sum; 0: all of them"),
        Param::choice("poison", &["none", "fixed-model", "label-flip", "label-shift"], "none")
            .about("what the last users hold in place of images drawn like everybody's"),
        Param::integer("poisoned", (1, 1_000_000), 1).about("how many users that are"),
        Param::integer("target-epochs", (1, 100_000), 60)
            .about("epochs that a poisoner trains its target for"),
        Param::integer("train-samples", (1, 10_000_000), 1)
            .optional()
            .about("use or generate only so many training samples"),
        Param::integer("test-samples", (1, 10_000_000), 1)
            .optional()
            .about("use or generate only so many test samples"),
    ],
    build: TaskRule {
        formula: "loss: Σ_x −ln softmax(W x + u) at the label of x, over the user's points;\n\
                  fixed-model: K/2 ‖θ − θ♠‖² with K = 1000 and θ♠ = t + N_h (t − c) / poisoners, \
                  where t and c were trained on labels y + 1 and y;\n\
                  scores: accuracy and mean loss on the whole test set, true labels",
        scores: &["accuracy", "loss"],
        build,
    },
};

fn build(setup: TaskSetup<'_>) -> Result<Vec<Box<dyn Task>>, TaskError> {
    let args = setup.args;
    let refused = |error: dataset::DatasetError| TaskError::Data(error.to_string());
    let limits = (args.integer_if("train-samples"), args.integer_if("test-samples"));
    let data = dataset::load(args.text("dataset"), setup.data, limits).map_err(refused)?;
    let (train, test) =
        (Images::of(&data.train), Arc::new(LinearSoftmax::all(Images::of(&data.test))));
    let poisoned = match args.text("poison") {
        "none" => 0,
        _ => args.integer("poisoned"),
    };
    let honest = setup.nodes.checked_sub(poisoned).filter(|honest| *honest > 0);
    let honest = honest.ok_or_else(|| {
        let nodes = setup.nodes;
        let told = format!("`{poisoned}` poisoned users of `{nodes}` leave no honest one");
        TaskError::Data(format!("{told}\nhint: `poisoned` has to be less"))
    })?;
    let mut rng = Rng::stream(setup.seed, u64::MAX, "shares");
    let shares = train.shares((setup.nodes, args.integer("points")), &mut rng);
    let poison = Poison::new(args, &train, (honest, poisoned), setup.seed);
    let user = |(node, rows): (usize, Vec<u32>)| -> Box<dyn Task> {
        let holding = if node < honest {
            Holding::Points(LinearSoftmax::new(train.clone(), rows))
        } else {
            poison.holding(&train, rows)
        };
        let is_mean = args.text("loss") == "mean";
        let draw = (args.integer("batch"), Rng::stream(setup.seed, node as u64, "batches"));
        Box::new(PersonalData::new(holding, Arc::clone(&test), is_mean, draw))
    };
    Ok(shares.into_iter().enumerate().map(user).collect())
}

/// What the poisoned users hold.
enum Poison {
    Model(Arc<[f64]>),
    Flipped,
    Shifted,
}

impl Poison {
    fn new(args: &Args, train: &Images, (honest, count): (usize, usize), seed: u64) -> Self {
        match args.text("poison") {
            "label-flip" => Self::Flipped,
            "fixed-model" => {
                let epochs = args.integer("target-epochs");
                let trained = |images: Images| {
                    let mut rng = Rng::stream(seed, u64::MAX, "target");
                    let init = target::linear_init((images.classes, images.inputs), &mut rng);
                    let motion = (Motion::published(), epochs);
                    target::train_alone(&mut LinearSoftmax::all(images), init, motion)
                };
                let (wanted, clean) = (trained(shifted(train)), trained(train.clone()));
                let share = honest as f64 / count as f64;
                let pairs = wanted.iter().zip(&clean);
                Self::Model(
                    pairs.map(|(wanted, clean)| wanted + share * (wanted - clean)).collect(),
                )
            }
            _ => Self::Shifted,
        }
    }

    fn holding(&self, train: &Images, rows: Vec<u32>) -> Holding {
        match self {
            Self::Model(model) => Holding::Model(Arc::clone(model)),
            Self::Flipped => {
                let most = (train.classes - 1) as u8;
                let flip = |labels: &mut [u8]| labels.iter_mut().for_each(|c| *c = most - *c);
                Holding::Points(LinearSoftmax::new(train.relabelled(flip), rows))
            }
            Self::Shifted => Holding::Points(LinearSoftmax::new(shifted(train), rows)),
        }
    }
}

/// The images under labels y + 1, the last class under 0: the published target's labels.
pub fn shifted(images: &Images) -> Images {
    let classes = images.classes as u8;
    images.relabelled(|labels| labels.iter_mut().for_each(|y| *y = (*y + 1) % classes))
}
