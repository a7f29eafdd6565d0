//! The held-out part of the training samples takes the place of the test set.
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use phalanx_robust::Rng;
use phalanx_tasks::dataset::{TrainTest, load};

fn digits() -> TrainTest {
    load("digits", Path::new("nowhere"), (Some(100), Some(40))).unwrap()
}

/// Every image with its label, in order.
fn samples(data: &phalanx_tasks::dataset::Dataset) -> Vec<(Vec<u8>, u8)> {
    (0..data.len()).map(|index| (data.image(index).to_vec(), data.labels()[index])).collect()
}

#[test]
fn every_training_sample_is_in_one_part_and_no_test_sample_in_any() {
    for (share, held) in [(0.2, 20), (0.001, 1), (0.9, 90), (0.25, 25)] {
        let whole = digits();
        let test = Arc::clone(&whole.test);
        let before = samples(&whole.train);
        let parts = whole.held_out(share, &mut Rng::stream(3, u64::MAX, "validation"));
        assert_eq!((parts.test.len(), parts.train.len()), (held, 100 - held));
        let (mut both, mut sorted) = (samples(&parts.train), before.clone());
        both.extend(samples(&parts.test));
        both.sort();
        sorted.sort();
        assert!(both == sorted, "{share}");
        // Nothing of the task can reach a test sample any more.
        assert_eq!(Arc::strong_count(&test), 1);
        // Each part keeps the order of the data set.
        let place = |sample| before.iter().position(|other| other == sample).unwrap();
        assert!(samples(&parts.test).iter().map(place).is_sorted());
    }
}

#[test]
fn the_split_is_a_function_of_the_seed() {
    let held = |seed: u64| {
        let parts = digits().held_out(0.2, &mut Rng::stream(seed, u64::MAX, "validation"));
        samples(&parts.test).into_iter().collect::<BTreeSet<_>>()
    };
    assert!(held(1) == held(1));
    assert!(held(1) != held(2));
}
