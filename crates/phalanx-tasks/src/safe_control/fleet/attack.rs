//! What Byzantine members send instead of their statistics.
use phalanx_robust::{Args, Entry, Param};

use crate::control::Matrix;
use crate::safe_control::gp::FeatureStatistics;
use crate::safe_control::stream::Stream;

/// What an omniscient adversary sees when it forges one member's message.
#[derive(Debug, Clone, Copy)]
pub struct StatisticsView<'a> {
    /// what this member would say if it were honest
    pub own: &'a FeatureStatistics,
    /// weights as all honest rows give them, features × outputs
    pub truth: &'a Matrix,
    /// which of the liars this is, from 0
    pub liar: usize,
}

/// Forges a message.
pub trait StatisticsAttack: Send + Sync {
    /// The message of one Byzantine member.
    fn forge(&self, view: &StatisticsView<'_>) -> FeatureStatistics;
}

/// What is known of an attack besides name and parameters.
#[derive(Debug, Clone, Copy)]
pub struct StatisticsAttackRule {
    /// the message in plain text
    pub formula: &'static str,
    /// builds it
    pub build: fn(&Args) -> Box<dyn StatisticsAttack>,
}

/// Every attack on statistics that a file can name.
pub const STATISTICS_ATTACKS: &[Entry<StatisticsAttackRule>] = &[FLIP, LIE, SCALED_TRUTH];

const SOURCE: &str = "chosen for this library";

const FLIP: Entry<StatisticsAttackRule> = Entry {
    name: "flip",
    summary: "the evidence reversed and enlarged",
    source: SOURCE,
    params: &[Param::number("factor", (-1e6, 1e6), -5.0).about("what the evidence is times")],
    build: StatisticsAttackRule {
        formula: "A_i, factor · c_i",
        build: |args| Box::new(Flip { factor: args.number("factor") }),
    },
};

const LIE: Entry<StatisticsAttackRule> = Entry {
    name: "lie",
    summary: "statistics that agree with each other and with no plant",
    source: SOURCE,
    params: &[
        Param::number("factor", (1e-6, 1e6), 1.0).about("what rows and information are times"),
        Param::flag("is-common", true).about("whether all liars tell one lie"),
    ],
    build: StatisticsAttackRule {
        formula: "F A_i, F A_i w_lie, F n_i; w_lie random, as large as the truth",
        build: |args| {
            let (factor, is_common) = (args.number("factor"), args.flag("is-common"));
            Box::new(Lie { factor, is_common })
        },
    },
};

const SCALED_TRUTH: Entry<StatisticsAttackRule> = Entry {
    name: "scaled-truth",
    summary: "a lie near the truth, told by all liars",
    source: SOURCE,
    params: &[Param::number("factor", (-1e3, 1e3), 1.1).about("what the true weights are times")],
    build: StatisticsAttackRule {
        formula: "A_i, A_i (factor · w), n_i",
        build: |args| Box::new(ScaledTruth { factor: args.number("factor") }),
    },
};

struct Flip {
    factor: f64,
}

impl StatisticsAttack for Flip {
    fn forge(&self, view: &StatisticsView<'_>) -> FeatureStatistics {
        let evidence = view.own.evidence.scaled(self.factor);
        FeatureStatistics { evidence, ..view.own.clone() }
    }
}

struct Lie {
    factor: f64,
    is_common: bool,
}

impl StatisticsAttack for Lie {
    fn forge(&self, view: &StatisticsView<'_>) -> FeatureStatistics {
        let truth = view.truth;
        let seed = 0x11E + if self.is_common { 0 } else { view.liar as u64 };
        let mut lie = vec![0.0; truth.entries().len()];
        Stream::new(seed).normals(&mut lie);
        let size = truth.norm() / (lie.len() as f64).sqrt();
        let lie = Matrix::from_entries(truth.rows(), truth.columns(), lie).scaled(size);
        let precision = view.own.precision.scaled(self.factor);
        let evidence = precision.times(&lie);
        FeatureStatistics { precision, evidence, rows: view.own.rows * self.factor }
    }
}

struct ScaledTruth {
    factor: f64,
}

impl StatisticsAttack for ScaledTruth {
    fn forge(&self, view: &StatisticsView<'_>) -> FeatureStatistics {
        let evidence = view.own.precision.times(view.truth).scaled(self.factor);
        FeatureStatistics { evidence, ..view.own.clone() }
    }
}
