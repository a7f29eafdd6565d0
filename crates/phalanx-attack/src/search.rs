//! Two published line searches for the factor that hurts most, under different names.
use std::ops::ControlFlow;

/// A deterministic search for a factor `c ≥ 0` that maximises an objective.
///
/// Both expand first: while the objective grows, step forward and double the step. They differ in
/// what follows the first failure. An objective of `−∞` is never picked over a finite one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Search {
    /// Contracts towards the best point from both sides, never below 0.
    ///
    /// # Source
    /// Published simulator of Farhadkhani et al., Robust Collaborative Learning with Linear
    /// Gradient Overhead, ICML 2023: start 0, first step 1, ratio 0.8, 16 evaluations.
    Line {
        /// evaluations of the objective, all of them used
        evaluations: usize,
    },
    /// Looks only beyond the best point: best + step, with a shrinking step.
    ///
    /// # Source
    /// The optimised attacks of the ByzFL library: start 0, first step 10, ratio 0.8,
    /// 20 evaluations.
    Expansion {
        /// evaluations of the objective, all of them used
        evaluations: usize,
    },
}

const RATIO: f64 = 0.8;

impl Search {
    /// As published.
    pub const LINE: Self = Self::Line { evaluations: 16 };
    /// As published.
    pub const EXPANSION: Self = Self::Expansion { evaluations: 20 };

    /// The best factor visited, the earliest among equals; calls `objective` exactly
    /// `evaluations` times (at least once: the start is always evaluated).
    pub fn maximize(self, objective: impl FnMut(f64) -> f64) -> f64 {
        match self {
            Self::Line { evaluations } => line(Best::new(evaluations, objective)),
            Self::Expansion { evaluations } => expansion(Best::new(evaluations, objective)),
        }
    }
}

/// The best point so far, and how many evaluations are left.
struct Best<F> {
    objective: F,
    left: usize,
    factor: f64,
    value: f64,
}

impl<F: FnMut(f64) -> f64> Best<F> {
    fn new(evaluations: usize, mut objective: F) -> Self {
        let value = lowest_if_nan(objective(0.0));
        Self { objective, left: evaluations.saturating_sub(1), factor: 0.0, value }
    }

    /// Evaluates `factor`; whether it is strictly better than all before.
    fn improves(&mut self, factor: f64) -> bool {
        let value = lowest_if_nan((self.objective)(factor));
        self.left -= 1;
        let is_better = value > self.value;
        if is_better {
            (self.factor, self.value) = (factor, value);
        }
        is_better
    }

    /// Doubles the step while that helps; breaks with the first point that did not help and the
    /// contracted step.
    fn expand(&mut self, mut step: f64) -> ControlFlow<(f64, f64)> {
        while self.left > 0 {
            let point = self.factor + step;
            if !self.improves(point) {
                return ControlFlow::Break((point, step * RATIO));
            }
            step *= 2.0;
        }
        ControlFlow::Continue(())
    }
}

fn lowest_if_nan(value: f64) -> f64 {
    if value.is_nan() { f64::NEG_INFINITY } else { value }
}

fn line<F: FnMut(f64) -> f64>(mut best: Best<F>) -> f64 {
    let ControlFlow::Break((mut point, mut step)) = best.expand(1.0) else {
        return best.factor;
    };
    while best.left > 0 {
        if point < best.factor {
            point += step;
        } else {
            let from = point;
            point -= step;
            // Halfway between, as often as needed: the factor stays non-negative.
            while point < 0.0 {
                point = (point + from) / 2.0;
            }
        }
        best.improves(point);
        step *= RATIO;
    }
    best.factor
}

fn expansion<F: FnMut(f64) -> f64>(mut best: Best<F>) -> f64 {
    let ControlFlow::Break((_, mut step)) = best.expand(10.0) else {
        return best.factor;
    };
    while best.left > 0 {
        best.improves(best.factor + step);
        step *= RATIO;
    }
    best.factor
}
