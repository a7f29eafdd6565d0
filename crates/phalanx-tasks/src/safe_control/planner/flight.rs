//! Plans in flight: feedback from measured states, and trials under noise.
use crate::safe_control::barrier::{Course, SafetyEmbedded};
use crate::safe_control::dynamics::{Dynamics, DynamicsError};
use crate::safe_control::plant::Trial;
use crate::safe_control::stream::Stream;

use super::Plan;

/// Whether a plan's gains are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Feedback {
    /// u = u* + K (x̄ − x̄*)
    #[default]
    Closed,
    /// u = u*
    Open,
}

/// Executes a plan: measured states in, inputs out.
///
/// The barrier state is recomputed from the measured state when ρ = 0 and follows its recursion
/// over measured states otherwise, with the margins that the model's barrier has; so give it the
/// model that the plan was made with. With ρ = 0 the gains of barrier states are zero: w says
/// nothing about the future that x does not.
pub struct Executor<'a> {
    plan: &'a Plan,
    model: &'a mut SafetyEmbedded,
    embedded: Vec<f64>,
    step: usize,
}

impl<'a> Executor<'a> {
    /// At the plan's beginning.
    ///
    /// # Panics
    /// When the plan is for another number of states than the model's.
    pub fn new(plan: &'a Plan, model: &'a mut SafetyEmbedded) -> Self {
        assert_eq!(
            plan.width,
            model.states(),
            "a plan is executed with the model it was made with"
        );
        let embedded = vec![0.0; plan.width];
        Self { plan, model, embedded, step: 0 }
    }

    /// The number of the next input, from 0.
    pub fn step(&self) -> usize {
        self.step
    }

    /// Writes the input for the state that was measured; to be called once per step. Past the
    /// horizon the last gains go on.
    ///
    /// # Errors
    /// When the state is not finite or, but for tolerant barriers, not strictly safe: then there
    /// is no barrier state and the feedback says nothing.
    pub fn control(&mut self, measured: &[f64], input: &mut [f64]) -> Result<(), DynamicsError> {
        let before = self.step;
        let tracked = match before {
            0 => self.model.embed(0, measured, &mut self.embedded),
            _ => self.model.track(before, &mut self.embedded, measured),
        };
        if let Err(error) = tracked {
            let at = before.min(self.plan.horizon());
            self.within_margin(measured, at).ok_or(error)?;
        }
        let at = self.step.min(self.plan.horizon() - 1);
        self.plan.control(at, &self.embedded, input);
        self.step += 1;
        Ok(())
    }
}

impl Executor<'_> {
    /// A state that is safe but has used up part of its margin has no barrier state with that
    /// margin; it is taken for the planned one, and the plant's own states are still fed back.
    fn within_margin(&mut self, measured: &[f64], step: usize) -> Option<()> {
        let course = self.model.barrier()?.course();
        let is_safe = course.constraints().iter().all(|one| one.value(measured) > 0.0);
        let (plant, barrier) = self.embedded.split_at_mut(measured.len());
        plant.copy_from_slice(measured);
        barrier.copy_from_slice(&self.plan.state(step)[measured.len()..]);
        is_safe.then_some(())
    }
}

/// One flight.
#[derive(Debug, Clone, PartialEq)]
pub struct Flight {
    /// states, one row of n per step that was flown and one for the start
    pub states: Vec<f64>,
    /// inputs, one row of m per step that was flown
    pub inputs: Vec<f64>,
    /// least clearance at each of the states
    pub clearances: Vec<f64>,
    /// whether every state was strictly safe and the horizon was flown to its end
    pub is_safe: bool,
    /// distance of the last state's position from the goal's
    pub distance: f64,
    /// why it ended early
    pub ended: Option<DynamicsError>,
}

impl Flight {
    /// The least clearance of the flight.
    pub fn clearance(&self) -> f64 {
        self.clearances.iter().copied().fold(f64::INFINITY, f64::min)
    }
}

/// Where and how a plan is flown.
pub struct Arena<'a> {
    /// the plant as it is
    pub truth: &'a mut dyn Dynamics,
    /// what it must stay clear of
    pub course: &'a Course,
    /// the goal, n
    pub goal: &'a [f64],
    /// entries of the state that are positions
    pub positions: &'a [usize],
}

impl Arena<'_> {
    fn distance(&self, state: &[f64]) -> f64 {
        let square = |i: usize| (state[i] - self.goal[i]) * (state[i] - self.goal[i]);
        self.positions.iter().copied().map(square).sum::<f64>().sqrt()
    }
}

