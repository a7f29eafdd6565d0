//! Partitions: nothing lost, nobody empty, for every α, and the shape each scheme promises.
use phalanx_robust::Rng;
use phalanx_tasks::partition::{Partition, PartitionError, Scheme, partition};
use proptest::prelude::*;

const CLASSES: usize = 10;

fn labels(count: usize) -> Vec<u8> {
    let mut rng = Rng::stream(1, 0, "labels");
    (0..count).map(|_| rng.below(CLASSES) as u8).collect()
}

fn divide(scheme: Scheme, labels: &[u8], nodes: usize, seed: u64) -> Partition {
    let mut rng = Rng::stream(seed, u64::MAX, "partition");
    partition(scheme, (labels, CLASSES), nodes, &mut rng).unwrap()
}

fn counts(shard: &[u32], labels: &[u8]) -> [usize; CLASSES] {
    let mut counts = [0; CLASSES];
    shard.iter().for_each(|sample| counts[usize::from(labels[*sample as usize])] += 1);
    counts
}

fn any_scheme() -> impl Strategy<Value = Scheme> {
    let alpha = prop_oneof![Just(1e-9), Just(1e-6), 0.01..100.0, Just(1e6), Just(1e9)];
    let gamma = prop_oneof![Just(0.0), 0.0..=1.0, Just(1.0)];
    prop_oneof![
        Just(Scheme::Iid),
        Just(Scheme::LabelSorted),
        gamma.clone().prop_map(|gamma| Scheme::GammaSimilarity { gamma }),
        gamma.prop_map(|gamma| Scheme::GammaSimilarityRandom { gamma }),
        alpha.clone().prop_map(|alpha| Scheme::DirichletPerClass { alpha }),
        alpha.prop_map(|alpha| Scheme::DirichletPerWorker { alpha }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn nobody_is_empty_and_nothing_is_lost_or_doubled(
        scheme in any_scheme(),
        nodes in 1usize..30,
        extra in 0usize..300,
        seed in any::<u64>(),
        is_one_class in any::<bool>(),
    ) {
        let count = nodes + extra;
        let labels = if is_one_class { vec![3; count] } else { labels(count) };
        let divided = divide(scheme, &labels, nodes, seed);
        prop_assert_eq!(divided.shards.len(), nodes);
        for shard in &divided.shards {
            prop_assert!(!shard.is_empty());
            prop_assert!(shard.is_sorted_by(|a, b| a < b), "each sample once per shard, ascending");
            prop_assert!(shard.iter().all(|sample| (*sample as usize) < count));
        }
        if !matches!(scheme, Scheme::DirichletPerWorker { .. }) {
            let mut all: Vec<u32> = divided.shards.concat();
            all.sort_unstable();
            prop_assert_eq!(all, (0..count as u32).collect::<Vec<_>>());
        }
        if !matches!(scheme, Scheme::DirichletPerClass { .. }) {
            prop_assert_eq!(divided.given, 0);
        }
        prop_assert_eq!(divided, divide(scheme, &labels, nodes, seed));
    }

    #[test]
    fn even_schemes_differ_by_at_most_one(
        gamma in 0.0..=1.0f64, nodes in 1usize..30, extra in 0usize..300,
    ) {
        let labels = labels(nodes + extra);
        for scheme in [
            Scheme::Iid,
            Scheme::LabelSorted,
            Scheme::GammaSimilarity { gamma },
            Scheme::GammaSimilarityRandom { gamma },
        ] {
            let sizes: Vec<_> =
                divide(scheme, &labels, nodes, 4).shards.iter().map(Vec::len).collect();
            prop_assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1);
        }
    }
}

#[test]
fn the_remainder_of_iid_goes_to_the_first_nodes() {
    let labels = labels(23);
    let sizes: Vec<_> = divide(Scheme::Iid, &labels, 5, 1).shards.iter().map(Vec::len).collect();
    assert_eq!(sizes, [5, 5, 5, 4, 4]);
}

#[test]
fn label_sorted_shards_are_runs_of_labels() {
    let labels = labels(1000);
    let shards = divide(Scheme::LabelSorted, &labels, 7, 1).shards;
    let ends = |shard: &Vec<u32>| {
        let mut own: Vec<u8> = shard.iter().map(|sample| labels[*sample as usize]).collect();
        own.sort_unstable();
        (own[0], own[own.len() - 1])
    };
    for pair in shards.windows(2) {
        assert!(ends(&pair[0]).1 <= ends(&pair[1]).0);
    }
}

#[test]
fn gamma_0_is_label_sorted_and_gamma_1_is_iid() {
    let labels = labels(500);
    let same = |one, other| {
        assert_eq!(divide(one, &labels, 6, 9).shards, divide(other, &labels, 6, 9).shards);
    };
    same(Scheme::GammaSimilarity { gamma: 0.0 }, Scheme::LabelSorted);
    same(Scheme::GammaSimilarityRandom { gamma: 0.0 }, Scheme::LabelSorted);
    same(Scheme::GammaSimilarity { gamma: 1.0 }, Scheme::Iid);
}

#[test]
fn the_two_gamma_similarities_differ_in_which_samples_are_iid() {
    // The first half of the data set has label 0, the second label 9.
    let labels: Vec<u8> = (0..1000).map(|sample| if sample < 500 { 0 } else { 9 }).collect();
    let of_zero = |scheme| -> Vec<usize> {
        let shards = divide(scheme, &labels, 2, 3).shards;
        shards.iter().map(|shard| counts(shard, &labels)[0]).collect()
    };
    // The first half is iid and all zeros: 250 each. The rest is all nines.
    assert_eq!(of_zero(Scheme::GammaSimilarity { gamma: 0.5 }), [250, 250]);
    // A random half: about 125 of the iid zeros each, and the first node has all the others.
    let random = of_zero(Scheme::GammaSimilarityRandom { gamma: 0.5 });
    assert!(random[0] > 330 && random[1] < 170, "{random:?}");
}

#[test]
fn the_extremes_of_alpha_are_one_class_and_equal_shares() {
    let labels = labels(20_000);
    let few = divide(Scheme::DirichletPerWorker { alpha: 1e-6 }, &labels, 20, 5);
    for shard in &few.shards {
        assert_eq!(counts(shard, &labels).iter().filter(|count| **count > 0).count(), 1);
        assert!(shard.len() >= 999, "⌊p·1000⌋ with p ≈ 1: {}", shard.len());
    }
    for scheme in
        [Scheme::DirichletPerWorker { alpha: 1e6 }, Scheme::DirichletPerClass { alpha: 1e6 }]
    {
        for shard in &divide(scheme, &labels, 20, 5).shards {
            for count in counts(shard, &labels) {
                assert!((90..=110).contains(&count), "{scheme:?}: {count}");
            }
        }
    }
}

#[test]
fn tiny_alpha_per_class_gives_every_class_to_one_node_and_the_others_one_sample() {
    let labels = labels(5000);
    let divided = divide(Scheme::DirichletPerClass { alpha: 1e-6 }, &labels, 21, 2);
    let singles = divided.shards.iter().filter(|shard| shard.len() == 1).count();
    assert!(divided.given >= 11, "ten classes reach at most ten of 21 nodes");
    assert_eq!(singles, divided.given);
}

#[test]
fn shards_per_worker_have_floored_shares_and_overlap() {
    let labels = labels(6000);
    let shards = divide(Scheme::DirichletPerWorker { alpha: 1.0 }, &labels, 6, 8).shards;
    for shard in &shards {
        // Ten floors lose less than ten samples of ⌊6000/6⌋.
        assert!((991..=1000).contains(&shard.len()), "{}", shard.len());
    }
    let mut all = shards.concat();
    let drawn = all.len();
    all.sort_unstable();
    all.dedup();
    assert!(all.len() < drawn, "independent draws of 6 x 1000 out of 6000 must overlap");
}

#[test]
fn dirichlet_shares_have_the_mean_and_variance_of_their_law() {
    // Shares of 1000 workers: mean 1/10, variance (1/10)(9/10)/(10 α + 1).
    let labels: Vec<u8> = (0..100_000).map(|sample| (sample % CLASSES) as u8).collect();
    for alpha in [0.1, 1.0, 10.0] {
        let shards = divide(Scheme::DirichletPerWorker { alpha }, &labels[..], 100, 6).shards;
        let shares: Vec<f64> = shards
            .iter()
            .flat_map(|shard| counts(shard, &labels).map(|count| count as f64 / 1000.0))
            .collect();
        let mean = shares.iter().sum::<f64>() / shares.len() as f64;
        let variance =
            shares.iter().map(|share| (share - mean).powi(2)).sum::<f64>() / shares.len() as f64;
        let expected = 0.09 / (10.0 * alpha + 1.0);
        assert!((variance / expected - 1.0).abs() < 0.2, "{alpha}: {variance} for {expected}");
    }
}

#[test]
fn impossible_requests_are_typed_errors() {
    let mut rng = Rng::stream(0, 0, "partition");
    let mut ask = |scheme, nodes| partition(scheme, (&[0, 1, 2], CLASSES), nodes, &mut rng);
    assert_eq!(ask(Scheme::Iid, 4), Err(PartitionError::TooFew { samples: 3, nodes: 4 }));
    assert_eq!(ask(Scheme::Iid, 0), Err(PartitionError::TooFew { samples: 3, nodes: 0 }));
    for alpha in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        for scheme in [Scheme::DirichletPerClass { alpha }, Scheme::DirichletPerWorker { alpha }] {
            assert!(matches!(ask(scheme, 2), Err(PartitionError::Parameter { name: "alpha", .. })));
        }
    }
    for gamma in [-0.1, 1.1, f64::NAN] {
        let refused = ask(Scheme::GammaSimilarity { gamma }, 2);
        assert!(matches!(refused, Err(PartitionError::Parameter { name: "gamma", .. })));
    }
}

#[test]
fn a_worker_whose_floors_are_all_zero_still_gets_a_sample() {
    // ⌊12/6⌋ = 2 samples over ten nearly equal shares: every floor is 0.
    let divided = divide(Scheme::DirichletPerWorker { alpha: 1e6 }, &labels(12), 6, 1);
    assert!(divided.shards.iter().all(|shard| shard.len() == 1));
}
