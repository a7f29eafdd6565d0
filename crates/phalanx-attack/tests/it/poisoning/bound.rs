//! Specification 02, section 5: what no rule can promise, beside what rules do.
use phalanx_attack::poisoning::bound::{diameter, lower_bound, worlds};
use phalanx_robust::{Args, Population, RULES, Vectors};

#[test]
fn no_rule_that_is_exact_on_identical_inputs_beats_the_bound() {
    let (honest, byzantine) = (9, 2);
    let (inputs, bound) = worlds(honest, byzantine);
    let rows: Vec<Vec<f32>> = inputs.iter().map(|value| vec![*value as f32]).collect();
    let rows: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
    let population = Population::new(honest + byzantine, byzantine).unwrap();
    let mut asked = 0;
    for entry in RULES {
        let Ok(args) = Args::check(entry.name, entry.params, &Default::default()) else { continue };
        let Ok(mut rule) = (entry.build.build)(&args, population) else { continue };
        let mut out = [f32::NAN];
        // A rule that is centred at its own vector is asked as a user whose model is 0.
        let vectors = Vectors::new(&rows).unwrap().with_own(0);
        if rule.aggregate(vectors, &mut out).is_err() {
            continue;
        }
        let answer = f64::from(out[0]);
        // World one: the ones lie, and the truth is 0. World two: two zeros lie.
        let error = answer.abs().max((answer - bound).abs());
        assert!(error >= bound / 2.0 - 1e-6, "{}: {error}", entry.name);
        if answer.abs() < 1e-6 {
            assert!(error >= bound - 1e-6, "{}: {error}", entry.name);
            asked += 1;
        }
    }
    assert!(asked > 5, "rules that are exact on identical inputs: {asked}");
}

#[test]
fn the_bound_is_the_share_of_liars_times_the_diameter() {
    let models: [&[f64]; 3] = [&[0.0, 0.0], &[3.0, 4.0], &[1.0, 1.0]];
    assert!((diameter(&models) - 5.0).abs() < 1e-12);
    assert_eq!(diameter(&models[..1]), 0.0);
    assert!((lower_bound(10, 1, 5.0) - 0.5).abs() < 1e-12);
}
