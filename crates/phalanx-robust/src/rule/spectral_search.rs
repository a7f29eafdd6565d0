//! The n − f rows whose covariance has the least largest eigenvalue, by branch and bound.
use crate::rule::subset_search::TIE;

pub(super) use crate::rule::subset_search::OutOfSteps;

/// The stack of a depth-first search among subsets of `0..count`, in the order of their lists.
///
/// With `S(T) = Σ_T (x_i − mean_T)(x_i − mean_T)ᵀ`, adding a row to T never lowers the largest
/// eigenvalue of S(T), so that a partial list whose eigenvalue is not below the best one is left.
/// That is one test of definiteness: in the differences `y_k = x_k − x_r` from the first row r of
/// T, the eigenvalue is below t exactly if the matrix `t (δ_kl + 1) − ⟨y_k, y_l⟩` is positive
/// definite, and its Cholesky factor grows by one line with each row.
#[derive(Debug, Default)]
pub(super) struct SpectralSearch {
    count: usize,
    keep: usize,
    steps_left: u64,
    /// squared distances, `count × count`
    distances: Vec<f64>,
    /// eigenvalues have to be below it
    threshold: f64,
    taken: Vec<usize>,
    /// how many of the taken rows are still below the threshold
    sound: usize,
    /// line d: the row of the factor that came with taken row d; `count × count`
    factor: Vec<f64>,
    /// line d: whether each row may follow d taken ones; `count × count`
    may_follow: Vec<bool>,
    chosen: Vec<usize>,
    order: Vec<usize>,
    matrix: Vec<f64>,
    means: Vec<f64>,
}

impl SpectralSearch {
    /// The subset of `keep` of `count` rows, in ascending order; among equals (up to a relative
    /// 1e-12) the smallest list.
    pub(super) fn least(
        &mut self,
        (keep, count): (usize, usize),
        steps: u64,
        distance: impl Fn(usize, usize) -> f64,
    ) -> Result<&[usize], OutOfSteps> {
        (self.count, self.keep, self.steps_left) = (count, keep, steps);
        self.distances.clear();
        for i in 0..count {
            self.distances.extend((0..count).map(|j| distance(i, j)));
        }
        self.factor.clear();
        self.factor.resize(count * count, 0.0);
        self.may_follow.clear();
        self.may_follow.resize((count + 1) * count, true);
        self.start_greedily();
        // Exactly 0: nothing is less, and the greedy list is the smallest of its equals.
        if self.threshold > 0.0 {
            // What comes first in order replaces the greedy answer if it is as good.
            self.threshold *= 1.0 + TIE;
            self.sound = usize::MAX;
            self.taken.clear();
            self.extend(0)?;
        }
        Ok(&self.chosen)
    }

    /// Takes the best of all "a row and its nearest" as a first answer.
    fn start_greedily(&mut self) {
        self.threshold = f64::INFINITY;
        for centre in 0..self.count {
            self.order.clear();
            self.order.extend(0..self.count);
            let near = &self.distances[centre * self.count..][..self.count];
            self.order.sort_unstable_by(|&a, &b| near[a].total_cmp(&near[b]).then(a.cmp(&b)));
            self.order.truncate(self.keep);
            self.order.sort_unstable();
            std::mem::swap(&mut self.taken, &mut self.order);
            if self.threshold == f64::INFINITY || self.is_below() {
                self.threshold = self.eigenvalue();
                self.chosen.clone_from(&self.taken);
            }
            std::mem::swap(&mut self.taken, &mut self.order);
        }
    }

    /// Whether the eigenvalue of the taken rows is below the threshold.
    fn is_below(&mut self) -> bool {
        (0..self.taken.len()).all(|depth| self.extends(depth))
    }

    /// Adds the line of taken row `depth` to the factor; false where it is not definite.
    fn extends(&mut self, depth: usize) -> bool {
        if depth == 0 {
            return self.threshold > 0.0;
        }
        let count = self.count;
        let (first, row) = (self.taken[0], self.taken[depth]);
        let from = &self.distances[first * count..][..count];
        let to = &self.distances[row * count..][..count];
        let (earlier, line) = self.factor.split_at_mut(depth * count);
        let mut pivot = 2.0 * self.threshold - from[row];
        for l in 1..depth {
            let other = self.taken[l];
            let mut entry = self.threshold - 0.5 * (from[row] + from[other] - to[other]);
            let above = &earlier[l * count..][..count];
            let terms = above[1..l].iter().zip(&line[1..l]);
            entry -= terms.map(|(a, b)| a * b).sum::<f64>();
            entry /= above[l];
            line[l] = entry;
            pivot -= entry * entry;
        }
        line[depth] = pivot.max(0.0).sqrt();
        pivot > 0.0
    }

