//! Sum against mean: ten users with ten points each and one with many, on noisy labels.
//!
//! `cargo run --release -p phalanx --example sum_versus_mean -- fashion-mnist 60000`
use std::path::PathBuf;
use std::process::ExitCode;

use phalanx::poisoning::weighting::{Inequality, train};
use phalanx_learn::algorithm::personalised::Weighting;
use phalanx_tasks::dataset;
use phalanx_tasks::personalised::Images;

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "an example speaks for itself")]
fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let name = words.first().map_or("digits", String::as_str);
    let points = words.get(1).map_or(Ok(8_000), |word| word.parse());
    let epochs = words.get(2).map_or(Ok(200), |word| word.parse());
    let (Ok(points), Ok(epochs)) = (points, epochs) else {
        eprintln!("usage: sum_versus_mean [DATASET [POINTS [EPOCHS]]]");
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
    let images = (Images::of(&data.train), Images::of(&data.test));
    let setting = Inequality { active_points: points, epochs, ..Inequality::published() };
    for (weighting, word) in [(Weighting::Mean, "mean"), (Weighting::Sum, "sum")] {
        let found = train(setting, (&images.0, &images.1), weighting, &mut |_| {});
        let found = found.expect("images of a data set have one class each");
        println!(
            "{word:<5} global {:.4}  idle {:.4}  active {:.4}",
            found.global, found.idle, found.active
        );
    }
    ExitCode::SUCCESS
}
