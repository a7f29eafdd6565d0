//! Models as text: bit for bit there and back, and nothing but a model is one.
use std::sync::Arc;

use phalanx_tasks::safe_control::gp::{
    GaussianProcess, GpError, KERNELS, Parameters, Predictor, Standardisation,
};
use proptest::prelude::*;

use super::data::DUBINS;

fn models() -> impl Iterator<Item = GaussianProcess> {
    KERNELS.iter().map(|entry| {
        let kernel = entry.build.kernel;
        let samples = DUBINS.samples(3, 12);
        let scales = Standardisation::of(&samples).unwrap();
        let parameters = vec![Parameters::start(kernel, 5, 1.7); 3];
        GaussianProcess::with_parameters(&samples, scales, kernel, parameters).unwrap()
    })
}

#[test]
fn a_model_is_read_back_bit_for_bit() {
    for model in models() {
        let text = model.to_text();
        let read = GaussianProcess::from_text(&text).unwrap();
        assert_eq!(read.to_text(), text);
        let at = [0.1, 0.2, 0.3, 0.4, 0.5];
        let [one, other] = [model, read].map(|model| {
            let (mut mean, mut variance) = ([0.0; 3], [0.0; 3]);
            let mut predictor = Predictor::new(Arc::new(model));
            predictor.mean(&at, &mut mean);
            predictor.variance(&at, &mut variance);
            (mean, variance)
        });
        assert_eq!(one, other);
    }
}

#[test]
fn what_is_no_model_is_refused_with_its_line() {
    let text = models().next().unwrap().to_text();
    let line = |change: &dyn Fn(&mut Vec<String>)| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        change(&mut lines);
        GaussianProcess::from_text(&lines.join("\n")).unwrap_err()
    };
    let at = |error: GpError| match error {
        GpError::Text { line, .. } => line,
        other => panic!("{other} has no line"),
    };
    assert_eq!(at(line(&|lines| lines[0] = "phalanx-gaussian-process 2".into())), 1);
    assert_eq!(at(line(&|lines| lines[1] = "kernel cubic".into())), 2);
    assert_eq!(at(line(&|lines| lines[2] = "sizes 12 5 0".into())), 3);
    assert_eq!(at(line(&|lines| lines[2] = "sizes 99999999999 5 3".into())), 3);
    assert_eq!(at(line(&|lines| lines[3].push_str(" 1"))), 4);
    assert_eq!(at(line(&|lines| lines[4] = "input 1 x".into())), 5);
    assert_eq!(at(line(&|lines| lines[14] = "likelihood 12".into())), 15);
    assert_eq!(at(line(&|lines| lines[14] = "likelihood nan".into())), 15);
    assert_eq!(at(line(&|lines| lines.push("row 1".into()))), 30);
    assert_eq!(at(line(&|lines| drop(lines.pop()))), 29);
    let nan = line(&|lines| lines[20] = "row 1 2 3 4 nan 6 7 8".into());
    assert!(matches!(nan, GpError::NotFinite { row: 4, column: 5, .. }), "{nan}");
    let zero = line(&|lines| lines[3] = "input 1 0".into());
    assert!(matches!(zero, GpError::Option { .. }), "{zero}");
    let negative = line(&|lines| lines[11] = "parameters 1 1 1 1 -1 1 1".into());
    assert!(matches!(negative, GpError::Parameter { output: 1, .. }), "{negative}");
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(
        cut in 0usize..4000,
        place in 0usize..4000,
        replacement in "[0-9e. \\-\n]{0,6}",
    ) {
        let mut text = models().next().unwrap().to_text();
        let place = place.min(text.len());
        text.insert_str(place, &replacement);
        let end = text.len().saturating_sub(cut % 97);
        let _ = GaussianProcess::from_text(&text[..end]);
    }
}
