//! A vote on a plan: each member looks at it with what it knows by itself.
use crate::safe_control::barrier::Course;
use crate::safe_control::dynamics::Dynamics;
use crate::safe_control::planner::Plan;

/// Why a member is against a plan.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Veto {
    /// the step that it does not trust, from 0
    pub step: usize,
    /// which constraint, from 0; none where its model leaves the numbers
    pub constraint: Option<usize>,
    /// h less κ deviations of it
    pub margin: f64,
}

/// Looks at every step of a plan: from the plan's state and input the member predicts the next
/// state, and every constraint must hold there at κ deviations: `h(μ⁺) > κ √(h_x S⁺ h_xᵀ)`.
///
/// No gradient or data is exchanged: a vote costs one bit a member.
pub fn check_plan(
    model: &mut dyn Dynamics,
    course: &Course,
    plan: &Plan,
    kappa: f64,
) -> Result<(), Veto> {
    let n = model.states();
    let (mut next, mut variance, mut slope) = (vec![0.0; n], vec![0.0; n], vec![0.0; n]);
    for step in 0..plan.horizon() {
        let (state, input) = (&plan.state(step)[..n], plan.input(step));
        let known = model
            .step(state, input, &mut next)
            .and_then(|()| model.variance(state, input, &mut variance));
        if known.is_err() {
            return Err(Veto { step, constraint: None, margin: f64::NAN });
        }
        for (place, constraint) in course.constraints().iter().enumerate() {
            slope.fill(0.0);
            constraint.add_gradient(&next, 1.0, &mut slope);
            let doubt: f64 = slope.iter().zip(&variance).map(|(slope, v)| slope * slope * v).sum();
            let margin = constraint.value(&next) - kappa * doubt.sqrt();
            // Written so that NaN is a veto.
            let is_safe = margin > 0.0;
            if !is_safe {
                return Err(Veto { step, constraint: Some(place), margin });
            }
        }
    }
    Ok(())
}

/// Whether a fleet rejects a plan: more than half of its members are against it, so that f < n / 2
/// liars can neither stop a plan that all honest members trust nor pass one that none does.
pub fn is_rejected(vetoes: usize, members: usize) -> bool {
    2 * vetoes > members
}
