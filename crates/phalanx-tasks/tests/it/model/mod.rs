//! Models against finite differences, against an oracle's fixtures, and at their edges.
mod edges;
mod finite_differences;
mod fixtures;

use phalanx_robust::Rng;
use phalanx_tasks::image_classification::model::{Architecture, Mode, Model};

/// Uniform in [0, 1), 24 bits: the integer mixer of `fixtures/generate.py`.
fn unit(seed: u32, index: usize) -> f64 {
    let mut x = (index as u32).wrapping_add(seed.wrapping_mul(0x9E37_79B9));
    x ^= x >> 16;
    x = x.wrapping_mul(0x7FEB_352D);
    x ^= x >> 15;
    x = x.wrapping_mul(0x846C_A68B);
    x ^= x >> 16;
    f64::from(x >> 8) / f64::from(1u32 << 24)
}

fn images(model: &dyn Model, batch: usize) -> Vec<f32> {
    (0..batch * model.input_len()).map(|index| (3.2 * unit(2, index) - 0.4) as f32).collect()
}

fn labels(batch: usize) -> Vec<u8> {
    (0..batch).map(|index| ((7 * index + 3) % 10) as u8).collect()
}

fn build(architecture: Architecture, mode: Mode) -> Box<dyn Model> {
    architecture.build(mode, Rng::stream(5, 0, "dropout"))
}

fn initial(model: &dyn Model, seed: u64) -> Vec<f32> {
    let mut params = vec![0.0; model.dim()];
    model.init(&mut Rng::stream(seed, u64::MAX, "initial parameters"), &mut params);
    params
}

/// Every architecture in every mode that makes a difference to it.
fn everything() -> Vec<(Architecture, Mode)> {
    vec![
        (Architecture::Linear, Mode::Published),
        (Architecture::Mlp, Mode::Published),
        (Architecture::MnistCnn, Mode::Published),
        (Architecture::CifarCnn, Mode::Published),
        (Architecture::CifarCnn, Mode::Paper),
    ]
}
