//! Data of the three plants of the specification, as its streams draw them.
use std::f64::consts::PI;

use phalanx_tasks::safe_control::gp::{Parameters, Samples};
use phalanx_tasks::safe_control::stream::Stream;

/// A plant that data are drawn from: sizes, a box of (state, input), and what an output is.
#[derive(Clone, Copy)]
pub(crate) struct Source {
    pub(crate) columns: (usize, usize),
    pub(crate) low: &'static [f64],
    pub(crate) high: &'static [f64],
    pub(crate) noise: f64,
    pub(crate) outputs: fn(&[f64]) -> Vec<f64>,
}

/// Section 6.1: derivatives of the unstable linear plant.
pub(crate) const LINEAR: Source = Source {
    columns: (3, 2),
    low: &[-8.0, -8.0, -20.0],
    high: &[8.0, 8.0, 20.0],
    noise: 0.05,
    outputs: |z| vec![z[0] - 5.0 * z[1], -z[1] + z[2]],
};

/// Section 6.2: increments of the Dubins vehicle.
pub(crate) const DUBINS: Source = Source {
    columns: (5, 3),
    low: &[-1.0, -1.0, -PI, -1.0, -3.0],
    high: &[5.0, 5.0, PI, 3.0, 3.0],
    noise: 1e-3,
    outputs: |z| {
        let (heading, speed, turn) = (z[2], z[3], z[4]);
        [speed * heading.cos(), speed * heading.sin(), turn].map(|rate| 0.05 * rate).to_vec()
    },
};

/// Section 6.3: increments of the quadrotor.
#[cfg(feature = "nightly")]
pub(crate) const QUADROTOR: Source = Source {
    columns: (16, 12),
    low: &[
        -0.7, -0.7, -0.7, -1.5, -1.5, -1.5, -5.0, -5.0, -4.0, -8.0, -8.0, -8.0, -5.0, -2.0, -2.0,
        -2.0,
    ],
    high: &[0.7, 0.7, 0.7, 1.5, 1.5, 1.5, 5.0, 5.0, 4.0, 8.0, 8.0, 8.0, 5.0, 2.0, 2.0, 2.0],
    noise: 1e-3,
    outputs: |z| quadrotor(z).map(|rate| 0.02 * rate).to_vec(),
};

/// Rates of the quadrotor of section 6.3.
pub(crate) fn quadrotor(z: &[f64]) -> [f64; 12] {
    const GRAVITY: f64 = 9.81;
    let [phi, theta, psi, p, q, r, vx, vy, vz] = z[..9] else { panic!("nine of twelve states") };
    let (thrust, torque) = (z[12], &z[13..16]);
    let ((sp, cp), (st, ct), (ss, cs)) = (phi.sin_cos(), theta.sin_cos(), psi.sin_cos());
    let tt = st / ct;
    [
        p + r * cp * tt + q * sp * tt,
        q * cp - r * sp,
        (r * cp + q * sp) / ct,
        torque[0],
        torque[1],
        torque[2],
        r * vy - q * vz - GRAVITY * st,
        p * vz - r * vx + GRAVITY * sp * ct,
        q * vx - p * vy + GRAVITY * ct * cp - GRAVITY - thrust,
        vz * (sp * ss + cp * cs * st) - vy * (cp * ss - cs * sp * st) + vx * cs * ct,
        vy * (cp * cs + sp * ss * st) - vz * (cs * sp - cp * ss * st) + vx * ct * ss,
        vz * cp * ct - vx * st + vy * ct * sp,
    ]
}

impl Source {
    /// Noisy rows of a seed: all inputs, then all noise, from one stream.
    pub(crate) fn samples(&self, seed: u64, rows: usize) -> Samples {
        self.rows(&mut Stream::new(seed), rows, self.noise)
    }

    /// Rows without noise, of another stream.
    pub(crate) fn truth(&self, seed: u64, rows: usize) -> Samples {
        self.rows(&mut Stream::new(seed), rows, 0.0)
    }

    fn rows(&self, stream: &mut Stream, rows: usize, noise: f64) -> Samples {
        let inputs = stream.rows(rows, self.low, self.high);
        let mut outputs: Vec<f64> =
            inputs.chunks_exact(self.columns.0).flat_map(self.outputs).collect();
        let mut normals = vec![0.0; outputs.len()];
        stream.normals(&mut normals);
        outputs.iter_mut().zip(&normals).for_each(|(out, normal)| *out += noise * normal);
        Samples::new(self.columns, inputs, outputs).unwrap()
    }
}

/// The parameters of section 7.4.
pub(crate) fn golden_parameters() -> Parameters {
    Parameters { lengths: vec![2.0, 3.0, 4.0], signal: 1.5, noise: 0.1, slopes: vec![] }
}
