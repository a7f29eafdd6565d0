//! An iid part and a label-sorted part: the γ-similarity family with its two extremes.
use phalanx_robust::Rng;

/// The first ⌊γ·N⌋ samples and the others.
pub(super) fn cut(mut all: Vec<u32>, gamma: f64) -> (Vec<u32>, Vec<u32>) {
    let rest = all.split_off((gamma * all.len() as f64).floor() as usize);
    (all, rest)
}

/// Divides `iid` evenly at random and `sorted` evenly by label, and gives each node one of each.
///
/// The remainder of the second part goes to the nodes after those that took the first one's
/// (`chosen`): sizes then differ by at most one, and nobody is left without samples.
pub(super) fn similar(
    mut iid: Vec<u32>,
    mut sorted: Vec<u32>,
    labels: &[u8],
    nodes: usize,
    rng: &mut Rng,
) -> Vec<Vec<u32>> {
    rng.shuffle(&mut iid);
    sorted.sort_by_key(|sample| (labels[*sample as usize], *sample));
    let mut shards = vec![Vec::new(); nodes];
    deal(&iid, 0, &mut shards);
    deal(&sorted, iid.len() % nodes, &mut shards);
    shards
}

/// Cuts `samples` into runs, the `remainder` longer ones for the nodes from `first` on.
fn deal(samples: &[u32], first: usize, shards: &mut [Vec<u32>]) {
    let (nodes, mut rest) = (shards.len(), samples);
    let (share, remainder) = (samples.len() / nodes, samples.len() % nodes);
    for (node, shard) in shards.iter_mut().enumerate() {
        let is_longer = (node + nodes - first) % nodes < remainder;
        let (run, after) = rest.split_at(share + usize::from(is_longer));
        shard.extend_from_slice(run);
        rest = after;
    }
}
