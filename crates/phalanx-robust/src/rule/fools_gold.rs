//! FoolsGold: senders whose accumulated vectors point the same way count less.
use crate::args::Param;
use crate::kernel;
use crate::population::{Bound, Population};
use crate::registry::Entry;
use crate::rule::{
    AggregateError, Aggregator, Certificate, Effects, Example, Label, Rule, check_output,
};
use crate::state::{StateError, StateReader, StateWriter};
use crate::vectors::Vectors;

/// The registry entry.
pub const ENTRY: Entry<Rule> = Entry {
    name: "fools-gold",
    summary: "mean weighted against senders whose accumulated vectors point the same way; row i \
              of every call must come from the same sender",
    source: "Fung, Yoon, Beschastnikh, The Limitations of Federated Learning in Sybil Settings, \
             RAID 2020 (before: Mitigating Sybils in Federated Learning Poisoning, \
             arXiv:1808.04866); followed here: the function `foolsgold` in the authors' published \
             code; κ is recalled from the paper, of which no equation was seen",
    params: &[Param::number("kappa", (1e-3, 1e3), 1.0).about("factor of the logit: confidence")],
    build: Rule {
        formula: "H_i ← H_i + x_i; c_ij = cos(H_i, H_j), v_i = max(0, max_j c_ij); where v_i < \
                  v_j: c_ij ← c_ij v_i/v_j; a_i = 1 − max(0, max_j c_ij), divided by the largest, \
                  1 becomes 0.99; α_i = κ (ln(a_i/(1 − a_i)) + ½) clamped to [0, 1]; \
                  Σ α_i x_i / Σ α_i (the division is chosen; the authors' code sums)",
        guarantee: "none: equal or parallel sybils share no weight beside a sender unlike them, \
                    but one Byzantine sender, or several unlike ones, weigh as much as anybody",
        cost: "O(n² d), memory n d",
        certificate: Certificate { kappa: None, label: Label::None, breakdown: None },
        example: Example {
            rows: &[&[-3.0, -3.0], &[-1.0, -1.0], &[1.0, 0.0], &[0.0, 1.0]],
            f: 2,
            result: &[0.5, 0.5],
        },
        bound: Bound::ANY,
        is_self_centred: false,
        build: |args, population| {
            Ok(Box::new(FoolsGold {
                f: population.f(),
                kappa: args.number("kappa"),
                ..FoolsGold::default()
            }))
        },
    },
};

/// Similarities closer to 1 than this are 1 (chosen): sybils that send one direction at several
/// lengths differ by the rounding of their entries alone, about 1e-14.
const RESOLUTION: f64 = 1e-9;
/// What the largest weight becomes before the logit, where 1 would be infinite.
const BELOW_ONE: f64 = 0.99;

#[derive(Debug, Default)]
struct FoolsGold {
    f: usize,
    kappa: f64,
    /// one sum of vectors per sender; empty before the first call
    histories: Vec<Vec<f32>>,
    similarities: Vec<f64>,
    largest: Vec<f64>,
    weights: Vec<f64>,
}

impl FoolsGold {
    fn check(&self, vectors: Vectors<'_>) -> Result<(), AggregateError> {
        let Some(first) = self.histories.first() else { return Ok(()) };
        let (rule, expected, found) = (ENTRY.name, self.histories.len(), vectors.count());
        if expected != found {
            return Err(AggregateError::Senders { rule, expected, found });
        }
        let (expected, found) = (first.len(), vectors.dim());
        if expected != found {
            return Err(AggregateError::Remembered { rule, expected, found });
        }
        Ok(())
    }

    /// Adds the rows of non-zero weight. Sums saturate (chosen), so that none becomes infinite.
    fn accumulate(&mut self, vectors: Vectors<'_>) {
        if self.histories.is_empty() {
            self.histories.resize_with(vectors.count(), || vec![0.0; vectors.dim()]);
        }
        let rows = vectors.rows().iter().zip(&self.weights);
        for (history, (row, weight)) in self.histories.iter_mut().zip(rows) {
            if *weight == 0.0 {
                continue;
            }
            for (sum, value) in history.iter_mut().zip(*row) {
                *sum = (*sum + value).clamp(-f32::MAX, f32::MAX);
            }
        }
    }

