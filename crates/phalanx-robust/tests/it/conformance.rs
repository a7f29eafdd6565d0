//! The contract of every entry of the registries, checked without being asked.
//!
//! What an entry by its nature does not promise is listed in [`EXCEPTIONS`], with the reason.
use phalanx_robust::population::{Bound, PopulationError};
use phalanx_robust::rule::{BuildError, Certificate, Example, Label};
use phalanx_robust::{AggregateError, Population, Rng, StateReader, StateWriter, Vectors};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};

use crate::guide::rules;
use crate::inputs::{Byzantine, Case, Family, Honest, Subject, args, bits, case, family, gaussian};

/// A promise that entries make unless they are listed as exceptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Promise {
    /// finite with at most f arbitrary rows
    Finite,
    /// within 10 honest diameters of the honest mean with at most f arbitrary rows
    Near,
    /// the order of the rows does not matter
    Permutation,
    /// R(x + t) = R(x) + t
    Translation,
    /// R(a x) = a R(x) for a > 0
    Scale,
    /// identical rows give that row, bit for bit
    Identity,
}

/// Who does not promise what, and why. Chains are named `mixing+rule`.
const EXCEPTIONS: &[(&str, Promise, &str)] = &[
    ("average", Promise::Near, "it has no robustness at all"),
    ("bulyan", Promise::Permutation, "its last choices are among equals, which go by index"),
    ("centered-clipping", Promise::Identity, "starts at the origin"),
    ("centered-clipping", Promise::Near, "starts at the origin and clips at a fixed radius"),
    ("centered-clipping", Promise::Scale, "the radius is fixed"),
    ("comparative-gradient-elimination", Promise::Near, "short vectors pass, far or not"),
    ("comparative-gradient-elimination", Promise::Translation, "norms are from the origin"),
    ("dnc", Promise::Near, "a sample sees one direction, and rows may lie far along others"),
    ("filter-l2", Promise::Near, "a variance below the bound is left alone"),
    ("filter-l2", Promise::Permutation, "near equal largest variances are told by rounding"),
    ("filter-l2", Promise::Scale, "the bound on the variance is fixed"),
    ("fltrust", Promise::Near, "trusts every vector within a right angle of the own one"),
    ("fltrust", Promise::Translation, "compares directions seen from the origin"),
    ("fools-gold", Promise::Near, "a single vector unlike all others has full weight"),
    ("fools-gold", Promise::Translation, "compares directions seen from the origin"),
    ("geometric-median", Promise::Near, "three iterations from the origin"),
    ("geometric-median", Promise::Scale, "distances below nu count as nu"),
    ("geometric-median", Promise::Translation, "three iterations from the origin"),
    ("minimum-diameter-averaging", Promise::Permutation, "equal diameters: least indices win"),
    ("median-of-means", Promise::Permutation, "the permutation is drawn by index"),
    ("pseudo-krum", Promise::Near, "an honest score may include far vectors, a far one not"),
    ("pseudo-krum", Promise::Permutation, "candidates are drawn by index"),
    ("self-centered-clipping", Promise::Near, "the radius is fixed"),
    ("self-centered-clipping", Promise::Scale, "the radius is fixed"),
    ("sign-guard", Promise::Translation, "lengths and signs are seen from the origin"),
    ("bucketing+trimmed-mean", Promise::Permutation, "the permutation is drawn by index"),
    ("static-clipping+trimmed-mean", Promise::Near, "clips around the origin"),
    ("static-clipping+trimmed-mean", Promise::Translation, "clips around the origin"),
    ("static-clipping+trimmed-mean", Promise::Scale, "the radius is fixed"),
    ("static-clipping+trimmed-mean", Promise::Identity, "shortens identical rows too"),
    ("arc+trimmed-mean", Promise::Translation, "clips around the origin"),
];

