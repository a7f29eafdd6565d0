//! The continuous algebraic Riccati equation by structured doubling, every answer checked.
use super::{EigenError, Matrix, Pole, Unstabilisable, check_stabilisable, eigenvalues, lyapunov};

/// Why there is no optimal gain.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CareError {
    /// Matrices that do not go together.
    #[error("`{what}` is {found_rows} × {found_columns}, but {rows} × {columns} is needed")]
    Shape {
        /// which matrix
        what: &'static str,
        /// rows that are needed
        rows: usize,
        /// columns that are needed
        columns: usize,
        /// rows that it has
        found_rows: usize,
        /// columns that it has
        found_columns: usize,
    },
    /// An entry is NaN or infinite.
    #[error("`{what}` has an entry that is not finite")]
    NotFinite {
        /// which matrix
        what: &'static str,
    },
    /// A cost that is not a cost.
    #[error("`{what}` is not symmetric and positive {needed}: its least eigenvalue is `{least:e}`")]
    Indefinite {
        /// which matrix
        what: &'static str,
        /// definite or semidefinite
        needed: &'static str,
        /// its least eigenvalue
        least: f64,
    },
    /// No feedback stabilises the plant.
    #[error(transparent)]
    NotStabilisable(#[from] Unstabilisable),
    /// The poles could not be found.
    #[error(transparent)]
    Poles(#[from] EigenError),
    /// The doubling did not settle, whatever its shift.
    #[error("the Riccati iteration did not converge with any of `{SHIFTS_MAX}` shifts")]
    NotConverged,
    /// The answer does not satisfy the equation.
    #[error("the Riccati residual is `{residual:e}`, above the `{bound:e}` that is accepted")]
    Residual {
        /// Frobenius norm of the left side
        residual: f64,
        /// what is accepted
        bound: f64,
    },
    /// The answer does not stabilise the plant.
    #[error(
        "the closed loop keeps a pole at `{worst:e}`, and below `{CLOSED_LOOP_MAX:e}` is needed"
    )]
    NotStable {
        /// greatest real part of a pole
        worst: f64,
    },
}

/// The matrices of a regulator: minimise ∫ xᵀ Q x + 2 xᵀ N u + uᵀ R u along ẋ = A x + B u.
#[derive(Debug, Clone, Copy)]
pub struct Regulator<'a> {
    /// A, n × n
    pub a: &'a Matrix,
    /// B, n × m
    pub b: &'a Matrix,
    /// Q, n × n, symmetric and positive semidefinite
    pub state_cost: &'a Matrix,
    /// R, m × m, symmetric and positive definite
    pub input_cost: &'a Matrix,
    /// N, n × m, if there is one
    pub cross_cost: Option<&'a Matrix>,
}

/// The stabilising solution.
#[derive(Debug, Clone, PartialEq)]
pub struct Care {
    /// P: the cost to go is xᵀ P x
    pub cost_to_go: Matrix,
    /// K of u = + K x
    pub gain: Matrix,
    /// eigenvalues of A + B K
    pub poles: Vec<Pole>,
    /// Frobenius norm of Aᵀ P + P A − (P B + N) R⁻¹ (Bᵀ P + Nᵀ) + Q
    pub residual: f64,
    /// doublings that were needed
    pub iterations: usize,
}

/// Greatest real part of a pole that counts as stable.
const CLOSED_LOOP_MAX: f64 = -1e-9;
/// Accepted residual, relative to 1 + |P|.
const RESIDUAL_MAX: f64 = 1e-8;
/// Change of |H|, relative to it, at which the doubling has settled.
const SETTLED: f64 = 1e-14;
const DOUBLINGS_MAX: usize = 60;
/// Newton's steps after the doubling.
const NEWTON_STEPS_MAX: usize = 3;
/// Shifts that are tried.
const SHIFTS_MAX: usize = 8;
/// Condition number of the shifted matrix at which another shift is tried.
const CONDITION_MAX: f64 = 1e10;