    /// Cosines of all pairs of histories; 0 on the diagonal and for a history of length 0.
    fn compare(&mut self) {
        let n = self.histories.len();
        let histories = &self.histories;
        self.largest.clear();
        self.largest.extend(histories.iter().map(|history| kernel::dot(history, history)));
        self.similarities.clear();
        self.similarities.resize(n * n, 0.0);
        for i in 0..n {
            for j in 0..i {
                // At most (f32::MAX)⁴ d², which f64 holds; the root of a square is exact.
                let lengths = (self.largest[i] * self.largest[j]).sqrt();
                if lengths == 0.0 {
                    continue;
                }
                let cosine = (kernel::dot(&histories[i], &histories[j]) / lengths).clamp(-1.0, 1.0);
                let cosine = if 1.0 - cosine < RESOLUTION { 1.0 } else { cosine };
                self.similarities[i * n + j] = cosine;
                self.similarities[j * n + i] = cosine;
            }
        }
        self.find_largest();
    }

    /// The diagonal holds 0, so that no largest similarity is negative.
    fn find_largest(&mut self) {
        let rows = self.similarities.chunks(self.histories.len());
        self.largest.clear();
        self.largest.extend(rows.map(|row| row.iter().fold(0.0, |a: f64, b| a.max(*b))));
    }

    /// Who is less like the likest than the other is bears less of what they share.
    fn pardon(&mut self) {
        let n = self.histories.len();
        for i in 0..n {
            for j in 0..n {
                if self.largest[i] < self.largest[j] {
                    self.similarities[i * n + j] *= self.largest[i] / self.largest[j];
                }
            }
        }
        self.find_largest();
    }

    /// Turns the marks of finite rows into weights that sum to 1.
    fn weigh(&mut self) {
        for (weight, largest) in self.weights.iter_mut().zip(&self.largest) {
            *weight *= (1.0 - largest).clamp(0.0, 1.0);
        }
        let most = self.weights.iter().fold(0.0, |a: f64, b| a.max(*b));
        for weight in self.weights.iter_mut().filter(|weight| **weight > 0.0) {
            let share = *weight / most;
            let share = if share == 1.0 { BELOW_ONE } else { share };
            *weight = (self.kappa * ((share / (1.0 - share)).ln() + 0.5)).clamp(0.0, 1.0);
        }
    }
}

impl Aggregator for FoolsGold {
    fn aggregate(&mut self, vectors: Vectors<'_>, out: &mut [f32]) -> Result<(), AggregateError> {
        check_output(vectors, out)?;
        let (rows, n) = (vectors.rows(), vectors.count());
        Population::new(n, self.f)?.require(ENTRY.build.bound)?;
        self.check(vectors)?;
        self.weights.clear();
        self.weights.extend(rows.iter().map(|row| f64::from(kernel::is_finite(row))));
        let found = self.weights.iter().filter(|weight| **weight == 0.0).count();
        if found > self.f {
            return Err(AggregateError::TooManyNotFinite { found, tolerated: self.f });
        }
        // From here on nothing fails, so that a refused call leaves the histories as they were.
        self.accumulate(vectors);
        self.compare();
        self.pardon();
        self.weigh();
        let sum: f64 = self.weights.iter().sum();
        if sum > 0.0 {
            self.weights.iter_mut().for_each(|weight| *weight /= sum);
        } else {
            // Everybody points the same way, where the published formula is 0/0: the mean (chosen).
            let share = 1.0 / (n - found) as f64;
            let finite = rows.iter().map(|row| f64::from(kernel::is_finite(row)) * share);
            self.weights.clear();
            self.weights.extend(finite);
        }
        kernel::combine(rows, &self.weights, out);
        Ok(())
    }

    fn effects(&self) -> Option<Effects<'_>> {
        Some(Effects { weights: &self.weights, factors: None })
    }

    fn save(&self, out: &mut StateWriter) {
        out.u64(self.histories.len() as u64);
        self.histories.iter().for_each(|history| out.f32s(history));
    }

    fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        let count = input.usize()?;
        let mut histories: Vec<Vec<f32>> = Vec::new();
        for _ in 0..count {
            let history = input.f32s()?;
            let is_alike = histories.first().is_none_or(|first| first.len() == history.len());
            if !is_alike || history.is_empty() || !kernel::is_finite(&history) {
                return Err(StateError::Mismatch { what: "a sender's history" });
            }
            histories.push(history);
        }
        self.histories = histories;
        Ok(())
    }
}
