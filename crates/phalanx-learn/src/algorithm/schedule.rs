//! The learning rate over rounds: constant, or stepwise `γ_0 / (t/τ + 1)`.
use phalanx_protocol::Round;
use phalanx_robust::{Args, Param};

/// γ_0.
pub const LEARNING_RATE: Param =
    Param::number("learning-rate", (1e-12, 1e12), 0.1).about("γ_0, the first step size");
/// Δ.
pub const DECAY_PERIOD: Param = Param::integer("decay-period", (0, 1_000_000_000), 0)
    .about("Δ: the step size changes every so many rounds; 0: never");
/// τ.
pub const HALF_DECAY: Param = Param::number("half-decay", (1e-9, 1e12), 1.0)
    .about("τ: γ_t = γ_0 / (t/τ + 1) at multiples t of the decay period");

/// A step-size schedule.
#[derive(Debug, Clone, Copy)]
pub struct Schedule {
    first: f64,
    period: u32,
    half_decay: f64,
}

impl Schedule {
    /// From the three parameters above.
    pub fn new(args: &Args) -> Self {
        Self {
            first: args.number("learning-rate"),
            period: args.integer("decay-period") as u32,
            half_decay: args.number("half-decay"),
        }
    }

    /// γ_t.
    pub fn step(self, round: Round) -> f64 {
        if self.period == 0 {
            return self.first;
        }
        let t = round.0 - round.0 % self.period;
        self.first / (f64::from(t) / self.half_decay + 1.0)
    }
}