/// Flies a plan once from `start`; `noise`, if not empty, is added to the states, H × n.
///
/// A flight ends at the first state that is not strictly safe.
///
/// # Panics
/// When plan, model and arena are of different sizes.
pub fn fly(
    (plan, model): (&Plan, &mut SafetyEmbedded),
    arena: &mut Arena<'_>,
    start: &[f64],
    noise: &[f64],
    feedback: Feedback,
) -> Flight {
    let (n, m, horizon) = (arena.truth.states(), plan.input_count(), plan.horizon());
    assert_eq!(model.plant_states(), n, "the model has as many states as the plant");
    let mut flight = Flight {
        states: Vec::with_capacity((horizon + 1) * n),
        inputs: Vec::with_capacity(horizon * m),
        clearances: Vec::with_capacity(horizon + 1),
        is_safe: false,
        distance: f64::INFINITY,
        ended: None,
    };
    let mut executor = Executor::new(plan, model);
    let (mut state, mut input, mut next) = (start.to_vec(), vec![0.0; m], vec![0.0; n]);
    for step in 0..=horizon {
        let (constraint, clearance) = arena.course.least(&state);
        flight.states.extend_from_slice(&state);
        flight.clearances.push(clearance);
        flight.distance = arena.distance(&state);
        // Written so that a clearance that is not a number ends the flight too.
        let is_clear = clearance > 0.0;
        if !is_clear {
            let model = arena.truth.name();
            let value = arena.course.constraints()[constraint].value(&state);
            flight.ended = Some(DynamicsError::Unsafe { model, constraint, value });
            return flight;
        }
        if step == horizon {
            break;
        }
        let chosen = match feedback {
            Feedback::Open => {
                input.copy_from_slice(plan.input(step));
                Ok(())
            }
            Feedback::Closed => executor.control(&state, &mut input),
        };
        arena.truth.seek(step);
        if let Err(error) = chosen.and_then(|()| arena.truth.step(&state, &input, &mut next)) {
            flight.ended = Some(error);
            return flight;
        }
        flight.inputs.extend_from_slice(&input);
        if let Some(noise) = noise.get(step * n..(step + 1) * n) {
            next.iter_mut().zip(noise).for_each(|(next, noise)| *next += noise);
        }
        std::mem::swap(&mut state, &mut next);
    }
    flight.is_safe = true;
    flight
}

/// What trials came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Trials {
    /// every flight, in order
    pub flights: Vec<Flight>,
    /// distance that counts as reached
    pub reach: f64,
}

impl Trials {
    /// Flights that stayed safe to the end.
    pub fn safe(&self) -> usize {
        self.flights.iter().filter(|flight| flight.is_safe).count()
    }

    /// Flights that stayed safe and ended at the goal.
    pub fn reached(&self) -> usize {
        let has_reached = |flight: &&Flight| flight.is_safe && flight.distance < self.reach;
        self.flights.iter().filter(has_reached).count()
    }

    /// The least clearance of all flights.
    pub fn clearance(&self) -> f64 {
        self.flights.iter().map(Flight::clearance).fold(f64::INFINITY, f64::min)
    }
}

/// Streams of trial r: start from 5000 + r, process from 6000 + r, as in the specification.
const START_STREAM: u64 = 5000;
const PROCESS_STREAM: u64 = 6000;

/// Flies a plan `count` times with noise on the start's position and on every step; trial r draws
/// from streams of its own, so trials `first..first + count` are the same whoever flies them.
pub fn fly_trials(
    (plan, model): (&Plan, &mut SafetyEmbedded),
    arena: &mut Arena<'_>,
    trial: Trial,
    (first, count): (u64, usize),
    feedback: Feedback,
) -> Trials {
    let (n, horizon) = (arena.truth.states(), plan.horizon());
    let mut offsets = vec![0.0; arena.positions.len()];
    let mut noise = vec![0.0; horizon * n];
    let flights = (first..first + count as u64)
        .map(|r| {
            Stream::new(START_STREAM + r).normals(&mut offsets);
            Stream::new(PROCESS_STREAM + r).normals(&mut noise);
            noise.iter_mut().for_each(|entry| *entry *= trial.process_noise);
            let mut start = plan.state(0)[..n].to_vec();
            for (position, offset) in arena.positions.iter().zip(&offsets) {
                start[*position] += trial.start_noise * offset;
            }
            fly((plan, &mut *model), arena, &start, &noise, feedback)
        })
        .collect();
    Trials { flights, reach: trial.reach }
}
