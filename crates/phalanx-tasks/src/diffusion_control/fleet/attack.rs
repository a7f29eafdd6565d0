//! What Byzantine members send instead of what they know.
use phalanx_robust::{Args, Entry, Param};

use crate::control::Matrix;
use crate::diffusion_control::plant::Plant;
use crate::diffusion_control::posterior::Information;

/// What an omniscient adversary sees when it forges one member's message.
#[derive(Debug, Clone, Copy)]
pub struct FleetView<'a> {
    /// the true plant
    pub plant: &'a Plant,
    /// what this member would say if it were honest
    pub own: &'a Information,
    /// what it would have said an episode ago, or half-way through the first phase
    pub stale: &'a Information,
    /// what the honest members say
    pub honest: &'a [Information],
}

/// Forges a message.
pub trait FleetAttack: Send + Sync {
    /// The message of one Byzantine member.
    fn forge(&self, view: &FleetView<'_>) -> Information;
}

/// What is known of an attack besides name and parameters.
#[derive(Debug, Clone, Copy)]
pub struct FleetAttackRule {
    /// the message in plain text
    pub formula: &'static str,
    /// builds it
    pub build: fn(&Args) -> Box<dyn FleetAttack>,
}

/// Every attack on a fleet that a file can name.
pub const FLEET_ATTACKS: &[Entry<FleetAttackRule>] =
    &[CONSISTENT_LIE, HIDDEN_SHIFT, INFLATED_PRECISION, REPLAY, SIGN_FLIP];

const SOURCE: &str = "chosen for this library";

const SIGN_FLIP: Entry<FleetAttackRule> = Entry {
    name: "sign-flip",
    summary: "evidence for the opposite of the plant",
    source: SOURCE,
    params: &[Param::number("factor", (0.0, 1e6), 3.0).about("size of the evidence")],
    build: FleetAttackRule {
        formula: "V, −factor · S",
        build: |args| {
            let factor = args.number("factor");
            Box::new(Scaled { precision: 1.0, evidence: -factor })
        },
    },
};

const INFLATED_PRECISION: Entry<FleetAttackRule> = Entry {
    name: "inflated-precision",
    summary: "an honest estimate that claims to be made of much more data",
    source: SOURCE,
    params: &[Param::number("factor", (1.0, 1e9), 50.0).about("claimed amount of data")],
    build: FleetAttackRule {
        formula: "factor · V, factor · S",
        build: |args| {
            let factor = args.number("factor");
            Box::new(Scaled { precision: factor, evidence: factor })
        },
    },
};

const CONSISTENT_LIE: Entry<FleetAttackRule> = Entry {
    name: "consistent-lie",
    summary: "much data, all of them about the opposite plant",
    source: SOURCE,
    params: &[Param::number("factor", (0.0, 1e9), 50.0).about("claimed amount of data")],
    build: FleetAttackRule {
        formula: "factor · V, factor · V θ with θ = −θ₀",
        build: |args| Box::new(ConsistentLie { factor: args.number("factor") }),
    },
};

const HIDDEN_SHIFT: Entry<FleetAttackRule> = Entry {
    name: "hidden-shift",
    summary: "every coordinate a little off, all in one direction, within the honest spread",
    source: "after Baruch et al., A Little Is Enough, NeurIPS 2019; the size chosen",
    params: &[Param::number("deviations", (0.0, 100.0), 1.5).about("shift in standard deviations")],
    build: FleetAttackRule {
        formula: "mean V of the honest, mean S − deviations · standard deviation of S",
        build: |args| Box::new(HiddenShift { deviations: args.number("deviations") }),
    },
};

const REPLAY: Entry<FleetAttackRule> = Entry {
    name: "replay",
    summary: "old statistics once more",
    source: SOURCE,
    params: &[],
    build: FleetAttackRule { formula: "V, S of an episode ago", build: |_| Box::new(Replay) },
};

struct Scaled {
    precision: f64,
    evidence: f64,
}

impl FleetAttack for Scaled {
    fn forge(&self, view: &FleetView<'_>) -> Information {
        Information {
            precision: view.own.precision.scaled(self.precision),
            evidence: view.own.evidence.scaled(self.evidence),
        }
    }
}

struct ConsistentLie {
    factor: f64,
}

impl FleetAttack for ConsistentLie {
    fn forge(&self, view: &FleetView<'_>) -> Information {
        let precision = view.own.precision.scaled(self.factor);
        let evidence = precision.times(&view.plant.parameters()).scaled(-1.0);
        Information { precision, evidence }
    }
}

struct HiddenShift {
    deviations: f64,
}

impl FleetAttack for HiddenShift {
    fn forge(&self, view: &FleetView<'_>) -> Information {
        let (p, q) = (view.plant.states(), view.plant.inputs());
        let mut sum = Information::none(p, q);
        view.honest.iter().for_each(|message| sum.add(1.0, message));
        let share = 1.0 / view.honest.len().max(1) as f64;
        let mean = Information {
            precision: sum.precision.scaled(share),
            evidence: sum.evidence.scaled(share),
        };
        let mut deviation = Matrix::zeros(p + q, p);
        for message in view.honest {
            let off = message.evidence.plus(-1.0, &mean.evidence);
            let pairs = deviation.entries_mut().iter_mut().zip(off.entries());
            pairs.for_each(|(sum, off)| *sum += share * off * off);
        }
        deviation.entries_mut().iter_mut().for_each(|entry| *entry = entry.sqrt());
        Information { evidence: mean.evidence.plus(-self.deviations, &deviation), ..mean }
    }
}

struct Replay;

impl FleetAttack for Replay {
    fn forge(&self, view: &FleetView<'_>) -> Information {
        view.stale.clone()
    }
}
