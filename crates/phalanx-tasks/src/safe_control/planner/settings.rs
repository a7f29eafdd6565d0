//! How a planner searches: order of derivatives, regularisation, line search, limits, when to end.

/// Which derivatives of the model count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Method {
    /// iLQR: first derivatives of the model
    #[default]
    Ilqr,
    /// DDP: second derivatives too, where the model has them
    Ddp,
}

impl Method {
    /// The method of a name in files.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "ilqr" => Some(Self::Ilqr),
            "ddp" => Some(Self::Ddp),
            _ => None,
        }
    }
}

/// How λ of Q_uu + λ I changes, and which steps are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scheme {
    /// λ by a factor that itself grows and shrinks (by 1.6); eleven steps from 1 to 0.001
    #[default]
    Accelerating,
    /// λ by ten; steps 1, 0.5, 0.25, 0.1, 0.05, 0.01
    TenFold,
}

impl Scheme {
    /// The scheme of a name in files.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "accelerating" => Some(Self::Accelerating),
            "ten-fold" => Some(Self::TenFold),
            _ => None,
        }
    }

    /// The steps that the line search tries, longest first.
    pub fn steps(self) -> &'static [f64] {
        match self {
            // 10^(−0.3 i): from 1 to 0.001 in equal ratios.
            Self::Accelerating => &[
                1.0,
                0.501_187_233_627_272_2,
                0.251_188_643_150_958,
                0.125_892_541_179_416_73,
                0.063_095_734_448_019_33,
                0.031_622_776_601_683_79,
                0.015_848_931_924_611_134,
                0.007_943_282_347_242_814,
                0.003_981_071_705_534_973,
                0.001_995_262_314_968_88,
                0.001,
            ],
            Self::TenFold => &[1.0, 0.5, 0.25, 0.1, 0.05, 0.01],
        }
    }

    fn bounds(self) -> (f64, f64) {
        match self {
            Self::Accelerating => (1e-6, 1e10),
            Self::TenFold => (1e-9, 1e9),
        }
    }
}

/// λ and how it moves.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Regularisation {
    scheme: Scheme,
    lambda: f64,
    factor: f64,
}

const GROWTH: f64 = 1.6;
const TENFOLD: f64 = 10.0;

impl Regularisation {
    /// Starts at λ₀.
    pub fn new(scheme: Scheme, first: f64) -> Self {
        Self { scheme, lambda: first, factor: 1.0 }
    }

    /// λ.
    pub fn lambda(&self) -> f64 {
        self.lambda
    }

    /// After a step was accepted.
    pub fn relax(&mut self) {
        let (least, _) = self.scheme.bounds();
        match self.scheme {
            Scheme::Accelerating => {
                self.factor = (self.factor / GROWTH).min(1.0 / GROWTH);
                self.lambda *= self.factor;
                if self.lambda < least {
                    self.lambda = 0.0;
                }
            }
            Scheme::TenFold => self.lambda = (self.lambda / TENFOLD).max(least),
        }
    }

    /// After no step was accepted, or Q_uu + λ I was not positive definite; `false` when λ is at
    /// its greatest already.
    pub fn tighten(&mut self) -> bool {
        let (least, greatest) = self.scheme.bounds();
        if self.lambda >= greatest {
            return false;
        }
        match self.scheme {
            Scheme::Accelerating => {
                self.factor = (GROWTH * self.factor).max(GROWTH);
                self.lambda = (self.lambda * self.factor).max(least);
            }
            Scheme::TenFold => self.lambda = (self.lambda * TENFOLD).max(least),
        }
        self.lambda = self.lambda.min(greatest);
        true
    }
}

/// Limits of inputs, for planner and executor alike.
#[derive(Debug, Clone, PartialEq)]
pub struct InputLimits {
    low: Vec<f64>,
    high: Vec<f64>,
}

/// Why limits are none.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum LimitError {
    /// Not one lower and one upper limit per input.
    #[error("there are `{low}` lower and `{high}` upper limits, but `{expected}` inputs")]
    Count {
        /// inputs
        expected: usize,
        /// lower limits
        low: usize,
        /// upper limits
        high: usize,
    },
    /// Nothing lies between them.
    #[error("the limits of input `{input}` are `{low}` and `{high}`: nothing lies between them")]
    Contradiction {
        /// which input
        input: usize,
        /// lower limit
        low: f64,
        /// upper limit
        high: f64,
    },
}

impl InputLimits {
    /// One pair per input; infinite ones are allowed.
    ///
    /// # Errors
    /// [`LimitError`] when they are not as many, contradict each other or are NaN.
    pub fn new(low: Vec<f64>, high: Vec<f64>) -> Result<Self, LimitError> {
        if low.len() != high.len() {
            let (expected, low, high) = (low.len().max(high.len()), low.len(), high.len());
            return Err(LimitError::Count { expected, low, high });
        }
        for (input, (low, high)) in low.iter().zip(&high).enumerate() {
            if low.is_nan() || high.is_nan() || low >= high {
                return Err(LimitError::Contradiction { input, low: *low, high: *high });
            }
        }
        Ok(Self { low, high })
    }

    /// Checks that there is one pair per input.
    ///
    /// # Errors
    /// [`LimitError::Count`].
    pub fn check(&self, inputs: usize) -> Result<(), LimitError> {
        let (low, high) = (self.low.len(), self.high.len());
        if low == inputs { Ok(()) } else { Err(LimitError::Count { expected: inputs, low, high }) }
    }

    /// Lower limits.
    pub fn low(&self) -> &[f64] {
        &self.low
    }

    /// Upper limits.
    pub fn high(&self) -> &[f64] {
        &self.high
    }

    /// Brings an input between the limits.
    pub fn clip(&self, input: &mut [f64]) {
        for (value, (low, high)) in input.iter_mut().zip(self.low.iter().zip(&self.high)) {
            *value = value.clamp(*low, *high);
        }
    }
}

/// How a planner searches.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// order of derivatives
    pub method: Method,
    /// how λ moves
    pub scheme: Scheme,
    /// λ₀ of each start, tried in this order until a plan reaches the goal
    pub restarts: Vec<f64>,
    /// an accepted decrease below this ends the search
    pub tolerance: f64,
    /// sweeps at most, refused ones included
    pub iterations_max: usize,
    /// greatest distance of the last state from the goal that ends the restarts, over
    /// `goal_entries`
    pub goal_tolerance: f64,
    /// which entries of the state count for that; all of the plant's when empty
    pub goal_entries: Vec<usize>,
    /// limits of inputs
    pub limits: Option<InputLimits>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            method: Method::Ilqr,
            scheme: Scheme::Accelerating,
            restarts: vec![0.1, 0.01, 1.0, 10.0],
            tolerance: 1e-4,
            iterations_max: 500,
            goal_tolerance: 0.2,
            goal_entries: Vec::new(),
            limits: None,
        }
    }
}

impl Settings {
    /// One start with this λ₀.
    pub fn single(first: f64) -> Self {
        Self { restarts: vec![first], ..Self::default() }
    }
}
