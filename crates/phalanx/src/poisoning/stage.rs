//! One population with its data, and what becomes of its global model under each attack.
use phalanx_attack::poisoning::classical::Trigger;
use phalanx_attack::poisoning::{
    ConversionError, CounterGradient, Form, SoftmaxPoison, model_of_gradient, model_of_population,
};
use phalanx_learn::algorithm::personalised::pac::{PacConstants, PacFinding, check};
use phalanx_learn::algorithm::personalised::regularizer::{norm, squared_distance};
use phalanx_learn::algorithm::personalised::{
    Federation, LocalLoss as _, Motion, Outsider, Regularizer, Tie, User, Weighting,
};
use phalanx_robust::{AggregateError, Rng};
use phalanx_tasks::personalised::target::{linear_init, train_alone};
use phalanx_tasks::personalised::{Images, LinearSoftmax, shifted};
use rand_distr::{Distribution, StandardNormal};

use crate::poisoning::Defence;

/// Epochs between two looks at the test images.
const LOOK_EVERY: usize = 5;
/// Deviation of the noise with which a poisoner starts around its model, as published.
const START_NOISE: f64 = 0.1;
/// How far from ρ an attacker's model lies where only its direction counts (chosen).
const FAR: f64 = 30.0;

/// What a population is made of.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// N_h
    pub users: usize,
    /// points of each
    pub points: usize,
    /// R
    pub regularizer: Regularizer,
    /// how models move
    pub motion: Motion,
    /// sum or mean of a user's points
    pub weighting: Weighting,
    /// epochs of the model that the attacker wants
    pub target_epochs: usize,
    /// everything random
    pub seed: u64,
}

/// What the attacker does.
pub enum Play {
    /// nothing: nobody attacks
    Nothing,
    /// sends gradients of the counter-gradient attack
    Gradient(Form),
    /// holds a model
    Model(Vec<f64>),
    /// follows the protocol with these points, starting from the model if there is one; its loss
    /// is multiplied by the number
    Data(Images, Option<Vec<f64>>, f64),
}

/// What was seen of the global model.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Trace {
    /// ‖ρ − θ♠‖ before the first and after each epoch
    pub distance: Vec<f64>,
    /// ‖ρ‖ likewise
    pub length: Vec<f64>,
    /// (epoch, share of the test images that ρ classifies rightly)
    pub accuracy: Vec<(usize, f64)>,
    /// ‖g_s‖ of each epoch
    pub sent: Vec<f64>,
    /// g_s of the last epoch
    pub last_sent: Vec<f64>,
    /// ρ at the end
    pub global: Vec<f64>,
    /// the honest local models at the end
    pub locals: Vec<Vec<f64>>,
}

impl Trace {
    /// The last accuracy.
    pub fn last_accuracy(&self) -> f64 {
        self.accuracy.last().map_or(f64::NAN, |(_, share)| *share)
    }

    /// The last distance to the target.
    pub fn last_distance(&self) -> f64 {
        self.distance.last().copied().unwrap_or(f64::NAN)
    }
}

/// A population before its training, with the attacker's target.
pub struct Stage {
    setting: Setting,
    train: Images,
    test: LinearSoftmax,
    shares: Vec<Vec<u32>>,
    target: Vec<f64>,
}

impl Stage {
    /// Draws the users' points and trains the target on labels y + 1, unless one is given.
    pub fn new(
        setting: Setting,
        (train, test): (Images, Images),
        target: Option<Vec<f64>>,
    ) -> Self {
        let mut rng = Rng::stream(setting.seed, u64::MAX, "shares");
        let shares = train.shares((setting.users, setting.points), &mut rng);
        let target = target.unwrap_or_else(|| {
            let mut rng = Rng::stream(setting.seed, u64::MAX, "target");
            let init = linear_init((train.classes, train.inputs), &mut rng);
            let plan = (Motion::published(), setting.target_epochs);
            train_alone(&mut LinearSoftmax::all(shifted(&train)), init, plan)
        });
        Self { setting, train, test: LinearSoftmax::all(test), shares, target }
    }

