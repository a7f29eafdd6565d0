//! Populations and bounds at their boundary.
use phalanx_robust::{Bound, Population, PopulationError};

#[test]
fn there_must_be_an_honest_node() {
    assert!(Population::new(1, 0).is_ok());
    for (n, f) in [(0, 0), (1, 1), (3, 3), (3, 4), (0, usize::MAX)] {
        assert_eq!(Population::new(n, f), Err(PopulationError::Impossible { n, f }));
    }
}

#[test]
fn the_quorum_is_what_may_be_waited_for() {
    let population = Population::new(26, 5).unwrap();
    assert_eq!((population.n(), population.f(), population.quorum()), (26, 5, 21));
}

#[test]
fn bounds_hold_exactly_at_their_boundary() {
    let krum = Bound { times_f: 2, plus: 3 };
    let bulyan = Bound { times_f: 4, plus: 3 };
    for f in 0..20 {
        for bound in [Bound::MAJORITY, Bound::TWO_THIRDS, krum, bulyan] {
            let least = bound.least_n(f);
            assert_eq!(least, bound.times_f * f + bound.plus);
            for n in f + 1..3 * least {
                let result = Population::new(n, f).unwrap().require(bound);
                assert_eq!(result.is_ok(), n >= least, "n {n}, f {f}, {bound}");
            }
        }
    }
}

#[test]
fn an_error_names_the_largest_admissible_f() {
    for n in 4..40 {
        for bound in [Bound::MAJORITY, Bound::TWO_THIRDS, Bound { times_f: 4, plus: 3 }] {
            let Err(error) = Population::new(n, n - 1).unwrap().require(bound) else {
                continue;
            };
            let PopulationError::Bound { largest_f, .. } = error else { panic!("{error}") };
            if n >= bound.plus {
                assert!(Population::new(n, largest_f).unwrap().require(bound).is_ok());
                assert!(Population::new(n, largest_f + 1).unwrap().require(bound).is_err());
            }
        }
    }
    let error = Population::new(10, 5).unwrap().require(Bound::MAJORITY).unwrap_err();
    let text = "`n = 10`, `f = 5` does not satisfy n ≥ 2f + 1 (at most `f = 4` here)";
    assert_eq!(error.to_string(), text);
}

#[test]
fn huge_numbers_do_not_overflow() {
    let bound = Bound { times_f: usize::MAX, plus: usize::MAX };
    assert_eq!(bound.least_n(usize::MAX), usize::MAX);
    assert!(Population::new(3, 1).unwrap().require(bound).is_err());
    assert_eq!(Bound::ANY.to_string(), "n ≥ 1f");
}
