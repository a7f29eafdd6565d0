//! Gaussian processes: from rows of numbers to a model that knows how little it knows.
//!
//! ```text
//! Samples → Training → GaussianProcess → Predictor → GpDynamics → planner
//!                            ↕ text            ↘ moments, belief
//! ```
//!
//! Outputs are modelled apart, each with parameters of its own, over common inputs. All numbers
//! inside are in standard units; all that is public is in the units of the data, parameters
//! excepted. `exponential.rs` and `pass.rs` are the fast path: one pass over the rows gives mean
//! and slope of all outputs, the same bits for any width of register.
mod belief;
mod bounded;
mod calibration;
mod covariance;
mod dynamics;
mod error;
mod exponential;
mod factor;
mod feature_model;
mod features;
pub mod kernel;
mod likelihood;
mod model;
mod moments;
mod parameters;
mod pass;
mod points;
mod predictor;
mod samples;
mod standardisation;
mod text;
mod training;

pub use belief::{BeliefPropagation, Feedback};
pub use calibration::{Calibration, Truth};
pub use dynamics::GpDynamics;
pub use error::GpError;
pub use feature_model::{FeatureModel, FeaturePrior};
pub use features::{FEATURES_MAX, FeatureStatistics, RandomFeatures};
pub use kernel::{KERNELS, Kernel, KernelRule};
pub use model::{GaussianProcess, Prediction, ROWS_MAX};
pub use moments::{Gaussian, MomentMatching, Moments};
pub use parameters::{LENGTH, NOISE, Parameters, SIGNAL, SLOPE};
pub use predictor::Predictor;
pub use samples::{COLUMNS_MAX, Samples};
pub use standardisation::{Scale, Standardisation};
pub use training::{Training, marginal_likelihood};
