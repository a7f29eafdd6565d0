//! Log-softmax and negative log-likelihood, in f64 per sample.

/// Replaces logits by the gradient of the mean loss and returns the summed loss.
///
/// # Shape
/// `logits`: classes × batch, `labels`: batch; `samples`: what the mean is taken over.
pub(super) fn softmax_gradient(logits: &mut [f32], labels: &[u8], samples: usize) -> f64 {
    let batch = labels.len();
    let classes = logits.len() / batch;
    let scale = 1.0 / samples as f64;
    let mut total = 0.0;
    for (sample, &label) in labels.iter().enumerate() {
        let label = usize::from(label);
        let at = |class: usize| class * batch + sample;
        let (max, sum) = log_sum(classes, |class| logits[at(class)]);
        total += sum.ln() - (f64::from(logits[at(label)]) - max);
        for class in 0..classes {
            let share = (f64::from(logits[at(class)]) - max).exp() / sum;
            let target = if class == label { 1.0 } else { 0.0 };
            logits[at(class)] = ((share - target) * scale) as f32;
        }
    }
    total
}

/// Negative log-likelihood of `label` under one row of logits.
pub(super) fn negative_log_likelihood(logits: &[f32], label: u8) -> f64 {
    let (max, sum) = log_sum(logits.len(), |class| logits[class]);
    sum.ln() - (f64::from(logits[usize::from(label)]) - max)
}

/// The class with the largest logit, the first of equals; NaN never wins.
pub(super) fn best_class(logits: &[f32]) -> usize {
    let mut best = 0;
    for class in 1..logits.len() {
        if logits[class] > logits[best] || logits[best].is_nan() {
            best = class;
        }
    }
    best
}

// A NaN logit is passed over by `max` and reaches the sum, so the loss is NaN as it must be.
fn log_sum(classes: usize, logit: impl Fn(usize) -> f32) -> (f64, f64) {
    let max = (0..classes).map(&logit).fold(f32::NEG_INFINITY, f32::max);
    let max = f64::from(max);
    let sum = (0..classes).map(|class| (f64::from(logit(class)) - max).exp()).sum();
    (max, sum)
}
