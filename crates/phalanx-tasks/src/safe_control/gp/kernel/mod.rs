//! Covariances of function values: one file each, one line each in the list below.
use phalanx_robust::Entry;

mod matern_five_halves;
mod squared_exponential;
mod squared_exponential_linear;

pub(super) use matern_five_halves::MaternFiveHalves;
pub(super) use squared_exponential::SquaredExponential;

/// Every kernel that a file can name.
pub const KERNELS: &[Entry<KernelRule>] =
    &[matern_five_halves::ENTRY, squared_exponential::ENTRY, squared_exponential_linear::ENTRY];

/// What is known of a kernel besides its name.
#[derive(Debug, Clone, Copy)]
pub struct KernelRule {
    /// the covariance in plain text
    pub formula: &'static str,
    /// which one it is
    pub kernel: Kernel,
}

/// A kernel: every input has a length scale of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernel {
    /// functions with all derivatives
    SquaredExponential,
    /// functions with two derivatives
    MaternFiveHalves,
    /// a straight line and a smooth deviation from it
    SquaredExponentialLinear,
}

impl Kernel {
    /// The kernel of that name.
    pub fn named(name: &str) -> Option<Self> {
        phalanx_robust::registry::find(KERNELS, name).map(|entry| entry.build.kernel)
    }

    /// As files name it.
    pub fn name(self) -> &'static str {
        let entry = KERNELS.iter().find(|entry| entry.build.kernel == self);
        entry.expect("every kernel is listed").name
    }

    /// Whether a straight line is part of it.
    pub fn is_linear_too(self) -> bool {
        self == Self::SquaredExponentialLinear
    }

    /// Number of parameters of an output, that of the noise included.
    pub fn parameters(self, inputs: usize) -> usize {
        inputs + 2 + if self.is_linear_too() { inputs } else { 0 }
    }
}

/// A stationary kernel of unit variance as a function of `s = Σ_d (a_d − b_d)² / l_d²`.
pub(super) trait Profile {
    /// k and dk/ds.
    fn value_and_slope(s: f64) -> (f64, f64);

    /// dk/ds and d²k/ds².
    fn slope_and_curvature(s: f64) -> (f64, f64);
}
