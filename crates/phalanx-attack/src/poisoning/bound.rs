//! What no rule can promise: an error below f/h times the diameter of the honest preferences.

/// The greatest distance between two of the preferred models.
///
/// # Shape
/// `models`: equal lengths.
pub fn diameter(models: &[&[f64]]) -> f64 {
    let distance =
        |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt();
    let pairs = models
        .iter()
        .enumerate()
        .flat_map(|(i, a)| models[..i].iter().map(move |b| distance(a, b)));
    pairs.fold(0.0, f64::max)
}

/// Error in estimating the honest mean that no rule can rule out which is exact on identical
/// inputs and sees all n = h + f of them (derived; the paper's corollaries were not at hand).
///
/// # Source
/// The two worlds of [`worlds`] look alike to a rule; in one of them its answer is that far off.
pub fn lower_bound(honest: usize, byzantine: usize, diameter: f64) -> f64 {
    byzantine as f64 / honest as f64 * diameter
}

/// Inputs that two worlds share: h times 0 and f times 1. In the first the ones are lies, and a
/// rule that is exact on identical inputs has to answer 0; in the second, f of the zeros are
/// lies, and the honest mean is f/h.
///
/// # Panics
/// When not `honest > byzantine`.
pub fn worlds(honest: usize, byzantine: usize) -> (Vec<f64>, f64) {
    assert!(honest > byzantine, "a majority is honest");
    let mut inputs = vec![0.0; honest];
    inputs.resize(honest + byzantine, 1.0);
    (inputs, lower_bound(honest, byzantine, 1.0))
}
