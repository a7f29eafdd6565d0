//! Parameters: both tables of the specification, and what is refused.
use phalanx_protocol::{AgreementBounds, AgreementError, AgreementRule, Width};
use phalanx_robust::{Bound, Population, PopulationError};

fn population(n: usize, f: usize) -> Population {
    Population::new(n, f).unwrap()
}

/// Large enough that the factor of the widths is `√(h − 1)`.
const LARGE: usize = 1000;

// Spec 03, section 4: n, f, q, ρ, κ, C, T(10), lower bound.
#[test]
fn the_table_of_minimum_diameter_averaging() {
    let table = [
        (7, 1, 6, 0.8, 0.5333, 2.667, 32, 0.3333),
        (13, 2, 11, 0.8889, 0.5859, 5.273, 59, 0.3636),
        (16, 2, 14, 0.6667, 0.4524, 1.357, 18, 0.2857),
        (26, 1, 25, 0.1667, 0.1217, 0.1460, 4, 0.08),
        (26, 4, 22, 0.8889, 0.5859, 5.273, 59, 0.3636),
        (100, 5, 95, 0.2222, 0.1608, 0.2068, 5, 0.1053),
        (100, 16, 84, 0.9412, 0.6162, 10.48, 115, 0.3810),
    ];
    for (n, f, q, rho, kappa, constant, passes, least) in table {
        let bounds = AgreementBounds::minimum_diameter(population(n, f), LARGE).unwrap();
        assert_eq!(bounds.quorum(), q);
        assert_eq!(bounds.width(), Width::Euclidean);
        let close = |found: f64, expected: f64| (found - expected).abs() <= 5e-4 * expected;
        assert!(close(bounds.contraction(), rho), "n = {n}, f = {f}: {bounds:?}");
        assert!(close(bounds.error(), kappa), "n = {n}, f = {f}: {}", bounds.error());
        assert!(close(bounds.constant(), constant), "n = {n}, f = {f}: {}", bounds.constant());
        assert!(close(bounds.least_constant(), least), "n = {n}, f = {f}");
        assert_eq!(bounds.passes(10), passes, "n = {n}, f = {f}");
    }
}

// Spec 03, section 5: n, f, ρ, C per coordinate, √(h − 1), T(10).
#[test]
fn the_table_of_the_trimmed_mean() {
    let table = [
        (4, 1, 0.5, 1.333, 1.414, 11),
        (7, 2, 0.6667, 2.4, 2.0, 19),
        (10, 3, 0.75, 3.429, 2.449, 28),
        (16, 3, 0.3, 0.659, 3.464, 7),
        (26, 5, 0.3125, 0.693, 4.472, 8),
        (26, 8, 0.8, 4.444, 4.123, 38),
    ];
    for (n, f, rho, constant, factor, passes) in table {
        let rule = AgreementRule::TrimmedMean;
        let bounds = AgreementBounds::new(rule, population(n, f), LARGE).unwrap();
        assert_eq!((bounds.quorum(), bounds.width()), (n - f, Width::Coordinate));
        let close = |found: f64, expected: f64| (found - expected).abs() <= 1e-3 * expected;
        assert!(close(bounds.contraction(), rho), "n = {n}, f = {f}");
        assert!(close(bounds.constant_in_widths(), constant), "n = {n}, f = {f}");
        assert!(close(bounds.width_factor(), factor), "n = {n}, f = {f}");
        assert!(close(bounds.constant(), constant * factor), "n = {n}, f = {f}");
        assert!((bounds.error() - bounds.least_constant()).abs() < 1e-12, "κ = 2f/h");
        assert_eq!(bounds.passes(10), passes, "n = {n}, f = {f}");
    }
}

#[test]
fn few_coordinates_cost_fewer_passes() {
    let rule = AgreementRule::TrimmedMean;
    let bounds = |dim| AgreementBounds::new(rule, population(26, 8), dim).unwrap();
    assert_eq!(bounds(1).width_factor(), 1.0);
    assert_eq!(bounds(4).width_factor(), 2.0);
    assert!(bounds(1).passes(10) < bounds(LARGE).passes(10));
}

