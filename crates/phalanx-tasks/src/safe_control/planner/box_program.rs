//! A small quadratic programme with limits, by projected Newton steps.
use super::kernel::{factorise, substitute};

/// Workspace for programmes of one size.
#[derive(Debug)]
pub(super) struct BoxProgram {
    m: usize,
    slope: Vec<f64>,
    trial: Vec<f64>,
    direction: Vec<f64>,
    is_free: Vec<bool>,
    part: Vec<f64>,
    factor: Vec<f64>,
    rows: Vec<f64>,
}

const ITERATIONS_MAX: usize = 100;
/// Slope along free entries, relative to its first size, at which nothing is left to gain.
const SETTLED: f64 = 1e-12;
const SHRINK: f64 = 0.6;
const STEP_MIN: f64 = 1e-20;
const ARMIJO: f64 = 0.1;

/// ½ xᵀ (H + λ) x + gᵀ x.
#[derive(Clone, Copy)]
pub(super) struct Quadric<'a> {
    pub hessian: &'a [f64],
    pub lambda: f64,
    pub slope: &'a [f64],
}

impl Quadric<'_> {
    fn row(&self, i: usize, x: &[f64]) -> f64 {
        let row = self.hessian[i * x.len()..(i + 1) * x.len()].iter();
        row.zip(x).map(|(entry, x)| entry * x).sum::<f64>() + self.lambda * x[i]
    }

    fn value(&self, x: &[f64]) -> f64 {
        (0..x.len()).map(|i| x[i] * (0.5 * self.row(i, x) + self.slope[i])).sum()
    }
}

impl BoxProgram {
    pub fn new(n: usize, m: usize) -> Self {
        let zeros = |count: usize| vec![0.0; count];
        Self {
            m,
            slope: zeros(m),
            trial: zeros(m),
            direction: zeros(m),
            is_free: vec![true; m],
            part: zeros(m * m),
            factor: zeros(m * m),
            rows: zeros(m * n),
        }
    }

    /// Minimises between limits, starting at `x`; `false` when a part of the Hessian that matters
    /// is not positive definite.
    ///
    /// # Source
    /// Y. Tassa, N. Mansard and E. Todorov, Control-Limited Differential Dynamic Programming,
    /// ICRA 2014, section III.
    pub fn minimise(
        &mut self,
        goal: Quadric<'_>,
        low: &[f64],
        high: &[f64],
        x: &mut [f64],
    ) -> bool {
        let m = self.m;
        (0..m).for_each(|i| x[i] = x[i].clamp(low[i], high[i]));
        let size = goal.slope.iter().fold(1.0, |size: f64, slope| size.max(slope.abs()));
        let mut value = goal.value(x);
        for _ in 0..ITERATIONS_MAX {
            for i in 0..m {
                self.slope[i] = goal.slope[i] + goal.row(i, x);
                let is_low = x[i] <= low[i] && self.slope[i] > 0.0;
                let is_high = x[i] >= high[i] && self.slope[i] < 0.0;
                self.is_free[i] = !(is_low || is_high);
            }
            let Some(count) = self.factorise_free(goal) else { return false };
            let greatest = (0..m)
                .filter(|i| self.is_free[*i])
                .fold(0.0, |greatest: f64, i| greatest.max(self.slope[i].abs()));
            if count == 0 || greatest <= SETTLED * size {
                return true;
            }
            let free = (0..m).filter(|i| self.is_free[*i]);
            for (place, i) in free.enumerate() {
                self.direction[place] = -self.slope[i];
            }
            substitute(&self.factor, &mut self.direction[..count], (count, 1));
            if !self.search(goal, (low, high), x, &mut value) {
                // Rounding: no shorter step improves on it.
                return true;
            }
        }
        true
    }

    /// Moves along the direction as far as it helps.
    fn search(
        &mut self,
        goal: Quadric<'_>,
        (low, high): (&[f64], &[f64]),
        x: &mut [f64],
        value: &mut f64,
    ) -> bool {
        let mut step = 1.0;
        while step > STEP_MIN {
            self.trial.copy_from_slice(x);
            let free = (0..self.m).filter(|i| self.is_free[*i]);
            for (place, i) in free.enumerate() {
                let moved = x[i] + step * self.direction[place];
                self.trial[i] = moved.clamp(low[i], high[i]);
            }
            let reached = goal.value(&self.trial);
            let slope: f64 = (0..self.m).map(|i| self.slope[i] * (self.trial[i] - x[i])).sum();
            if slope < 0.0 && reached <= *value + ARMIJO * slope && reached < *value {
                x.copy_from_slice(&self.trial);
                *value = reached;
                return true;
            }
            step *= SHRINK;
        }
        false
    }

    /// Factors the Hessian of the free entries and returns their number.
    fn factorise_free(&mut self, goal: Quadric<'_>) -> Option<usize> {
        let m = self.m;
        let count = self.is_free.iter().filter(|is_free| **is_free).count();
        let mut place = 0;
        for i in (0..m).filter(|i| self.is_free[*i]) {
            for j in (0..m).filter(|j| self.is_free[*j]) {
                self.part[place] = goal.hessian[i * m + j];
                place += 1;
            }
        }
        factorise(&self.part, goal.lambda, &mut self.factor, count).then_some(count)
    }

    /// K of the last solution: −H⁻¹ · `mixed` for free entries, zero for those at a limit.
    pub fn gain(&mut self, mixed: &[f64], gain: &mut [f64]) {
        let n = mixed.len() / self.m;
        let count = self.is_free.iter().filter(|is_free| **is_free).count();
        let rows = &mut self.rows[..count * n];
        let free = || (0..self.m).filter(|i| self.is_free[*i]);
        for (row, i) in rows.chunks_exact_mut(n).zip(free()) {
            row.iter_mut().zip(&mixed[i * n..(i + 1) * n]).for_each(|(to, from)| *to = -from);
        }
        substitute(&self.factor, rows, (count, n));
        gain.fill(0.0);
        for (row, i) in rows.chunks_exact(n).zip(free()) {
            gain[i * n..(i + 1) * n].copy_from_slice(row);
        }
    }
}
