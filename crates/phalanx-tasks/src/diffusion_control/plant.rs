//! Plants: the three of the literature by name, any other from its matrices, checked up front.
use crate::control::{
    Care, CareError, Cholesky, Matrix, ORDER_MAX, Regulator, Unstabilisable, care,
    check_stabilisable, symmetric_eigenvalues,
};

/// A linear diffusion, what its control costs, and how it is flown while nothing is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Plant {
    /// A, p × p, unknown to the controller
    pub a: Matrix,
    /// B, p × q, unknown to the controller
    pub b: Matrix,
    /// covariance of the noise per unit of time, p × p, positive definite
    pub noise: Matrix,
    /// Qx, p × p, positive definite
    pub state_cost: Matrix,
    /// Qu, q × q, positive definite
    pub input_cost: Matrix,
    /// the gain while nothing is known, q × p
    pub initial_gain: Matrix,
    /// standard deviation of each coordinate of the dither
    pub dither: f64,
}

/// Why matrices make no plant that can be learned and regulated.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PlantError {
    /// A matrix has the wrong size.
    #[error("`{what}` is {} × {}, but {} × {} is needed", found.0, found.1, needed.0, needed.1)]
    Shape {
        /// which matrix
        what: &'static str,
        /// rows and columns that are needed
        needed: (usize, usize),
        /// rows and columns that it has
        found: (usize, usize),
    },
    /// More states or inputs than the solvers are made for.
    #[error("`{what}` has `{found}` {of}, and at most {ORDER_MAX} are supported")]
    Size {
        /// which matrix
        what: &'static str,
        /// states or inputs
        of: &'static str,
        /// how many
        found: usize,
    },
    /// An entry is NaN or infinite.
    #[error("`{what}` has an entry that is not finite")]
    NotFinite {
        /// which matrix
        what: &'static str,
    },
    /// A matrix that must be symmetric and positive definite is not.
    #[error("`{what}` is not symmetric and positive definite: its least eigenvalue is `{least:e}`")]
    Indefinite {
        /// which matrix
        what: &'static str,
        /// its least eigenvalue
        least: f64,
    },
    /// A matrix that must be symmetric is not.
    #[error("`{what}` is not symmetric")]
    Asymmetric {
        /// which matrix
        what: &'static str,
    },
    /// Without dither the input is a function of the state and B cannot be told from A.
    #[error("`dither` is `{found}`, and without any the input matrix cannot be identified")]
    Dither {
        /// what was given
        found: f64,
    },
    /// No feedback stabilises it.
    #[error("`a` and `b`: {0}")]
    NotStabilisable(#[from] Unstabilisable),
    /// The optimal gain of the true plant could not be computed.
    #[error("`a` and `b`: {0}")]
    NoOptimum(CareError),
}

impl PlantError {
    /// The matrix or number that is wrong.
    pub fn what(&self) -> &'static str {
        match self {
            Self::Shape { what, .. }
            | Self::Size { what, .. }
            | Self::NotFinite { what }
            | Self::Asymmetric { what }
            | Self::Indefinite { what, .. } => what,
            Self::Dither { .. } => "dither",
            Self::NotStabilisable(_) => "b",
            Self::NoOptimum(_) => "a",
        }
    }

    /// What would help.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Shape { .. } => {
                "with p states and q inputs `a` is p × p, `b` p × q, `noise` and `state-cost` \
                 p × p, `input-cost` q × q, `initial-gain` q × p"
            }
            Self::Size { .. } => "reduce the order of the plant",
            Self::NotFinite { .. } => "every entry must be a finite number",
            Self::Asymmetric { .. } => "write the same number at (i, j) and (j, i)",
            Self::Indefinite { what: "noise", .. } => {
                "noise must reach every state, or the data do not identify the plant; add a \
                 little to the diagonal"
            }
            Self::Indefinite { .. } => "every state and input must cost something",
            Self::Dither { .. } => "give a positive `dither`",
            Self::NotStabilisable(_) => {
                "add an input that reaches this mode, or leave the mode out of the plant"
            }
            Self::NoOptimum(_) => "scale the states so that the entries of `a` are of one size",
        }
    }
}

