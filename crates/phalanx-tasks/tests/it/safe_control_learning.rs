//! The loop of learning: data that repeat themselves, models judged, rounds that append.
use std::ops::ControlFlow;
use std::sync::Arc;

use phalanx_tasks::safe_control::dynamics::DynamicsError;
use phalanx_tasks::safe_control::gp::{GaussianProcess, Samples, Training, Truth};
use phalanx_tasks::safe_control::learning::{Flown, Learning, Met, Observed, gather, split};
use phalanx_tasks::safe_control::plant::named;

/// A bend of two inputs and its slope.
fn bend(state: &[f64], input: &[f64], out: &mut [f64]) -> Result<(), DynamicsError> {
    out[0] = (0.7 * state[0]).sin() + 0.3 * input[0];
    Ok(())
}

fn rows(rows: usize, noise: f64, seed: u64) -> Samples {
    let observed = Observed { low: &[-3.0, -1.0], high: &[3.0, 1.0], noise, rows };
    gather((1, 1), observed, seed, &mut bend).unwrap()
}

fn fitted(samples: &Samples) -> Arc<GaussianProcess> {
    Arc::new(Training::default().fit(samples).unwrap())
}

#[test]
fn gathered_data_of_seed_one_are_those_of_the_reference() {
    let plant = named("linear").unwrap();
    let mut flow = (plant.flow)();
    let region = plant.region;
    let observed = Observed { low: region.low, high: region.high, noise: region.noise, rows: 20 };
    let samples = gather((2, 1), observed, 1, &mut |x, u, out| flow.rate(x, u, out)).unwrap();
    let near = |found: &[f64], expected: &[f64]| {
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-9, "{found} is not {expected}");
        }
    };
    near(samples.input(0), &[1.0649852028, 3.9325081162, 18.8401101435]);
    near(samples.output(0), &[-18.5419746187, 14.9330643756]);
    near(samples.output(19), &[-42.1792005933, 7.6920020971]);
}

#[test]
fn a_plant_that_leaves_the_numbers_is_named_with_its_row() {
    let observed = Observed { low: &[0.0, 0.0], high: &[1.0, 1.0], noise: 0.0, rows: 9 };
    let mut calls = 0;
    let error = gather((1, 1), observed, 1, &mut |_, _, out| {
        calls += 1;
        out[0] = 0.0;
        let (model, what, value) = ("plant", "next state", f64::NAN);
        if calls < 4 {
            Ok(())
        } else {
            Err(DynamicsError::NotFinite { model, what, entry: 0, value })
        }
    });
    assert!(error.unwrap_err().to_string().starts_with("row `4` of the data"));
    let short = Observed { low: &[0.0], ..observed };
    assert!(gather((1, 1), short, 1, &mut bend).is_err());
    let none = Observed { rows: 0, ..observed };
    assert!(gather((1, 1), none, 1, &mut bend).is_err());
}

#[test]
fn a_split_loses_no_row_and_repeats_itself() {
    let all = rows(50, 0.01, 3);
    let (left, back) = split(&all, 20, 7).unwrap();
    let back = back.unwrap();
    assert_eq!((left.rows(), back.rows()), (40, 10));
    let of = |samples: &Samples| -> Vec<u64> {
        (0..samples.rows()).map(|row| samples.output(row)[0].to_bits()).collect()
    };
    let mut both = [of(&left), of(&back)].concat();
    let mut whole = of(&all);
    both.sort_unstable();
    whole.sort_unstable();
    assert_eq!(both, whole);
    assert_eq!(split(&all, 20, 7).unwrap().0, left);
    assert_ne!(split(&all, 20, 8).unwrap().0, left);
    assert!(split(&all, 0, 7).unwrap().1.is_none());
}

#[test]
fn a_model_is_judged_by_error_and_by_its_own_doubt() {
    let model = fitted(&rows(60, 0.02, 1));
    let exact = model.calibration(&rows(400, 0.0, 2), Truth::Exact).unwrap();
    assert!(exact[0].rmse < 0.02 && exact[0].relative_rmse < 0.03, "{exact:?}");
    assert!((0.8..=1.0).contains(&exact[0].coverage), "{exact:?}");
    let shares: Vec<f64> = exact[0].intervals.iter().map(|(_, found)| *found).collect();
    assert!(shares.is_sorted(), "{shares:?}");
    // Noise that the model knows of belongs to its doubt; without it nobody is covered.
    let noisy = rows(400, 0.02, 3);
    let fair = model.calibration(&noisy, Truth::Measured).unwrap()[0].coverage;
    let unfair = model.calibration(&noisy, Truth::Exact).unwrap()[0].coverage;
    assert!((0.9..=0.99).contains(&fair), "{fair}");
    assert!(unfair < 0.7, "{unfair}");
    let others = Samples::new((3, 1), vec![0.0; 6], vec![0.0; 2]).unwrap();
    assert!(model.calibration(&others, Truth::Measured).is_err());
}

#[test]
fn rounds_append_what_was_met_evenly_and_get_better_there() {
    let learning = Learning { training: Training::default(), rounds: 3, keep: 10 };
    let held_out = rows(200, 0.0, 9);
    let mut seen = Vec::new();
    let (all, rounds) = learning
        .run(rows(6, 0.001, 1), &held_out, &mut |round| {
            seen.push((round.number, round.rows));
            ControlFlow::Continue(match round.number {
                2 => Met::Gathered(rows(4, 0.001, 77)),
                number => {
                    let (observed, truth) =
                        (rows(40, 0.001, 10 + number as u64), rows(40, 0.0, 10 + number as u64));
                    Met::Flown(Flown { observed, truth })
                }
            })
        })
        .unwrap();
    assert_eq!(seen, [(1, 6), (2, 16), (3, 20)]);
    assert_eq!(all.rows(), 30);
    assert!(rounds[1].flown.is_none() && rounds[0].flown.is_some());
    let error = |round: usize| rounds[round].held_out[0].rmse;
    assert!(error(2) < error(0) / 3.0, "{} {}", error(0), error(2));
    // Every fourth of forty.
    assert_eq!(all.output(6 + 1), rows(40, 0.001, 11).output(4));
}

#[test]
fn rounds_can_be_broken_off() {
    let learning = Learning { training: Training::default(), rounds: 5, keep: 10 };
    let (all, rounds) = learning
        .run(rows(8, 0.001, 1), &rows(20, 0.0, 9), &mut |round| match round.number {
            1 => ControlFlow::Continue(Met::Gathered(rows(4, 0.001, 5))),
            _ => ControlFlow::Break(()),
        })
        .unwrap();
    assert_eq!((all.rows(), rounds.len()), (12, 1));
}
