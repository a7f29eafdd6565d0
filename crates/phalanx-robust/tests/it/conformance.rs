//! The contract of every entry of the registries, checked without being asked.
//!
//! What an entry by its nature does not promise is listed in [`EXCEPTIONS`], with the reason.
use std::cell::Cell;

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

/// Ties that few cases meet: how many of ten thousand may, and of fewer their share, rounded up.
const RARE: &[(&str, Promise, u32, &str)] = &[
    ("caf", Promise::Permutation, 3, "near equals beside far larger values are told by rounding"),
    ("krum", Promise::Permutation, 5, "two pairs of equal rows have the same score"),
    ("medoid", Promise::Permutation, 50, "rows of few bits, or in equal pairs, have equal sums"),
    ("minimum-variance-averaging", Promise::Permutation, 3, "equal variances: least indices win"),
    (
        "smallest-maximum-eigenvalue-averaging",
        Promise::Permutation,
        3,
        "equal eigenvalues: least indices win",
    ),
];

/// Rows beside f at least, so that no two of them are the nearest of each other and nothing else:
/// such two have the same score, and the lower index wins.
const TOLD_APART: &[(&str, usize)] = &[("krum", 4), ("medoid", 3)];

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
    !EXCEPTIONS.iter().any(|(who, what, _)| *who == name && *what == promise)
}

/// Of so many cases, those that may break the promise.
fn may_break(subject: Subject, promise: Promise, cases: u32) -> u32 {
    let name = subject.to_string();
    let rare = RARE.iter().find(|(who, what, _, _)| *who == name && *what == promise);
    rare.map_or(0, |(_, _, most, _)| (most * cases).div_ceil(10_000))
}

impl Promise {
    fn property(self) -> fn(Subject, Case) -> Result<(), String> {
        match self {
            Self::Finite => is_finite,
            Self::Near => is_near,
            Self::Permutation => ignores_order,
            Self::Translation => moves_along,
            Self::Scale => scales_along,
            Self::Identity => keeps_identical_rows,
        }
    }

    /// Whether a case can tell anything: the rule takes so many rows and, where their order is
    /// changed, it can tell them apart.
    fn is_testable(self, subject: Subject, case: Case) -> bool {
        let Some(f_max) = subject.f_max(case.n) else { return false };
        let name = subject.to_string();
        let least = TOLD_APART.iter().find(|(who, _)| *who == name).map_or(0, |(_, least)| *least);
        let is_drowned = case.honest == Honest::Wide && PICKS_ROWS.contains(&name.as_str());
        let is_told = !is_drowned && case.n - case.f(f_max) >= least;
        self != Self::Permutation || is_told
    }
}

/// Tries a promise on exactly so many cases that can tell something, of which so many may break it.
fn try_out(subject: Subject, promise: Promise, cases: u32, most: u32) -> Result<(), String> {
    let max_global_rejects = 10 * cases;
    let base = Config { failure_persistence: None, ..Config::default() };
    let config = Config { cases, max_global_rejects, ..base };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let (tried, broken) = (Cell::new(0), Cell::new(0));
    let run = |case| {
        if !promise.is_testable(subject, case) {
            return Err(TestCaseError::reject("it tells nothing"));
        }
        tried.set(tried.get() + 1);
        promise.property()(subject, case).or_else(|why| {
            broken.set(broken.get() + 1);
            if broken.get() > most { Err(TestCaseError::fail(why)) } else { Ok(()) }
        })
    };
    TestRunner::new_with_rng(config, rng).run(&case(), run).map_err(|error| error.to_string())?;
    assert_eq!(tried.get(), cases, "{subject}");
    Ok(())
}

/// Tries a promise on so many cases of every entry that makes it; all that break it are named.
fn for_all(cases: u32, promise: Promise) {
    let mut broken = Vec::new();
    for subject in Subject::all().into_iter().filter(|subject| promises(*subject, promise)) {
        let most = may_break(subject, promise, cases);
        if let Err(error) = try_out(subject, promise, cases, most) {
            broken.push(format!("{subject}: {error}"));
        }
    }
    assert!(broken.is_empty(), "{promise:?} is broken:\n{}", broken.join("\n"));
}

fn family_of(subject: Subject, case: Case) -> (Family, usize) {
    let f = f_of(subject, case);
    (case.family(f), f)
}

fn f_of(subject: Subject, case: Case) -> usize {
    case.f(subject.f_max(case.n).unwrap())
}