/// Solves the Riccati equation and checks the answer: residual at most 1e-8 (1 + |P|), every
/// closed-loop pole at most −1e-9.
///
/// # Cost
/// About 60 n³ per doubling; 6 to 10 doublings are usual.
///
/// # Errors
/// [`CareError`] says which matrix is wrong, which mode cannot be stabilised, or what the answer
/// fails to satisfy.
///
/// # Source
/// E. K.-W. Chu, H.-Y. Fan and W.-W. Lin, A structure-preserving doubling algorithm for
/// continuous-time algebraic Riccati equations, Linear Algebra and its Applications 2005.
pub fn care(regulator: &Regulator<'_>) -> Result<Care, CareError> {
    regulator.check()?;
    let solved = solve(regulator);
    if let Err(CareError::NotConverged | CareError::Residual { .. } | CareError::NotStable { .. }) =
        solved
    {
        // Only now is it worth the time to find out whether the question has an answer.
        check_stabilisable(regulator.a, regulator.b)?;
    }
    solved
}

fn solve(regulator: &Regulator<'_>) -> Result<Care, CareError> {
    let Regulator { a, b, state_cost, input_cost, cross_cost } = *regulator;
    let weight = super::Cholesky::new(input_cost)
        .ok_or_else(|| indefinite("input-cost", "definite", input_cost))?;
    let to_input = weight.solve(&b.transposed());
    let g = b.times(&to_input).symmetrised();
    // Without a cross term by u = v − R⁻¹ Nᵀ x.
    let (free, q, offset) = match cross_cost {
        None => (a.clone(), state_cost.clone(), None),
        Some(cross) => {
            let offset = weight.solve(&cross.transposed());
            let q = state_cost.plus(-1.0, &cross.times(&offset)).symmetrised();
            let least = super::symmetric_eigenvalues(&q).first().copied().unwrap_or(f64::NAN);
            if least < -1e-10 * (1.0 + state_cost.greatest()) {
                let what = "the joint cost of state and input";
                return Err(CareError::Indefinite { what, needed: "semidefinite", least });
            }
            (a.plus(-1.0, &b.times(&offset)), q, Some(offset))
        }
    };
    let (cost_to_go, iterations) = double(&free, &g, &q)?;
    let equation = Equation { a: &free, g: &g, q: &q };
    let (cost_to_go, residual) = equation.polished(cost_to_go)?;
    let mut gain = to_input.times(&cost_to_go).scaled(-1.0);
    if let Some(offset) = &offset {
        gain.add(-1.0, offset);
    }
    let poles = eigenvalues(&a.plus(1.0, &b.times(&gain)))?;
    let worst = poles.first().map_or(f64::NEG_INFINITY, |pole| pole.re);
    if worst > CLOSED_LOOP_MAX {
        return Err(CareError::NotStable { worst });
    }
    Ok(Care { cost_to_go, gain, poles, residual, iterations })
}

/// `Aᵀ P + P A − P G P + Q = 0`.
struct Equation<'a> {
    a: &'a Matrix,
    g: &'a Matrix,
    q: &'a Matrix,
}

impl Equation<'_> {
    fn residual(&self, p: &Matrix) -> f64 {
        let slope = p.times(self.a);
        let left = slope.plus(1.0, &slope.transposed()).plus(1.0, self.q);
        left.plus(-1.0, &p.congruence(self.g)).norm()
    }

    /// Newton's steps where rounding left too much, as it does when a mode is hardly reached.
    fn polished(&self, mut p: Matrix) -> Result<(Matrix, f64), CareError> {
        let mut residual = self.residual(&p);
        for _ in 0..NEWTON_STEPS_MAX {
            let bound = RESIDUAL_MAX * (1.0 + p.norm());
            if residual <= bound {
                return Ok((p, residual));
            }
            let closed = self.a.plus(-1.0, &self.g.times(&p));
            let next = lyapunov(&closed, &p.congruence(self.g).plus(1.0, self.q));
            let Ok(next) = next else { return Err(CareError::Residual { residual, bound }) };
            (residual, p) = (self.residual(&next), next);
        }
        let bound = RESIDUAL_MAX * (1.0 + p.norm());
        if residual <= bound {
            Ok((p, residual))
        } else {
            Err(CareError::Residual { residual, bound })
        }
    }
}

