//! One agreement in numbers: how far each pass brought the honest vectors, against the bounds.
use std::collections::BTreeMap;

use phalanx_protocol::{AgreementBounds, NodeId, Vector, Width};
use serde_json::{Value, json};

use crate::command::agree::observed::Log;

/// What one pass did to the honest vectors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pass {
    /// from 1
    pub pass: u16,
    /// Δ₂ after it
    pub diameter: f64,
    /// width after it over width before it; the worst coordinate where widths are of coordinates
    pub ratio: f64,
    /// greatest distance of an honest vector to the honest mean before it, in widths before it
    pub error: f64,
    /// whether every coordinate stayed within the range of the honest inputs
    pub is_in_box: bool,
    /// whether ρ and κ were kept, up to rounding to `f32`
    pub is_kept: bool,
    /// sent by honest nodes, each receiver counted
    pub messages: u64,
    /// their bytes
    pub bytes: u64,
}

/// One agreement.
#[derive(Debug, Clone, PartialEq)]
pub struct Account {
    /// its seed
    pub seed: u64,
    /// Δ₂ of the inputs
    pub diameter: f64,
    /// pass by pass
    pub passes: Vec<Pass>,
    /// how far the honest mean moved
    pub moved: f64,
    /// whether both promises about the whole were kept, up to rounding to `f32`
    pub is_kept: bool,
    /// what the honest nodes ended with, by ascending node
    pub outcomes: Vec<Vector>,
}

/// Vectors of the honest nodes at one time.
struct Family<'a>(Vec<&'a [f32]>);

impl<'a> Family<'a> {
    fn of(vectors: &'a BTreeMap<NodeId, Vector>) -> Self {
        Self(vectors.values().map(|vector| &**vector).collect())
    }

    fn dim(&self) -> usize {
        self.0[0].len()
    }

    fn diameter(&self) -> f64 {
        let pairs = (0..self.0.len()).flat_map(|a| (0..a).map(move |b| (a, b)));
        let squared = |(a, b): (usize, usize)| {
            let terms = self.0[a].iter().zip(self.0[b]);
            terms.map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum::<f64>()
        };
        pairs.map(squared).fold(0.0, f64::max).sqrt()
    }

    fn mean(&self) -> Vec<f64> {
        let mut mean = vec![0.0; self.dim()];
        for row in &self.0 {
            mean.iter_mut().zip(*row).for_each(|(sum, entry)| *sum += f64::from(*entry));
        }
        mean.iter_mut().for_each(|sum| *sum /= self.0.len() as f64);
        mean
    }

    /// Greatest Euclidean distance of a row to a mean.
    fn distance_to(&self, mean: &[f64]) -> f64 {
        let squared = |row: &&[f32]| {
            row.iter().zip(mean).map(|(entry, mean)| (f64::from(*entry) - mean).powi(2)).sum()
        };
        self.0.iter().map(squared).fold(0.0, f64::max).sqrt()
    }

    /// Least and greatest value of each coordinate.
    fn ranges(&self) -> Vec<(f32, f32)> {
        let mut ranges = vec![(f32::INFINITY, f32::NEG_INFINITY); self.dim()];
        for row in &self.0 {
            for ((least, greatest), entry) in ranges.iter_mut().zip(*row) {
                (*least, *greatest) = (least.min(*entry), greatest.max(*entry));
            }
        }
        ranges
    }

    /// Distance of each coordinate's farthest value to a mean.
    fn distances_to(&self, mean: &[f64]) -> Vec<f64> {
        let mut distances = vec![0.0f64; self.dim()];
        for row in &self.0 {
            for ((distance, entry), mean) in distances.iter_mut().zip(*row).zip(mean) {
                *distance = distance.max((f64::from(*entry) - mean).abs());
            }
        }
        distances
    }

    fn largest(&self) -> f64 {
        let sizes = self.0.iter().flat_map(|row| row.iter().map(|entry| f64::from(entry.abs())));
        sizes.fold(0.0, f64::max)
    }
}

/// Widths before a pass, after it, and errors, each as often as there are widths.
struct Step {
    before: Vec<f64>,
    after: Vec<f64>,
    errors: Vec<f64>,
}

impl Step {
    fn new(width: Width, before: &Family<'_>, after: &Family<'_>) -> Self {
        let mean = before.mean();
        match width {
            Width::Euclidean => Self {
                before: vec![before.diameter()],
                after: vec![after.diameter()],
                errors: vec![after.distance_to(&mean)],
            },
            Width::Coordinate => Self {
                before: before.ranges().into_iter().map(extent).collect(),
                after: after.ranges().into_iter().map(extent).collect(),
                errors: after.distances_to(&mean),
            },
        }
    }

    /// The worst share of a width; nothing of nothing is nothing.
    fn worst(&self, values: &[f64]) -> f64 {
        let share = |(value, before): (&f64, &f64)| match *value {
            0.0 => 0.0,
            value => value / before,
        };
        values.iter().zip(&self.before).map(share).fold(0.0, f64::max)
    }

