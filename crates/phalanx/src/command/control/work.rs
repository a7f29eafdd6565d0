//! The work of a control experiment: a fixed list of jobs, each a function of its place in it.
use phalanx_report::control::{ControlLine, FlightLine, Loss, Moment, TrialLine};
use phalanx_robust::registry::find;
use phalanx_tasks::control::spectral_abscissa;
use phalanx_tasks::diffusion_control::fleet::{FLEET_ATTACKS, Fleet, POOLINGS, fleet_regulate};
use phalanx_tasks::diffusion_control::{
    End, POLICIES, Policy, SeededStreams, Stabilisation, Streams, regulate, stabilise,
};

use super::file::{ArmPlan, ControlExperiment, FleetPlan};
use crate::problem::Problem;

/// One line of the record to be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Job<'a> {
    pub(super) arm: &'a ArmPlan,
    pub(super) replication: u32,
    /// a stabilisation phase of this length by itself, or a flight to the horizon
    pub(super) trial_seconds: Option<f64>,
}

/// Every job, in the order of the record.
pub(super) fn jobs(experiment: &ControlExperiment) -> Vec<Job<'_>> {
    let mut jobs = Vec::new();
    for arm in &experiment.arms {
        let flight = |replication| Job { arm, replication, trial_seconds: None };
        jobs.extend((0..experiment.replications).map(flight));
    }
    for arm in experiment.arms.iter().filter(|arm| arm.fleet.is_none()) {
        for seconds in &experiment.trials.seconds {
            let trial = |replication| Job { arm, replication, trial_seconds: Some(*seconds) };
            jobs.extend((0..experiment.trials.replications).map(trial));
        }
    }
    jobs
}

