//! Learning to regulate an unknown linear diffusion while flying it.
//!
//! The plant is `dX = (A X + B U) dt + dW` with unknown `A` and `B`; the controller pays
//! `Xᵀ Qx X + Uᵀ Qu U` per unit of time and applies linear feedback `U = K X` that it chooses
//! anew at the end of each episode. [`regulate`] flies one replication, [`stabilise`] its first
//! phase alone, and [`fleet`] lets members that fly copies of one plant pool what they know.
//!
//! # Source
//! M. K. Shirani Faradonbeh, M. S. Shirani Faradonbeh and M. Bayati, Thompson Sampling
//! Efficiently Learns to Control Diffusion Processes, NeurIPS 2022. The paper's text was not at
//! hand: plants and tuning are recalled, what it leaves open is chosen, and each says which.
pub mod fleet;
mod flight;
mod kernel;
mod motion;
mod normals;
mod plant;
mod policy;
mod posterior;
mod regret;
mod regulate;
mod stabilise;

pub use flight::{Diverged, Feedback, Flight, GUARD, Totals};
pub use motion::{Method, Stepping, SteppingError};
pub use normals::{Normals, Purpose, SeededStreams, Streams};
pub use plant::{Optimum, PLANTS, Plant, PlantEntry, PlantError, named};
pub use policy::{Decision, Knowledge, POLICIES, Policy, PolicyRule, Proposal, decide};
pub use posterior::{Information, NoiseModel, Posterior, Prior};
pub use regret::{ItoIdentity, STATIONARY_MAX, sampled_cost, stationary_cost};
pub use regulate::{End, Episodes, History, ScheduleError, Update, regulate};
pub use stabilise::{Setting, Stabilisation, Stabilised, stabilise};
