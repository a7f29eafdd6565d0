//! Plants by name, each with its course of obstacles and a default problem.
use std::f64::consts::PI;

use crate::safe_control::barrier::{Constraint, Course, CourseError, Sphere};
use crate::safe_control::dynamics::Dynamics;
use crate::safe_control::gp::Samples;
use crate::safe_control::learning::{GatherError, Observed, gather};
use crate::safe_control::planner::Problem;

use super::{Dubins, Euler, Flow, Linear, Quadrotor};

/// A disc or ball that must not be entered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Obstacle {
    /// centre, as many coordinates as the plant has positions
    pub centre: &'static [f64],
    /// radius, in the unit of the centre
    pub radius: f64,
}

/// Where a plant's model is learnt from, and how exactly it is observed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Region {
    /// least state and input
    pub low: &'static [f64],
    /// greatest state and input
    pub high: &'static [f64],
    /// standard deviation of the noise of an observation
    pub noise: f64,
    /// rows that the specification learns from
    pub rows: usize,
    /// whether rates are observed; increments over one step otherwise
    pub is_rate: bool,
}

/// How a plan is tried out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trial {
    /// standard deviation of each coordinate of the start's position
    pub start_noise: f64,
    /// standard deviation of each entry of the state's noise per step
    pub process_noise: f64,
    /// greatest distance from the goal's position that counts as reached
    pub reach: f64,
}

/// A plant that files can name.
pub struct PlantEntry {
    /// its name in files
    pub name: &'static str,
    /// one line for lists
    pub summary: &'static str,
    /// where equations and numbers come from
    pub source: &'static str,
    /// names of the state's entries
    pub states: &'static [&'static str],
    /// names of the input's entries
    pub inputs: &'static [&'static str],
    /// entries of the state that are positions
    pub positions: &'static [usize],
    /// Δt
    pub seconds: f64,
    /// what must not be entered
    pub obstacles: &'static [Obstacle],
    /// where models of it are learnt
    pub region: Region,
    /// how plans are tried out
    pub trial: Trial,
    /// the flow
    pub flow: fn() -> Box<dyn Flow>,
    /// the default problem
    pub problem: fn() -> Problem,
}

impl PlantEntry {
    /// Euler's steps of the flow.
    pub fn dynamics(&self) -> Box<dyn Dynamics> {
        Box::new(Euler::new((self.flow)(), self.seconds))
    }

    /// Noisy rows of a seed to learn the plant from, as the specification draws them: uniform in
    /// the region, then normal noise, all from one stream.
    ///
    /// # Errors
    /// [`GatherError`] when there are no rows; a region's states are ones where a plant has a rate.
    pub fn observe(&self, seed: u64, rows: usize) -> Result<Samples, GatherError> {
        let Region { low, high, noise, is_rate, .. } = self.region;
        let mut flow = (self.flow)();
        let seconds = if is_rate { 1.0 } else { self.seconds };
        let sizes = (self.states.len(), self.inputs.len());
        gather(sizes, Observed { low, high, noise, rows }, seed, &mut |state, input, out| {
            flow.rate(state, input, out)?;
            out.iter_mut().for_each(|rate| *rate *= seconds);
            Ok(())
        })
    }

    /// The plant's course: its obstacles as constraints.
    ///
    /// # Errors
    /// Never for a listed plant.
    pub fn course(&self) -> Result<Course, CourseError> {
        let balls = self.obstacles.iter().map(|obstacle| {
            let ball = Sphere::new(self.positions, obstacle.centre, obstacle.radius)?;
            Ok(Box::new(ball) as Box<dyn Constraint>)
        });
        Course::new(self.states.len(), balls.collect::<Result<_, CourseError>>()?)
    }
}

/// The plant of a name.
pub fn named(name: &str) -> Option<&'static PlantEntry> {
    PLANTS.iter().find(|entry| entry.name == name)
}

/// Every plant that files can name.
pub const PLANTS: &[PlantEntry] = &[DUBINS, LINEAR, QUADROTOR];

