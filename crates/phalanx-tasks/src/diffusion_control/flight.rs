//! A flight: the plant under feedback, and beside it the optimal controller on the same noise.
use super::kernel::{Block, Lane, advance};
use super::motion::{Method, Motion, Stepping};
use super::normals::Normals;
use super::plant::{Optimum, Plant};
use super::posterior::Information;
use crate::control::Matrix;

/// A coordinate beyond this has run away.
pub const GUARD: f64 = 1e9;

/// Steps whose sums are formed apart before they join the totals.
const BLOCK: usize = 256;

/// U = K X + w.
#[derive(Debug, Clone, PartialEq)]
pub struct Feedback {
    /// K, q × p
    pub gain: Matrix,
    /// w, q numbers
    pub offset: Vec<f64>,
}

impl Feedback {
    /// U = K X.
    pub fn of(gain: Matrix) -> Self {
        let offset = vec![0.0; gain.rows()];
        Self { gain, offset }
    }
}

/// Why a flight cannot go on; recorded, never averaged away.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum Diverged {
    /// A coordinate left the guarded range or is no number.
    #[error("the state ran away: a coordinate exceeded `{GUARD:e}`")]
    State,
    /// V is not positive definite in floating point.
    #[error("the posterior's precision lost its positive definiteness")]
    Posterior,
}

/// What a path adds up to.
#[derive(Debug, Clone, PartialEq)]
pub struct Totals {
    /// ∫ Z Zᵀ dt and ∫ Z dXᵀ
    pub information: Information,
    /// ∫ X* X*ᵀ dt under the optimal gain on the same noise
    pub reference_joint: Matrix,
    /// ∫ X* dWᵀ
    pub reference_cross: Matrix,
}

/// A plant in motion.
pub struct Flight<'a> {
    plant: &'a Plant,
    optimum: &'a Optimum,
    stepping: Stepping,
    noise: Box<dyn Normals>,
    lane: Box<Lane>,
    buffer: Vec<f64>,
    motion: Option<(Matrix, Motion)>,
    totals: Totals,
    steps: u64,
}

impl<'a> Flight<'a> {
    /// A flight that starts at the origin.
    pub fn new(
        plant: &'a Plant,
        optimum: &'a Optimum,
        stepping: Stepping,
        noise: Box<dyn Normals>,
    ) -> Self {
        let (p, q) = (plant.states(), plant.inputs());
        let drawn = if stepping.method == Method::Exact { 2 * p } else { p };
        Self {
            plant,
            optimum,
            stepping,
            noise,
            lane: Box::new(Lane::new()),
            buffer: vec![0.0; BLOCK * drawn],
            motion: None,
            totals: Totals {
                information: Information::none(p, q),
                reference_joint: Matrix::zeros(p, p),
                reference_cross: Matrix::zeros(p, p),
            },
            steps: 0,
        }
    }

    /// Flies so many steps.
    ///
    /// # Errors
    /// [`Diverged`] once a coordinate exceeds [`GUARD`]; what was added up until then stays.
    pub fn fly(&mut self, feedback: &Feedback, steps: u64) -> Result<(), Diverged> {
        let motion = match self.motion.take() {
            Some((gain, motion)) if gain == feedback.gain => motion,
            _ => Motion::new(self.plant, self.optimal_gain(), self.stepping, &feedback.gain)
                .map_err(|_| Diverged::State)?,
        };
        let (p, q) = (self.plant.states(), self.plant.inputs());
        let drawn = self.buffer.len() / BLOCK;
        let (mut left, mut end) = (steps, Ok(()));
        while left > 0 && end.is_ok() {
            let count = left.min(BLOCK as u64);
            let normals = &mut self.buffer[..count as usize * drawn];
            self.noise.fill(normals);
            self.lane.clear(p, q);
            let block = Block { motion: &motion, offset: &feedback.offset, normals };
            advance(p, q, &block, &mut self.lane);
            self.add_block();
            self.steps += count;
            left -= count;
            let is_finite = self.lane.state[..p].iter().all(|entry| entry.is_finite());
            if !is_finite || self.lane.peak > GUARD {
                end = Err(Diverged::State);
            }
        }
        self.motion = Some((feedback.gain.clone(), motion));
        end
    }

    fn add_block(&mut self) {
        let dt = self.stepping.seconds;
        let add = |total: &mut Matrix, sums: &[f64], scale: f64| {
            let pairs = total.entries_mut().iter_mut().zip(sums);
            pairs.for_each(|(total, sum)| *total += scale * sum);
        };
        let (lane, totals) = (&self.lane, &mut self.totals);
        add(&mut totals.information.precision, &lane.joint, dt);
        add(&mut totals.information.evidence, &lane.cross, 1.0);
        add(&mut totals.reference_joint, &lane.reference_joint, dt);
        add(&mut totals.reference_cross, &lane.reference_cross, 1.0);
    }

    /// The plant that is flown.
    pub fn plant(&self) -> &'a Plant {
        self.plant
    }

    /// What an omniscient controller would do.
    pub fn optimum(&self) -> &'a Optimum {
        self.optimum
    }

    fn optimal_gain(&self) -> &'a Matrix {
        &self.optimum.care.gain
    }

    /// Seconds flown.
    pub fn seconds(&self) -> f64 {
        self.steps as f64 * self.stepping.seconds
    }

    /// Steps taken.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// X.
    pub fn state(&self) -> &[f64] {
        &self.lane.state[..self.plant.states()]
    }

    /// X*, the state under the optimal gain and the same noise.
    pub fn reference_state(&self) -> &[f64] {
        &self.lane.reference[..self.plant.states()]
    }

    /// The greatest coordinate of X in size so far.
    pub fn peak(&self) -> f64 {
        self.lane.peak
    }

    /// What the path adds up to.
    pub fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Cost of the path so far. A linear function of ∫ Z Zᵀ dt, so no step computes it.
    pub fn cost(&self) -> f64 {
        let joint = &self.totals.information.precision;
        let (p, n) = (self.plant.states(), joint.rows());
        self.plant.state_cost.inner(&joint.part((0, p), (0, p)))
            + self.plant.input_cost.inner(&joint.part((p, n), (p, n)))
    }

    /// Cost of the optimal controller on the same noise.
    pub fn reference_cost(&self) -> f64 {
        let input_cost = self.optimal_gain().congruence(&self.plant.input_cost);
        let cost = self.plant.state_cost.plus(1.0, &input_cost);
        cost.inner(&self.totals.reference_joint)
    }
}