/// What an omniscient controller would do.
#[derive(Debug, Clone, PartialEq)]
pub struct Optimum {
    /// solution of the Riccati equation, gain K* and closed-loop poles
    pub care: Care,
    /// average cost J* = tr(P S_W)
    pub average_cost: f64,
}

impl Plant {
    /// Number of states, p.
    pub fn states(&self) -> usize {
        self.a.rows()
    }

    /// Number of inputs, q.
    pub fn inputs(&self) -> usize {
        self.b.columns()
    }

    /// θ₀ = [A, B]ᵀ, (p + q) × p.
    pub fn parameters(&self) -> Matrix {
        let (p, q) = (self.states(), self.inputs());
        let mut theta = Matrix::zeros(p + q, p);
        theta.place((0, 0), &self.a.transposed());
        theta.place((p, 0), &self.b.transposed());
        theta
    }

    /// A + B K.
    pub fn closed_loop(&self, gain: &Matrix) -> Matrix {
        self.a.plus(1.0, &self.b.times(gain))
    }

    /// C of the noise C dW, lower triangular.
    pub fn noise_factor(&self) -> Matrix {
        let factor = Cholesky::new(&self.noise).expect("the noise of a checked plant is definite");
        factor.lower().clone()
    }

    /// Checks everything that learning and regulating need, and solves for the optimum.
    ///
    /// # Errors
    /// [`PlantError`] names the matrix: wrong shape, not finite, an indefinite cost, singular
    /// noise or no dither (not identifiable), or a mode that no feedback reaches.
    pub fn check(&self) -> Result<Optimum, PlantError> {
        let (p, q) = (self.a.rows(), self.b.columns());
        for (what, of, found) in [("a", "states", p), ("b", "inputs", q)] {
            if found > ORDER_MAX {
                return Err(PlantError::Size { what, of, found });
            }
        }
        let matrices = [
            ("a", &self.a, (p, p)),
            ("b", &self.b, (p, q)),
            ("noise", &self.noise, (p, p)),
            ("state-cost", &self.state_cost, (p, p)),
            ("input-cost", &self.input_cost, (q, q)),
            ("initial-gain", &self.initial_gain, (q, p)),
        ];
        for (what, matrix, needed) in matrices {
            let found = (matrix.rows(), matrix.columns());
            if found != needed {
                return Err(PlantError::Shape { what, needed, found });
            }
            if !matrix.is_finite() {
                return Err(PlantError::NotFinite { what });
            }
        }
        for (what, matrix, _) in &matrices[2..5] {
            require_definite(what, matrix)?;
        }
        if !self.dither.is_finite() || self.dither <= 0.0 {
            return Err(PlantError::Dither { found: self.dither });
        }
        check_stabilisable(&self.a, &self.b)?;
        let care = care(&self.regulator()).map_err(PlantError::NoOptimum)?;
        let average_cost = care.cost_to_go.inner(&self.noise);
        Ok(Optimum { care, average_cost })
    }

    /// The regulator of the true plant.
    pub fn regulator(&self) -> Regulator<'_> {
        Regulator {
            a: &self.a,
            b: &self.b,
            state_cost: &self.state_cost,
            input_cost: &self.input_cost,
            cross_cost: None,
        }
    }
}

/// Directions with less than this share of the greatest eigenvalue count as none.
const DEFINITE: f64 = 1e-12;

fn require_definite(what: &'static str, matrix: &Matrix) -> Result<(), PlantError> {
    if !matrix.is_symmetric(1e-9) {
        return Err(PlantError::Asymmetric { what });
    }
    let least = symmetric_eigenvalues(matrix)[0];
    if least <= DEFINITE * matrix.greatest() {
        return Err(PlantError::Indefinite { what, least });
    }
    Ok(())
}

