//! Algorithm 2, episodic Thompson sampling, for any policy: fly, look back, decide, fly on.
use super::flight::{Diverged, Feedback, Flight};
use super::normals::{Normals, Purpose, Streams};
use super::policy::{Decision, Knowledge, Policy, decide};
use super::regret::{ItoIdentity, stationary_cost};
use super::stabilise::{Lost, Setting};
use crate::control::{Matrix, spectral_abscissa};

/// When the gain is decided anew.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Episodes {
    /// each decision comes so many times later than the one before; recalled: 1.1
    pub growth: f64,
    /// T, the end
    pub horizon: f64,
}

/// Most decisions of a flight.
const DECISIONS_MAX: f64 = 100_000.0;

/// Why there is no sequence of episodes.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum ScheduleError {
    /// Episodes that do not grow.
    #[error("`growth` is `{0}`, and above 1 is needed")]
    Growth(f64),
    /// Episodes that hardly grow.
    #[error("`growth` is `{growth}`, which means `{count:.0}` decisions, above {DECISIONS_MAX}")]
    Decisions {
        /// the growth
        growth: f64,
        /// decisions that it means
        count: f64,
    },
    /// The end comes before the first decision.
    #[error("`horizon` is `{horizon}` s, but the stabilisation phase takes `{stabilisation}` s")]
    Horizon {
        /// the end
        horizon: f64,
        /// length of the first phase
        stabilisation: f64,
    },
}

impl Episodes {
    /// The steps at which is decided, from the end of the first phase to the horizon.
    ///
    /// # Errors
    /// [`ScheduleError`] when the episodes do not grow or there is no time for any.
    pub fn decisions(&self, setting: &Setting<'_>) -> Result<Vec<u64>, ScheduleError> {
        if !self.growth.is_finite() || self.growth <= 1.0 {
            return Err(ScheduleError::Growth(self.growth));
        }
        let stabilisation = setting.stabilisation.seconds;
        let (first, last) = (setting.steps(stabilisation), setting.steps(self.horizon));
        if !self.horizon.is_finite() || last < first {
            let horizon = self.horizon;
            return Err(ScheduleError::Horizon { horizon, stabilisation });
        }
        let count = (self.horizon / stabilisation).ln() / self.growth.ln();
        if count > DECISIONS_MAX {
            return Err(ScheduleError::Decisions { growth: self.growth, count });
        }
        let mut decisions = vec![first];
        for episode in 1.. {
            let next = setting.steps(stabilisation * self.growth.powi(episode));
            if next >= last {
                break;
            }
            if decisions.last().is_some_and(|before| next > *before) {
                decisions.push(next);
            }
        }
        if last > first {
            decisions.push(last);
        }
        Ok(decisions)
    }
}

/// One decision, and everything measured until it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Update {
    /// when
    pub seconds: f64,
    /// cost of the path so far minus that of the optimal controller on the same noise
    pub regret: f64,
    /// Σ (J(K) − J*) × length over the episodes so far; the first phase does not count
    pub stationary_regret: f64,
    /// |θ̂ − θ₀|₂ of the accepted estimate; NaN where the decision had none
    pub error: f64,
    /// |M − θ₀|₂ of the posterior's mean
    pub mean_error: f64,
    /// whether the decided gain stabilises the true plant
    pub is_stable: bool,
    /// proposals without a trustworthy gain
    pub rejected: u32,
    /// whether the former gain was kept
    pub is_kept: bool,
}

/// How a replication ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum End {
    /// at the horizon
    Finished,
    /// before it
    Diverged {
        /// when
        seconds: f64,
        /// why
        why: Diverged,
    },
    /// somebody stopped it; it counts as not flown
    Stopped,
}

/// One replication.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    /// decisions in order of time
    pub updates: Vec<Update>,
    /// how it ended
    pub end: End,
    /// the greatest coordinate of the state in size
    pub peak: f64,
    /// both sides of the regret's decomposition at the end
    pub identity: ItoIdentity,
}

/// Flies one replication to the horizon. `keep_going` is asked before each episode.
///
/// # Errors
/// [`ScheduleError`] when there are no episodes to fly.
///
/// # Source
/// Shirani Faradonbeh et al., NeurIPS 2022, Algorithm 2 (recalled).
pub fn regulate(
    setting: &Setting<'_>,
    episodes: &Episodes,
    policy: &dyn Policy,
    streams: &dyn Streams,
    keep_going: &dyn Fn() -> bool,
) -> Result<History, ScheduleError> {
    let decisions = episodes.decisions(setting)?;
    let mut run = Run {
        setting,
        policy,
        normals: streams.stream(Purpose::Policy),
        truth: setting.plant.parameters(),
        updates: Vec::with_capacity(decisions.len()),
        stationary_regret: 0.0,
    };
    let (flight, end) = match setting.excite(streams) {
        Ok(mut flight) => {
            let end = run.fly_on(&mut flight, &decisions, keep_going);
            (flight, end)
        }
        Err(Lost { flight, diverged: why }) => {
            let seconds = flight.seconds();
            (*flight, End::Diverged { seconds, why })
        }
    };
    let (peak, identity) = (flight.peak(), ItoIdentity::of(&flight));
    Ok(History { updates: run.updates, end, peak, identity })
}

struct Run<'a> {
    setting: &'a Setting<'a>,
    policy: &'a dyn Policy,
    normals: Box<dyn Normals>,
    truth: Matrix,
    updates: Vec<Update>,
    stationary_regret: f64,
}

impl Run<'_> {
    fn fly_on(
        &mut self,
        flight: &mut Flight<'_>,
        decisions: &[u64],
        keep_going: &dyn Fn() -> bool,
    ) -> End {
        let plant = self.setting.plant;
        let mut gain = plant.initial_gain.clone();
        for (place, _) in decisions.iter().enumerate() {
            gain = match self.update(flight, &gain) {
                Ok(gain) => gain,
                Err(why) => return End::Diverged { seconds: flight.seconds(), why },
            };
            let Some(next) = decisions.get(place + 1) else { break };
            if !keep_going() {
                return End::Stopped;
            }
            let before = flight.seconds();
            if let Err(why) = flight.fly(&Feedback::of(gain.clone()), next - flight.steps()) {
                return End::Diverged { seconds: flight.seconds(), why };
            }
            let excess = stationary_cost(plant, &gain) - self.setting.optimum.average_cost;
            self.stationary_regret += excess * (flight.seconds() - before);
        }
        End::Finished
    }

    /// Looks back at all data and decides.
    fn update(&mut self, flight: &Flight<'_>, gain: &Matrix) -> Result<Matrix, Diverged> {
        let plant = self.setting.plant;
        let posterior = self.setting.posterior(flight)?;
        let knowledge = Knowledge { seconds: flight.seconds(), posterior: &posterior, gain };
        let decision = decide(self.policy, &knowledge, plant, &mut *self.normals);
        let distance = |theta: &Matrix| theta.plus(-1.0, &self.truth).spectral_norm();
        let Decision { gain, estimate, rejected, is_kept } = decision;
        self.updates.push(Update {
            seconds: flight.seconds(),
            regret: flight.cost() - flight.reference_cost(),
            stationary_regret: self.stationary_regret,
            error: estimate.as_ref().map_or(f64::NAN, distance),
            mean_error: distance(&posterior.mean),
            is_stable: spectral_abscissa(&plant.closed_loop(&gain)).is_ok_and(|worst| worst < 0.0),
            rejected,
            is_kept,
        });
        Ok(gain)
    }
}
