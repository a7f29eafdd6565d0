//! Learning the embedded digits centrally: the accuracies that everything else is held against.
use phalanx_learn::Batch;
use phalanx_robust::Value;

use crate::population::{build, gradient, init, step, word};

fn accuracy(model: &str, rate: f32, epochs: usize) -> f64 {
    let given = [("model", word(model)), ("batch", Value::Integer(25))];
    let task = &mut *build("image-classification", &given, 1, 1).unwrap().remove(0);
    let mut params = init(task);
    for _ in 0..epochs * 8_000 / 25 {
        let (_, grad) = gradient(task, &params, Batch::Fresh);
        step(&mut params, &grad, rate);
    }
    let scores = task.evaluate(&params).unwrap();
    println!("{model}: {scores:?}");
    scores["accuracy"]
}

#[test]
fn a_linear_model_learns_the_digits() {
    assert!(accuracy("linear", 0.02, 5) > 0.88);
}

#[test]
fn an_mlp_learns_the_digits() {
    assert!(accuracy("mlp", 0.1, 6) > 0.93);
}
