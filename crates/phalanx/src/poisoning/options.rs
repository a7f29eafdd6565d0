//! The options that describe a population of personalised learning.
use std::path::PathBuf;

use clap::Args;
use phalanx_learn::algorithm::personalised::{Motion, Regularizer, TIES, Weighting};
use phalanx_tasks::dataset;
use phalanx_tasks::personalised::{Features, Images};

use crate::command::data::folder;
use crate::poisoning::{Setting, Stage};
use crate::problem::Problem;

/// Data sets whose images are all of one grey.
const DATASETS: [&str; 4] = ["digits", "mnist", "fashion-mnist", "synthetic-images"];
/// Most honest users.
const USERS_MAX: usize = 4_096;
/// Most points of one user, honest or not.
pub const POINTS_MAX: usize = 1_000_000;
/// Most frozen features.
const FEATURES_MAX: usize = 10_000;
/// Epochs of the network whose first layer is frozen.
const FEATURE_EPOCHS: usize = 5;

/// Who trains on what, tied how.
#[derive(Debug, Args)]
pub struct PopulationOptions {
    /// Take the images of this data set: digits, mnist, fashion-mnist or synthetic-images
    #[arg(long, value_name = "NAME", default_value = "digits")]
    pub dataset: String,
    /// Look for data sets in this folder [default: PHALANX_DATA, else data]
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// Use only so many training images
    #[arg(long, value_name = "COUNT")]
    pub train_samples: Option<usize>,
    /// Train the last layer over so many frozen features of a network that is trained here first
    #[arg(long, value_name = "COUNT")]
    pub features: Option<usize>,
    /// Let so many honest users train
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub users: usize,
    /// Give each so many images, drawn with replacement [default: training images by users]
    #[arg(long, value_name = "COUNT")]
    pub points: Option<usize>,
    /// Tie local models to the global one by l2-squared, l2 or smooth-l2
    #[arg(long, value_name = "NAME", default_value = "l2-squared")]
    pub regularizer: String,
    /// Tie them this strongly
    #[arg(long, value_name = "LAMBDA", default_value_t = 1.0)]
    pub lambda: f64,
    /// Take the mean over a user's points in place of their sum
    #[arg(long)]
    pub mean: bool,
    /// Train for so many epochs
    #[arg(long, value_name = "COUNT", default_value_t = 250)]
    pub epochs: usize,
    /// Train the attacker's target, on labels y + 1, for so many epochs
    #[arg(long, value_name = "COUNT", default_value_t = 100)]
    pub target_epochs: usize,
    /// Seed everything random
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    pub seed: u64,
}

impl PopulationOptions {
    /// The images, pixels or frozen features, for training and testing.
    ///
    /// # Errors
    /// For data that are not there and numbers that make no population.
    pub fn images(&self) -> Result<(Images, Images), Problem> {
        let given = [
            (Some(self.users), "--users", USERS_MAX),
            (Some(self.epochs), "--epochs", usize::MAX),
            (Some(self.target_epochs), "--target-epochs", usize::MAX),
            (self.points, "--points", POINTS_MAX),
            (self.features, "--features", FEATURES_MAX),
            (self.train_samples, "--train-samples", usize::MAX),
        ];
        for (value, option, most) in given {
            value.map_or(Ok(()), |value| within(value, most, option))?;
        }
        if !DATASETS.contains(&self.dataset.as_str()) {
            let problem = Problem::new(format!("no grey data set `{}`", self.dataset));
            return Err(problem.at("--dataset").among("data set", &self.dataset, DATASETS));
        }
        let place = folder(self.data.clone())?;
        let limits = (self.train_samples, None);
        let data = dataset::load(&self.dataset, &place, limits).map_err(|error| {
            let text = error.to_string();
            match text.split_once("\nhint: ") {
                Some((message, hint)) => Problem::new(message).hint(hint),
                None => Problem::new(text),
            }
        })?;
        let (train, test) = (Images::of(&data.train), Images::of(&data.test));
        let Some(hidden) = self.features else { return Ok((train, test)) };
        let features = Features::train(&train, (hidden, FEATURE_EPOCHS), self.seed);
        let features = features.expect("images of a data set have one class each");
        Ok((features.of(&train), features.of(&test)))
    }

    /// The population on these images; the target is trained unless one is given.
    ///
    /// # Errors
    /// For a regulariser that does not exist and a target that does not fit the images.
    pub fn stage(
        &self,
        (train, test): (Images, Images),
        target: Option<Vec<f64>>,
    ) -> Result<Stage, Problem> {
        let regularizer = self.tie()?;
        let dim = train.classes * (train.inputs + 1);
        if let Some(target) = target.as_ref().filter(|target| target.len() != dim) {
            let (classes, inputs) = (train.classes, train.inputs);
            let problem = Problem::new(format!(
                "a model of `{}` numbers, but these images need `{dim}`",
                target.len()
            ));
            return Err(problem.hint(format!(
                "`{classes}` x `{inputs}` weights row by row, then `{classes}` biases"
            )));
        }
        let setting = Setting {
            users: self.users,
            points: self.points.unwrap_or((train.len() / self.users).max(1)),
            regularizer,
            motion: Motion::published(),
            weighting: if self.mean { Weighting::Mean } else { Weighting::Sum },
            target_epochs: self.target_epochs,
            seed: self.seed,
        };
        Ok(Stage::new(setting, (train, test), target))
    }

    /// The regulariser.
    ///
    /// # Errors
    /// For a name or strength that is none.
    pub fn tie(&self) -> Result<Regularizer, Problem> {
        let refused = Regularizer::named(&self.regularizer, self.lambda);
        refused.map_err(|error| {
            let problem = Problem::new(error.to_string());
            if TIES.contains(&self.regularizer.as_str()) {
                problem.at("--lambda")
            } else {
                problem.at("--regularizer").among("regulariser", &self.regularizer, TIES)
            }
        })
    }
}

/// Refuses counts of nothing and those that no memory holds.
///
/// # Errors
/// When the value lies outside 1 to `most`.
pub fn within(value: usize, most: usize, option: &str) -> Result<(), Problem> {
    match value {
        0 => Err(Problem::new("`0`, but at least 1 is needed").at(option)),
        value if value > most => {
            Err(Problem::new(format!("`{value}`, but at most {most} are possible")).at(option))
        }
        _ => Ok(()),
    }
}
