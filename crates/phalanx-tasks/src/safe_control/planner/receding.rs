//! Receding horizon: few sweeps per measured state, begun from the plan before, moved on by one.
use crate::safe_control::barrier::SafetyEmbedded;
use crate::safe_control::dynamics::Dynamics;

use super::{Cost, PlanError, Planner, Settings, Solved};

/// A planner that is asked again at every step; nothing is allocated after the first.
///
/// Real-time iteration: `settings.iterations_max` sweeps per step, often one. The trajectory that
/// is kept between steps is safe for the model, so an interrupted search still has a plan.
pub struct Receding {
    planner: Planner,
    settings: Settings,
    first_lambda: f64,
    m: usize,
    rest: Vec<f64>,
    inputs: Vec<f64>,
    embedded: Vec<f64>,
    has_plan: bool,
}

impl Receding {
    /// For a model and a horizon; the first λ₀ of the settings is used at every step. `rest` is
    /// the input that follows the last of a plan where holding that one is not safe.
    ///
    /// # Errors
    /// [`PlanError`] when settings are out of their range.
    pub fn new(
        model: &SafetyEmbedded,
        (horizon, rest): (usize, &[f64]),
        settings: Settings,
    ) -> Result<Self, PlanError> {
        super::plan::check(&settings, model.inputs())?;
        if horizon == 0 {
            return Err(super::ProblemError::Horizon.into());
        }
        let (n, m) = (model.states(), model.inputs());
        if rest.len() != m {
            let (what, found) = ("rest", rest.len());
            return Err(super::ProblemError::Length { what, expected: m, found }.into());
        }
        Ok(Self {
            planner: Planner::new((n, m), horizon),
            first_lambda: settings.restarts[0],
            settings,
            m,
            rest: rest.to_vec(),
            inputs: rest.repeat(horizon),
            embedded: vec![0.0; n],
            has_plan: false,
        })
    }

    /// The planner with its present trajectory and gains.
    pub fn planner(&self) -> &Planner {
        &self.planner
    }

    /// Inputs to begin the next search with instead of the plan before.
    ///
    /// # Panics
    /// When they are not as many as the horizon needs.
    pub fn set_inputs(&mut self, inputs: &[f64]) {
        self.inputs.copy_from_slice(inputs);
        self.has_plan = false;
    }

    /// Searches from a measured state and writes the input to apply now.
    ///
    /// The search begins with the plan before, one step on, under its own feedback; where that is
    /// not safe from the measured state, with its inputs alone. A plan gains its last input by
    /// holding the one before, or by `rest` where that is not safe.
    ///
    /// # Errors
    /// [`PlanError`] when the measured state or both trajectories are not safe, or the search
    /// fails; the plan before is kept.
    pub fn step(
        &mut self,
        (model, cost): (&mut SafetyEmbedded, &mut dyn Cost),
        measured: &[f64],
        input: &mut [f64],
    ) -> Result<Solved, PlanError> {
        let m = self.m;
        model.embed(0, measured, &mut self.embedded).map_err(PlanError::Start)?;
        let limits = self.settings.limits.as_ref();
        let mut is_begun = false;
        if self.has_plan {
            self.inputs.copy_within(m.., 0);
            for last in [None, Some(&self.rest[..])] {
                let with: (&mut dyn Dynamics, &mut dyn Cost) = (&mut *model, &mut *cost);
                is_begun = is_begun
                    || self.planner.begin_shifted(with, &self.embedded, last, limits).is_ok();
            }
        }
        if !is_begun {
            let with: (&mut dyn Dynamics, &mut dyn Cost) = (&mut *model, &mut *cost);
            self.planner.begin(with, &self.embedded, &self.inputs, limits)?;
        }
        let solved =
            self.planner.solve((model, cost), &self.settings, self.first_lambda, &mut |_| {
                std::ops::ControlFlow::Continue(())
            })?;
        self.inputs.copy_from_slice(self.planner.inputs());
        self.has_plan = true;
        input.copy_from_slice(&self.inputs[..m]);
        Ok(solved)
    }
}