const DUBINS: PlantEntry = PlantEntry {
    name: "dubins",
    summary: "a unicycle among thirteen discs",
    source: "course of the authors' public barrier-state code; weights, step and horizon chosen",
    states: &["x", "y", "heading"],
    inputs: &["speed", "turning-rate"],
    positions: &[0, 1],
    seconds: 0.05,
    obstacles: &[
        disc(&[2.5, 2.0], 0.5),
        disc(&[4.0, 4.0], 0.5),
        disc(&[1.0, 2.5], 0.5),
        disc(&[4.5, 1.0], 0.5),
        disc(&[1.0, 4.5], 0.5),
        disc(&[2.0, 4.5], 0.5),
        disc(&[4.0, 2.5], 0.5),
        disc(&[3.0, -1.0], 1.2),
        disc(&[2.0, 2.5], 0.5),
        disc(&[3.0, 3.5], 0.5),
        disc(&[1.0, -1.0], 0.5),
        disc(&[2.2, 0.5], 0.5),
        disc(&[3.0, 0.5], 0.5),
    ],
    region: Region {
        low: &[-1.0, -1.0, -PI, -1.0, -3.0],
        high: &[5.0, 5.0, PI, 3.0, 3.0],
        noise: 1e-3,
        rows: 150,
        is_rate: false,
    },
    trial: Trial { start_noise: 0.05, process_noise: 0.003, reach: 0.2 },
    flow: || Box::new(Dubins),
    problem: || Problem {
        start: vec![0.0; 3],
        goal: vec![3.5, 3.0, 0.0],
        input_goal: vec![0.0; 2],
        horizon: 120,
        state_cost: vec![0.0; 3],
        input_cost: vec![0.01; 2],
        terminal_cost: vec![100.0, 100.0, 10.0],
        barrier_cost: 1e-4,
        barrier_terminal_cost: 1e-3,
    },
};

const LINEAR: PlantEntry = PlantEntry {
    name: "linear",
    summary: "an unstable linear plant beside one disc",
    source: "the authors' public barrier-state code; step, horizon and trials chosen",
    states: &["x1", "x2"],
    inputs: &["u"],
    positions: &[0, 1],
    seconds: 0.01,
    obstacles: &[disc(&[2.0, 1.5], 0.5)],
    region: Region {
        low: &[-8.0, -8.0, -20.0],
        high: &[8.0, 8.0, 20.0],
        noise: 0.05,
        rows: 80,
        is_rate: true,
    },
    trial: Trial { start_noise: 0.05, process_noise: 0.002, reach: 0.1 },
    flow: || Box::new(Linear::unstable()),
    problem: || Problem {
        start: vec![6.0, 4.5],
        goal: vec![0.0; 2],
        input_goal: vec![0.0],
        horizon: 800,
        // Twice the weights of the integral, times the step: the sum then stands for the integral.
        state_cost: vec![0.01; 2],
        input_cost: vec![0.01],
        terminal_cost: vec![10.0; 2],
        barrier_cost: 0.2,
        barrier_terminal_cost: 0.2,
    },
};

const QUADROTOR: PlantEntry = PlantEntry {
    name: "quadrotor",
    summary: "a quadrotor with twelve states among nine balls",
    source: "model and course of the authors' public barrier-state code; start, goal, weights \
             and horizon chosen",
    states: &["phi", "theta", "psi", "p", "q", "r", "vx", "vy", "vz", "px", "py", "pz"],
    inputs: &["thrust", "tau-x", "tau-y", "tau-z"],
    positions: &[9, 10, 11],
    seconds: 0.02,
    obstacles: &[
        disc(&[2.0, 2.2, 1.0], 1.0),
        disc(&[-2.0, -2.2, 1.0], 1.0),
        disc(&[4.0, 1.0, -1.0], 1.0),
        disc(&[0.0, 3.0, 3.5], 1.0),
        disc(&[-3.0, 2.0, -2.0], 1.0),
        disc(&[6.0, 0.0, -4.0], 1.0),
        disc(&[1.0, -3.0, -3.0], 1.0),
        disc(&[1.0, -3.0, 4.0], 1.0),
        disc(&[1.0, -3.0, 0.0], 1.0),
    ],
    region: Region {
        low: &[
            -0.7, -0.7, -0.7, -1.5, -1.5, -1.5, -5.0, -5.0, -4.0, -8.0, -8.0, -8.0, -5.0, -2.0,
            -2.0, -2.0,
        ],
        high: &[0.7, 0.7, 0.7, 1.5, 1.5, 1.5, 5.0, 5.0, 4.0, 8.0, 8.0, 8.0, 5.0, 2.0, 2.0, 2.0],
        noise: 1e-3,
        rows: 400,
        is_rate: false,
    },
    trial: Trial { start_noise: 0.05, process_noise: 0.002, reach: 0.5 },
    flow: || Box::new(Quadrotor),
    problem: || Problem {
        start: [vec![0.0; 9], vec![7.0, 1.2, -1.2]].concat(),
        goal: [vec![0.0; 9], vec![-6.0, 1.8, -1.9]].concat(),
        input_goal: vec![0.0; 4],
        horizon: 300,
        state_cost: vec![0.0; 12],
        input_cost: vec![0.02; 4],
        terminal_cost: [vec![20.0; 9], vec![100.0; 3]].concat(),
        barrier_cost: 1e-2,
        barrier_terminal_cost: 1e-3,
    },
};

const fn disc(centre: &'static [f64], radius: f64) -> Obstacle {
    Obstacle { centre, radius }
}
