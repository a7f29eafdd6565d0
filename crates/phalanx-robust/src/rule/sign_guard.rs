//! SignGuard: mean of the vectors with a usual length and a usual share of positive signs.
use std::cmp::Ordering;

use crate::args::{Args, Param};
use crate::geometry::{Geometry, Needs, Pairs};
use crate::kernel;
use crate::population::{Bound, Population};
use crate::random::Rng;
use crate::registry::Entry;
use crate::rule::{
    AggregateError, Aggregator, Certificate, Effects, Example, Label, Rule, check_output,
};
use crate::state::{StateError, StateReader, StateWriter};
use crate::vectors::Vectors;

/// The registry entry.
pub const ENTRY: Entry<Rule> = Entry {
    name: "sign-guard",
    summary: "mean, clipped to the median length, of the vectors of usual length whose signs are \
              those of the largest cluster",
    source: "Xu, Huang, Song, Lan, Byzantine-robust Federated Learning through Collaborative \
             Malicious Gradient Filtering, ICDCS 2022 (arXiv:2109.05872; no equation or algorithm \
             number was seen: thresholds, sampled share, sign shares, mean shift, intersection \
             and clipping are as in a published implementation; the closed bounds and scattered \
             coordinates are recalled; lower median, features of sim and dist, bandwidth, ties \
             and the empty intersection are chosen)",
    params: &[
        Param::choice("variant", &["plain", "sim", "dist"], "plain")
            .about("fourth feature: none, cosine with or distance from the last result"),
        Param::number("lower", (0.0, 1.0), 0.1).about("least length, in median lengths"),
        Param::number("upper", (1.0, 1e30), 3.0).about("largest length, in median lengths"),
        Param::number("share", (1e-9, 1.0), 0.1).about("share of coordinates whose signs count"),
        Param::integer("seed", (0, i64::MAX), 0).about("seed of the samples of coordinates"),
    ],
    build: Rule {
        formula: "M = median ‖x_i‖; S = {i : lower M ≤ ‖x_i‖ ≤ upper M} ∩ largest mean shift \
                  cluster of (share of x_ik > 0, of x_ik = 0, of x_ik < 0) over sampled k; \
                  (1/|S|) Σ_S x_i min(1, M/‖x_i‖); the first set alone where S is empty (chosen)",
        guarantee: "derived: never longer than the longest honest vector (n > 2f); none for the \
                    direction",
        cost: "O(n d + n³ · iterations of mean shift); sim and dist: first call O(n² d)",
        certificate: Certificate { kappa: None, label: Label::Derived, breakdown: None },
        example: Example {
            rows: &[&[1.0], &[2.0], &[-3.0], &[4.0], &[100.0]],
            f: 2,
            result: &[2.0],
        },
        bound: Bound::MAJORITY,
        is_self_centred: false,
        build: |args, population| {
            population.require(Bound::MAJORITY)?;
            Ok(Box::new(SignGuard::new(args, population)))
        },
    },
};

/// Shares of positive, zero and negative entries, then similarity or 0.
type Features = [f64; 4];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Variant {
    Plain,
    Sim,
    Dist,
}

#[derive(Debug)]
struct SignGuard {
    f: usize,
    variant: Variant,
    lower: f64,
    upper: f64,
    share: f64,
    rng: Rng,
    /// the last result; empty before the first call and for the plain variant
    last: Vec<f32>,
    geometry: Geometry,
    coordinates: Vec<usize>,
    sorted: Vec<f64>,
    similarities: Vec<f64>,
    points: Vec<(Features, usize)>,
    clusters: Clusters,
    weights: Vec<f64>,
    /// how much of each row's length was left
    factors: Vec<f64>,
}

impl SignGuard {
    fn new(args: &Args, population: Population) -> Self {
        Self {
            f: population.f(),
            variant: match args.text("variant") {
                "sim" => Variant::Sim,
                "dist" => Variant::Dist,
                _ => Variant::Plain,
            },
            lower: args.number("lower"),
            upper: args.number("upper"),
            share: args.number("share"),
            rng: Rng::stream(args.integer("seed") as u64, u64::MAX, "sign-guard"),
            last: Vec::new(),
            geometry: Geometry::default(),
            coordinates: Vec::new(),
            sorted: Vec::new(),
            similarities: Vec::new(),
            points: Vec::new(),
            clusters: Clusters::default(),
            weights: Vec::new(),
            factors: Vec::new(),
        }
    }

    /// Draws distinct coordinates, in ascending order; at least one.
    fn draw(&mut self, dim: usize) {
        let count = ((self.share * dim as f64).ceil() as usize).clamp(1, dim);
        self.coordinates.clear();
        self.coordinates.extend(0..dim);
        if count < dim {
            for k in 0..count {
                let other = k + self.rng.below(dim - k);
                self.coordinates.swap(k, other);
            }
            self.coordinates.truncate(count);
            self.coordinates.sort_unstable();
        }
    }

