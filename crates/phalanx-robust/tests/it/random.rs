//! Random streams: independent by name, unbiased, resumable.
use phalanx_robust::{Rng, StateReader, StateWriter};
use rand::TryRng;

fn draws(mut rng: Rng, count: usize) -> Vec<u64> {
    (0..count).map(|_| rng.try_next_u64().unwrap()).collect()
}

#[test]
fn a_stream_is_a_function_of_seed_owner_and_purpose() {
    let reference = draws(Rng::stream(1, 2, "a"), 8);
    assert_eq!(draws(Rng::stream(1, 2, "a"), 8), reference);
    for other in [Rng::stream(2, 2, "a"), Rng::stream(1, 3, "a"), Rng::stream(1, 2, "b")] {
        assert_ne!(draws(other, 8), reference);
    }
    // Seed and owner are not mixed up.
    assert_ne!(draws(Rng::stream(2, 1, "a"), 8), reference);
}

/// A changed stream changes every recorded result: it must be noticed.
#[test]
fn the_first_draws_never_change() {
    let mut rng = Rng::stream(7, 0, "golden");
    let draws: Vec<usize> = (0..6).map(|_| rng.below(1000)).collect();
    assert_eq!(draws, GOLDEN);
}

const GOLDEN: [usize; 6] = [91, 111, 942, 979, 771, 641];

#[test]
fn below_covers_its_range_evenly() {
    let mut rng = Rng::stream(1, 0, "below");
    for bound in [1, 2, 3, 7, 10] {
        let mut counts = vec![0i32; bound];
        (0..10_000).for_each(|_| counts[rng.below(bound)] += 1);
        let expected = 10_000 / bound as i32;
        // Six standard deviations of a binomial count.
        let tolerance = (6.0 * f64::from(expected).sqrt()) as i32 + 1;
        assert!(counts.iter().all(|count| (count - expected).abs() <= tolerance), "{counts:?}");
    }
    assert!((0..100).all(|_| rng.below(usize::MAX) < usize::MAX));
}

#[test]
#[should_panic(expected = "a draw from nothing")]
fn a_draw_from_nothing_is_a_bug() {
    Rng::stream(1, 0, "below").below(0);
}

#[test]
fn unit_is_within_zero_and_one() {
    let mut rng = Rng::stream(1, 0, "unit");
    let draws: Vec<f64> = (0..10_000).map(|_| rng.unit()).collect();
    assert!(draws.iter().all(|draw| (0.0..1.0).contains(draw)));
    let mean = draws.iter().sum::<f64>() / 10_000.0;
    assert!((mean - 0.5).abs() < 6.0 * (1.0f64 / 12.0 / 10_000.0).sqrt(), "{mean}");
}

#[test]
fn a_shuffle_is_an_unbiased_permutation() {
    let mut rng = Rng::stream(1, 0, "shuffle");
    let mut counts = [[0i32; 4]; 4];
    for _ in 0..10_000 {
        let mut items = [0, 1, 2, 3];
        rng.shuffle(&mut items);
        items.iter().enumerate().for_each(|(at, item)| counts[*item][at] += 1);
        let mut sorted = items;
        sorted.sort_unstable();
        assert_eq!(sorted, [0, 1, 2, 3]);
    }
    // Six standard deviations: sqrt(10,000 · 1/4 · 3/4) = 43.
    assert!(counts.iter().flatten().all(|count| (count - 2500).abs() < 260), "{counts:?}");
}

#[test]
fn a_saved_stream_continues_where_it_was() {
    for before in [0, 1, 2, 15, 16, 17, 1000] {
        let mut rng = Rng::stream(9, 1, "saved");
        for _ in 0..before {
            let _ = rng.try_next_u32();
        }
        let mut state = StateWriter::default();
        rng.save(&mut state);
        let state = state.finish();
        let mut resumed = Rng::stream(0, 0, "other");
        resumed.load(&mut StateReader::new(&state)).unwrap();
        assert_eq!(draws(rng, 40), draws(resumed, 40), "after {before} words");
    }
}

#[test]
fn a_foreign_snapshot_is_refused() {
    let mut state = StateWriter::default();
    state.bytes(&[1, 2, 3]);
    state.u64(0);
    state.u64(0);
    let state = state.finish();
    assert!(Rng::stream(1, 0, "x").load(&mut StateReader::new(&state)).is_err());
    assert!(Rng::stream(1, 0, "x").load(&mut StateReader::new(&[])).is_err());
}
