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

/// Equal weights on the chosen rows, 0 elsewhere.
pub(crate) fn mean_of(chosen: &[usize], weights: &mut [f64]) {
    weights.fill(0.0);
    chosen.iter().for_each(|&i| weights[i] = 1.0 / chosen.len() as f64);
}