    /// The fourth feature of every finite row: in `[-1, 1]`, and 0 for the plain variant.
    fn compare(&mut self, rows: &[&[f32]]) {
        let n = rows.len();
        self.similarities.clear();
        self.similarities.resize(n, 0.0);
        if self.variant == Variant::Plain {
            return;
        }
        let finite = |i: &usize| self.geometry.is_finite(*i);
        for i in (0..n).filter(finite) {
            let likeness = |other: &[f32], squared_norm: f64| match self.variant {
                Variant::Dist => kernel::squared_distance(rows[i], other).sqrt(),
                _ => cosine(rows[i], other, self.geometry.squared_norm(i) * squared_norm),
            };
            self.similarities[i] = if self.last.is_empty() {
                let others = (0..n).filter(|j| *j != i).filter(finite);
                self.sorted.clear();
                self.sorted
                    .extend(others.map(|j| likeness(rows[j], self.geometry.squared_norm(j))));
                if self.sorted.is_empty() { 0.0 } else { lower_median(&mut self.sorted) }
            } else {
                likeness(&self.last, kernel::dot(&self.last, &self.last))
            };
        }
        if self.variant == Variant::Dist {
            self.sorted.clear();
            self.sorted.extend((0..n).filter(finite).map(|i| self.similarities[i]));
            let median = lower_median(&mut self.sorted);
            for distance in &mut self.similarities {
                // In halves of the median, at most 1: a far row is as unlike as signs can be.
                *distance =
                    if *distance == 0.0 { 0.0 } else { (*distance / median / 2.0).min(1.0) };
            }
        }
    }

    /// Features of the finite rows, in an order that does not depend on the order of the rows.
    fn describe(&mut self, rows: &[&[f32]]) {
        self.compare(rows);
        let width = self.coordinates.len() as f64;
        self.points.clear();
        for (i, row) in rows.iter().enumerate().filter(|(i, _)| self.geometry.is_finite(*i)) {
            let count = |is_counted: fn(f32) -> bool| {
                self.coordinates.iter().filter(|k| is_counted(row[**k])).count() as f64 / width
            };
            let signs = [count(|x| x > 0.0), count(|x| x == 0.0), count(|x| x < 0.0)];
            self.points.push(([signs[0], signs[1], signs[2], self.similarities[i]], i));
        }
        self.points.sort_unstable_by(|(a, i), (b, j)| order(a, b).then(i.cmp(j)));
    }

    /// Marks the rows of usual length, then those of the largest cluster among them.
    fn filter(&mut self, n: usize, median: f64) {
        self.weights.clear();
        self.weights.resize(n, 0.0);
        let norm = |i: usize| self.geometry.squared_norm(i).sqrt();
        let bounds = self.lower * median..=self.upper * median;
        let members = self.clusters.largest(&self.points);
        let usual = |(_, i): &(Features, usize)| bounds.contains(&norm(*i));
        let is_common = self.points.iter().zip(members).any(|(point, is)| *is && usual(point));
        for (point, is_member) in self.points.iter().zip(members) {
            if usual(point) && (*is_member || !is_common) {
                self.weights[point.1] = 1.0;
            }
        }
    }
}

/// Cosine from the product of the squared lengths; 0 when either length is 0.
fn cosine(a: &[f32], b: &[f32], squared_norms: f64) -> f64 {
    match squared_norms == 0.0 {
        true => 0.0,
        false => (kernel::dot(a, b) / squared_norms.sqrt()).clamp(-1.0, 1.0),
    }
}

/// The middle value, the lower one of two: a value that occurs, so that half of all are at least
/// and half at most as large.
fn lower_median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values[(values.len() - 1) / 2]
}

impl Aggregator for SignGuard {
    fn aggregate(&mut self, vectors: Vectors<'_>, out: &mut [f32]) -> Result<(), AggregateError> {
        check_output(vectors, out)?;
        let (rows, n) = (vectors.rows(), vectors.count());
        Population::new(n, self.f)?.require(ENTRY.build.bound)?;
        if !self.last.is_empty() && self.last.len() != vectors.dim() {
            let (expected, found) = (self.last.len(), vectors.dim());
            return Err(AggregateError::Remembered { rule: ENTRY.name, expected, found });
        }
        self.geometry.compute(vectors, Needs { pairs: Pairs::None, has_norms: true });
        self.geometry.finite_count(self.f)?;
        // From here on nothing fails, so that a refused call leaves the state as it was.
        self.draw(vectors.dim());
        self.describe(rows);
        self.sorted.clear();
        self.sorted.extend(self.points.iter().map(|(_, i)| self.geometry.squared_norm(*i)));
        let median = lower_median(&mut self.sorted).sqrt();
        self.filter(n, median);
        let kept: f64 = self.weights.iter().sum();
        self.factors.clear();
        self.factors.resize(n, 0.0);
        for (i, weight) in self.weights.iter_mut().enumerate().filter(|(_, kept)| **kept > 0.0) {
            let norm = self.geometry.squared_norm(i).sqrt();
            self.factors[i] = if norm > median { median / norm } else { 1.0 };
            *weight = self.factors[i] / kept;
        }
        kernel::combine(rows, &self.weights, out);
        if self.variant != Variant::Plain {
            self.last.clear();
            self.last.extend_from_slice(out);
        }
        Ok(())
    }

