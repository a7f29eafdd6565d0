//! A quadrotor with unit mass and inertia, z axis down, thrust counted from hovering.
use crate::safe_control::dynamics::{DynamicsError, Linearised};

use super::Flow;

/// State (φ, θ, ψ, p, q, r, body velocity, position), input (thrust less the weight, torques).
#[derive(Debug, Clone, Copy)]
pub struct Quadrotor;

const GRAVITY: f64 = 9.81;
/// Places of a state and an input in a Hessian over both.
const JOINT: usize = 16;
const STATES: usize = 12;
const INPUTS: usize = 4;

/// Sines and cosines of the angles, and what the angular rates make of them.
struct Attitude {
    roll: (f64, f64),
    pitch: (f64, f64),
    yaw: (f64, f64),
    /// tan θ and 1 / cos θ
    tangent: f64,
    secant: f64,
    /// r cos φ + q sin φ and q cos φ − r sin φ
    ahead: f64,
    aside: f64,
}

impl Attitude {
    fn of(state: &[f64]) -> Self {
        let (roll, pitch) = (state[0].sin_cos(), state[1].sin_cos());
        let (q, r) = (state[4], state[5]);
        Self {
            roll,
            pitch,
            yaw: state[2].sin_cos(),
            tangent: pitch.0 / pitch.1,
            secant: 1.0 / pitch.1,
            ahead: r * roll.1 + q * roll.0,
            aside: q * roll.1 - r * roll.0,
        }
    }

    /// Rows of the rotation from body to world.
    fn rotation(&self) -> [[f64; 3]; 3] {
        let ((sr, cr), (sp, cp), (sy, cy)) = (self.roll, self.pitch, self.yaw);
        [
            [cy * cp, cy * sr * sp - cr * sy, sr * sy + cr * cy * sp],
            [cp * sy, cr * cy + sr * sy * sp, cr * sy * sp - cy * sr],
            [-sp, cp * sr, cr * cp],
        ]
    }

    fn rate(&self, state: &[f64], input: &[f64], rate: &mut [f64]) {
        let ((sr, cr), (sp, cp)) = (self.roll, self.pitch);
        let (p, q, r) = (state[3], state[4], state[5]);
        let v = [state[6], state[7], state[8]];
        rate[0] = p + self.tangent * self.ahead;
        rate[1] = self.aside;
        rate[2] = self.ahead * self.secant;
        rate[3..6].copy_from_slice(&input[1..4]);
        rate[6] = r * v[1] - q * v[2] - GRAVITY * sp;
        rate[7] = p * v[2] - r * v[0] + GRAVITY * sr * cp;
        rate[8] = q * v[0] - p * v[1] + GRAVITY * cp * cr - GRAVITY - input[0];
        for (rate, row) in rate[9..].iter_mut().zip(self.rotation()) {
            *rate = row[0] * v[0] + row[1] * v[1] + row[2] * v[2];
        }
    }

    /// Derivatives of the angles' rates and of the body velocity's.
    fn slope(&self, state: &[f64], by_state: &mut [f64]) {
        let ((sr, cr), (sp, cp)) = (self.roll, self.pitch);
        let (tangent, secant) = (self.tangent, self.secant);
        let (p, q, r) = (state[3], state[4], state[5]);
        let (vx, vy, vz) = (state[6], state[7], state[8]);
        let mut rows = [[0.0; STATES]; 9];
        rows[0][..6].copy_from_slice(&[
            tangent * self.aside,
            secant * secant * self.ahead,
            0.0,
            1.0,
            tangent * sr,
            tangent * cr,
        ]);
        (rows[1][0], rows[1][4], rows[1][5]) = (-self.ahead, cr, -sr);
        (rows[2][0], rows[2][1]) = (self.aside * secant, self.ahead * secant * tangent);
        (rows[2][4], rows[2][5]) = (sr * secant, cr * secant);
        (rows[6][1], rows[6][4], rows[6][5]) = (-GRAVITY * cp, -vz, vy);
        (rows[6][7], rows[6][8]) = (r, -q);
        (rows[7][0], rows[7][1]) = (GRAVITY * cr * cp, -GRAVITY * sr * sp);
        (rows[7][3], rows[7][5], rows[7][6], rows[7][8]) = (vz, -vx, -r, p);
        (rows[8][0], rows[8][1]) = (-GRAVITY * cp * sr, -GRAVITY * sp * cr);
        (rows[8][3], rows[8][4], rows[8][6], rows[8][7]) = (-vy, vx, q, -p);
        by_state[..9 * STATES].copy_from_slice(rows.as_flattened());
    }

    /// Derivatives of the position's rate.
    fn drift_slope(&self, state: &[f64], by_state: &mut [f64]) {
        let ((sr, cr), (sp, cp), (sy, cy)) = (self.roll, self.pitch, self.yaw);
        let (vx, vy, vz) = (state[6], state[7], state[8]);
        let rotation = self.rotation();
        // Roll exchanges the last two columns of the rotation.
        let by_roll = rotation.map(|row| row[2] * vy - row[1] * vz);
        let level = vy * sr + vz * cr;
        let nod = -sp * vx + cp * level;
        let by_pitch = [cy * nod, sy * nod, -cp * vx - sp * level];
        let along = cp * vx + sp * level;
        let across = cr * vy - sr * vz;
        let by_yaw = [-sy * along - cy * across, cy * along - sy * across, 0.0];
        for i in 0..3 {
            let row = &mut by_state[(9 + i) * STATES..(10 + i) * STATES];
            row.fill(0.0);
            row[..3].copy_from_slice(&[by_roll[i], by_pitch[i], by_yaw[i]]);
            row[6..9].copy_from_slice(&rotation[i]);
        }
    }

