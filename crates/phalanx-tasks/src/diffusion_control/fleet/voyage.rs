//! A fleet in motion: episodes as for one plant, with an exchange at the end of each.
use phalanx_robust::{Population, PopulationError};

use super::attack::{FleetAttack, FleetView};
use super::pooling::{Pool, PoolError, Pooled, Pools};
use crate::control::{Matrix, spectral_abscissa};
use crate::diffusion_control::flight::{Diverged, Feedback, Flight};
use crate::diffusion_control::normals::{Normals, Purpose, Streams};
use crate::diffusion_control::policy::{Decision, Knowledge, Policy, decide};
use crate::diffusion_control::posterior::{Information, NoiseModel};
use crate::diffusion_control::regret::stationary_cost;
use crate::diffusion_control::regulate::{End, Episodes, ScheduleError};
use crate::diffusion_control::stabilise::{Lost, Setting};

/// Who flies, who lies, and how the honest make one posterior of it.
#[derive(Clone, Copy)]
pub struct Fleet<'a> {
    /// members, and how many liars are tolerated
    pub population: Population,
    /// members that lie: the last ones
    pub byzantine: usize,
    /// what they say; without an attack they are honest
    pub attack: Option<&'a dyn FleetAttack>,
    /// how messages are pooled
    pub pooling: &'a dyn Pool,
}

/// Why a fleet cannot fly.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum FleetError {
    /// No episodes.
    #[error(transparent)]
    Schedule(#[from] ScheduleError),
    /// n and f do not go together.
    #[error(transparent)]
    Population(#[from] PopulationError),
    /// The messages could not be pooled.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// Nobody is honest.
    #[error("`{byzantine}` of `{members}` members are Byzantine, and at least one must be honest")]
    NobodyHonest {
        /// liars
        byzantine: usize,
        /// all
        members: usize,
    },
}

/// One decision of a fleet: means over its honest members, and whose messages were used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FleetUpdate {
    /// when
    pub seconds: f64,
    /// cost so far minus that of the optimal controller on the same noise
    pub regret: f64,
    /// Σ (J(K) − J*) × length over the episodes so far
    pub stationary_regret: f64,
    /// |θ̂ − θ₀|₂ of the accepted estimates; NaN where a policy had none
    pub error: f64,
    /// |M − θ₀|₂ of the pooled mean
    pub mean_error: f64,
    /// share of honest members whose gain stabilises the true plant
    pub stable: f64,
    /// proposals without a trustworthy gain, over all members
    pub rejected: u32,
    /// members that kept their former gain
    pub kept: u32,
    /// messages of honest members that were left out
    pub honest_left_out: u32,
    /// messages of Byzantine members that were used
    pub byzantine_used: u32,
}

/// One replication of a fleet.
#[derive(Debug, Clone, PartialEq)]
pub struct FleetHistory {
    /// decisions in order of time
    pub updates: Vec<FleetUpdate>,
    /// how it ended; the first honest member to run away ends it
    pub end: End,
    /// the greatest coordinate of any honest member's state in size
    pub peak: f64,
}

struct Member<'a> {
    flight: Flight<'a>,
    normals: Box<dyn Normals>,
    gain: Matrix,
    stale: Information,
    stationary_regret: f64,
}

/// Flies a fleet to the horizon; `streams` has those of each member.
///
/// # Errors
/// [`FleetError`] when there are no episodes, nobody is honest, or the messages of an exchange
/// cannot be pooled.
pub fn fleet_regulate(
    setting: &Setting<'_>,
    fleet: &Fleet<'_>,
    (episodes, policy): (&Episodes, &dyn Policy),
    streams: &dyn Fn(usize) -> Box<dyn Streams>,
    keep_going: &dyn Fn() -> bool,
) -> Result<FleetHistory, FleetError> {
    let decisions = episodes.decisions(setting)?;
    let members = fleet.population.n();
    if fleet.byzantine >= members {
        return Err(FleetError::NobodyHonest { byzantine: fleet.byzantine, members });
    }
    let mut voyage = Voyage { setting, fleet, policy, members: Vec::new(), updates: Vec::new() };
    let end = match voyage.take_off(streams) {
        Ok(()) => voyage.fly_on(&decisions, keep_going)?,
        Err((seconds, why)) => End::Diverged { seconds, why },
    };
    let honest = voyage.members.iter().take(members - fleet.byzantine);
    let peak = honest.map(|member| member.flight.peak()).fold(0.0, f64::max);
    Ok(FleetHistory { updates: voyage.updates, end, peak })
}

struct Voyage<'a> {
    setting: &'a Setting<'a>,
    fleet: &'a Fleet<'a>,
    policy: &'a dyn Policy,
    members: Vec<Member<'a>>,
    updates: Vec<FleetUpdate>,
}

impl<'a> Voyage<'a> {
    fn honest(&self) -> usize {
        self.fleet.population.n() - self.fleet.byzantine
    }

