//! Random and hill-climbing adversaries against one pass: no view may beat the bounds.
//!
//! A bound on the diameter speaks of pairs, so two receivers are enough: each has a view of its
//! own, and for the direct exchange Byzantine vectors of its own.
use std::ops::Range;

use phalanx_protocol::{AgreementBounds, AgreementRule, Direct, NodeId, Vector, Width};
use phalanx_robust::{Population, Rng};

use crate::averaging_agreement::driver::{
    Driven, Node, Scripted, View, diameter, distance, distance_to, mean, rounding,
};

/// Adversaries tried for each row.
const TRIES: usize = if cfg!(feature = "nightly") { 10_000 } else { 1_000 };
/// Steps of one climb.
const CLIMB: usize = 100;

/// What the adversary decides.
#[derive(Debug, Clone)]
struct Plot {
    honest: Vec<Vec<f32>>,
    /// what each of the two receivers is shown by each Byzantine node
    forged: [Vec<Vec<f32>>; 2],
    /// which of the n vectors each receiver collects, the honest ones first
    heard: [Vec<bool>; 2],
    /// whether Byzantine nodes have the least indices, which win ties
    is_low: bool,
}

/// How near a plot comes to the bounds, as shares of them.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Shares {
    contraction: f64,
    error: f64,
}

struct Search<'a> {
    bounds: &'a AgreementBounds,
    rng: Rng,
    tried: usize,
}