/// A plant that can be named.
#[derive(Debug, Clone, Copy)]
pub struct PlantEntry {
    /// its name
    pub name: &'static str,
    /// what it is
    pub summary: &'static str,
    /// where its numbers come from, and which of them are recalled or chosen
    pub source: &'static str,
    /// its states and inputs
    pub coordinates: &'static str,
    a: &'static [&'static [f64]],
    b: &'static [&'static [f64]],
    dither: f64,
}

/// Every plant that a file can name.
pub const PLANTS: &[PlantEntry] = &[X_29A, BOEING_747, BLOOD_GLUCOSE];

/// The plant of this name.
pub fn named(name: &str) -> Option<&'static PlantEntry> {
    PLANTS.iter().find(|entry| entry.name == name)
}

impl PlantEntry {
    /// The plant: its matrices, unit state cost, input cost 0.1, noise 0.25, no initial gain.
    pub fn plant(&self) -> Plant {
        let matrix = |rows| Matrix::from_rows(rows).expect("the rows of a listed plant are equal");
        let (a, b) = (matrix(self.a), matrix(self.b));
        let (p, q) = (a.rows(), b.columns());
        Plant {
            a,
            b,
            noise: Matrix::scalar(p, 0.25),
            state_cost: Matrix::scalar(p, 1.0),
            input_cost: Matrix::scalar(q, 0.1),
            initial_gain: Matrix::zeros(q, p),
            dither: self.dither,
        }
    }
}

const X_29A: PlantEntry = PlantEntry {
    name: "x-29a",
    summary: "lateral motion of the X-29A aircraft at 2000 ft; one slowly unstable mode",
    source: "Bosworth, NASA TM-4356, 1992, through Shirani Faradonbeh et al., NeurIPS 2022; \
             matrices, costs, noise and dither recalled, not looked up",
    coordinates: "sideslip, roll rate, yaw rate, bank (derived); two control surfaces",
    a: &[
        &[-0.16, 0.07, -1.00, 0.04],
        &[-15.20, -2.60, 1.11, 0.00],
        &[6.84, -0.10, -0.06, 0.00],
        &[0.00, 1.00, 0.07, 0.00],
    ],
    b: &[&[-0.0006, 0.0007], &[1.3430, 0.2345], &[0.0897, -0.0710], &[0.0, 0.0]],
    dither: 5.0,
};

const BOEING_747: PlantEntry = PlantEntry {
    name: "boeing-747",
    summary: "lateral motion of a Boeing 747 at 20,000 ft and 830 ft/s; stable",
    source: "Ishihara et al., 1992, through Shirani Faradonbeh et al., NeurIPS 2022; matrices \
             recalled, not looked up; costs, noise and dither chosen",
    coordinates: "sideslip, yaw rate, roll rate, bank; two control surfaces",
    a: &[
        &[-0.199, 0.003, -0.980, 0.038],
        &[-3.868, -0.929, 0.471, -0.008],
        &[1.591, -0.015, -0.309, 0.003],
        &[-0.198, 0.958, 0.021, 0.000],
    ],
    b: &[&[-0.001, 0.058], &[0.296, 0.153], &[0.012, -0.908], &[0.015, 0.008]],
    dither: 5.0,
};

const BLOOD_GLUCOSE: PlantEntry = PlantEntry {
    name: "blood-glucose",
    summary: "blood glucose under insulin; a double integrator, so that learning it is violent",
    source: "Zhou et al., 2017, through Shirani Faradonbeh et al., NeurIPS 2022; matrices \
             recalled, not looked up; costs, noise and dither chosen",
    coordinates: "glucose now and at two earlier times; insulin",
    a: &[&[1.91, -2.82, 0.91], &[1.0, -1.0, 0.0], &[0.0, 1.0, -1.0]],
    b: &[&[-0.0992], &[0.0], &[0.0]],
    dither: 20.0,
};
