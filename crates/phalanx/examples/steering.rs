//! Steering one honest user's own model through the global one, as the published code does.
//!
//! `cargo run --release -p phalanx --example steering -- digits 800 40000`
use std::path::PathBuf;
use std::process::ExitCode;

use phalanx::poisoning::steering::steer;
use phalanx_learn::algorithm::personalised::Regularizer;
use phalanx_tasks::dataset;
use phalanx_tasks::personalised::Images;

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "an example speaks for itself")]
fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let name = words.first().map_or("digits", String::as_str);
    let points = words.get(1).map_or(Ok(800), |word| word.parse());
    let epochs = words.get(2).map_or(Ok(40_000), |word| word.parse::<usize>());
    let (Ok(points), Ok(epochs)) = (points, epochs) else {
        eprintln!("usage: steering [DATASET [POINTS [EPOCHS]]]");
        return ExitCode::from(2);
    };
    let folder = phalanx::environment::data(None::<PathBuf>);
    let data = match dataset::load(name, &folder, (None, None)) {
        Ok(data) => data,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    let images = (&Images::of(&data.train), &Images::of(&data.test));
    let tie = Regularizer::named("l2-squared", 1.0).expect("1 is positive");
    steer(images, (points, 100), (epochs, (epochs / 8).max(1)), (tie, 999), &mut |look| {
        println!(
            "epoch {:>6}  shifted accuracy {:.4}  true accuracy {:.4}  distance {:.3}",
            look.epoch, look.shifted, look.truly, look.distance
        );
    });
    ExitCode::SUCCESS
}
