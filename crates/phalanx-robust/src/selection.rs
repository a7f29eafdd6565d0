//! Choosing rows by a score: ties are broken by index, so that a result is a function of its input.

/// Puts the rows `0..scores.len()` in ascending order of score, ties by index; `first` (a node's
/// own row) goes before its equals. NaN goes last.
pub(crate) fn rank(scores: &[f64], first: Option<usize>, order: &mut Vec<usize>) {
    order.clear();
    order.extend(0..scores.len());
    // Indices make every key distinct, so an unstable sort, which allocates nothing, will do.
    order.sort_unstable_by(|&a, &b| {
        (scores[a].total_cmp(&scores[b]))
            .then((Some(a) != first).cmp(&(Some(b) != first)))
            .then(a.cmp(&b))
    });
}

/// The row of least score, ties by index; `None` when no score is finite.
pub(crate) fn least(scores: &[f64]) -> Option<usize> {
    let finite = (0..scores.len()).filter(|&i| scores[i].is_finite());
    finite.min_by(|&a, &b| scores[a].total_cmp(&scores[b]).then(a.cmp(&b)))
}

/// Sums of each row's nearest distances, less what all rows have in common.
///
/// One huge distance that all rows share would swallow the others in a plain sum and make ties,
/// to be broken by index. So the k-th nearest of a row counts by its excess over the least k-th
/// nearest of any row: the same order, and what is equal cancels exactly.
#[derive(Debug, Default)]
pub(crate) struct ExcessSums {
    size: usize,
    sorted: Vec<f64>,
    row: Vec<f64>,
    least: Vec<f64>,
    sums: Vec<f64>,
}

impl ExcessSums {
    /// Of the `size` nearest; rows follow.
    pub(crate) fn start(&mut self, size: usize) {
        self.size = size;
        self.sorted.clear();
        self.least.clear();
        self.least.resize(size, f64::INFINITY);
        self.sums.clear();
    }

    /// The next row's distances, in any order, at least `size`; `None` for a row out of question.
    pub(crate) fn push(&mut self, distances: Option<impl Iterator<Item = f64>>) {
        let Some(distances) = distances else {
            self.sorted.extend(std::iter::repeat_n(f64::INFINITY, self.size));
            return;
        };
        self.row.clear();
        self.row.extend(distances);
        self.row.sort_unstable_by(f64::total_cmp);
        self.sorted.extend_from_slice(&self.row[..self.size]);
        for (least, distance) in self.least.iter_mut().zip(&self.row) {
            *least = least.min(*distance);
        }
    }

    /// One sum per row, `+∞` for those out of question.
    pub(crate) fn finish(&mut self, count: usize) -> &[f64] {
        self.sums.clear();
        for i in 0..count {
            let row = &self.sorted[i * self.size..][..self.size];
            self.sums.push(row.iter().zip(&self.least).map(|(d, least)| d - least).sum());
        }
        &self.sums
    }
}

/// Equal weights on the chosen rows, 0 elsewhere.
pub(crate) fn mean_of(chosen: &[usize], weights: &mut [f64]) {
    weights.fill(0.0);
    chosen.iter().for_each(|&i| weights[i] = 1.0 / chosen.len() as f64);
}