/// Ties so rare that only ten thousand cases meet them.
const RARE: &[(&str, Promise, &str)] = &[
    ("caf", Promise::Permutation, "near equals beside far larger values are told by rounding"),
    ("krum", Promise::Permutation, "two mutual nearest rows tie; the lower index wins"),
    ("minimum-variance-averaging", Promise::Permutation, "equal variances: least indices win"),
    (
        "smallest-maximum-eigenvalue-averaging",
        Promise::Permutation,
        "equal eigenvalues: least indices win",
    ),
    ("medoid", Promise::Permutation, "two rows alone tie; the lower index wins"),
];

/// Rules that are the mean when f = 0 (with default parameters).
const MEAN_WITHOUT_FAULTS: &[&str] = &[
    "average",
    "bulyan",
    "clipped-gossip",
    "clipped-sum",
    "dnc",
    "filter-l2",
    "iterative-outlier-scissor",
    "minimum-variance-averaging",
    "smallest-maximum-eigenvalue-averaging",
    "trimmed-sum",
    "trimmed-mean",
    "meamed",
    "phocas",
    "minimum-diameter-averaging",
    "nearest-neighbor-averaging",
];

/// Rules that pick single rows by sums of distances. Two rows that differ by less than f64
/// resolves at the distance of all others have equal sums, and a tie is broken by index.
const PICKS_ROWS: &[&str] = &["krum", "medoid", "multi-krum"];

fn promises(subject: Subject, promise: Promise) -> bool {
    let name = subject.to_string();
    let rare = if cfg!(feature = "nightly") { RARE } else { &[] };
    !EXCEPTIONS.iter().chain(rare).any(|(who, what, _)| *who == name && *what == promise)
}

/// Runs a property on many cases of every entry that makes the promise; all that break it are
/// named.
fn for_all(cases: u32, promise: Promise, property: fn(Subject, Case) -> Result<(), String>) {
    let mut broken = Vec::new();
    for subject in Subject::all().into_iter().filter(|subject| promises(*subject, promise)) {
        let config = Config { cases, failure_persistence: None, ..Config::default() };
        let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let mut runner = TestRunner::new_with_rng(config, rng);
        let run = |case| property(subject, case).map_err(TestCaseError::fail);
        if let Err(error) = runner.run(&case(), run) {
            broken.push(format!("{subject}: {error}"));
        }
    }
    assert!(broken.is_empty(), "{promise:?} is broken:\n{}", broken.join("\n"));
}

fn with_family(
    subject: Subject,
    case: Case,
    check: impl FnOnce(Family, usize) -> Result<(), String>,
) -> Result<(), String> {
    match subject.f_max(case.n) {
        Some(f_max) => check(case.family(case.f(f_max)), case.f(f_max)),
        None => Ok(()),
    }
}

fn aggregate(subject: Subject, family: &Family, f: usize) -> Result<Vec<f32>, String> {
    let mut rule = subject.build(family.rows.len(), f);
    family.aggregate(&mut *rule).map_err(|error| error.to_string())
}

fn is_finite(subject: Subject, case: Case) -> Result<(), String> {
    with_family(subject, case, |family, f| {
        let out = aggregate(subject, &family, f)?;
        let position = out.iter().position(|value| !value.is_finite());
        position.map_or(Ok(()), |k| Err(format!("coordinate {k} is {}", out[k])))
    })
}

fn is_near(subject: Subject, case: Case) -> Result<(), String> {
    with_family(subject, case, |family, f| {
        let out = aggregate(subject, &family, f)?;
        let honest = family.honest();
        let mean = mean(&honest);
        let mut diameter: f64 = 0.0;
        for a in &honest {
            for b in &honest {
                diameter = diameter.max(distance(&widen(a), &widen(b)));
            }
        }
        let found = distance(&widen(&out), &mean);
        // What rounding to f32 may add, on the scale of the values.
        let rounding = 1e-6 * mean.iter().map(|value| value * value).sum::<f64>().sqrt() + 1e-44;
        let is_near = found <= 10.0 * diameter + rounding;
        is_near.then_some(()).ok_or(format!("{found:e} from the mean, diameter {diameter:e}"))
    })
}

