//! A minimiser of smooth functions within bounds: projected steps of limited-memory BFGS.
use std::collections::VecDeque;

/// Pairs of steps and changes of the gradient that are remembered.
const MEMORY: usize = 12;
/// Share of the predicted decrease that a step must bring.
const SUFFICIENT: f64 = 1e-4;
/// Halvings of a step before the search gives up.
const HALVINGS_MAX: usize = 30;

/// When to stop.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Stopping {
    /// steps
    pub iterations_max: usize,
    /// greatest entry of the projected gradient
    pub gradient: f64,
    /// decrease of one step, relative to the value
    pub decrease: f64,
}

/// Where the search ended.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Minimum {
    pub at: Vec<f64>,
    pub value: f64,
    pub iterations: usize,
    pub evaluations: usize,
}

struct Search<'a, F> {
    function: F,
    bounds: &'a [(f64, f64)],
    pairs: VecDeque<(Vec<f64>, Vec<f64>)>,
    evaluations: usize,
}

/// Descends from `start`. `function` writes the gradient and returns the value, `None` where it
/// has none.
///
/// Entries at a bound that the gradient pushes outward stand still; the others move along the
/// two-loop recursion, projected onto the box, with a backtracking search. `None` when there is no
/// value at the start.
///
/// # Source
/// Two-loop recursion: J. Nocedal, Updating Quasi-Newton Matrices with Limited Storage, 1980.
/// Projection: D. Bertsekas, Projected Newton Methods, 1982.
pub(super) fn minimise(
    function: impl FnMut(&[f64], &mut [f64]) -> Option<f64>,
    start: &[f64],
    bounds: &[(f64, f64)],
    stopping: Stopping,
) -> Option<Minimum> {
    let mut search = Search { function, bounds, pairs: VecDeque::new(), evaluations: 0 };
    let mut at: Vec<f64> =
        start.iter().zip(bounds).map(|(at, (low, high))| at.clamp(*low, *high)).collect();
    let mut gradient = vec![0.0; at.len()];
    let mut value = search.value(&at, &mut gradient)?;
    let mut iterations = 0;
    while iterations < stopping.iterations_max {
        let free = search.free(&at, &gradient);
        let steepest = gradient.iter().zip(&free).filter(|(_, free)| **free);
        if steepest.fold(0.0, |most: f64, (slope, _)| most.max(slope.abs())) <= stopping.gradient {
            break;
        }
        let direction = search.direction(&gradient, &free);
        let Some((next, next_gradient, next_value)) =
            search.advance((&at, &gradient, value), direction)
        else {
            // The memory may be what misleads: once more along the gradient alone.
            if search.pairs.is_empty() {
                break;
            }
            search.pairs.clear();
            continue;
        };
        iterations += 1;
        let decrease = value - next_value;
        search.remember((&at, &next), (&gradient, &next_gradient));
        let scale = value.abs().max(next_value.abs()).max(1.0);
        (at, gradient, value) = (next, next_gradient, next_value);
        if decrease <= stopping.decrease * scale {
            break;
        }
    }
    Some(Minimum { at, value, iterations, evaluations: search.evaluations })
}

impl<F: FnMut(&[f64], &mut [f64]) -> Option<f64>> Search<'_, F> {
    fn value(&mut self, at: &[f64], gradient: &mut [f64]) -> Option<f64> {
        self.evaluations += 1;
        let value = (self.function)(at, gradient)?;
        (value.is_finite() && gradient.iter().all(|slope| slope.is_finite())).then_some(value)
    }

    /// Entries that are inside, or that the descent pulls inside.
    fn free(&self, at: &[f64], gradient: &[f64]) -> Vec<bool> {
        let entries = at.iter().zip(gradient).zip(self.bounds);
        entries
            .map(|((at, slope), (low, high))| {
                !((*at <= *low && *slope > 0.0) || (*at >= *high && *slope < 0.0))
            })
            .collect()
    }

    fn direction(&self, gradient: &[f64], free: &[bool]) -> Vec<f64> {
        let restricted = |values: &[f64]| -> Vec<f64> {
            values.iter().zip(free).map(|(v, free)| if *free { *v } else { 0.0 }).collect()
        };
        let mut direction = restricted(gradient);
        let pairs: Vec<(Vec<f64>, Vec<f64>, f64)> = self
            .pairs
            .iter()
            .map(|(step, change)| (restricted(step), restricted(change)))
            .map(|(step, change)| (dot(&step, &change), step, change))
            // Restricted to the free entries, a pair may have lost its curvature.
            .filter(|(inner, step, _)| *inner > 1e-10 * dot(step, step))
            .map(|(inner, step, change)| (step, change, inner))
            .collect();
        let mut shares = Vec::with_capacity(pairs.len());
        for (step, change, inner) in pairs.iter().rev() {
            let share = dot(step, &direction) / inner;
            direction.iter_mut().zip(change).for_each(|(d, change)| *d -= share * change);
            shares.push(share);
        }
        let scale = match pairs.last() {
            Some((_, change, inner)) => inner / dot(change, change),
            None => 1.0 / dot(&direction, &direction).sqrt().max(1.0),
        };
        direction.iter_mut().for_each(|d| *d *= scale);
        for ((step, change, inner), share) in pairs.iter().zip(shares.iter().rev()) {
            let back = dot(change, &direction) / inner;
            direction.iter_mut().zip(step).for_each(|(d, step)| *d += (share - back) * step);
        }
        direction.iter_mut().for_each(|d| *d = -*d);
        direction
    }

    /// The first of ever shorter projected steps that brings its share of the decrease.
    fn advance(
        &mut self,
        (at, gradient, value): (&[f64], &[f64], f64),
        direction: Vec<f64>,
    ) -> Option<(Vec<f64>, Vec<f64>, f64)> {
        let (mut length, mut next) = (1.0, at.to_vec());
        let mut next_gradient = vec![0.0; at.len()];
        for _ in 0..HALVINGS_MAX {
            let moves = at.iter().zip(&direction).zip(self.bounds);
            for (next, ((at, along), (low, high))) in next.iter_mut().zip(moves) {
                *next = (at + length * along).clamp(*low, *high);
            }
            let predicted: f64 =
                next.iter().zip(at).zip(gradient).map(|((n, a), slope)| slope * (n - a)).sum();
            if predicted >= 0.0 {
                return None;
            }
            let found = self.value(&next, &mut next_gradient);
            if let Some(found) = found
                && found <= value + SUFFICIENT * predicted
            {
                return Some((next, next_gradient, found));
            }
            // The minimum of the parabola through what is known, within reason.
            let bent = found.map_or(0.0, |found| -0.5 * predicted / (found - value - predicted));
            length *= bent.clamp(0.1, 0.5);
        }
        None
    }

    fn remember(&mut self, (at, next): (&[f64], &[f64]), (before, after): (&[f64], &[f64])) {
        let difference = |one: &[f64], other: &[f64]| -> Vec<f64> {
            one.iter().zip(other).map(|(one, other)| one - other).collect()
        };
        let (step, change) = (difference(next, at), difference(after, before));
        if dot(&step, &change) > 1e-12 * dot(&change, &change) {
            self.pairs.push_back((step, change));
            if self.pairs.len() > MEMORY {
                self.pairs.pop_front();
            }
        }
    }
}

fn dot(one: &[f64], other: &[f64]) -> f64 {
    one.iter().zip(other).map(|(one, other)| one * other).sum()
}