    /// Second derivatives of the weighted rates of angles and body velocity.
    fn bend(&self, weights: &[f64], mut add: impl FnMut(usize, usize, f64)) {
        let ((sr, cr), (sp, cp)) = (self.roll, self.pitch);
        let (tangent, secant) = (self.tangent, self.secant);
        let (ahead, aside, square) = (self.ahead, self.aside, self.secant * self.secant);
        let (roll, pitch, yaw) = (weights[0], weights[1], weights[2]);
        let (x, y, z) = (GRAVITY * weights[6], GRAVITY * weights[7], GRAVITY * weights[8]);
        add(0, 0, -(roll * tangent + yaw * secant) * ahead - pitch * aside);
        add(0, 1, roll * square * aside + yaw * aside * secant * tangent);
        let second = roll * 2.0 * tangent * square;
        add(1, 1, (second + yaw * secant * (tangent * tangent + square)) * ahead);
        let by_roll = roll * tangent + yaw * secant;
        add(0, 4, by_roll * cr - pitch * sr);
        add(0, 5, -by_roll * sr - pitch * cr);
        let by_pitch = roll * square + yaw * secant * tangent;
        add(1, 4, by_pitch * sr);
        add(1, 5, by_pitch * cr);
        add(0, 0, -y * sr * cp - z * cp * cr);
        add(1, 1, x * sp - y * sr * cp - z * cp * cr);
        add(0, 1, -y * cr * sp + z * sp * sr);
        for (rate, speed, weight) in [
            (5, 7, weights[6]),
            (4, 8, -weights[6]),
            (3, 8, weights[7]),
            (5, 6, -weights[7]),
            (4, 6, weights[8]),
            (3, 7, -weights[8]),
        ] {
            add(rate, speed, weight);
        }
    }

    /// Second derivatives of the weighted rate of the position, R = Z(ψ) Y(θ) X(φ).
    fn drift_bend(&self, v: &[f64], weights: &[f64], mut add: impl FnMut(usize, usize, f64)) {
        let times = |row: [f64; 3], matrix: [[f64; 3]; 3]| -> [f64; 3] {
            std::array::from_fn(|j| (0..3).map(|i| row[i] * matrix[i][j]).sum())
        };
        let row = |orders: [usize; 3]| {
            let turned =
                times([weights[9], weights[10], weights[11]], about_z(self.yaw, orders[2]));
            times(times(turned, about_y(self.pitch, orders[1])), about_x(self.roll, orders[0]))
        };
        for first in 0..3 {
            let mut orders = [0; 3];
            orders[first] += 1;
            let slope = row(orders);
            (0..3).for_each(|axis| add(first, 6 + axis, slope[axis]));
            for second in first..3 {
                orders[second] += 1;
                let bend = row(orders);
                add(first, second, bend[0] * v[0] + bend[1] * v[1] + bend[2] * v[2]);
                orders[second] -= 1;
            }
        }
    }
}

/// The derivative of this order of (sine, cosine) by the angle.
fn turned((sine, cosine): (f64, f64), order: usize) -> (f64, f64) {
    match order {
        0 => (sine, cosine),
        1 => (cosine, -sine),
        _ => (-sine, -cosine),
    }
}

fn about_x(angle: (f64, f64), order: usize) -> [[f64; 3]; 3] {
    let ((s, c), fixed) = (turned(angle, order), f64::from(u8::from(order == 0)));
    [[fixed, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]]
}

fn about_y(angle: (f64, f64), order: usize) -> [[f64; 3]; 3] {
    let ((s, c), fixed) = (turned(angle, order), f64::from(u8::from(order == 0)));
    [[c, 0.0, s], [0.0, fixed, 0.0], [-s, 0.0, c]]
}

fn about_z(angle: (f64, f64), order: usize) -> [[f64; 3]; 3] {
    let ((s, c), fixed) = (turned(angle, order), f64::from(u8::from(order == 0)));
    [[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, fixed]]
}

impl Flow for Quadrotor {
    fn name(&self) -> &'static str {
        "quadrotor"
    }

    fn states(&self) -> usize {
        STATES
    }

    fn inputs(&self) -> usize {
        INPUTS
    }

    fn rate(
        &mut self,
        state: &[f64],
        input: &[f64],
        rate: &mut [f64],
    ) -> Result<(), DynamicsError> {
        Attitude::of(state).rate(state, input, rate);
        Ok(())
    }

    fn linearise(
        &mut self,
        state: &[f64],
        input: &[f64],
        into: Linearised<'_>,
    ) -> Result<(), DynamicsError> {
        let attitude = Attitude::of(state);
        attitude.rate(state, input, into.next);
        attitude.slope(state, into.by_state);
        attitude.drift_slope(state, into.by_state);
        into.by_input.fill(0.0);
        into.by_input[8 * INPUTS] = -1.0;
        (0..3).for_each(|axis| into.by_input[(3 + axis) * INPUTS + 1 + axis] = 1.0);
        Ok(())
    }

    fn curve(
        &mut self,
        state: &[f64],
        _input: &[f64],
        weights: &[f64],
        hessian: &mut [f64],
    ) -> Result<bool, DynamicsError> {
        hessian.fill(0.0);
        let attitude = Attitude::of(state);
        let mut add = |row: usize, column: usize, value: f64| {
            hessian[row * JOINT + column] += value;
            if row != column {
                hessian[column * JOINT + row] += value;
            }
        };
        attitude.bend(weights, &mut add);
        attitude.drift_bend(&state[6..9], weights, &mut add);
        Ok(true)
    }
}