    /// θ♠.
    pub fn target(&self) -> &[f64] {
        &self.target
    }

    /// The training images.
    pub fn train(&self) -> &Images {
        &self.train
    }

    /// The test images as a loss, for accuracies.
    pub fn test(&self) -> &LinearSoftmax {
        &self.test
    }

    /// The setting.
    pub fn setting(&self) -> &Setting {
        &self.setting
    }

    fn honest(&self) -> Vec<User> {
        let user = |(index, rows): (usize, &Vec<u32>)| {
            let mut rng = Rng::stream(self.setting.seed, index as u64, "initial parameters");
            let init = linear_init((self.train.classes, self.train.inputs), &mut rng);
            let data = LinearSoftmax::new(self.train.clone(), rows.clone());
            User::new(init, Box::new(data)).weighing(self.setting.weighting)
        };
        self.shares.iter().enumerate().map(user).collect()
    }

    fn attacker(&self, play: Play) -> Option<User> {
        match play {
            Play::Nothing | Play::Gradient(_) => None,
            Play::Model(model) => Some(User::fixed(model)),
            Play::Data(images, model, boost) => {
                let data = LinearSoftmax::all(images).boosted(boost);
                let mut rng = Rng::stream(self.setting.seed, u64::MAX, "poisoner");
                let init = match model {
                    Some(mut model) => {
                        model.iter_mut().for_each(|entry| {
                            let draw: f64 = StandardNormal.sample(&mut rng);
                            *entry += START_NOISE * draw;
                        });
                        model
                    }
                    None => linear_init((self.train.classes, self.train.inputs), &mut rng),
                };
                debug_assert_eq!(init.len(), data.dim());
                Some(User::new(init, Box::new(data)).weighing(self.setting.weighting))
            }
        }
    }

    /// Trains from the start; `watch` is told of each epoch that is done.
    ///
    /// # Errors
    /// When the defence's rule refuses what it is given.
    pub fn run(
        &self,
        (play, epochs): (Play, usize),
        defence: &mut Defence,
        watch: &mut dyn FnMut(usize),
    ) -> Result<Trace, AggregateError> {
        let mut outsider = match play {
            Play::Gradient(form) => Some(CounterGradient::new(self.target.clone(), form)),
            _ => None,
        };
        let users = self.honest().into_iter().chain(self.attacker(play)).collect();
        let mut rng = Rng::stream(self.setting.seed, u64::MAX, "initial parameters");
        let global = linear_init((self.train.classes, self.train.inputs), &mut rng);
        let Setting { regularizer, motion, .. } = self.setting;
        let mut federation = Federation::new(global, users, regularizer, motion);
        let mut trace = Trace::default();
        self.note(&federation, 0, &mut trace);
        for epoch in 1..=epochs {
            let outsider = outsider.as_mut().map(|attack| attack as &mut dyn Outsider);
            if defence.is_rule() {
                federation.step_condensed(outsider, &mut |asked, out| defence.condense(asked, out));
                if let Some(error) = defence.failure() {
                    return Err(error);
                }
            } else {
                federation.step(outsider);
            }
            if epoch % LOOK_EVERY == 0 || epoch == epochs {
                self.note(&federation, epoch, &mut trace);
            } else {
                note_lengths(&federation, &self.target, &mut trace);
            }
            trace.sent.push(norm(federation.sent()));
            watch(epoch);
        }
        trace.global = federation.global().to_vec();
        let honest = federation.users().iter().take(self.setting.users);
        trace.locals = honest.map(|user| user.theta().to_vec()).collect();
        trace.last_sent = federation.sent().to_vec();
        Ok(trace)
    }

    fn note(&self, federation: &Federation, epoch: usize, trace: &mut Trace) {
        note_lengths(federation, &self.target, trace);
        let accuracy = self.test.accuracy(federation.global());
        trace.accuracy.push((epoch, accuracy.unwrap_or(f64::NAN)));
    }