    /// Goes through every list that continues the taken rows with rows from `from` on.
    fn extend(&mut self, from: usize) -> Result<(), OutOfSteps> {
        let (count, depth) = (self.count, self.taken.len());
        if depth == self.keep {
            self.accept();
            return Ok(());
        }
        let missing = self.keep - depth;
        let line = depth * count..(depth + 1) * count;
        let open = &self.may_follow[line.clone()];
        let mut left = open[from..].iter().filter(|may| **may).count();
        for row in from..count {
            if left < missing {
                return Ok(());
            }
            if !self.may_follow[line.start + row] {
                continue;
            }
            left -= 1;
            self.steps_left = self.steps_left.checked_sub(1).ok_or(OutOfSteps)?;
            self.taken.push(row);
            if self.extends(depth) {
                let (before, after) = self.may_follow.split_at_mut(line.end);
                let near = &self.distances[row * count..][..count];
                for other in row + 1..count {
                    // Two rows alone have half their squared distance as their eigenvalue.
                    let is_near = 0.5 * near[other] < self.threshold;
                    after[other] = before[line.start + other] && is_near;
                }
                self.extend(row + 1)?;
            }
            self.taken.pop();
            if depth > self.sound {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Takes a whole list that is below the threshold, and lowers that to what beats it.
    fn accept(&mut self) {
        self.chosen.clone_from(&self.taken);
        self.threshold = self.eigenvalue() * (1.0 - TIE);
        self.sound = (0..self.keep).take_while(|depth| self.extends(*depth)).count();
    }

    /// The largest eigenvalue of the taken rows, by Jacobi's rotations.
    fn eigenvalue(&mut self) -> f64 {
        let (n, count) = (self.taken.len(), self.count);
        let between = |i: usize, j: usize| self.distances[self.taken[i] * count + self.taken[j]];
        self.matrix.clear();
        let mean = |i: usize| (0..n).map(|j| between(i, j)).sum::<f64>() / n as f64;
        self.means.clear();
        self.means.extend((0..n).map(mean));
        let means = &self.means;
        let centre = means.iter().sum::<f64>() / n as f64;
        for i in 0..n {
            let row = (0..n).map(|j| 0.5 * (means[i] + means[j] - centre - between(i, j)));
            self.matrix.extend(row);
        }
        largest_eigenvalue(&mut self.matrix, n)
    }
}

/// Sweeps of rotations; ten are many.
const SWEEPS_MAX: usize = 60;

/// Of a symmetric matrix, which is diagonalised in place by cyclic Jacobi rotations.
fn largest_eigenvalue(matrix: &mut [f64], n: usize) -> f64 {
    for _ in 0..SWEEPS_MAX {
        let mut off = 0.0f64;
        let diagonal = (0..n).fold(0.0f64, |most, i| most.max(matrix[i * n + i].abs()));
        for p in 0..n {
            for q in p + 1..n {
                let entry = matrix[p * n + q];
                off = off.max(entry.abs());
                if entry.abs() > f64::EPSILON * diagonal * 1e-3 {
                    rotate(matrix, n, (p, q));
                }
            }
        }
        if off <= f64::EPSILON * diagonal {
            break;
        }
    }
    (0..n).fold(0.0, |most, i| most.max(matrix[i * n + i]))
}

/// Makes entry `(p, q)` zero.
fn rotate(matrix: &mut [f64], n: usize, (p, q): (usize, usize)) {
    let entry = matrix[p * n + q];
    let ratio = (matrix[q * n + q] - matrix[p * n + p]) / (2.0 * entry);
    let tangent = ratio.signum() / (ratio.abs() + ratio.hypot(1.0));
    let cosine = 1.0 / tangent.hypot(1.0);
    let sine = tangent * cosine;
    for k in 0..n {
        let (a, b) = (matrix[k * n + p], matrix[k * n + q]);
        matrix[k * n + p] = cosine * a - sine * b;
        matrix[k * n + q] = sine * a + cosine * b;
    }
    for k in 0..n {
        let (a, b) = (matrix[p * n + k], matrix[q * n + k]);
        matrix[p * n + k] = cosine * a - sine * b;
        matrix[q * n + k] = sine * a + cosine * b;
    }
}

#[cfg(test)]
mod tests {
    use super::largest_eigenvalue;

    #[test]
    fn eigenvalues_of_small_matrices() {
        assert_eq!(largest_eigenvalue(&mut [3.0], 1), 3.0);
        let found = largest_eigenvalue(&mut [2.0, 1.0, 1.0, 2.0], 2);
        assert!((found - 3.0).abs() < 1e-14, "{found}");
        // −1, 2 − √2, 2, 2 + √2 in the well-known tridiagonal form, and one apart.
        let mut chain =
            [2.0, -1.0, 0.0, 0.0, -1.0, 2.0, -1.0, 0.0, 0.0, -1.0, 2.0, 0.0, 0.0, 0.0, 0.0, -1.0];
        let found = largest_eigenvalue(&mut chain, 4);
        assert!((found - (2.0 + 2f64.sqrt())).abs() < 1e-14, "{found}");
    }
}
