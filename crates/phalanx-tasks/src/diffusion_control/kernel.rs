//! The inner loop: many small steps under one gain, and the sums that everything is made from.
use super::motion::Motion;
use crate::control::ORDER_MAX;

/// Most entries of state and input together.
const JOINT_MAX: usize = 2 * ORDER_MAX;

/// State of the plant and of the optimally controlled one, and the sums of one block of steps.
#[derive(Debug, Clone)]
pub(super) struct Lane {
    /// X
    pub state: [f64; ORDER_MAX],
    /// X*, the state under the optimal gain and the same noise
    pub reference: [f64; ORDER_MAX],
    /// greatest |X| of any coordinate so far
    pub peak: f64,
    /// Σ Z Zᵀ, (p + q)² row by row; Z = [X; U]
    pub joint: [f64; JOINT_MAX * JOINT_MAX],
    /// Σ Z dXᵀ, (p + q) × p
    pub cross: [f64; JOINT_MAX * ORDER_MAX],
    /// Σ X* X*ᵀ, p²
    pub reference_joint: [f64; ORDER_MAX * ORDER_MAX],
    /// Σ X* dWᵀ, p²
    pub reference_cross: [f64; ORDER_MAX * ORDER_MAX],
}

impl Lane {
    pub(super) fn new() -> Self {
        Self {
            state: [0.0; ORDER_MAX],
            reference: [0.0; ORDER_MAX],
            peak: 0.0,
            joint: [0.0; JOINT_MAX * JOINT_MAX],
            cross: [0.0; JOINT_MAX * ORDER_MAX],
            reference_joint: [0.0; ORDER_MAX * ORDER_MAX],
            reference_cross: [0.0; ORDER_MAX * ORDER_MAX],
        }
    }

    /// Sums from zero again; the states stay.
    pub(super) fn clear(&mut self, p: usize, q: usize) {
        self.joint[..(p + q) * (p + q)].fill(0.0);
        self.cross[..(p + q) * p].fill(0.0);
        self.reference_joint[..p * p].fill(0.0);
        self.reference_cross[..p * p].fill(0.0);
    }
}

/// One block of steps: motion, constant input beside the feedback, and normals for all steps.
pub(super) struct Block<'a> {
    pub motion: &'a Motion,
    /// q numbers
    pub offset: &'a [f64],
    /// p per step, or 2 p where the motion has noise of the reference's own
    pub normals: &'a [f64],
}

/// Takes the steps. The sizes of the listed plants, and of small ones, have loops of their own
/// with all bounds known; every size runs through the same lines.
pub(super) fn advance(p: usize, q: usize, block: &Block<'_>, lane: &mut Lane) {
    match (p, q, block.motion.own_noise.is_some()) {
        (4, 2, false) => steps(4, 2, false, (block, lane)),
        (3, 1, false) => steps(3, 1, false, (block, lane)),
        (2, 1, false) => steps(2, 1, false, (block, lane)),
        (p, q, has_own_noise) => steps(p, q, has_own_noise, (block, lane)),
    }
}

#[inline(always)]
fn steps(p: usize, q: usize, has_own_noise: bool, (block, lane): (&Block<'_>, &mut Lane)) {
    let motion = block.motion;
    let (gain, drift, noise) =
        (motion.gain.entries(), motion.drift.entries(), motion.noise.entries());
    let (reference_drift, reference_noise) =
        (motion.reference.entries(), motion.reference_noise.entries());
    let own_noise = motion.own_noise.as_ref().map_or(noise, |own| own.entries());
    assert!(gain.len() == p * q && drift.len() == p * p && noise.len() == p * p);
    assert!(reference_drift.len() == p * p && reference_noise.len() == p * p);
    assert!(own_noise.len() == p * p && block.offset.len() == q);
    let mut push = [0.0; ORDER_MAX];
    add_product(&mut push[..p], block.offset, motion.input.entries());
    let (mut x, mut y, mut peak) = (lane.state, lane.reference, lane.peak);
    let drawn = if has_own_noise { 2 * p } else { p };
    for normals in block.normals.chunks_exact(drawn) {
        let mut z = [0.0; JOINT_MAX];
        z[..p].copy_from_slice(&x[..p]);
        z[p..p + q].copy_from_slice(block.offset);
        add_product(&mut z[p..p + q], &x[..p], gain);
        let mut dw = [0.0; ORDER_MAX];
        add_product(&mut dw[..p], &normals[..p], noise);
        let mut dx = [0.0; ORDER_MAX];
        dx[..p].copy_from_slice(&push[..p]);
        add(&mut dx[..p], &dw[..p]);
        add_product(&mut dx[..p], &x[..p], drift);
        let mut dy = [0.0; ORDER_MAX];
        if has_own_noise {
            dw = [0.0; ORDER_MAX];
            add_product(&mut dw[..p], &normals[..p], reference_noise);
            add_product(&mut dw[..p], &normals[p..], own_noise);
        }
        dy[..p].copy_from_slice(&dw[..p]);
        add_product(&mut dy[..p], &y[..p], reference_drift);
        add_outer(&mut lane.joint, &z[..p + q], &z[..p + q]);
        add_outer(&mut lane.cross, &z[..p + q], &dx[..p]);
        add_outer(&mut lane.reference_joint, &y[..p], &y[..p]);
        add_outer(&mut lane.reference_cross, &y[..p], &dw[..p]);
        add(&mut x[..p], &dx[..p]);
        add(&mut y[..p], &dy[..p]);
        for entry in &x[..p] {
            peak = if entry.abs() > peak { entry.abs() } else { peak };
        }
    }
    (lane.state, lane.reference, lane.peak) = (x, y, peak);
}

#[inline(always)]
fn add(target: &mut [f64], source: &[f64]) {
    for i in 0..target.len() {
        target[i] += source[i];
    }
}

/// target += matrixᵀ source, the matrix row by row.
#[inline(always)]
fn add_product(target: &mut [f64], source: &[f64], matrix: &[f64]) {
    let width = target.len();
    for j in 0..source.len() {
        for i in 0..width {
            target[i] += matrix[j * width + i] * source[j];
        }
    }
}

/// sums += left rightᵀ.
#[inline(always)]
fn add_outer(sums: &mut [f64], left: &[f64], right: &[f64]) {
    let width = right.len();
    for i in 0..left.len() {
        for j in 0..width {
            sums[i * width + j] += left[i] * right[j];
        }
    }
}
