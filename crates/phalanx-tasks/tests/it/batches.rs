//! The walk through a shard: whole epochs, short last batches, exact resume.
use phalanx_robust::{Rng, StateReader, StateWriter};
use phalanx_tasks::image_classification::Batches;
use proptest::prelude::*;

fn batches(count: u32) -> Batches {
    Batches::new((100..100 + count).collect(), Rng::stream(7, 1, "batches"))
}

#[test]
fn the_last_batch_of_an_epoch_is_short() {
    let mut batches = batches(10);
    let mut orders = Vec::new();
    for _ in 0..3 {
        let mut epoch = Vec::new();
        for size in [4, 4, 2] {
            let before = epoch.len();
            batches.next_within_epoch(4, &mut epoch);
            assert_eq!(epoch.len() - before, size);
        }
        orders.push(epoch.clone());
        epoch.sort_unstable();
        assert_eq!(epoch, (100..110).collect::<Vec<_>>());
    }
    assert!(orders[0] != orders[1] && orders[1] != orders[2], "every epoch is shuffled anew");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn every_epoch_is_a_permutation_however_it_is_asked_for(
        count in 1u32..40,
        asks in proptest::collection::vec((any::<bool>(), 1usize..100), 1..30),
    ) {
        let (mut batches, mut drawn) = (batches(count), Vec::new());
        for (is_across, size) in asks {
            let before = drawn.len();
            if is_across {
                batches.next_across_epochs(size, &mut drawn);
                prop_assert_eq!(drawn.len(), before + size);
            } else {
                batches.next_within_epoch(size, &mut drawn);
                let left = count as usize - before % count as usize;
                prop_assert_eq!(drawn.len(), before + size.min(left));
            }
        }
        for epoch in drawn.chunks(count as usize) {
            let mut epoch = epoch.to_vec();
            epoch.sort_unstable();
            epoch.dedup();
            let last = drawn.len() % count as usize;
            prop_assert!(epoch.len() == count as usize || epoch.len() == last);
        }
    }

    #[test]
    fn a_resumed_walk_goes_on_where_it_was(
        count in 1u32..40, first in 0usize..100, size in 1usize..60,
    ) {
        let (mut one, mut other) = (batches(count), batches(count));
        one.next_across_epochs(first, &mut Vec::new());
        let mut snapshot = StateWriter::default();
        one.save(&mut snapshot);
        let bytes = snapshot.finish();
        other.load(&mut StateReader::new(&bytes)).unwrap();
        let (mut from_one, mut from_other) = (Vec::new(), Vec::new());
        one.next_across_epochs(size, &mut from_one);
        other.next_across_epochs(size, &mut from_other);
        prop_assert_eq!(from_one, from_other);
        let mut larger = batches(count + 60);
        prop_assert!(larger.load(&mut StateReader::new(&bytes)).is_ok());
        if first % count as usize > 0 {
            let mut smaller = batches(1);
            let is_refused = smaller.load(&mut StateReader::new(&bytes)).is_err();
            prop_assert_eq!(is_refused, first % count as usize > 1);
        }
    }
}