    /// The fixed model that does to ρ what a finished gradient attack did.
    ///
    /// # Errors
    /// When no model sends the gradient that would be needed.
    pub fn model(&self, attacked: &Trace) -> Result<Vec<f64>, ConversionError> {
        let regularizer = self.setting.regularizer;
        if regularizer.tie() == Tie::SquaredL2 {
            let locals: Vec<&[f64]> = attacked.locals.iter().map(Vec::as_slice).collect();
            return Ok(model_of_population(&attacked.global, &locals));
        }
        // One bounded vote: the gradient that the attack has come to send.
        let at = (&attacked.global[..], &attacked.last_sent[..]);
        model_of_gradient(regularizer, at, FAR)
    }

    /// Gradient-PAC* of the first honest user's data around the model that they alone prefer.
    pub fn pac(&self, constants: PacConstants) -> PacFinding {
        const DIRECTIONS: usize = 8;
        let mut loss = LinearSoftmax::new(self.train.clone(), self.shares[0].clone());
        let mut rng = Rng::stream(self.setting.seed, 0, "pac");
        let init = linear_init((self.train.classes, self.train.inputs), &mut rng);
        let plan = (Motion::published(), self.setting.target_epochs);
        let truth = train_alone(&mut loss, init, plan);
        check(&mut loss, &truth, constants, (DIRECTIONS, &mut rng))
    }

    /// Points that pin a model, as images of this stage.
    pub fn images(&self, poison: &SoftmaxPoison) -> Images {
        let shape = (poison.inputs, self.train.classes);
        Images::soft(poison.features.clone(), poison.targets.clone(), shape)
    }

    /// As many training images as each honest user has: for a seat that nobody misuses.
    pub fn honest_images(&self) -> Images {
        self.drawn(self.setting.points, |images| images)
    }

    /// So many training images under labels y + 1: poison without a construction.
    pub fn relabelled(&self, points: usize) -> Images {
        self.drawn(points, |images| shifted(&images))
    }

    /// So many training images, all with the trigger and the attacker's class.
    pub fn stamped(&self, points: usize, (trigger, width): (Trigger, usize)) -> Images {
        self.drawn(points, |mut images| {
            let mut features = images.features.to_vec();
            for image in features.chunks_exact_mut(images.inputs) {
                trigger.stamp(image, width);
            }
            images.features = features.into();
            images.relabelled(|labels| labels.fill(trigger.class))
        })
    }

    /// Share of the test images not of the trigger's class that ρ gives it once they are stamped.
    pub fn triggered(&self, global: &[f64], (trigger, width): (Trigger, usize)) -> f64 {
        let images = self.test.images();
        let labels = images.labels().unwrap_or(&[]);
        let others = (0..images.len()).filter(|row| labels[*row] != trigger.class);
        let mut features = Vec::new();
        let mut count = 0;
        for row in others {
            let mut image = images.feature(row).to_vec();
            trigger.stamp(&mut image, width);
            features.extend(image);
            count += 1;
        }
        let targets = phalanx_tasks::personalised::Targets::Classes(vec![trigger.class; count]);
        let stamped = Images { features: features.into(), targets, ..images.clone() };
        LinearSoftmax::all(stamped).accuracy(global).unwrap_or(f64::NAN)
    }

    fn drawn(&self, points: usize, change: impl FnOnce(Images) -> Images) -> Images {
        let mut rng = Rng::stream(self.setting.seed, u64::MAX, "poisoner's images");
        let rows: Vec<usize> = (0..points).map(|_| rng.below(self.train.len())).collect();
        let features = rows.iter().flat_map(|row| self.train.feature(*row)).copied().collect();
        let labels = self.train.labels().unwrap_or(&[]);
        let labels = rows.iter().map(|row| labels[*row]).collect();
        let targets = phalanx_tasks::personalised::Targets::Classes(labels);
        change(Images { features, targets, ..self.train.clone() })
    }
}

fn note_lengths(federation: &Federation, target: &[f64], trace: &mut Trace) {
    trace.distance.push(squared_distance(federation.global(), target).sqrt());
    trace.length.push(norm(federation.global()));
}
