//! Dirichlet shares, drawn in the log domain so that no α gives 0/0.
use phalanx_robust::Rng;
use rand_distr::{Distribution, Gamma};

/// Shares p ~ Dirichlet(α, …, α): non-negative, sum 1.
///
/// Γ(α) is Γ(α + 1)·U^{1/α}; for α = 1e-6 that power is below the smallest `f64`, its logarithm
/// is an ordinary number.
fn shares(alpha: f64, count: usize, rng: &mut Rng) -> Vec<f64> {
    let gamma = Gamma::new(alpha + 1.0, 1.0).expect("the shape is finite and above 1");
    let logs: Vec<f64> = (0..count)
        .map(|_| {
            let draw: f64 = gamma.sample(rng);
            // `1 − unit` lies in (0, 1]; the floor keeps the logarithm finite in any case.
            draw.max(f64::MIN_POSITIVE).ln() + (1.0 - rng.unit()).ln() / alpha
        })
        .collect();
    let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let weights: Vec<f64> = logs.iter().map(|log| (log - most).exp()).collect();
    let sum: f64 = weights.iter().sum();
    weights.iter().map(|weight| weight / sum).collect()
}

/// Cuts every class, shuffled, by the cumulative shares of the nodes.
pub(super) fn per_class(
    members: Vec<Vec<u32>>,
    alpha: f64,
    nodes: usize,
    rng: &mut Rng,
) -> Vec<Vec<u32>> {
    let mut shards = vec![Vec::new(); nodes];
    for mut class in members {
        rng.shuffle(&mut class);
        let (mut sum, mut from) = (0.0, 0);
        for (node, share) in shares(alpha, nodes, rng).into_iter().enumerate() {
            sum += share;
            // The last node takes what rounding of the sum would lose.
            let cut = (sum * class.len() as f64) as usize;
            let to = if node + 1 == nodes { class.len() } else { cut.clamp(from, class.len()) };
            shards[node].extend_from_slice(&class[from..to]);
            from = to;
        }
    }
    shards
}

/// Draws ⌊p_c·⌊N/h⌋⌋ samples of class c for every node, without replacement within the node.
///
/// A class that holds fewer gives all it has (`chosen`).
pub(super) fn per_worker(
    mut members: Vec<Vec<u32>>,
    alpha: f64,
    nodes: usize,
    rng: &mut Rng,
) -> Vec<Vec<u32>> {
    let samples: usize = members.iter().map(Vec::len).sum();
    let quota = (samples / nodes) as f64;
    let mut shard_of_next = || {
        let shares = shares(alpha, members.len(), rng);
        let mut shard = Vec::new();
        for (class, share) in members.iter_mut().zip(&shares) {
            let count = ((share * quota) as usize).min(class.len());
            draw(class, count, rng, &mut shard);
        }
        if shard.is_empty() {
            let present = members.iter_mut().zip(&shares).filter(|(class, _)| !class.is_empty());
            let (class, _) = present
                .max_by(|(_, p), (_, q)| p.total_cmp(q))
                .expect("there are at least as many samples as nodes");
            draw(class, 1, rng, &mut shard);
        }
        shard
    };
    (0..nodes).map(|_| shard_of_next()).collect()
}

/// The first `count` steps of a shuffle: a uniform choice without replacement.
fn draw(class: &mut [u32], count: usize, rng: &mut Rng, shard: &mut Vec<u32>) {
    for next in 0..count {
        class.swap(next, next + rng.below(class.len() - next));
    }
    shard.extend_from_slice(&class[..count]);
}
