//! From a model to data: soft-labelled points that pin a linear softmax classifier.
//!
//! Points near the subspace where all classes are equally likely carry the most curvature, so few
//! of them hold a model where the attacker wants it (published construction, reimplemented).
use phalanx_robust::Rng;
use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

/// Why no points can be made.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PoisonError {
    /// a length that fits no linear classifier
    #[error(
        "a model of `{found}` numbers is no linear classifier of `{classes}` classes\nhint: one \
         has classes x (inputs + 1) of them, weights row by row, then biases"
    )]
    Length {
        /// numbers of the model
        found: usize,
        /// classes
        classes: usize,
    },
    /// a NaN or infinity in the model
    #[error("entry `{at}` of the target model is `{value}`, but finite numbers are needed")]
    NotFinite {
        /// which
        at: usize,
        /// what it is
        value: f64,
    },
    /// the rows of two or more classes are dependent
    #[error(
        "class `{class}` of the target model depends on the classes before it: no subspace of \
         equal scores\nhint: train the target model longer, or on data of all classes"
    )]
    Dependent {
        /// which
        class: usize,
    },
}

/// How the points are made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SoftmaxSettings {
    /// number of classes, at least 2
    pub classes: usize,
    /// M
    pub points: usize,
    /// points are drawn from [−half_width, half_width]^p; published: 50
    pub half_width: f64,
    /// τ, how far they leave the subspace of equal scores; published: .01 (MNIST)
    pub spread: f64,
    /// whether they become valid grey pixels, 0/255 to 255/255: then they are drawn from [0, 1]
    pub is_clipped: bool,
}

impl SoftmaxSettings {
    /// The published settings for MNIST with so many points.
    pub fn published(points: usize) -> Self {
        Self { classes: 10, points, half_width: 50.0, spread: 0.01, is_clipped: false }
    }
}

/// How often a clipped point is brought back to the subspace (chosen).
const RETURNS: usize = 8;
/// A direction shorter than this share of the longest is rounding.
const RANK: f64 = 1e-9;

/// Points with soft labels.
///
/// # Guarantee
/// The slope of their summed loss at the target model is 0 up to the rounding of f64: labels are
/// taken from the rounded features.
#[derive(Debug, Clone, PartialEq)]
pub struct SoftmaxPoison {
    /// M × p, row-major
    pub features: Vec<f32>,
    /// M × classes, row-major: probabilities
    pub targets: Vec<f64>,
    /// p
    pub inputs: usize,
}

impl SoftmaxPoison {
    /// Makes points for a model.
    ///
    /// # Shape
    /// `model`: classes × inputs weights row by row, then the biases.
    ///
    /// # Cost
    /// O(M p classes).
    ///
    /// # Errors
    /// When the model is no linear classifier or its classes are dependent.
    pub fn new(model: &[f64], settings: SoftmaxSettings, seed: u64) -> Result<Self, PoisonError> {
        let classes = settings.classes;
        let found = model.len();
        if classes < 2 || !found.is_multiple_of(classes) || found < 2 * classes {
            return Err(PoisonError::Length { found, classes });
        }
        if let Some(at) = model.iter().position(|entry| !entry.is_finite()) {
            return Err(PoisonError::NotFinite { at, value: model[at] });
        }
        let inputs = found / classes - 1;
        let planes = Planes::new(model, classes, inputs)?;
        let mut features = vec![0.0f32; settings.points * inputs];
        let mut targets = vec![0.0; settings.points * classes];
        let rows = features.par_chunks_mut(inputs).zip(targets.par_chunks_mut(classes));
        rows.enumerate().for_each(|(index, (feature, target))| {
            let mut rng = Rng::stream(seed, index as u64, "poison point");
            let x = planes.draw(settings, &mut rng);
            feature.iter_mut().zip(&x).for_each(|(out, x)| *out = *x as f32);
            probabilities(model, feature, target);
        });
        Ok(Self { features, targets, inputs })
    }

    /// Number of points, M.
    pub fn points(&self) -> usize {
        self.features.len() / self.inputs
    }
}

/// Class scores of one point.
fn scores(model: &[f64], feature: &[f32], out: &mut [f64]) {
    let (weights, biases) = model.split_at(feature.len() * out.len());
    for ((out, row), bias) in out.iter_mut().zip(weights.chunks_exact(feature.len())).zip(biases) {
        *out = bias + row.iter().zip(feature).map(|(w, x)| w * f64::from(*x)).sum::<f64>();
    }
}

fn probabilities(model: &[f64], feature: &[f32], out: &mut [f64]) {
    scores(model, feature, out);
    let most = out.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    out.iter_mut().for_each(|score| *score = (*score - most).exp());
    let sum: f64 = out.iter().sum();
    out.iter_mut().for_each(|power| *power /= sum);
}

/// The affine subspace z_a · x = c_a, a = 1 … classes − 1, its normals orthogonal.
struct Planes {
    normals: Vec<Vec<f64>>,
    offsets: Vec<f64>,
    squares: Vec<f64>,
}

impl Planes {
    /// Gram–Schmidt on the differences from class 0, carrying the constants along.
    fn new(model: &[f64], classes: usize, inputs: usize) -> Result<Self, PoisonError> {
        let (weights, biases) = model.split_at(classes * inputs);
        let row = |class: usize| &weights[class * inputs..][..inputs];
        let mut planes = Self { normals: Vec::new(), offsets: Vec::new(), squares: Vec::new() };
        for class in 1..classes {
            let mut normal: Vec<f64> =
                row(class).iter().zip(row(0)).map(|(own, first)| own - first).collect();
            let mut offset = biases[0] - biases[class];
            let length = dot(&normal, &normal);
            for (before, (constant, square)) in
                planes.normals.iter().zip(planes.offsets.iter().zip(&planes.squares))
            {
                let share = dot(&normal, before) / square;
                normal.iter_mut().zip(before).for_each(|(own, before)| *own -= share * before);
                offset -= share * constant;
            }
            let square = dot(&normal, &normal);
            if square <= RANK * RANK * length || square <= 0.0 {
                return Err(PoisonError::Dependent { class });
            }
            planes.normals.push(normal);
            planes.offsets.push(offset);
            planes.squares.push(square);
        }
        Ok(planes)
    }

    fn project(&self, x: &mut [f64]) {
        for ((normal, offset), square) in self.normals.iter().zip(&self.offsets).zip(&self.squares)
        {
            let excess = (dot(x, normal) - offset) / square;
            x.iter_mut().zip(normal).for_each(|(x, z)| *x -= excess * z);
        }
    }

    fn draw(&self, settings: SoftmaxSettings, rng: &mut Rng) -> Vec<f64> {
        let inputs = self.normals[0].len();
        let entry = |rng: &mut Rng| match settings.is_clipped {
            true => rng.unit(),
            false => (2.0 * rng.unit() - 1.0) * settings.half_width,
        };
        let mut x: Vec<f64> = (0..inputs).map(|_| entry(rng)).collect();
        self.project(&mut x);
        if settings.is_clipped {
            for _ in 0..RETURNS {
                x.iter_mut().for_each(|x| *x = x.clamp(0.0, 1.0));
                self.project(&mut x);
            }
        }
        for (normal, square) in self.normals.iter().zip(&self.squares) {
            let draw: f64 = StandardNormal.sample(rng);
            let step = settings.spread * draw / square.sqrt();
            x.iter_mut().zip(normal).for_each(|(x, z)| *x += step * z);
        }
        if settings.is_clipped {
            x.iter_mut().for_each(|x| *x = (x.clamp(0.0, 1.0) * 255.0).round() / 255.0);
        }
        x
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