fn ignores_order(subject: Subject, case: Case) -> Result<(), String> {
    if case.honest == Honest::Wide && PICKS_ROWS.contains(&subject.to_string().as_str()) {
        return Ok(());
    }
    with_family(subject, case, |family, f| {
        let mut order: Vec<usize> = (0..case.n).collect();
        Rng::stream(case.seed, 1, "permutation").shuffle(&mut order);
        let expected = aggregate(subject, &family, f)?;
        let found = aggregate(subject, &family.permuted(&order), f)?;
        // What vanishes beside the honest values is rounding, and may decide between near equals.
        let honest = family.honest().concat();
        is_close_at(largest(&honest).max(largest(&expected)), &found, &expected)
    })
}

/// Numbers with 20 bits, so that translations are exact and none is lost to rounding.
fn on_a_grid(case: Case) -> Family {
    let mut rng = Rng::stream(case.seed, 2, "grid");
    let scale = 1f32 / (1 << 16) as f32;
    let rows = (0..case.n)
        .map(|_| (0..case.d).map(|_| (gaussian(&mut rng) / scale).round() * scale).collect())
        .collect();
    Family { rows, is_honest: vec![true; case.n], own: rng.below(case.n) }
}

fn moves_along(subject: Subject, case: Case) -> Result<(), String> {
    let Some(f_max) = subject.f_max(case.n) else { return Ok(()) };
    let (family, f) = (on_a_grid(case), case.f(f_max));
    for shift in [1.0, -5.5, 7.25] {
        let expected =
            aggregate(subject, &family, f)?.iter().map(|x| x + shift).collect::<Vec<_>>();
        let found = aggregate(subject, &family.map(|value| value + shift), f)?;
        is_close_at(largest(&expected).max(f32::abs(shift)), &found, &expected)?;
    }
    Ok(())
}

fn scales_along(subject: Subject, case: Case) -> Result<(), String> {
    let Some(f_max) = subject.f_max(case.n) else { return Ok(()) };
    let (family, f) = (on_a_grid(case), case.f(f_max));
    for factor in [0.125, 2.0, 1024.0] {
        let expected =
            aggregate(subject, &family, f)?.iter().map(|x| x * factor).collect::<Vec<_>>();
        is_close(&aggregate(subject, &family.map(|value| value * factor), f)?, &expected)?;
    }
    Ok(())
}

fn keeps_identical_rows(subject: Subject, case: Case) -> Result<(), String> {
    let Some(f_max) = subject.f_max(case.n) else { return Ok(()) };
    let mut rng = Rng::stream(case.seed, 3, "identical");
    let special = [0.0, -0.0, f32::MAX, -f32::MAX, 1e-45, -3e-45, f32::MIN_POSITIVE];
    let mut entry = || match rng.below(4) {
        0 => special[rng.below(special.len())],
        1 => gaussian(&mut rng) * 1e30,
        _ => gaussian(&mut rng),
    };
    let row: Vec<f32> = (0..case.d).map(|_| entry()).collect();
    let family = family(&vec![row.as_slice(); case.n]);
    let out = aggregate(subject, &family, case.f(f_max))?;
    (bits(&out) == bits(&row)).then_some(()).ok_or(format!("{row:?} became {out:?}"))
}

fn widen(values: &[f32]) -> Vec<f64> {
    values.iter().map(|value| f64::from(*value)).collect()
}

