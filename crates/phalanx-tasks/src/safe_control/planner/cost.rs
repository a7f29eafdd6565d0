//! Costs of trajectories, with their expansions to second order.
use crate::control::{Matrix, symmetric_eigenvalues};
use crate::safe_control::barrier::Course;

/// Where a running cost writes its expansion.
#[derive(Debug)]
pub struct Expansion<'a> {
    /// l_x, N
    pub by_state: &'a mut [f64],
    /// l_u, m
    pub by_input: &'a mut [f64],
    /// l_xx, N × N
    pub state_state: &'a mut [f64],
    /// l_uu, m × m
    pub input_input: &'a mut [f64],
    /// l_ux, m × N
    pub input_state: &'a mut [f64],
}

/// A cost along a trajectory. What is not finite is refused by the line search.
///
/// # Shape
/// `state` has N numbers (barrier states included), `input` m.
pub trait Cost: Send {
    /// Of one step before the last.
    fn running(&mut self, state: &[f64], input: &[f64]) -> f64;

    /// Overwrites the expansion of [`Cost::running`].
    fn expand_running(&mut self, state: &[f64], input: &[f64], into: Expansion<'_>);

    /// Of the last state.
    fn terminal(&mut self, state: &[f64]) -> f64;

    /// Overwrites gradient and Hessian of [`Cost::terminal`].
    fn expand_terminal(&mut self, state: &[f64], gradient: &mut [f64], hessian: &mut [f64]);
}

/// A symmetric weight.
#[derive(Debug, Clone, PartialEq)]
pub enum Weight {
    /// these numbers on the diagonal
    Diagonal(Vec<f64>),
    /// any symmetric matrix
    Full(Matrix),
}

impl Weight {
    fn order(&self) -> usize {
        match self {
            Self::Diagonal(entries) => entries.len(),
            Self::Full(matrix) => matrix.rows(),
        }
    }

    /// ½ dᵀ W d for d = value − goal.
    #[inline]
    fn half_square(&self, value: &[f64], goal: &[f64]) -> f64 {
        match self {
            Self::Diagonal(entries) => {
                let terms = entries.iter().zip(value.iter().zip(goal));
                0.5 * terms.map(|(w, (v, g))| w * (v - g) * (v - g)).sum::<f64>()
            }
            Self::Full(matrix) => {
                let pairs = || value.iter().zip(goal).map(|(v, g)| v - g);
                let rows = pairs().enumerate().map(|(i, left)| {
                    left * matrix.row(i).iter().zip(pairs()).map(|(w, d)| w * d).sum::<f64>()
                });
                0.5 * rows.sum::<f64>()
            }
        }
    }

    #[inline]
    fn expand(&self, value: &[f64], goal: &[f64], gradient: &mut [f64], hessian: &mut [f64]) {
        match self {
            Self::Diagonal(entries) => {
                hessian.fill(0.0);
                for (i, weight) in entries.iter().enumerate() {
                    gradient[i] = weight * (value[i] - goal[i]);
                    hessian[i * (entries.len() + 1)] = *weight;
                }
            }
            Self::Full(matrix) => {
                hessian.copy_from_slice(matrix.entries());
                for (i, slope) in gradient.iter_mut().enumerate() {
                    let terms = matrix.row(i).iter().zip(value.iter().zip(goal));
                    *slope = terms.map(|(w, (v, g))| w * (v - g)).sum();
                }
            }
        }
    }

    /// Its least eigenvalue and its greatest; NaN when an entry is not finite.
    fn extremes(&self) -> (f64, f64) {
        let mut values = match self {
            Self::Diagonal(entries) => entries.clone(),
            Self::Full(matrix) => symmetric_eigenvalues(matrix),
        };
        if values.iter().any(|value| !value.is_finite()) {
            return (f64::NAN, f64::NAN);
        }
        values.sort_by(f64::total_cmp);
        (values.first().copied().unwrap_or(0.0), values.last().copied().unwrap_or(0.0))
    }
}

/// Why weights are no cost.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CostError {
    /// A weight of another order.
    #[error("`{what}` is of order `{found}`, but `{expected}` is needed")]
    Order {
        /// which weight
        what: &'static str,
        /// what is needed
        expected: usize,
        /// what it has
        found: usize,
    },
    /// A weight that is not symmetric and positive enough.
    #[error("`{what}` must be symmetric and positive {needed}: its least eigenvalue is `{least}`")]
    Indefinite {
        /// which weight
        what: &'static str,
        /// definite or semidefinite
        needed: &'static str,
        /// its least eigenvalue
        least: f64,
    },
    /// A goal that is not finite.
    #[error("`{what}` is not finite")]
    NotFinite {
        /// which goal
        what: &'static str,
    },
}

/// ½ (x − x_f)ᵀ Q (x − x_f) + ½ (u − u_f)ᵀ R (u − u_f) per step, and S for the last state.
#[derive(Debug, Clone, PartialEq)]
pub struct Quadratic {
    goal: Vec<f64>,
    input_goal: Vec<f64>,
    state: Weight,
    input: Weight,
    terminal: Weight,
}

