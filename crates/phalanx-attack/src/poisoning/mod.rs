//! Poisoning personalised learning: from a gradient to a model, from a model to data.
//!
//! A user of personalised learning can lie in three ways: send any reachable gradient, hold any
//! local model, or submit any data and follow the protocol. This module turns each into the next.
pub mod bound;
pub mod classical;
pub mod conversion;
pub mod counter_gradient;
pub mod regression;
pub mod softmax;

pub use conversion::{ConversionError, model_of_gradient, model_of_population};
pub use counter_gradient::{CounterGradient, Form, Projected};
pub use regression::RegressionPoison;
pub use softmax::{PoisonError, SoftmaxPoison, SoftmaxSettings};