/// P of `Aᵀ P + P A − P G P + Q = 0`, with the shift changed until it serves.
fn double(a: &Matrix, g: &Matrix, q: &Matrix) -> Result<(Matrix, usize), CareError> {
    let mut shift = a.norm() / (a.rows() as f64).sqrt() + 1e-3;
    for _ in 0..SHIFTS_MAX {
        if let Some(done) = double_with(a, (g, q), shift) {
            return Ok(done);
        }
        shift *= 1.7;
    }
    Err(CareError::NotConverged)
}

fn double_with(a: &Matrix, (g, q): (&Matrix, &Matrix), shift: f64) -> Option<(Matrix, usize)> {
    let unit = Matrix::scalar(a.rows(), 1.0);
    let shifted = a.plus(-shift, &unit);
    let inverse = shifted.inverse()?;
    if inverse.norm() * shifted.norm() > CONDITION_MAX {
        return None;
    }
    let w = shifted.plus(1.0, &g.times_transposed(&inverse).times(q)).inverse()?;
    let twice = 2.0 * shift;
    let mut step = unit.plus(twice, &w);
    let mut g = inverse.times(g).times_transposed(&w).scaled(twice).symmetrised();
    let mut h = w.transposed_times(q).times(&inverse).scaled(twice).symmetrised();
    for iteration in 1..=DOUBLINGS_MAX {
        let factors = unit.plus(1.0, &g.times(&h)).lu()?;
        let (forward, spread) = (factors.solve(&step), factors.solve(&g));
        let change = step.transposed_times(&h.times(&forward)).symmetrised();
        g.add(1.0, &step.times(&spread).times_transposed(&step).symmetrised());
        h.add(1.0, &change);
        step = step.times(&forward);
        if !h.is_finite() || !g.is_finite() {
            return None;
        }
        if change.norm() <= SETTLED * h.norm() {
            return Some((h, iteration));
        }
    }
    None
}

fn indefinite(what: &'static str, needed: &'static str, matrix: &Matrix) -> CareError {
    let values = super::symmetric_eigenvalues(&matrix.clone().symmetrised());
    CareError::Indefinite { what, needed, least: values.first().copied().unwrap_or(f64::NAN) }
}

impl Regulator<'_> {
    /// Checks shapes, finiteness and the signs of the costs.
    ///
    /// # Errors
    /// [`CareError`] names the matrix.
    pub fn check(&self) -> Result<(), CareError> {
        let (n, m) = (self.a.rows(), self.b.columns());
        let expected = [
            ("a", Some(self.a), (n, n)),
            ("b", Some(self.b), (n, m)),
            ("state-cost", Some(self.state_cost), (n, n)),
            ("input-cost", Some(self.input_cost), (m, m)),
            ("cross-cost", self.cross_cost, (n, m)),
        ];
        for (what, matrix, (rows, columns)) in expected {
            let Some(matrix) = matrix else { continue };
            if (matrix.rows(), matrix.columns()) != (rows, columns) {
                let (found_rows, found_columns) = (matrix.rows(), matrix.columns());
                return Err(CareError::Shape { what, rows, columns, found_rows, found_columns });
            }
            if !matrix.is_finite() {
                return Err(CareError::NotFinite { what });
            }
        }
        for (what, cost, needed) in [
            ("state-cost", self.state_cost, "semidefinite"),
            ("input-cost", self.input_cost, "definite"),
        ] {
            let error = indefinite(what, needed, cost);
            let CareError::Indefinite { least, .. } = error else { continue };
            let floor = 1e-14 * cost.greatest();
            let is_met = if needed == "definite" { least > floor } else { least >= -floor };
            if !is_met || !cost.is_symmetric(1e-9) {
                return Err(error);
            }
        }
        Ok(())
    }
}
