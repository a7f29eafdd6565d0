//! Golden traces of both line searches.
use phalanx_attack::Search;

fn trace(search: Search, objective: impl Fn(f64) -> f64) -> (Vec<f64>, f64) {
    let mut visited = Vec::new();
    let best = search.maximize(|c| {
        visited.push(c);
        objective(c)
    });
    (visited, best)
}

#[track_caller]
fn assert_visited(found: &[f64], expected: &[f64]) {
    for (k, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() < 1e-6, "point {k}: {found} is not {expected}");
    }
}

fn parabola(c: f64) -> f64 {
    -(c - 3.0) * (c - 3.0)
}

#[test]
fn line_search_visits_the_published_points() {
    let (visited, best) = trace(Search::LINE, parabola);
    let expected = [
        0.0, 1.0, 3.0, 7.0, 3.8, 1.24, 3.288, 1.6496, 2.96032, 4.008896, 3.170035, 2.498947,
        3.035817, 2.606321, 2.949918, 3.224796,
    ];
    assert_eq!(visited.len(), expected.len());
    assert_visited(&visited, &expected);
    assert_eq!(best, 3.0);
}

#[test]
fn line_search_finds_the_published_maxima() {
    assert_eq!(trace(Search::LINE, |c| c).1, 32767.0);
    assert_eq!(trace(Search::LINE, |c| -c).1, 0.0);
    assert!((trace(Search::LINE, |c| c * (-c / 5.0).exp()).1 - 4.734805).abs() < 1e-6);
}

#[test]
fn expansion_search_visits_the_published_points() {
    let (visited, best) = trace(Search::EXPANSION, parabola);
    assert_eq!(visited.len(), 20);
    assert_visited(&visited, &[0.0, 10.0, 8.0, 6.4, 5.12, 9.216]);
    assert!((best - 5.12).abs() < 1e-12);
    assert_eq!(trace(Search::EXPANSION, |c| c * (-c / 5.0).exp()).1, 10.0);
}

#[test]
fn a_search_uses_exactly_its_evaluations_and_stays_non_negative() {
    let objectives: [fn(f64) -> f64; 6] =
        [parabola, |c| c, |c| -c, f64::sin, |_| 0.0, |_| f64::NEG_INFINITY];
    for evaluations in [1, 2, 3, 5, 16, 20, 200] {
        for search in [Search::Line { evaluations }, Search::Expansion { evaluations }] {
            for objective in objectives {
                let (visited, best) = trace(search, objective);
                assert_eq!(visited.len(), evaluations);
                assert!(visited.iter().all(|c| *c >= 0.0));
                let largest = visited.iter().map(|c| objective(*c)).fold(f64::MIN, f64::max);
                assert!(objective(best) >= largest || !objective(best).is_finite());
            }
        }
    }
}

#[test]
fn an_unknown_objective_is_never_picked_over_a_known_one() {
    for search in [Search::LINE, Search::EXPANSION] {
        let (_, best) = trace(search, |c| if c < 1.0 { f64::NAN } else { -c });
        assert!(best >= 1.0, "picked {best}");
        let (_, best) = trace(search, |c| if c > 1.0 { f64::NAN } else { c });
        assert!(best <= 1.0, "picked {best}");
    }
}