impl Quadratic {
    /// From goals and weights Q, R, S.
    ///
    /// # Errors
    /// [`CostError`] when orders differ, a number is not finite, Q or S has a negative eigenvalue
    /// or R one that is not positive.
    pub fn new(
        goal: Vec<f64>,
        input_goal: Vec<f64>,
        state: Weight,
        input: Weight,
        terminal: Weight,
    ) -> Result<Self, CostError> {
        for (what, weight, expected, needed) in [
            ("state-cost", &state, goal.len(), "semidefinite"),
            ("input-cost", &input, input_goal.len(), "definite"),
            ("terminal-cost", &terminal, goal.len(), "semidefinite"),
        ] {
            let found = weight.order();
            if found != expected {
                return Err(CostError::Order { what, expected, found });
            }
            let (least, greatest) = weight.extremes();
            let is_symmetric = match weight {
                Weight::Full(matrix) => matrix.is_symmetric(1e-9),
                Weight::Diagonal(_) => true,
            };
            let is_met = match needed {
                "definite" => least > 0.0,
                _ => least >= -1e-12 * greatest.abs(),
            };
            if !is_met || !is_symmetric {
                return Err(CostError::Indefinite { what, needed, least });
            }
        }
        for (what, goal) in [("goal", &goal), ("input-goal", &input_goal)] {
            if goal.iter().any(|entry| !entry.is_finite()) {
                return Err(CostError::NotFinite { what });
            }
        }
        Ok(Self { goal, input_goal, state, input, terminal })
    }

    /// x_f with its barrier states.
    pub fn goal(&self) -> &[f64] {
        &self.goal
    }

    /// Another goal of the same size.
    ///
    /// # Panics
    /// When it has another size.
    pub fn set_goal(&mut self, goal: &[f64]) {
        self.goal.copy_from_slice(goal);
    }
}

impl Cost for Quadratic {
    #[inline]
    fn running(&mut self, state: &[f64], input: &[f64]) -> f64 {
        self.state.half_square(state, &self.goal) + self.input.half_square(input, &self.input_goal)
    }

    fn expand_running(&mut self, state: &[f64], input: &[f64], into: Expansion<'_>) {
        self.state.expand(state, &self.goal, into.by_state, into.state_state);
        self.input.expand(input, &self.input_goal, into.by_input, into.input_input);
        into.input_state.fill(0.0);
    }

    fn terminal(&mut self, state: &[f64]) -> f64 {
        self.terminal.half_square(state, &self.goal)
    }

    fn expand_terminal(&mut self, state: &[f64], gradient: &mut [f64], hessian: &mut [f64]) {
        self.terminal.expand(state, &self.goal, gradient, hessian);
    }
}

/// A cost with weight · Σ 1 / hᵢ at every state besides: the baseline without barrier states.
///
/// States that are not strictly safe cost infinitely much.
pub struct Penalised {
    cost: Quadratic,
    course: Course,
    weight: f64,
    gradient: Vec<f64>,
}

impl Penalised {
    /// The penalty of a course on top of a cost of the plant's own states.
    pub fn new(cost: Quadratic, course: Course, weight: f64) -> Self {
        let gradient = vec![0.0; course.states()];
        Self { cost, course, weight, gradient }
    }

    fn penalty(&self, state: &[f64]) -> f64 {
        let constraints = self.course.constraints().iter();
        let sum: f64 = constraints
            .map(|one| one.value(state))
            .map(|h| if h > 0.0 { 1.0 / h } else { f64::INFINITY })
            .sum();
        self.weight * sum
    }

    fn add_expansion(&mut self, state: &[f64], gradient: &mut [f64], hessian: &mut [f64]) {
        for one in self.course.constraints() {
            let h = one.value(state);
            let slope = -self.weight / (h * h);
            self.gradient.fill(0.0);
            one.add_gradient(state, 1.0, &mut self.gradient);
            for (i, left) in self.gradient.iter().enumerate() {
                gradient[i] += slope * left;
                let row = &mut hessian[i * state.len()..(i + 1) * state.len()];
                let pairs = row.iter_mut().zip(&self.gradient);
                pairs.for_each(|(entry, right)| *entry -= 2.0 * slope / h * left * right);
            }
            one.add_hessian(state, slope, hessian);
        }
    }
}

impl Cost for Penalised {
    fn running(&mut self, state: &[f64], input: &[f64]) -> f64 {
        self.cost.running(state, input) + self.penalty(state)
    }

    fn expand_running(&mut self, state: &[f64], input: &[f64], into: Expansion<'_>) {
        let Expansion { by_state, by_input, state_state, input_input, input_state } = into;
        let inner = Expansion {
            by_state: &mut *by_state,
            by_input,
            state_state: &mut *state_state,
            input_input,
            input_state,
        };
        self.cost.expand_running(state, input, inner);
        self.add_expansion(state, by_state, state_state);
    }

    fn terminal(&mut self, state: &[f64]) -> f64 {
        self.cost.terminal(state) + self.penalty(state)
    }

    fn expand_terminal(&mut self, state: &[f64], gradient: &mut [f64], hessian: &mut [f64]) {
        self.cost.expand_terminal(state, gradient, hessian);
        self.add_expansion(state, gradient, hessian);
    }
}
