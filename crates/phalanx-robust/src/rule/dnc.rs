//! Divide and conquer: drops the vectors that stick out along the direction of largest spread.
use crate::args::{Args, Param};
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
    name: "dnc",
    summary: "mean of what never sticks out along the main direction of sampled coordinates",
    source: "Shejwalkar, Houmansadr, Manipulating the Byzantine: Optimizing Model Poisoning \
             Attacks and Defenses for Federated Learning, NDSS 2021, Algorithm 2 (recalled)",
    params: &[
        Param::integer("iterations", (1, 64), 1).about("samples of coordinates"),
        Param::integer("sample", (1, 1 << 24), 10_000).about("coordinates per sample, at most d"),
        Param::integer("filter", (1, 64), 1).about("vectors dropped per sample, in units of f"),
        Param::integer("seed", (0, i64::MAX), 0).about("seed of the samples"),
    ],
    build: Rule {
        formula: "per sample of coordinates: s_i = ⟨x_i − mean, v⟩², v the top right singular \
                  vector of the centred sample; drop the filter · f largest s_i (later rows first \
                  on ties); the mean of the vectors that no sample dropped",
        guarantee: "none stated here: one sample sees one direction",
        cost: "O(n d + iterations · (n² sample + n³))",
        certificate: Certificate { kappa: None, label: Label::None, breakdown: None },
        example: Example {
            rows: &[&[0.0], &[1.0], &[2.0], &[4.0], &[100.0]],
            f: 1,
            result: &[1.75],
        },
        bound: Bound::MAJORITY,
        is_self_centred: false,
        build: |args, population| {
            let rule = Dnc::new(args, population);
            population.require(rule.bound())?;
            Ok(Box::new(rule))
        },
    },
};

#[derive(Debug)]
struct Dnc {
    f: usize,
    iterations: usize,
    sample: usize,
    filter: usize,
    rng: Rng,
    coordinates: Vec<usize>,
    centred: Vec<f64>,
    gram: Gram,
    scores: Vec<f64>,
    order: Vec<usize>,
    weights: Vec<f64>,
}

impl Dnc {
    fn new(args: &Args, population: Population) -> Self {
        Self {
            f: population.f(),
            iterations: args.integer("iterations"),
            sample: args.integer("sample"),
            filter: args.integer("filter"),
            rng: Rng::stream(args.integer("seed") as u64, u64::MAX, "dnc"),
            coordinates: Vec::new(),
            centred: Vec::new(),
            gram: Gram::default(),
            scores: Vec::new(),
            order: Vec::new(),
            weights: Vec::new(),
        }
    }

    /// However the samples disagree, at least one vector is never dropped.
    fn bound(&self) -> Bound {
        Bound { times_f: (self.iterations * self.filter).max(2), plus: 1 }
    }

    /// Draws distinct coordinates, in ascending order.
    fn draw(&mut self, dim: usize) {
        self.coordinates.clear();
        self.coordinates.extend(0..dim);
        if self.sample < dim {
            for k in 0..self.sample {
                let other = k + self.rng.below(dim - k);
                self.coordinates.swap(k, other);
            }
            self.coordinates.truncate(self.sample);
            self.coordinates.sort_unstable();
        }
    }

    /// Outlier score of every row that `weights` marks as finite; `+∞` for the others.
    fn score(&mut self, rows: &[&[f32]]) {
        let (count, width) = (rows.len(), self.coordinates.len());
        let finite = self.weights.iter().filter(|weight| **weight > 0.0).count();
        self.centred.clear();
        self.centred.resize(count * width, 0.0);
        for (c, k) in self.coordinates.iter().enumerate() {
            let used = rows.iter().zip(&self.weights).filter(|(_, weight)| **weight > 0.0);
            let mean = used.map(|(row, _)| f64::from(row[*k])).sum::<f64>() / finite as f64;
            for (i, row) in rows.iter().enumerate().filter(|(i, _)| self.weights[*i] > 0.0) {
                self.centred[i * width + c] = f64::from(row[*k]) - mean;
            }
        }
        self.gram.fill(&self.centred, count);
        self.gram.top_eigenvector(&mut self.scores);
        for (score, weight) in self.scores.iter_mut().zip(&self.weights) {
            // A u = σ v, so ⟨x_i − mean, v⟩ = σ u_i with u the top eigenvector of the Gram matrix.
            *score = if *weight > 0.0 { *score * *score } else { f64::INFINITY };
        }
    }
}

impl Aggregator for Dnc {
    fn aggregate(&mut self, vectors: Vectors<'_>, out: &mut [f32]) -> Result<(), AggregateError> {
        check_output(vectors, out)?;
        let (rows, n) = (vectors.rows(), vectors.count());
        Population::new(n, self.f)?.require(self.bound())?;
        self.weights.clear();
        self.weights.extend(rows.iter().map(|row| f64::from(kernel::is_finite(row))));
        let found = self.weights.iter().filter(|weight| **weight == 0.0).count();
        if found > self.f {
            return Err(AggregateError::TooManyNotFinite { found, tolerated: self.f });
        }
        let mut kept = std::mem::take(&mut self.order);
        let mut is_good = vec![true; n];
        for _ in 0..self.iterations {
            self.draw(vectors.dim());
            self.score(rows);
            kept.clear();
            kept.extend(0..n);
            let scores = &self.scores;
            kept.sort_unstable_by(|&a, &b| scores[a].total_cmp(&scores[b]).then(a.cmp(&b)));
            kept[n - self.filter * self.f..].iter().for_each(|i| is_good[*i] = false);
        }
        self.order = kept;
        let good = is_good.iter().filter(|is_good| **is_good).count();
        for (weight, is_good) in self.weights.iter_mut().zip(is_good) {
            *weight = if is_good { 1.0 / good as f64 } else { 0.0 };
        }
        kernel::combine(rows, &self.weights, out);
        Ok(())
    }

