//! Station-keeping: feedback that holds a plant where it is, for a safe trajectory to begin with.
use crate::safe_control::dynamics::{Dynamics, DynamicsError, Linearised};

use super::PlanError;
use super::kernel::{Gains, Kernel, Node};

/// The gain K of u = u₀ + K (x − x₀), m × n, that minimises Σ |x − x₀|² + |u − u₀|² over a horizon
/// of the model's linearisation at (x₀, u₀).
///
/// # Errors
/// [`PlanError::Model`] when the model has no finite derivatives there.
pub fn station_keeping(
    model: &mut dyn Dynamics,
    state: &[f64],
    input: &[f64],
    horizon: usize,
) -> Result<Vec<f64>, PlanError> {
    let (n, m) = (state.len(), input.len());
    let (mut next, mut a, mut b) = (vec![0.0; n], vec![0.0; n * n], vec![0.0; n * m]);
    let refused = |error: DynamicsError| PlanError::Model { step: 0, error };
    let into = Linearised { next: &mut next, by_state: &mut a, by_input: &mut b };
    model.seek(0);
    model.linearise(state, input, into).map_err(refused)?;
    let kernel = Kernel::of(n, m);
    let mut node = Node::new(n, m);
    let (mut offset, mut gain) = (vec![0.0; m], vec![0.0; m * n]);
    identity(&mut node.vxx, n);
    for step in 0..horizon {
        node.qx.fill(0.0);
        node.qu.fill(0.0);
        node.qux.fill(0.0);
        identity(&mut node.qxx, n);
        identity(&mut node.quu, m);
        (kernel.expand)(&mut node, &a, &b);
        let gains = Gains { offset: &mut offset, gain: &mut gain };
        if !(kernel.solve)(&mut node, 0.0, gains) {
            return Err(PlanError::Indefinite { step, lambda: 0.0 });
        }
        (kernel.close)(&mut node, &offset, &gain);
    }
    Ok(gain)
}

fn identity(matrix: &mut [f64], order: usize) {
    matrix.fill(0.0);
    matrix.iter_mut().step_by(order + 1).for_each(|entry| *entry = 1.0);
}