impl Job<'_> {
    /// Whether a line of a record is the one of this job.
    pub(super) fn is_of(&self, line: &ControlLine) -> bool {
        match (line, self.trial_seconds) {
            (ControlLine::Flight(line), None) => {
                line.arm == self.arm.name && line.replication == self.replication
            }
            (ControlLine::Trial(line), Some(seconds)) => {
                line.arm == self.arm.name
                    && line.replication == self.replication
                    && line.seconds == seconds
            }
            _ => false,
        }
    }

    /// Does the job; `None` when it was stopped.
    ///
    /// # Errors
    /// When the messages of a fleet cannot be pooled.
    pub(super) fn carry_out(
        &self,
        experiment: &ControlExperiment,
        keep_going: &(dyn Fn() -> bool + Sync),
    ) -> Result<Option<ControlLine>, Problem> {
        let entry = find(POLICIES, self.arm.policy.name).expect("the policy was resolved");
        let policy = (entry.build.build)(&self.arm.policy.args, &experiment.optimum);
        if !keep_going() {
            return Ok(None);
        }
        match (self.trial_seconds, &self.arm.fleet) {
            (Some(seconds), _) => Ok(Some(self.trial(experiment, &*policy, seconds))),
            (None, None) => self.flight(experiment, &*policy, keep_going),
            (None, Some(fleet)) => self.fleet(experiment, (&*policy, fleet), keep_going),
        }
    }

    /// The same noise for all arms: their differences are those of the policies.
    fn streams(&self, experiment: &ControlExperiment, member: usize) -> SeededStreams {
        let owner = (u64::from(self.replication) << 16) | member as u64;
        SeededStreams { seed: experiment.seed, owner }
    }

    fn trial(
        &self,
        experiment: &ControlExperiment,
        policy: &dyn Policy,
        seconds: f64,
    ) -> ControlLine {
        let mut setting = experiment.setting(self.arm);
        let gain_deviation = setting.stabilisation.gain_deviation;
        let phase = Stabilisation::of(seconds, experiment.plant.inputs());
        setting.stabilisation = Stabilisation { gain_deviation, ..phase };
        let done = stabilise(&setting, policy, &self.streams(experiment, 0));
        let mut line = TrialLine {
            arm: self.arm.name.clone(),
            seconds,
            replication: self.replication,
            lost: None,
            is_stable: false,
            error: f64::NAN,
            peak: f64::NAN,
        };
        match done {
            Ok(done) => {
                let closed = experiment.plant.closed_loop(&done.decision.gain);
                line.is_stable = spectral_abscissa(&closed).is_ok_and(|worst| worst < 0.0);
                let truth = experiment.plant.parameters();
                let distance = done.decision.estimate.map(|theta| theta.plus(-1.0, &truth));
                line.error = distance.map_or(f64::NAN, |distance| distance.spectral_norm());
                line.peak = done.flight.peak();
            }
            Err(lost) => {
                let (seconds, why) = (lost.flight.seconds(), lost.diverged.to_string());
                line.lost = Some(Loss { seconds, why });
                line.peak = lost.flight.peak();
            }
        }
        ControlLine::Trial(line)
    }

    fn flight(
        &self,
        experiment: &ControlExperiment,
        policy: &dyn Policy,
        keep_going: &(dyn Fn() -> bool + Sync),
    ) -> Result<Option<ControlLine>, Problem> {
        let setting = experiment.setting(self.arm);
        let streams = self.streams(experiment, 0);
        let history = regulate(&setting, &experiment.episodes, policy, &streams, &keep_going)
            .map_err(|error| Problem::new(error.to_string()))?;
        let moments = history.updates.iter().map(|update| Moment {
            seconds: update.seconds,
            regret: update.regret,
            stationary_regret: update.stationary_regret,
            error: update.error,
            mean_error: update.mean_error,
            stable: f64::from(u8::from(update.is_stable)),
            rejected: update.rejected,
            kept: u32::from(update.is_kept),
            honest_left_out: 0,
            byzantine_used: 0,
        });
        Ok(self.line(history.end, history.peak, moments.collect()))
    }

    fn fleet(
        &self,
        experiment: &ControlExperiment,
        (policy, plan): (&dyn Policy, &FleetPlan),
        keep_going: &(dyn Fn() -> bool + Sync),
    ) -> Result<Option<ControlLine>, Problem> {
        let setting = experiment.setting(self.arm);
        let attack = plan.attack.as_ref().map(|choice| {
            let entry = find(FLEET_ATTACKS, choice.name).expect("the attack was resolved");
            (entry.build.build)(&choice.args)
        });
        let pooling = find(POOLINGS, plan.pooling.name).expect("the pooling was resolved");
        let pooling =
            (pooling.build.build)(&plan.pooling.args).map_err(|error| self.refused(&error))?;
        let fleet = Fleet {
            population: plan.population,
            byzantine: plan.byzantine,
            attack: attack.as_deref(),
            pooling: &*pooling,
        };
        let streams =
            |member: usize| -> Box<dyn Streams> { Box::new(self.streams(experiment, member)) };
        let episodes = (&experiment.episodes, policy);
        let history = fleet_regulate(&setting, &fleet, episodes, &streams, &keep_going)
            .map_err(|error| self.refused(&error))?;
        let moments = history.updates.iter().map(|update| Moment {
            seconds: update.seconds,
            regret: update.regret,
            stationary_regret: update.stationary_regret,
            error: update.error,
            mean_error: update.mean_error,
            stable: update.stable,
            rejected: update.rejected,
            kept: update.kept,
            honest_left_out: update.honest_left_out,
            byzantine_used: update.byzantine_used,
        });
        Ok(self.line(history.end, history.peak, moments.collect()))
    }

    fn refused(&self, error: &dyn std::fmt::Display) -> Problem {
        let (arm, replication) = (&self.arm.name, self.replication);
        Problem::new(format!("{error}")).at(format!("arm `{arm}`, replication {replication}"))
    }

    fn line(&self, end: End, peak: f64, moments: Vec<Moment>) -> Option<ControlLine> {
        let lost = match end {
            End::Finished => None,
            End::Diverged { seconds, why } => Some(Loss { seconds, why: why.to_string() }),
            End::Stopped => return None,
        };
        let (arm, replication) = (self.arm.name.clone(), self.replication);
        Some(ControlLine::Flight(FlightLine { arm, replication, lost, peak, moments }))
    }
}
