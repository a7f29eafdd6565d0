//! What Byzantine nodes do: forged vectors and misconduct.
//!
//! This crate knows what honest nodes are about to say; it does not know how they learn, and no
//! production node links it.
//!
//! Start reading at [`Attack`] and [`View`], then one attack, such as `attack/sign_flipping.rs`.
pub mod attack;
pub mod defence;

pub use attack::{ATTACKS, Attack, AttackError, AttackRule, AttackSetup, Forgery, Needs, View};
pub use defence::Defence;