impl Search<'_> {
    fn n(&self) -> usize {
        self.bounds.population().n()
    }

    fn f(&self) -> usize {
        self.bounds.population().f()
    }

    fn is_direct(&self) -> bool {
        self.bounds.width() == Width::Euclidean
    }

    fn normal(&mut self) -> f32 {
        let sum: f64 = (0..6).map(|_| self.rng.unit() - 0.5).sum();
        (sum * 1.414) as f32
    }

    /// Gaussian vectors, or groups at the ends and the middle of a segment as in the proofs.
    fn honest(&mut self) -> Vec<Vec<f32>> {
        let (h, dim) = (self.bounds.honest(), self.bounds.dim());
        let is_grouped = self.rng.below(3) > 0;
        let levels = [0.0f32, 1.0, 0.5];
        let (low, middle) = (self.rng.unit(), [0.0, 0.3][self.rng.below(2)]);
        let jitter = [0.0, 0.01, 0.1][self.rng.below(3)];
        let mut honest = Vec::new();
        for node in 0..h {
            let group = match self.rng.unit() < middle {
                true => 2,
                false => usize::from(self.rng.unit() > low),
            };
            let level = levels[if node < 2 { node } else { group }];
            let vector = (0..dim).map(|k| match is_grouped {
                true if k == 0 => level + jitter * self.normal(),
                true => jitter * self.normal(),
                false => self.normal(),
            });
            honest.push(vector.collect());
        }
        honest
    }

    /// Beyond the ends, on opposite sides for the two receivers.
    fn plot(&mut self) -> Plot {
        let (n, f, h) = (self.n(), self.f(), self.bounds.honest());
        let honest = self.honest();
        let (push, is_low) = ([0.0f32, 0.3, 0.9, 1.0][self.rng.below(4)], self.rng.below(2) == 0);
        let high = self.rng.unit();
        let beyond = |a: &[f32], b: &[f32], push: f32| -> Vec<f32> {
            a.iter().zip(b).map(|(a, b)| a + push * (a - b)).collect()
        };
        let mut forged = [Vec::new(), Vec::new()];
        for _ in 0..f {
            let middle = honest[self.rng.below(h)].clone();
            let push = push * (1.0 - 0.01 * self.rng.unit() as f32);
            let ends: [Vec<f32>; 2] =
                [beyond(&middle, &honest[1], push), beyond(&middle, &honest[0], push)];
            let same = usize::from(self.rng.unit() > high);
            for (receiver, list) in forged.iter_mut().enumerate() {
                list.push(ends[if self.is_direct() { receiver } else { same }].clone());
            }
        }
        let near = |list: &[Vec<f32>], receiver: usize| {
            let mut order: Vec<usize> = (0..h).filter(|node| *node != receiver).collect();
            order.sort_by(|a, b| {
                let own = &list[receiver];
                distance(&list[*a], own).total_cmp(&distance(&list[*b], own))
            });
            order
        };
        let quorum = self.bounds.quorum();
        let mut heard = [0, 1].map(|receiver| {
            let mut heard = vec![false; n];
            heard[receiver] = true;
            heard[h..].fill(true);
            let rest = quorum - 1 - f;
            near(&honest, receiver).into_iter().take(rest).for_each(|node| heard[node] = true);
            heard
        });
        if !self.is_direct() {
            // One core for both, and for each what is on its side.
            let mut core: Vec<usize> = (0..n).collect();
            self.rng.shuffle(&mut core);
            let is_core = |slot: usize| core[..quorum].contains(&slot);
            let value = |slot: usize| match slot < h {
                true => honest[slot][0],
                false => forged[0][slot - h][0],
            };
            let (strict, cut) = (self.rng.below(2) == 0, self.rng.unit() as f32);
            for (receiver, list) in heard.iter_mut().enumerate() {
                for (slot, heard) in list.iter_mut().enumerate() {
                    let is_mine = (value(slot) > cut) == (receiver == 1);
                    *heard = is_core(slot) || (is_mine && (strict || self.rng.below(2) == 0));
                }
            }
        }
        Plot { honest, forged, heard, is_low }
    }

    fn is_admissible(&self, plot: &Plot) -> bool {
        let quorum = self.bounds.quorum();
        let counts = plot.heard.each_ref().map(|heard| heard.iter().filter(|h| **h).count());
        match self.is_direct() {
            true => counts == [quorum; 2] && plot.heard[0][0] && plot.heard[1][1],
            false => {
                let pairs = plot.heard[0].iter().zip(&plot.heard[1]);
                pairs.filter(|(a, b)| **a && **b).count() >= quorum
            }
        }
    }

    /// One small change; what is not admissible is left for the caller to drop.
    fn change(&mut self, plot: &mut Plot) {
        let (n, f, h, dim) = (self.n(), self.f(), self.bounds.honest(), self.bounds.dim());
        let receiver = self.rng.below(2);
        match self.rng.below(8) {
            0 | 1 if f > 0 => {
                let (byzantine, k) = (self.rng.below(f), self.rng.below(dim));
                let scale = [0.01, 0.1, 1.0][self.rng.below(3)];
                plot.forged[receiver][byzantine][k] += scale * self.normal();
            }
            2 if f > 0 => {
                let (byzantine, other) = (self.rng.below(f), self.rng.below(f));
                plot.forged[receiver][byzantine] = plot.forged[receiver][other].clone();
            }
            3 if f > 0 => {
                let (byzantine, a, b) = (self.rng.below(f), self.rng.below(h), self.rng.below(h));
                let pairs = plot.honest[a].iter().zip(&plot.honest[b]);
                let share = self.rng.unit() as f32;
                plot.forged[receiver][byzantine] =
                    pairs.map(|(a, b)| a + share * (a - b)).collect();
            }
            4 => {
                let (node, k) = (self.rng.below(h), self.rng.below(dim));
                let scale = [0.01, 0.1, 1.0][self.rng.below(3)];
                plot.honest[node][k] += scale * self.normal();
            }
            5 => {
                let (node, other) = (self.rng.below(h), self.rng.below(h));
                plot.honest[node] = plot.honest[other].clone();
            }
            6 => plot.is_low = !plot.is_low,
            _ => {
                let (a, b) = (self.rng.below(n), self.rng.below(n));
                plot.heard[receiver].swap(a, b);
                if !self.is_direct() && self.rng.below(2) == 0 {
                    plot.heard[receiver][a] ^= true;
                }
            }
        }
        if !self.is_direct() {
            plot.forged[1 - receiver] = plot.forged[receiver].clone();
        }
    }

    /// Runs one pass of both receivers' machines and compares with the bounds.
    fn measure<E: Driven>(&self, plot: &Plot) -> Shares {
        let outcomes = [0, 1].map(|receiver| self.outcome::<E>(plot, receiver));
        let all: Vec<&[f32]> = plot.honest.iter().map(|v| &**v).chain([&*outcomes[0]]).collect();
        let allowance = rounding(&all);
        let (rho, kappa) = (self.bounds.contraction(), self.bounds.error());
        let mut shares = Shares::default();
        let mut compare = |width: f64, spread: f64, error: f64| {
            let tried = self.tried;
            let text = || format!("{spread} of {width}, {error}, try {tried}: {plot:?}");
            assert!(spread <= rho * width + allowance, "contraction: {}", text());
            assert!(error <= kappa * width + allowance, "error: {}", text());
            if width > 1e4 * allowance && rho > 0.0 {
                shares.contraction = shares.contraction.max(spread / (rho * width));
                shares.error = shares.error.max(error / (kappa * width));
            }
        };
        match self.bounds.width() {
            Width::Euclidean => {
                let center = mean(&plot.honest);
                let error = outcomes.iter().map(|y| distance_to(y, &center)).fold(0.0, f64::max);
                compare(diameter(&plot.honest), distance(&outcomes[0], &outcomes[1]), error);
            }
            Width::Coordinate => {
                for k in 0..self.bounds.dim() {
                    let column: Vec<Vec<f32>> = plot.honest.iter().map(|v| vec![v[k]]).collect();
                    let outcomes = outcomes.each_ref().map(|y| vec![y[k]]);
                    assert_in_box(&column, &outcomes);
                    let center = mean(&column);
                    let error = outcomes.iter().map(|y| distance_to(y, &center));
                    let error = error.fold(0.0, f64::max);
                    compare(diameter(&column), distance(&outcomes[0], &outcomes[1]), error);
                }
            }
        }
        shares
    }

    fn outcome<E: Driven>(&self, plot: &Plot, receiver: usize) -> Vector {
        let (n, f, h) = (self.n(), self.f(), self.bounds.honest());
        let id = |slot: usize| match plot.is_low {
            true => NodeId(((slot + f) % n) as u16),
            false => NodeId(slot as u16),
        };
        let vector = |slot: usize| match slot < h {
            true => plot.honest[slot].clone(),
            false => plot.forged[receiver][slot - h].clone(),
        };
        let heard = (0..n).filter(|slot| plot.heard[receiver][*slot]);
        let mut view: View = heard.map(|slot| (id(slot), Vector::new(vector(slot)))).collect();
        view.sort_by_key(|(from, _)| *from);
        let input = Vector::new(plot.honest[receiver].clone());
        let mut node = Node::<E>::start(id(receiver), self.bounds, input, 1);
        node.collect(&view);
        node.vector
    }

    /// Half of the tries are fresh plots, the others climb from the best of them.
    fn run<E: Driven>(&mut self, tries: usize) -> Shares {
        let mut best = Shares::default();
        let mut left = tries;
        while left > 0 {
            let climb = CLIMB.min(left);
            left -= climb;
            let wants_error = self.rng.below(3) == 0;
            let score =
                |shares: &Shares| if wants_error { shares.error } else { shares.contraction };
            let mut current: Option<(Plot, Shares)> = None;
            // What is not admissible is no try.
            let mut step = 0;
            while step < climb {
                let fresh = step < climb / 4;
                let mut plot = match &current {
                    Some((plot, _)) if !fresh => plot.clone(),
                    _ => self.plot(),
                };
                let changes = if fresh { 0 } else { 1 + self.rng.below(3) };
                (0..changes).for_each(|_| self.change(&mut plot));
                if !self.is_admissible(&plot) {
                    continue;
                }
                (step, self.tried) = (step + 1, self.tried + 1);
                let shares = self.measure::<E>(&plot);
                best.contraction = best.contraction.max(shares.contraction);
                best.error = best.error.max(shares.error);
                if current.as_ref().is_none_or(|(_, held)| score(&shares) >= score(held)) {
                    current = Some((plot, shares));
                }
            }
        }
        best
    }
}

