//! Safe linear regulators: LQR on the linearisation of an embedded flow.
use crate::control::{Care, CareError, Matrix, Regulator, care};
use crate::safe_control::dynamics::{DynamicsError, Linearised};
use crate::safe_control::plant::Flow;

/// A regulator about an equilibrium.
#[derive(Debug, Clone, PartialEq)]
pub struct Regulated {
    /// Ā, the flow's derivative by the state
    pub a: Matrix,
    /// B̄, by the input
    pub b: Matrix,
    /// the flow at the equilibrium: zero for the plant itself, the bias of a learnt model
    pub bias: Vec<f64>,
    /// solution of the Riccati equation, with the gain K of u = u_eq + K (x̄ − x̄_eq)
    pub care: Care,
}

/// Why there is no regulator.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RegulatorError {
    /// The flow has no finite derivatives at the equilibrium.
    #[error("at the equilibrium: {0}")]
    Flow(#[from] DynamicsError),
    /// The Riccati equation has no solution.
    #[error(transparent)]
    Care(#[from] CareError),
}

/// The gain that minimises ∫ x̄ᵀ Q x̄ + uᵀ R u about an equilibrium.
///
/// # Errors
/// [`RegulatorError`].
pub fn regulate(
    flow: &mut dyn Flow,
    (state, input): (&[f64], &[f64]),
    (state_cost, input_cost): (&Matrix, &Matrix),
) -> Result<Regulated, RegulatorError> {
    let (n, m) = (flow.states(), flow.inputs());
    for (what, expected, found) in [("states", n, state.len()), ("inputs", m, input.len())] {
        if expected != found {
            let model = flow.name();
            return Err(DynamicsError::Shape { model, what, expected, found }.into());
        }
    }
    let (mut bias, mut a, mut b) = (vec![0.0; n], Matrix::zeros(n, n), Matrix::zeros(n, m));
    let into = Linearised { next: &mut bias, by_state: a.entries_mut(), by_input: b.entries_mut() };
    flow.linearise(state, input, into)?;
    let regulator = Regulator { a: &a, b: &b, state_cost, input_cost, cross_cost: None };
    let care = care(&regulator)?;
    Ok(Regulated { a, b, bias, care })
}

/// A flow whose input is a linear feedback: ẋ = f(x, u_eq + K (x − x_eq)).
pub struct ClosedLoop {
    flow: Box<dyn Flow>,
    state: Vec<f64>,
    input: Vec<f64>,
    gain: Matrix,
    chosen: Vec<f64>,
}

impl ClosedLoop {
    /// About an equilibrium.
    ///
    /// # Errors
    /// [`DynamicsError::Shape`] when equilibrium or gain are of another size than the flow.
    pub fn new(
        flow: Box<dyn Flow>,
        (state, input): (&[f64], &[f64]),
        gain: Matrix,
    ) -> Result<Self, DynamicsError> {
        let (n, m, model) = (flow.states(), flow.inputs(), flow.name());
        for (what, expected, found) in [
            ("states", n, state.len()),
            ("inputs", m, input.len()),
            ("inputs of the gain", m, gain.rows()),
            ("states of the gain", n, gain.columns()),
        ] {
            if expected != found {
                return Err(DynamicsError::Shape { model, what, expected, found });
            }
        }
        let (state, input, chosen) = (state.to_vec(), input.to_vec(), vec![0.0; m]);
        Ok(Self { flow, state, input, gain, chosen })
    }

    /// Writes the feedback at a state.
    pub fn control(&self, state: &[f64], input: &mut [f64]) {
        input.copy_from_slice(&self.input);
        for (row, input) in input.iter_mut().enumerate() {
            let terms = self.gain.row(row).iter().zip(state.iter().zip(&self.state));
            *input += terms.map(|(k, (x, rest))| k * (x - rest)).sum::<f64>();
        }
    }
}

impl Flow for ClosedLoop {
    fn name(&self) -> &'static str {
        self.flow.name()
    }

    fn states(&self) -> usize {
        self.flow.states()
    }

    fn inputs(&self) -> usize {
        0
    }

    fn rate(
        &mut self,
        state: &[f64],
        _input: &[f64],
        rate: &mut [f64],
    ) -> Result<(), DynamicsError> {
        let mut chosen = std::mem::take(&mut self.chosen);
        self.control(state, &mut chosen);
        let done = self.flow.rate(state, &chosen, rate);
        self.chosen = chosen;
        done
    }

    fn linearise(
        &mut self,
        state: &[f64],
        _input: &[f64],
        into: Linearised<'_>,
    ) -> Result<(), DynamicsError> {
        let (n, m) = (self.flow.states(), self.chosen.len());
        let mut chosen = std::mem::take(&mut self.chosen);
        self.control(state, &mut chosen);
        let mut by_input = vec![0.0; n * m];
        let within =
            Linearised { next: into.next, by_state: &mut *into.by_state, by_input: &mut by_input };
        let done = self.flow.linearise(state, &chosen, within);
        self.chosen = chosen;
        for (row, factors) in into.by_state.chunks_exact_mut(n).zip(by_input.chunks_exact(m)) {
            for (factor, source) in factors.iter().zip(self.gain.entries().chunks_exact(n)) {
                row.iter_mut().zip(source).for_each(|(entry, k)| *entry += factor * k);
            }
        }
        done
    }
}