    /// Everybody's first phase. A liar's plant may run away; nobody would notice.
    fn take_off(
        &mut self,
        streams: &dyn Fn(usize) -> Box<dyn Streams>,
    ) -> Result<(), (f64, Diverged)> {
        for index in 0..self.fleet.population.n() {
            let streams = streams(index);
            let mut stale =
                Information::none(self.setting.plant.states(), self.setting.plant.inputs());
            let mut half_way = |flight: &Flight<'_>| stale = flight.totals().information.clone();
            let flight = match self.setting.excite_watched(&*streams, &mut half_way) {
                Ok(flight) => flight,
                Err(Lost { flight, diverged }) if index < self.honest() => {
                    return Err((flight.seconds(), diverged));
                }
                Err(Lost { flight, .. }) => *flight,
            };
            self.members.push(Member {
                flight,
                normals: streams.stream(Purpose::Policy),
                gain: self.setting.plant.initial_gain.clone(),
                stale,
                stationary_regret: 0.0,
            });
        }
        Ok(())
    }

    fn fly_on(
        &mut self,
        decisions: &[u64],
        keep_going: &dyn Fn() -> bool,
    ) -> Result<End, FleetError> {
        for (place, _) in decisions.iter().enumerate() {
            self.decide()?;
            let Some(next) = decisions.get(place + 1) else { break };
            if !keep_going() {
                return Ok(End::Stopped);
            }
            for index in 0..self.members.len() {
                let flown = self.fly(index, *next);
                if let (Err((seconds, why)), true) = (flown, index < self.honest()) {
                    return Ok(End::Diverged { seconds, why });
                }
            }
        }
        Ok(End::Finished)
    }

    fn fly(&mut self, index: usize, until: u64) -> Result<(), (f64, Diverged)> {
        let member = &mut self.members[index];
        member.stale = member.flight.totals().information.clone();
        let before = member.flight.seconds();
        let steps = until.saturating_sub(member.flight.steps());
        let feedback = Feedback::of(member.gain.clone());
        member.flight.fly(&feedback, steps).map_err(|why| (member.flight.seconds(), why))?;
        let optimal = self.setting.optimum.average_cost;
        let excess = stationary_cost(self.setting.plant, &member.gain) - optimal;
        member.stationary_regret += excess * (member.flight.seconds() - before);
        Ok(())
    }

    /// What everybody receives: the same from each sender.
    fn messages(&self) -> Vec<Information> {
        let own = |member: &Member<'_>| member.flight.totals().information.clone();
        let mut messages: Vec<Information> = self.members.iter().map(own).collect();
        if let Some(attack) = self.fleet.attack {
            let (honest, byzantine) = messages.split_at_mut(self.honest());
            for (member, message) in self.members[honest.len()..].iter().zip(byzantine) {
                let plant = self.setting.plant;
                let view = FleetView { plant, own: message, stale: &member.stale, honest };
                *message = attack.forge(&view);
            }
        }
        messages
    }

    /// Exchange, pool, and let every member decide for itself.
    fn decide(&mut self) -> Result<(), FleetError> {
        let (setting, plant) = (self.setting, self.setting.plant);
        let noise_factor = match setting.noise_model {
            NoiseModel::Agnostic => None,
            NoiseModel::Aware => Some(plant.noise_factor()),
        };
        let pools = Pools {
            prior: setting.prior,
            noise: &plant.noise,
            noise_factor: noise_factor.as_ref(),
            population: self.fleet.population,
        };
        let pooled = self.fleet.pooling.pool(&pools, &self.messages())?;
        let truth = plant.parameters();
        let distance = |theta: &Matrix| theta.plus(-1.0, &truth).spectral_norm();
        let honest = self.honest();
        let share = 1.0 / honest as f64;
        let mut update = self.empty_update(&pooled, distance(&pooled.posterior.mean));
        for (index, member) in self.members.iter_mut().enumerate() {
            let seconds = member.flight.seconds();
            let (posterior, gain) = (&pooled.posterior, &member.gain);
            let knowledge = Knowledge { seconds, posterior, gain };
            let decision = decide(self.policy, &knowledge, plant, &mut *member.normals);
            let Decision { gain, estimate, rejected, is_kept } = decision;
            let worst = spectral_abscissa(&plant.closed_loop(&gain));
            member.gain = gain;
            if index < honest {
                update.regret += share * (member.flight.cost() - member.flight.reference_cost());
                update.stationary_regret += share * member.stationary_regret;
                update.error += share * estimate.as_ref().map_or(f64::NAN, distance);
                update.stable += if worst.is_ok_and(|worst| worst < 0.0) { share } else { 0.0 };
                update.rejected += rejected;
                update.kept += u32::from(is_kept);
            }
        }
        self.updates.push(update);
        Ok(())
    }

    fn empty_update(&self, pooled: &Pooled, mean_error: f64) -> FleetUpdate {
        let (honest, byzantine) = pooled.is_used.split_at(self.honest());
        let count = |used: &[bool], wanted: bool| {
            used.iter().filter(|is_used| **is_used == wanted).count() as u32
        };
        FleetUpdate {
            seconds: self.members[0].flight.seconds(),
            regret: 0.0,
            stationary_regret: 0.0,
            error: 0.0,
            mean_error,
            stable: 0.0,
            rejected: 0,
            kept: 0,
            honest_left_out: count(honest, false),
            byzantine_used: count(byzantine, true),
        }
    }
}
