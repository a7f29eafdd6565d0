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

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(first: f64, period: u32, half_decay: f64) -> Schedule {
        Schedule { first, period, half_decay }
    }

    // Spec 01, section 7.
    #[test]
    fn the_mnist_table() {
        let schedule = schedule(0.75, 50, 50.0);
        let table = [
            0.75, 0.375, 0.25, 0.1875, 0.15, 0.125, 0.10714, 0.09375, 0.08333, 0.075, 0.06818,
            0.0625,
        ];
        for (step, expected) in table.iter().enumerate() {
            for round in [50 * step as u32, 50 * step as u32 + 49] {
                assert!((schedule.step(Round(round)) - expected).abs() < 5e-6, "round {round}");
            }
        }
    }

    #[test]
    fn the_cifar_table() {
        let schedule = schedule(0.5, 1500, 167.0);
        assert!((0..1500).all(|round| schedule.step(Round(round)) == 0.5));
        assert!((schedule.step(Round(1500)) - 0.05009).abs() < 5e-6);
        assert!((schedule.step(Round(1999)) - 0.05009).abs() < 5e-6);
    }

    #[test]
    fn without_a_period_it_is_constant() {
        let schedule = schedule(0.1, 0, 1.0);
        assert_eq!(schedule.step(Round(u32::MAX)), 0.1);
    }
}