/// No tolerance: a mean of values in a range, rounded, is in that range.
fn assert_in_box(honest: &[Vec<f32>], outcomes: &[Vec<f32>]) {
    let least = honest.iter().map(|v| v[0]).fold(f32::INFINITY, f32::min);
    let greatest = honest.iter().map(|v| v[0]).fold(f32::NEG_INFINITY, f32::max);
    assert!(outcomes.iter().all(|y| (least..=greatest).contains(&y[0])), "{honest:?} {outcomes:?}");
}

#[expect(clippy::print_stderr, reason = "the figures of a search, shown with --nocapture")]
fn search<E: Driven>(bounds: &AgreementBounds, dims: Range<usize>, tries: usize) -> Shares {
    let mut best = Shares::default();
    for dim in dims.clone() {
        let bounds = AgreementBounds::new(bounds.rule(), bounds.population(), dim).unwrap();
        let rng = Rng::stream(3, dim as u64, "adversary of agreement");
        let shares = Search { bounds: &bounds, rng, tried: 0 }.run::<E>(tries / dims.len());
        best.contraction = best.contraction.max(shares.contraction);
        best.error = best.error.max(shares.error);
    }
    let (n, f) = (bounds.population().n(), bounds.population().f());
    let (q, rule) = (bounds.quorum(), bounds.rule().name());
    eprintln!("{rule} n {n} f {f} q {q}: {best:.4?} of {tries} tries");
    best
}

