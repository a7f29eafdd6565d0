//! What Byzantine nodes do: forged vectors and misconduct.
//!
//! This crate knows what honest nodes are about to say; it does not know how they learn, and no
//! production node links it.
//!
//! Start reading at [`Attack`] and [`View`], then one attack, such as `attack/sign_flipping.rs`;
//! [`Line`] and [`Defence`] explain how an attack searches against the honest nodes' rule.
pub mod attack;
pub mod defence;
pub mod forger;
pub mod line;
pub mod misbehaviour;
mod moments;
pub mod poisoning;
pub mod quantile;
pub mod search;

pub use attack::{ATTACKS, Attack, AttackError, AttackRule, AttackSetup, Forgery, Needs, View};
pub use defence::{Defence, Displacement, Response};
pub use forger::{Forger, KINDS, Kind, Twist};
pub use line::Line;
pub use misbehaviour::{Fate, Letter, MISBEHAVIOURS, Misbehaviour, MisbehaviourRule};
pub use search::Search;