#[test]
fn the_midpoint_needs_one_pass_a_halving_where_the_mean_needs_more_and_errs_more() {
    let bounds = |rule, n, f| AgreementBounds::new(rule, population(n, f), 1).unwrap();
    for (n, f) in [(4, 1), (7, 2), (26, 5), (26, 8)] {
        let midpoint = bounds(AgreementRule::TrimmedMidpoint, n, f);
        let mean = bounds(AgreementRule::TrimmedMean, n, f);
        assert_eq!((midpoint.contraction(), midpoint.passes(10)), (0.5, 10));
        assert!(midpoint.error() >= mean.error());
    }
}

#[test]
fn without_faults_one_pass_makes_all_equal() {
    for rule in [AgreementRule::MinimumDiameter { quorum: 5 }, AgreementRule::TrimmedMean] {
        let bounds = AgreementBounds::new(rule, population(5, 0), LARGE).unwrap();
        assert_eq!((bounds.contraction(), bounds.constant()), (0.0, 0.0));
        assert_eq!([0, 1, 10].map(|halvings| bounds.passes(halvings)), [0, 1, 1]);
    }
}

#[test]
fn one_node_agrees_with_itself() {
    for rule in [
        AgreementRule::MinimumDiameter { quorum: 1 },
        AgreementRule::TrimmedMean,
        AgreementRule::TrimmedMidpoint,
    ] {
        let bounds = AgreementBounds::new(rule, population(1, 0), 3).unwrap();
        assert_eq!((bounds.constant(), bounds.width_factor()), (0.0, 1.0), "{rule:?}");
    }
}

// Spec 03, check 10: its first half.
#[test]
fn populations_outside_the_bound_are_refused_and_the_bound_is_named() {
    let refused = |rule, n, f| AgreementBounds::new(rule, population(n, f), 1).unwrap_err();
    let error = refused(AgreementRule::MinimumDiameter { quorum: 5 }, 6, 1);
    let bound = Bound { times_f: 6, plus: 1 };
    let expected = PopulationError::Bound { n: 6, f: 1, bound, largest_f: 0 };
    assert_eq!(error, AgreementError::Population(expected));
    assert!(error.to_string().contains("n ≥ 6f + 1"), "{error}");
    for rule in [AgreementRule::TrimmedMean, AgreementRule::TrimmedMidpoint] {
        for (n, f, largest_f) in [(3, 1, 0), (6, 2, 1), (9, 3, 2), (26, 9, 8)] {
            let bound = Bound::TWO_THIRDS;
            let expected = PopulationError::Bound { n, f, bound, largest_f };
            assert_eq!(refused(rule, n, f), AgreementError::Population(expected));
        }
    }
}

// Spec 03, section 4: (1 + ε)/2 h + (5 + 3ε)/2 f ≤ q ≤ h for some ε > 0.
#[test]
fn exactly_the_quorums_that_contract_and_wait_for_no_byzantine_node_are_taken() {
    for (n, f) in [(5, 0), (7, 1), (13, 2), (16, 2), (26, 4), (100, 5), (100, 16)] {
        let h = n - f;
        for quorum in 0..=n + 1 {
            let rule = AgreementRule::MinimumDiameter { quorum };
            let bounds = AgreementBounds::new(rule, population(n, f), 1);
            let is_expected = 2 * quorum > h + 5 * f && quorum <= h;
            assert_eq!(bounds.is_ok(), is_expected, "n = {n}, f = {f}, q = {quorum}");
            match bounds {
                Ok(bounds) => assert!(bounds.contraction() < 1.0),
                Err(error) => assert!(matches!(error, AgreementError::Quorum { .. }), "{error}"),
            }
        }
    }
}

#[test]
fn a_search_that_byzantine_vectors_could_make_too_long_is_refused() {
    let bounds = |f| AgreementBounds::minimum_diameter(population(6 * f + 1, f), 1);
    assert!((0..=28).all(|f| bounds(f).is_ok()));
    for f in [29, 40, 1000] {
        assert!(matches!(bounds(f), Err(AgreementError::Search { .. })), "f = {f}");
    }
}

#[test]
fn passes_that_cannot_be_numbered_are_refused() {
    let bounds = |f| AgreementBounds::new(AgreementRule::TrimmedMean, population(3 * f + 1, f), 1);
    assert!(bounds(2000).is_ok());
    assert!(matches!(bounds(20_000), Err(AgreementError::Passes { .. })));
}