// Spec 03, check 1.
#[test]
fn no_adversary_beats_the_bounds_of_minimum_diameter_agreement() {
    let rows = [(7, 1, 6), (13, 2, 11), (16, 2, 14), (26, 1, 25), (26, 4, 22), (13, 1, 10)];
    for (n, f, quorum) in rows.into_iter().chain(large()) {
        let rule = AgreementRule::MinimumDiameter { quorum };
        let bounds = AgreementBounds::new(rule, Population::new(n, f).unwrap(), 1).unwrap();
        let best = search::<Direct>(&bounds, 1..4, TRIES);
        // A search that finds nothing near the bounds shows nothing.
        assert!(best.contraction > 0.6 && best.error > 0.6, "n = {n}, f = {f}: {best:?}");
    }
}

/// The rows of a hundred nodes, which take minutes.
fn large() -> Vec<(usize, usize, usize)> {
    if cfg!(feature = "nightly") { vec![(100, 5, 95), (100, 16, 84)] } else { Vec::new() }
}

// Spec 03, check 3.
#[test]
fn no_adversary_beats_the_bounds_of_the_trimmed_mean() {
    for (n, f) in [(4, 1), (7, 2), (10, 3), (16, 3), (26, 5), (26, 8)] {
        let population = Population::new(n, f).unwrap();
        let bounds = AgreementBounds::new(AgreementRule::TrimmedMean, population, 1).unwrap();
        let best = search::<Scripted>(&bounds, 1..3, TRIES);
        assert!(best.contraction > 0.6 && best.error > 0.6, "n = {n}, f = {f}: {best:?}");
    }
}

#[test]
fn no_adversary_beats_the_bounds_of_the_trimmed_midpoint() {
    for (n, f) in [(4, 1), (7, 2), (10, 3), (16, 3), (26, 5), (26, 8)] {
        let population = Population::new(n, f).unwrap();
        let bounds = AgreementBounds::new(AgreementRule::TrimmedMidpoint, population, 1).unwrap();
        let best = search::<Scripted>(&bounds, 1..3, TRIES);
        assert!(best.contraction > 0.9 && best.error > 0.6, "n = {n}, f = {f}: {best:?}");
    }
}