fn mean(rows: &[&[f32]]) -> Vec<f64> {
    let coordinate = |k: usize| rows.iter().map(|row| f64::from(row[k])).sum::<f64>();
    (0..rows[0].len()).map(|k| coordinate(k) / rows.len() as f64).collect()
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

/// Equal up to the rounding of a reordered sum; what is not finite must be equal.
fn is_close(found: &[f32], expected: &[f32]) -> Result<(), String> {
    is_close_at(largest(expected), found, expected)
}

fn largest(values: &[f32]) -> f32 {
    values.iter().fold(0.0, |largest, value| largest.max(value.abs()))
}

fn is_close_at(scale: f32, found: &[f32], expected: &[f32]) -> Result<(), String> {
    for (k, (a, b)) in found.iter().zip(expected).enumerate() {
        let is_same = a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
        let is_near = (a - b).abs() <= 2e-6 * scale + 3e-45;
        if !is_same && !is_near {
            return Err(format!("coordinate {k}: {a} instead of {b}"));
        }
    }
    Ok(())
}

#[test]
fn arbitrary_rows_cannot_make_the_result_infinite() {
    for_all(100, Promise::Finite, is_finite);
}

#[test]
fn arbitrary_rows_cannot_move_the_result_far() {
    for_all(100, Promise::Near, is_near);
}

#[test]
fn the_order_of_rows_does_not_matter() {
    for_all(100, Promise::Permutation, ignores_order);
}

#[test]
fn a_translation_moves_the_result_along() {
    for_all(100, Promise::Translation, moves_along);
}

#[test]
fn a_positive_factor_scales_the_result_along() {
    for_all(100, Promise::Scale, scales_along);
}

#[test]
fn identical_rows_give_that_row_bit_for_bit() {
    for_all(100, Promise::Identity, keeps_identical_rows);
}

#[cfg(feature = "nightly")]
mod nightly {
    use super::*;

    #[test]
    fn ten_thousand_cases_of_every_property() {
        for_all(10_000, Promise::Finite, is_finite);
        for_all(10_000, Promise::Near, is_near);
        for_all(10_000, Promise::Permutation, ignores_order);
        for_all(10_000, Promise::Translation, moves_along);
        for_all(10_000, Promise::Scale, scales_along);
        for_all(10_000, Promise::Identity, keeps_identical_rows);
    }
}

#[test]
fn the_worked_example_of_every_rule() {
    let mut wrong = Vec::new();
    for rule in rules() {
        let Example { rows, f, result } = rule.build.example;
        let mut built = Subject { mixing: None, rule }.build(rows.len(), f);
        let found = family(rows).aggregate(&mut *built).unwrap();
        let is_fine = is_close(&found, result).is_ok() && found.len() == result.len();
        if !is_fine {
            wrong.push(format!("{}: {found:?}, not {result:?}", rule.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What a rule says about single rows explains its result: weights, and factors where it clips.
#[test]
fn effects_explain_the_result() {
    let (mut explained, mut clips) = (Vec::new(), Vec::new());
    for rule in rules() {
        let subject = Subject { mixing: None, rule };
        let f = subject.f_max(11).unwrap().min(2);
        let family = Case { byzantine: Byzantine::CommonOffset, ..plain_case() }.family(f);
        let mut built = subject.build(11, f);
        assert!(
            built.effects().is_none_or(|effects| effects.weights.is_empty()),
            "`{}`",
            rule.name
        );
        let out = family.aggregate(&mut *built).unwrap();
        let Some(effects) = built.effects() else { continue };
        explained.push(rule.name);
        let value = |k: usize| {
            let terms = family.rows.iter().zip(effects.weights);
            terms.map(|(row, weight)| f64::from(row[k]) * weight).sum::<f64>() as f32
        };
        let expected: Vec<f32> = (0..out.len()).map(value).collect();
        is_close(&out, &expected).unwrap_or_else(|error| panic!("{subject}: {error}"));
        let Some(factors) = effects.factors else { continue };
        clips.push(rule.name);
        for (i, factor) in factors.iter().enumerate() {
            assert!((0.0..=1.0).contains(factor), "{subject}: {factors:?}");
            let is_far = *factor < 0.1;
            assert!(family.is_honest[i] || is_far, "{subject}: row {i} of {factors:?}");
        }
    }
    let silent: Vec<&str> =
        rules().map(|rule| rule.name).filter(|name| !explained.contains(name)).collect();
    assert_eq!(
        silent,
        [
            "bulyan",
            "coordinate-wise-median",
            "meamed",
            "phocas",
            "trimmed-mean",
            "trimmed-midpoint"
        ],
        "they look at one coordinate at a time"
    );
    let expected = [
        "centered-clipping",
        "clipped-gossip",
        "clipped-sum",
        "self-centered-clipping",
        "sign-guard",
    ];
    assert_eq!(clips, expected);
}

/// What a certificate says is what the contract above finds.
#[test]
fn certificates_agree_with_prose_bound_and_contract() {
    for rule in rules() {
        let Certificate { kappa, label, breakdown } = rule.build.certificate;
        assert!(rule.build.guarantee.contains(label.word()), "`{}`", rule.name);
        let is_near = promises(Subject { mixing: None, rule }, Promise::Near);
        assert!(is_near || breakdown.is_none(), "`{}` can be carried away", rule.name);
        assert!(breakdown.is_none_or(|bound| bound == rule.build.bound), "`{}`", rule.name);
        assert!(kappa.is_none() || breakdown.is_some(), "`{}`: κ implies breakdown", rule.name);
        assert!(label != Label::None || kappa.is_none() && breakdown.is_none(), "{}", rule.name);
    }
}

#[test]
fn exceptions_name_entries_and_are_needed() {
    let names: Vec<String> = Subject::all().iter().map(Subject::to_string).collect();
    for (who, promise, _) in EXCEPTIONS {
        assert!(names.iter().any(|name| name == who), "`{who}` is no entry");
        let kept = Subject::all().into_iter().filter(|subject| subject.to_string() == *who);
        for subject in kept {
            let property = match promise {
                Promise::Finite => is_finite,
                Promise::Near => is_near,
                Promise::Permutation => ignores_order,
                Promise::Translation => moves_along,
                Promise::Scale => scales_along,
                Promise::Identity => keeps_identical_rows,
            };
            let config = Config { cases: 400, failure_persistence: None, ..Config::default() };
            let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
            let run = |case| property(subject, case).map_err(TestCaseError::fail);
            let result = TestRunner::new_with_rng(config, rng).run(&case(), run);
            assert!(result.is_err(), "`{who}` keeps {promise:?}: no exception is needed");
        }
    }
}

#[test]
fn without_faults_these_rules_are_the_mean() {
    for rule in rules().filter(|rule| MEAN_WITHOUT_FAULTS.contains(&rule.name)) {
        let subject = Subject { mixing: None, rule };
        for seed in 0..50 {
            let case = Case { seed, ..plain_case() };
            let family = case.family(0);
            let out = aggregate(subject, &family, 0).unwrap();
            let expected: Vec<f32> =
                mean(&family.honest()).iter().map(|value| *value as f32).collect();
            is_close(&out, &expected).unwrap_or_else(|error| panic!("{subject}: {error}"));
        }
    }
}

fn plain_case() -> Case {
    let (honest, byzantine) = (Honest::Spread, Byzantine::HonestLooking);
    Case { n: 11, f_share: 4, d: 9, honest, byzantine, seed: 5 }
}

#[test]
fn an_inadmissible_f_is_a_typed_error() {
    for rule in rules().filter(|rule| rule.build.bound != Bound::ANY) {
        let subject = Subject { mixing: None, rule };
        for n in 1..=13 {
            let least = subject.f_max(n).map_or(0, |f| f + 1);
            for f in least..n {
                let args = args(rule.name, rule.params, &[]);
                let error = match (rule.build.build)(&args, Population::new(n, f).unwrap()) {
                    Err(BuildError::Population(error)) => error,
                    Err(other) => panic!("{subject} with n = {n}, f = {f}: {other}"),
                    Ok(mut built) => {
                        let row: &[f32] = &[1.0, 2.0];
                        match family(&vec![row; n]).aggregate(&mut *built) {
                            Err(AggregateError::Population(error)) => error,
                            other => panic!("{subject} with n = {n}, f = {f}: {other:?}"),
                        }
                    }
                };
                assert!(matches!(error, PopulationError::Bound { .. }), "{subject}: {error}");
            }
        }
    }
}

#[test]
fn fewer_vectors_than_the_rule_was_built_for_are_a_typed_error() {
    for rule in rules().filter(|rule| rule.build.bound != Bound::ANY) {
        let subject = Subject { mixing: None, rule };
        let (n, f) = (23, subject.f_max(23).unwrap());
        let mut built = subject.build(n, f);
        let row: &[f32] = &[1.0, 2.0];
        for count in 1..rule.build.bound.least_n(f) {
            let result = family(&vec![row; count]).aggregate(&mut *built);
            let is_typed = matches!(result, Err(AggregateError::Population(_)));
            assert!(is_typed, "{subject} with {count} of {n}, f = {f}: {result:?}");
        }
    }
}

#[test]
fn an_output_of_another_length_is_a_typed_error() {
    for subject in Subject::all() {
        let row: &[f32] = &[1.0, 2.0, 3.0];
        let rows = vec![row; 15];
        let vectors = Vectors::new(&rows).unwrap().with_own(0);
        for found in [0, 1, 2, 4, 100] {
            let result = subject.build(15, 1).aggregate(vectors, &mut vec![0.0; found]);
            assert_eq!(result, Err(AggregateError::Output { expected: 3, found }), "{subject}");
        }
    }
}

#[test]
fn more_than_f_rows_that_are_not_finite_are_a_typed_error() {
    for subject in Subject::all() {
        // A bucket of many bad rows is one bad row, so buckets may hide some of them.
        if !promises(subject, Promise::Finite) || subject.to_string().starts_with("bucketing") {
            continue;
        }
        let (n, f) = (11, subject.f_max(11).unwrap().min(5));
        for bad in [f32::NAN, f32::INFINITY] {
            let mut family = plain_case().family(0);
            for row in family.rows.iter_mut().rev().take(n - 1) {
                row.fill(bad);
            }
            family.own = 0;
            let result = family.aggregate(&mut *subject.build(n, f));
            let is_typed = matches!(
                result,
                Err(AggregateError::TooManyNotFinite { found: 10, tolerated }) if tolerated < 10
            );
            assert!(is_typed, "{subject}: {result:?}");
        }
    }
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    for subject in Subject::all() {
        let f = subject.f_max(9).unwrap().min(1);
        let family = Case { n: 9, d: 20_011, ..plain_case() }.family(f);
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| bits(&aggregate(subject, &family, f).unwrap()))
        };
        assert_eq!(on(1), on(2), "{subject}");
    }
}

#[test]
fn a_second_call_on_the_same_input_needs_nothing_from_the_first() {
    for subject in Subject::all().into_iter().filter(|subject| !has_state(*subject)) {
        let f = subject.f_max(11).unwrap();
        let mut rule = subject.build(11, f);
        let (first, other) =
            (plain_case().family(f), Case { seed: 6, d: 3, ..plain_case() }.family(f));
        let expected = bits(&first.aggregate(&mut *rule).unwrap());
        other.aggregate(&mut *rule).unwrap();
        assert_eq!(bits(&first.aggregate(&mut *rule).unwrap()), expected, "{subject}");
    }
}

/// Whether the next call depends on earlier ones: then the rule saves something.
fn has_state(subject: Subject) -> bool {
    let mut rule = subject.build(11, 1);
    plain_case().family(1).aggregate(&mut *rule).unwrap();
    let mut state = StateWriter::default();
    rule.save(&mut state);
    !state.finish().is_empty()
}

#[test]
fn a_saved_rule_continues_identically() {
    for subject in Subject::all() {
        let f = subject.f_max(11).unwrap();
        let families: Vec<Family> =
            (0..6).map(|seed| Case { seed, ..plain_case() }.family(f)).collect();
        let mut rule = subject.build(11, f);
        for family in &families[..3] {
            family.aggregate(&mut *rule).unwrap();
        }
        let mut state = StateWriter::default();
        rule.save(&mut state);
        let state = state.finish();
        let mut resumed = subject.build(11, f);
        let mut reader = StateReader::new(&state);
        resumed.load(&mut reader).unwrap();
        assert!(reader.is_at_end(), "{subject} reads all that it wrote");
        for family in &families[3..] {
            let expected = bits(&family.aggregate(&mut *rule).unwrap());
            assert_eq!(bits(&family.aggregate(&mut *resumed).unwrap()), expected, "{subject}");
        }
        for end in 0..state.len() {
            let result = subject.build(11, f).load(&mut StateReader::new(&state[..end]));
            assert!(result.is_err(), "{subject} loads a snapshot cut at {end}");
        }
    }
}
