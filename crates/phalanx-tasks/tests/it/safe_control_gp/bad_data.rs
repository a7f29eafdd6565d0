//! What cannot be learnt from is refused, with the row or column that is to blame.
use phalanx_tasks::safe_control::gp::{
    GaussianProcess, GpDynamics, GpError, Kernel, Parameters, ROWS_MAX, Samples, Standardisation,
    Training, marginal_likelihood,
};
use phalanx_tasks::safe_control::stream::Stream;

use super::data::DUBINS;

fn fit(samples: &Samples) -> Result<GaussianProcess, GpError> {
    Training::default().fit(samples)
}

#[test]
fn nothing_is_an_error() {
    for (columns, inputs, outputs, what) in [
        ((2, 1), vec![], vec![], "rows"),
        ((0, 1), vec![], vec![1.0], "inputs"),
        ((1, 0), vec![1.0], vec![], "outputs"),
        ((1, 1), vec![1.0], vec![], "rows"),
    ] {
        let found = Samples::new(columns, inputs, outputs).unwrap_err();
        assert_eq!(found, GpError::Empty { what });
    }
    let starts = Training { starts: vec![], ..Training::default() };
    let found = starts.fit(&DUBINS.samples(1, 10)).unwrap_err();
    assert_eq!(found, GpError::Empty { what: "starts" });
}

#[test]
fn rows_that_are_not_whole_are_an_error() {
    let found = Samples::new((2, 1), vec![1.0; 5], vec![1.0; 2]).unwrap_err();
    assert_eq!(found, GpError::Shape { what: "inputs", expected: 6, found: 5 });
    let found = Samples::new((2, 1), vec![1.0; 6], vec![1.0; 2]).unwrap_err();
    assert_eq!(found, GpError::Shape { what: "rows of outputs", expected: 3, found: 2 });
    let found = Samples::of_transitions((2, 1), [&[1.0; 4], &[1.0; 3], &[1.0; 4]]).unwrap_err();
    assert_eq!(found, GpError::Shape { what: "inputs", expected: 2, found: 3 });
}

#[test]
fn a_number_that_is_none_is_named_by_row_and_column() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut inputs = vec![1.0; 20];
        inputs[13] = bad;
        let found = Samples::new((4, 1), inputs, vec![1.0; 5]).unwrap_err();
        let GpError::NotFinite { table, row, column, .. } = found else { panic!("{found}") };
        assert_eq!((table, row, column), ("input", 4, 2));
    }
}

#[test]
fn a_column_that_never_changes_is_named() {
    let samples = |inputs: Vec<f64>, outputs| Samples::new((2, 1), inputs, outputs).unwrap();
    let found = fit(&samples(vec![1.0, 3.0, 2.0, 3.0, 4.0, 3.0], vec![1.0, 2.0, 3.0]));
    assert_eq!(found.unwrap_err(), GpError::Constant { table: "input", column: 2, value: 3.0 });
    let found = fit(&samples(vec![1.0, 3.0, 2.0, 5.0, 4.0, 3.0], vec![7.0; 3]));
    assert_eq!(found.unwrap_err(), GpError::Constant { table: "output", column: 1, value: 7.0 });
    // One row alone never changes, either.
    let found = fit(&samples(vec![1.0, 3.0], vec![7.0])).unwrap_err();
    assert!(matches!(found, GpError::Constant { column: 1, .. }), "{found}");
}

#[test]
fn more_than_an_exact_model_takes_is_refused_before_any_work() {
    let rows = ROWS_MAX + 1;
    let numbers = Stream::new(1).rows(rows, &[0.0], &[1.0]);
    let found = fit(&Samples::new((1, 1), numbers.clone(), numbers).unwrap()).unwrap_err();
    assert!(matches!(found, GpError::TooMany { what: "rows", .. }), "{found}");
    let found = Samples::new((300, 1), vec![1.0; 300], vec![1.0]).unwrap_err();
    assert!(matches!(found, GpError::TooMany { what: "inputs", found: 300, .. }), "{found}");
}

#[test]
fn rows_that_repeat_each_other_are_learnt_from_or_refused_never_a_panic() {
    let once = DUBINS.samples(5, 20);
    let mut twice = once.clone();
    (0..3).for_each(|_| twice.append(&once).unwrap());
    let scales = Standardisation::of(&twice).unwrap();
    let kernel = Kernel::SquaredExponential;
    let parameters = |signal, noise| {
        let start = Parameters::start(kernel, 5, 900.0);
        vec![Parameters { signal, noise, ..start }; 3]
    };
    let ample = parameters(1.0, 0.1);
    let model = GaussianProcess::with_parameters(&twice, scales.clone(), kernel, ample).unwrap();
    assert!((0..3).all(|output| model.jitter(output) == 1e-10));
    // Almost singular: jitter rises, and says so.
    let scarce = parameters(1e3, 1e-9);
    let model = GaussianProcess::with_parameters(&twice, scales.clone(), kernel, scarce).unwrap();
    assert!((0..3).all(|output| model.jitter(output) > 1e-10 && model.nlml(output).is_finite()));
    fit(&twice).unwrap();
    // Signals beyond all measure leave the numbers.
    let absurd = parameters(1e9, 1e-9);
    match GaussianProcess::with_parameters(&twice, scales, kernel, absurd) {
        Ok(model) => assert!(model.nlml(0).is_finite()),
        Err(error) => assert!(matches!(error, GpError::NotDefinite { .. }), "{error}"),
    }
}

#[test]
fn absurd_parameters_and_options_are_refused() {
    let samples = DUBINS.samples(1, 10);
    let scales = Standardisation::of(&samples).unwrap();
    let kernel = Kernel::SquaredExponential;
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let mut parameters = Parameters::start(kernel, 5, 1.0);
        parameters.lengths[3] = bad;
        let found = marginal_likelihood(&samples, &scales, kernel, (1, &parameters)).unwrap_err();
        let GpError::Parameter { name, output, .. } = found else { panic!("{found}") };
        assert_eq!((name.as_str(), output), ("length scale 4", 2));
        let training = Training { starts: vec![2.0, bad], ..Training::default() };
        let found = training.fit(&samples).unwrap_err();
        assert!(matches!(found, GpError::Option { name: "a start", .. }), "{found}");
    }
    let parameters = Parameters::start(kernel, 5, 1.0);
    let found = marginal_likelihood(&samples, &scales, kernel, (3, &parameters)).unwrap_err();
    assert_eq!(found, GpError::Shape { what: "outputs", expected: 3, found: 4 });
}

#[test]
fn motion_needs_an_input_for_each_state() {
    let numbers = Stream::new(2).rows(6, &[0.0], &[1.0]);
    let samples = Samples::new((1, 2), numbers[..3].to_vec(), numbers).unwrap();
    let model = fit(&samples).unwrap();
    assert!(matches!(GpDynamics::new(model.into()).unwrap_err(), GpError::Shape { .. }));
}

#[test]
fn errors_say_what_to_do() {
    let found = Samples::new((2, 1), vec![1.0, 2.0, 3.0, f64::NAN], vec![1.0, 2.0]).unwrap_err();
    let text = found.to_string();
    assert!(text.contains("row `2`") && text.contains("hint:"), "{text}");
}