    fn effects(&self) -> Option<Effects<'_>> {
        Some(Effects { weights: &self.weights, factors: None })
    }

    fn save(&self, out: &mut StateWriter) {
        self.rng.save(out);
    }

    fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        self.rng.load(input)
    }
}

/// Inner products of rows, turned into eigenvalues and eigenvectors by Jacobi's rotations.
#[derive(Debug, Default)]
struct Gram {
    count: usize,
    products: Vec<f64>,
    vectors: Vec<f64>,
}

/// Sweeps converge quadratically, after about ten for hundreds of rows.
const SWEEPS_MAX: usize = 30;

impl Gram {
    /// Scaled to a largest entry of 1, so that no later product overflows or vanishes.
    fn fill(&mut self, rows: &[f64], count: usize) {
        let width = rows.len() / count;
        let row = |i: usize| &rows[i * width..][..width];
        self.count = count;
        self.products.clear();
        self.products.resize(count * count, 0.0);
        for i in 0..count {
            for j in 0..=i {
                let product: f64 = row(i).iter().zip(row(j)).map(|(a, b)| a * b).sum();
                self.products[i * count + j] = product;
                self.products[j * count + i] = product;
            }
        }
        let largest =
            self.products.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
        if largest > 0.0 {
            self.products.iter_mut().for_each(|value| *value /= largest);
        }
        self.vectors.clear();
        self.vectors.resize(count * count, 0.0);
        (0..count).for_each(|i| self.vectors[i * count + i] = 1.0);
    }

    /// Makes the products diagonal, which destroys them.
    fn top_eigenvector(&mut self, out: &mut Vec<f64>) {
        let n = self.count;
        for _ in 0..SWEEPS_MAX {
            let entries = (0..n).flat_map(|i| (0..i).map(move |j| (i, j)));
            let rest = entries.map(|(i, j)| self.products[i * n + j].powi(2)).sum::<f64>();
            if rest <= 1e-32 {
                break;
            }
            for q in 1..n {
                for p in 0..q {
                    self.rotate(p, q);
                }
            }
        }
        let top = (0..n).fold(0, |top, i| {
            if self.products[i * n + i] > self.products[top * n + top] { i } else { top }
        });
        out.clear();
        out.extend((0..n).map(|i| self.vectors[i * n + top]));
    }

    /// The rotation of rows and columns p and q that makes their product 0.
    fn rotate(&mut self, p: usize, q: usize) {
        let n = self.count;
        let product = self.products[p * n + q];
        if product == 0.0 {
            return;
        }
        let half = (self.products[q * n + q] - self.products[p * n + p]) / (2.0 * product);
        let tangent = half.signum() / (half.abs() + half.hypot(1.0));
        let cosine = 1.0 / tangent.hypot(1.0);
        let sine = tangent * cosine;
        for k in 0..n {
            let (a, b) = (self.products[k * n + p], self.products[k * n + q]);
            self.products[k * n + p] = cosine * a - sine * b;
            self.products[k * n + q] = sine * a + cosine * b;
        }
        for k in 0..n {
            let (a, b) = (self.products[p * n + k], self.products[q * n + k]);
            self.products[p * n + k] = cosine * a - sine * b;
            self.products[q * n + k] = sine * a + cosine * b;
            let (a, b) = (self.vectors[k * n + p], self.vectors[k * n + q]);
            self.vectors[k * n + p] = cosine * a - sine * b;
            self.vectors[k * n + q] = sine * a + cosine * b;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// G u = λ u with the largest λ, against the Rayleigh quotient of many other directions.
    #[test]
    fn the_top_eigenvector_is_one_and_no_direction_beats_it() {
        let mut rng = Rng::stream(1, 0, "gram");
        for count in 1..12 {
            let rows: Vec<f64> = (0..count * 7).map(|_| rng.unit() - 0.5).collect();
            let mut gram = Gram::default();
            gram.fill(&rows, count);
            let matrix = gram.products.clone();
            let mut top = Vec::new();
            gram.top_eigenvector(&mut top);
            let image = |x: &[f64]| -> Vec<f64> {
                let row = |i: usize| matrix[i * count..][..count].iter().zip(x);
                (0..count).map(|i| row(i).map(|(a, b)| a * b).sum()).collect()
            };
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            let value = dot(&top, &image(&top));
            assert!((dot(&top, &top) - 1.0).abs() < 1e-12);
            for (a, b) in image(&top).iter().zip(&top) {
                assert!((a - value * b).abs() < 1e-12, "{count}: {a} {}", value * b);
            }
            for _ in 0..100 {
                let other: Vec<f64> = (0..count).map(|_| rng.unit() - 0.5).collect();
                assert!(dot(&other, &image(&other)) <= (value + 1e-12) * dot(&other, &other));
            }
        }
    }
}