    fn is_kept(&self, bounds: &AgreementBounds, allowance: f64) -> bool {
        let (rho, kappa) = (bounds.contraction(), bounds.error());
        let all = self.before.iter().zip(&self.after).zip(&self.errors);
        all.into_iter().all(|((before, after), error)| {
            *after <= rho * before + allowance && *error <= kappa * before + allowance
        })
    }
}

fn extent((least, greatest): (f32, f32)) -> f64 {
    f64::from(greatest) - f64::from(least)
}

impl Account {
    /// Adds up what was observed; every honest node has its outcome.
    pub fn new(bounds: &AgreementBounds, (seed, halvings): (u64, u16), log: &Log) -> Self {
        let outcomes = Family::of(&log.outcomes);
        let stages: Vec<Family<'_>> = log.shared.values().map(Family::of).collect();
        let inputs = stages.first().unwrap_or(&outcomes);
        // What rounding two outcomes to f32 can add to their distance, in any norm used here.
        let largest = inputs.largest().max(outcomes.largest());
        let allowance = (inputs.dim() as f64).sqrt() * largest * f64::from(f32::EPSILON);
        let ranges = inputs.ranges();
        let is_in_box = |family: &Family<'_>| {
            family.0.iter().all(|row| {
                let mut entries = row.iter().zip(&ranges);
                entries.all(|(entry, (least, greatest))| (least..=greatest).contains(&entry))
            })
        };
        let afters = stages.iter().skip(1).chain([&outcomes]);
        let pass = |((before, after), pass): ((&Family<'_>, &Family<'_>), &u16)| {
            let step = Step::new(bounds.width(), before, after);
            let (messages, bytes) = log.traffic.get(pass).copied().unwrap_or_default();
            let is_in_box = is_in_box(after);
            let needs_box = bounds.width() == Width::Coordinate;
            Pass {
                pass: *pass,
                diameter: after.diameter(),
                ratio: step.worst(&step.after),
                error: step.worst(&step.errors),
                is_in_box,
                is_kept: step.is_kept(bounds, allowance) && (is_in_box || !needs_box),
                messages,
                bytes,
            }
        };
        let passes: Vec<Pass> =
            stages.iter().zip(afters).zip(log.shared.keys()).map(pass).collect();
        let (diameter, mean) = (inputs.diameter(), inputs.mean());
        let after = outcomes.mean();
        let squares = mean.iter().zip(&after).map(|(a, b)| (a - b).powi(2));
        let moved = squares.sum::<f64>().sqrt();
        let allowances = allowance * (passes.len() + 1) as f64;
        let most = diameter / f64::from(halvings).exp2() + allowance;
        let is_kept =
            outcomes.diameter() <= most && moved <= bounds.constant() * diameter + allowances;
        let outcomes = log.outcomes.values().cloned().collect();
        Self { seed, diameter, passes, moved, is_kept, outcomes }
    }

    /// Δ₂ of the outcomes.
    pub fn last_diameter(&self) -> f64 {
        self.passes.last().map_or(self.diameter, |pass| pass.diameter)
    }

    /// How far the mean moved, in diameters of the inputs.
    pub fn moved_share(&self) -> f64 {
        if self.moved == 0.0 { 0.0 } else { self.moved / self.diameter }
    }

    /// Whether every promise was kept.
    pub fn keeps_all(&self) -> bool {
        self.is_kept && self.passes.iter().all(|pass| pass.is_kept)
    }

    /// One line for each pass, then one for the whole.
    pub fn as_json(&self, bounds: &AgreementBounds, halvings: u16) -> Vec<Value> {
        let pass = |pass: &Pass| {
            json!({
                "seed": self.seed, "pass": pass.pass, "diameter": pass.diameter,
                "ratio": pass.ratio, "rho": bounds.contraction(),
                "error": pass.error, "kappa": bounds.error(), "in_box": pass.is_in_box,
                "kept": pass.is_kept, "messages": pass.messages, "bytes": pass.bytes,
            })
        };
        let mut lines: Vec<Value> = self.passes.iter().map(pass).collect();
        lines.push(json!({
            "seed": self.seed, "rule": bounds.rule().name(), "n": bounds.population().n(),
            "f": bounds.population().f(), "q": bounds.quorum(), "dim": bounds.dim(),
            "halvings": halvings, "passes": self.passes.len(), "width": bounds.width().to_string(),
            "diameter_before": self.diameter, "diameter_after": self.last_diameter(),
            "moved": self.moved, "moved_in_diameters": self.moved_share(),
            "constant": bounds.constant(), "least_constant": bounds.least_constant(),
            "kept": self.keeps_all(),
            "messages": self.passes.iter().map(|pass| pass.messages).sum::<u64>(),
            "bytes": self.passes.iter().map(|pass| pass.bytes).sum::<u64>(),
        }));
        lines
    }
}