    fn effects(&self) -> Option<Effects<'_>> {
        Some(Effects { weights: &self.weights, factors: Some(&self.factors) })
    }

    fn save(&self, out: &mut StateWriter) {
        self.rng.save(out);
        out.f32s(&self.last);
    }

    fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        let mut rng = self.rng.clone();
        rng.load(input)?;
        let last = input.f32s()?;
        let is_fit = last.is_empty() || self.variant != Variant::Plain;
        if !is_fit || !kernel::is_finite(&last) {
            return Err(StateError::Mismatch { what: "the last result" });
        }
        (self.rng, self.last) = (rng, last);
        Ok(())
    }
}

/// Mean shift with a flat kernel, from every point.
#[derive(Debug, Default)]
struct Clusters {
    distances: Vec<f64>,
    /// where a point ends, and how many points are near there
    modes: Vec<(Features, usize)>,
    sizes: Vec<usize>,
    labels: Vec<Option<usize>>,
    members: Vec<bool>,
}

/// Flat kernels come to rest exactly, mostly within ten steps; this bounds a cycle of rounding.
const STEPS_MAX: usize = 300;

impl Clusters {
    /// Marks the points of the largest cluster; of equals the denser, then the lesser by features.
    /// Depends on the features alone, as long as the points come sorted by them.
    fn largest(&mut self, points: &[(Features, usize)]) -> &[bool] {
        // Distances that are equal but for rounding are on the same side of the bandwidth.
        let radius = self.bandwidth(points) * (1.0 + 1e-9);
        self.modes.clear();
        self.modes.extend(points.iter().map(|(start, _)| climb(points, *start, radius)));
        self.modes.sort_unstable_by(|(a, more), (b, less)| less.cmp(more).then(order(a, b)));
        let mut kept = 0;
        for next in 0..self.modes.len() {
            let mode = self.modes[next];
            if self.modes[..kept].iter().all(|(other, _)| distance(other, &mode.0) > radius) {
                self.modes[kept] = mode;
                kept += 1;
            }
        }
        self.modes.truncate(kept);
        self.sizes.clear();
        self.sizes.resize(kept, 0);
        self.labels.clear();
        for (point, _) in points {
            let mut nearest = (radius, None);
            for (label, (mode, _)) in self.modes.iter().enumerate() {
                let away = distance(point, mode);
                if away < nearest.0 || (nearest.1.is_none() && away <= radius) {
                    nearest = (away, Some(label));
                }
            }
            nearest.1.into_iter().for_each(|label| self.sizes[label] += 1);
            self.labels.push(nearest.1);
        }
        let best = (0..kept).fold(0, |a, b| if self.sizes[b] > self.sizes[a] { b } else { a });
        self.members.clear();
        self.members.extend(self.labels.iter().map(|label| *label == Some(best)));
        &self.members
    }

    /// Mean over the points of the distance within which half of the others lie, rounded down,
    /// but at least one: the quantile ½ of a published implementation, which counts the point
    /// itself; leaving it out is chosen, for two or three rows.
    fn bandwidth(&mut self, points: &[(Features, usize)]) -> f64 {
        let mut sum = 0.0;
        for (point, _) in points {
            self.distances.clear();
            self.distances.extend(points.iter().map(|(other, _)| distance(point, other)));
            self.distances.sort_unstable_by(f64::total_cmp);
            sum += self.distances[points.len() / 2];
        }
        sum / points.len() as f64
    }
}

/// Moves to the mean of the points within `radius` until nothing moves.
fn climb(points: &[(Features, usize)], start: Features, radius: f64) -> (Features, usize) {
    let (mut at, mut density) = (start, 0);
    for _ in 0..STEPS_MAX {
        let mut sum = [0.0; 4];
        density = 0;
        for (point, _) in points.iter().filter(|(point, _)| distance(point, &at) <= radius) {
            sum.iter_mut().zip(point).for_each(|(sum, value)| *sum += value);
            density += 1;
        }
        // Rounding may leave a mean of equal points outside of a radius of 0.
        if density == 0 {
            return (start, 1);
        }
        let next = sum.map(|sum| sum / density as f64);
        if distance(&next, &at) <= 1e-12 {
            break;
        }
        at = next;
    }
    (at, density)
}

/// Lexicographic.
fn order(a: &Features, b: &Features) -> Ordering {
    let orders = a.iter().zip(b).map(|(a, b)| a.total_cmp(b));
    orders.fold(Ordering::Equal, Ordering::then)
}

fn distance(a: &Features, b: &Features) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}
