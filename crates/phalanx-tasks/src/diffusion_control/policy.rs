//! Policies: what a controller believes at the end of an episode, and the gain that follows.
use phalanx_robust::{Args, Entry, Param};

use super::normals::Normals;
use super::plant::{Optimum, Plant};
use super::posterior::Posterior;
use crate::control::{CareError, Matrix, Regulator, care};

/// What a policy may look at: the past, never the plant.
pub struct Knowledge<'a> {
    /// time of the decision
    pub seconds: f64,
    /// what the data say
    pub posterior: &'a Posterior,
    /// the gain in use
    pub gain: &'a Matrix,
}

/// What a policy wants to apply.
#[derive(Debug, Clone, PartialEq)]
pub enum Proposal {
    /// the optimal gain of this θ
    Estimate(Matrix),
    /// this gain
    Gain(Matrix),
}

/// Decides at the end of each episode. Implement it to compare a controller of your own.
pub trait Policy: Send + Sync {
    /// What to apply next; asked again with the next `attempt` after a proposal was rejected,
    /// until it has nothing (more) to propose.
    fn propose(
        &self,
        knowledge: &Knowledge<'_>,
        attempt: u32,
        normals: &mut dyn Normals,
    ) -> Option<Proposal>;
}

/// What is known of a policy besides name and parameters.
#[derive(Debug, Clone, Copy)]
pub struct PolicyRule {
    /// the rule in plain text
    pub formula: &'static str,
    /// builds it; only the oracle looks at the optimum
    pub build: fn(&Args, &Optimum) -> Box<dyn Policy>,
}

/// Every policy that a file can name.
pub const POLICIES: &[Entry<PolicyRule>] =
    &[CERTAINTY_EQUIVALENCE, ORACLE, RANDOMISED_ESTIMATE, THOMPSON_SAMPLING];

const SOURCE: &str = "Shirani Faradonbeh, Shirani Faradonbeh and Bayati, Thompson Sampling \
                      Efficiently Learns to Control Diffusion Processes, NeurIPS 2022 (recalled)";

const THOMPSON_SAMPLING: Entry<PolicyRule> = Entry {
    name: "thompson-sampling",
    summary: "the optimal gain of a draw from the posterior",
    source: SOURCE,
    params: &[],
    build: PolicyRule {
        formula: "θ̂ ~ N(M, V⁻¹ ⊗ R), U = K(θ̂) X",
        build: |_, _| Box::new(ThompsonSampling),
    },
};

const CERTAINTY_EQUIVALENCE: Entry<PolicyRule> = Entry {
    name: "certainty-equivalence",
    summary: "the optimal gain of the posterior's mean",
    source: "textbook",
    params: &[],
    build: PolicyRule { formula: "U = K(M) X", build: |_, _| Box::new(CertaintyEquivalence) },
};

const RANDOMISED_ESTIMATE: Entry<PolicyRule> = Entry {
    name: "randomised-estimate",
    summary: "the optimal gain of the mean plus noise that fades with time",
    source: "Shirani Faradonbeh et al., arXiv 2109.07630 (the idea recalled; exponent -1/4, scale \
             and the lack of a logarithm unconfirmed)",
    params: &[Param::number("scale", (0.0, 1e6), 0.1).about("c, size of the noise at one second")],
    build: PolicyRule {
        formula: "θ̂ = M + c t^(−1/4) Φ with standard normal Φ, U = K(θ̂) X",
        build: |args, _| Box::new(RandomisedEstimate { scale: args.number("scale") }),
    },
};

const ORACLE: Entry<PolicyRule> = Entry {
    name: "oracle",
    summary: "the optimal gain of the true plant, once the stabilisation phase is over",
    source: "textbook",
    params: &[],
    build: PolicyRule {
        formula: "U = K* X",
        build: |_, optimum| Box::new(Oracle { gain: optimum.care.gain.clone() }),
    },
};

struct ThompsonSampling;

impl Policy for ThompsonSampling {
    fn propose(
        &self,
        knowledge: &Knowledge<'_>,
        _attempt: u32,
        normals: &mut dyn Normals,
    ) -> Option<Proposal> {
        Some(Proposal::Estimate(knowledge.posterior.sample(normals)))
    }
}

struct CertaintyEquivalence;

impl Policy for CertaintyEquivalence {
    fn propose(
        &self,
        knowledge: &Knowledge<'_>,
        attempt: u32,
        _normals: &mut dyn Normals,
    ) -> Option<Proposal> {
        // Asked again, it could only say the same.
        (attempt == 0).then(|| Proposal::Estimate(knowledge.posterior.mean.clone()))
    }
}

struct RandomisedEstimate {
    scale: f64,
}

impl Policy for RandomisedEstimate {
    fn propose(
        &self,
        knowledge: &Knowledge<'_>,
        _attempt: u32,
        normals: &mut dyn Normals,
    ) -> Option<Proposal> {
        let mean = &knowledge.posterior.mean;
        let mut noise = Matrix::zeros(mean.rows(), mean.columns());
        normals.fill(noise.entries_mut());
        let size = self.scale * knowledge.seconds.powf(-0.25);
        Some(Proposal::Estimate(mean.plus(size, &noise)))
    }
}

struct Oracle {
    gain: Matrix,
}

impl Policy for Oracle {
    fn propose(
        &self,
        _knowledge: &Knowledge<'_>,
        attempt: u32,
        _normals: &mut dyn Normals,
    ) -> Option<Proposal> {
        (attempt == 0).then(|| Proposal::Gain(self.gain.clone()))
    }
}

/// Proposals of one decision before the gain in use is kept (chosen).
const ATTEMPTS_MAX: u32 = 20;

/// What became of a policy's proposals.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// the gain to apply
    pub gain: Matrix,
    /// the estimate that it is optimal for, where there is one
    pub estimate: Option<Matrix>,
    /// proposals whose Riccati equation has no answer that can be trusted
    pub rejected: u32,
    /// whether nothing was accepted, so that the former gain stays
    pub is_kept: bool,
}

/// Asks a policy until its proposal has a gain.
pub fn decide(
    policy: &dyn Policy,
    knowledge: &Knowledge<'_>,
    plant: &Plant,
    normals: &mut dyn Normals,
) -> Decision {
    let mut rejected = 0;
    for attempt in 0..ATTEMPTS_MAX {
        let Some(proposal) = policy.propose(knowledge, attempt, normals) else { break };
        match proposal {
            Proposal::Gain(gain) if gain.is_finite() => {
                return Decision { gain, estimate: None, rejected, is_kept: false };
            }
            Proposal::Estimate(theta) => {
                if let Ok(gain) = optimal_gain(&theta, plant) {
                    return Decision { gain, estimate: Some(theta), rejected, is_kept: false };
                }
            }
            Proposal::Gain(_) => {}
        }
        rejected += 1;
    }
    Decision { gain: knowledge.gain.clone(), estimate: None, rejected, is_kept: true }
}

/// K(θ) under the plant's costs, which the controller knows.
pub(super) fn optimal_gain(theta: &Matrix, plant: &Plant) -> Result<Matrix, CareError> {
    let (p, n) = (plant.states(), theta.rows());
    let a = theta.part((0, p), (0, p)).transposed();
    let b = theta.part((p, n), (0, p)).transposed();
    let solved = care(&Regulator { a: &a, b: &b, ..plant.regulator() })?;
    Ok(solved.gain)
}