fn aggregate(subject: Subject, family: &Family, f: usize) -> Result<Vec<f32>, String> {
    let mut rule = subject.build(family.rows.len(), f);
    family.aggregate(&mut *rule).map_err(|error| error.to_string())
}

fn is_finite(subject: Subject, case: Case) -> Result<(), String> {
    let (family, f) = family_of(subject, case);
    let out = aggregate(subject, &family, f)?;
    let position = out.iter().position(|value| !value.is_finite());
    position.map_or(Ok(()), |k| Err(format!("coordinate {k} is {}", out[k])))
}

fn is_near(subject: Subject, case: Case) -> Result<(), String> {
    let (family, f) = family_of(subject, case);
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
}

fn ignores_order(subject: Subject, case: Case) -> Result<(), String> {
    let (family, f) = family_of(subject, case);
    let mut order: Vec<usize> = (0..case.n).collect();
    Rng::stream(case.seed, 1, "permutation").shuffle(&mut order);
    let expected = aggregate(subject, &family, f)?;
    let found = aggregate(subject, &family.permuted(&order), f)?;
    // What vanishes beside the honest values is rounding, and may decide between near equals.
    let honest = family.honest().concat();
    is_close_at(largest(&honest).max(largest(&expected)), &found, &expected)
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
    let (family, f) = (on_a_grid(case), f_of(subject, case));
    for shift in [1.0, -5.5, 7.25] {
        let expected =
            aggregate(subject, &family, f)?.iter().map(|x| x + shift).collect::<Vec<_>>();
        let found = aggregate(subject, &family.map(|value| value + shift), f)?;
        is_close_at(largest(&expected).max(f32::abs(shift)), &found, &expected)?;
    }
    Ok(())
}

fn scales_along(subject: Subject, case: Case) -> Result<(), String> {
    let (family, f) = (on_a_grid(case), f_of(subject, case));
    for factor in [0.125, 2.0, 1024.0] {
        let expected =
            aggregate(subject, &family, f)?.iter().map(|x| x * factor).collect::<Vec<_>>();
        is_close(&aggregate(subject, &family.map(|value| value * factor), f)?, &expected)?;
    }
    Ok(())
}

fn keeps_identical_rows(subject: Subject, case: Case) -> Result<(), String> {
    let mut rng = Rng::stream(case.seed, 3, "identical");
    let special = [0.0, -0.0, f32::MAX, -f32::MAX, 1e-45, -3e-45, f32::MIN_POSITIVE];
    let mut entry = || match rng.below(4) {
        0 => special[rng.below(special.len())],
        1 => gaussian(&mut rng) * 1e30,
        _ => gaussian(&mut rng),
    };
    let row: Vec<f32> = (0..case.d).map(|_| entry()).collect();
    let family = family(&vec![row.as_slice(); case.n]);
    let out = aggregate(subject, &family, f_of(subject, case))?;
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
    for_all(100, Promise::Finite);
}

#[test]
fn arbitrary_rows_cannot_move_the_result_far() {
    for_all(100, Promise::Near);
}

#[test]
fn the_order_of_rows_does_not_matter() {
    for_all(100, Promise::Permutation);
}

#[test]
fn a_translation_moves_the_result_along() {
    for_all(100, Promise::Translation);
}

#[test]
fn a_positive_factor_scales_the_result_along() {
    for_all(100, Promise::Scale);
}

#[test]
fn identical_rows_give_that_row_bit_for_bit() {
    for_all(100, Promise::Identity);
}

#[cfg(feature = "nightly")]
mod nightly {
    use super::*;

    const CASES: u32 = 10_000;

    #[test]
    fn ten_thousand_cases_are_finite_with_arbitrary_rows() {
        for_all(CASES, Promise::Finite);
    }

    #[test]
    fn ten_thousand_cases_are_near_with_arbitrary_rows() {
        for_all(CASES, Promise::Near);
    }

    #[test]
    fn ten_thousand_cases_in_another_order() {
        for_all(CASES, Promise::Permutation);
    }

    #[test]
    fn ten_thousand_cases_translated() {
        for_all(CASES, Promise::Translation);
    }

    #[test]
    fn ten_thousand_cases_scaled() {
        for_all(CASES, Promise::Scale);
    }

    #[test]
    fn ten_thousand_cases_of_identical_rows() {
        for_all(CASES, Promise::Identity);
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
            let result = try_out(subject, *promise, 400, 0);
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
