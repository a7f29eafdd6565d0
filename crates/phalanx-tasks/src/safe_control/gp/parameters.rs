//! Parameters of an output: what they are called, where they may lie, where the search starts.
use super::error::GpError;
use super::kernel::Kernel;

/// Range of a length scale, in standard units.
pub const LENGTH: (f64, f64) = (0.05, 1e3);
/// Range of the signal's deviation, in standard units.
pub const SIGNAL: (f64, f64) = (1e-2, 1e3);
/// Range of the size of a slope, in standard units.
pub const SLOPE: (f64, f64) = (1e-3, 1e3);
/// Range of the noise's deviation, in standard units.
pub const NOISE: (f64, f64) = (1e-3, 1.0);

/// Parameters of one output, in standard units.
///
/// As a flat vector they are `ln l_1 … ln l_D, ln s_f, ln s_n`, then `ln c_1 … ln c_D` where the
/// kernel has a line.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameters {
    /// l, one for each input
    pub lengths: Vec<f64>,
    /// s_f
    pub signal: f64,
    /// s_n
    pub noise: f64,
    /// c, one for each input, or none where the kernel has no line
    pub slopes: Vec<f64>,
}

impl Parameters {
    /// Where the search starts: one length for all.
    pub fn start(kernel: Kernel, inputs: usize, length: f64) -> Self {
        let slopes = if kernel.is_linear_too() { vec![0.3; inputs] } else { Vec::new() };
        Self { lengths: vec![length; inputs], signal: 1.0, noise: 0.1, slopes }
    }

    /// Logarithms, as the search sees them.
    pub fn logarithms(&self) -> Vec<f64> {
        let last = [self.signal, self.noise];
        self.lengths.iter().chain(&last).chain(&self.slopes).map(|value| value.ln()).collect()
    }

    /// Back from logarithms.
    ///
    /// # Panics
    /// When they are not as many as the kernel has parameters.
    pub fn from_logarithms(kernel: Kernel, inputs: usize, logarithms: &[f64]) -> Self {
        assert_eq!(logarithms.len(), kernel.parameters(inputs), "one number per parameter");
        let values: Vec<f64> = logarithms.iter().map(|value| value.exp()).collect();
        Self {
            lengths: values[..inputs].to_vec(),
            signal: values[inputs],
            noise: values[inputs + 1],
            slopes: values[inputs + 2..].to_vec(),
        }
    }

    /// Logarithms of the ranges, in the order of [`Parameters::logarithms`].
    pub fn ranges(kernel: Kernel, inputs: usize) -> Vec<(f64, f64)> {
        let slopes = if kernel.is_linear_too() { inputs } else { 0 };
        let ranges = std::iter::repeat_n(LENGTH, inputs)
            .chain([SIGNAL, NOISE])
            .chain(std::iter::repeat_n(SLOPE, slopes));
        ranges.map(|(low, high)| (low.ln(), high.ln())).collect()
    }

    /// Whether a model of that kernel and of so many inputs can have them. The ranges of the
    /// search do not bind here: whoever sets parameters may go beyond.
    ///
    /// # Errors
    /// [`GpError`] names the first that is wrong; `output` counts from 1.
    pub fn check(&self, kernel: Kernel, inputs: usize, output: usize) -> Result<(), GpError> {
        let slopes = if kernel.is_linear_too() { inputs } else { 0 };
        let sizes = [
            ("length scales", inputs, self.lengths.len()),
            ("slope sizes", slopes, self.slopes.len()),
        ];
        for (what, expected, found) in sizes {
            if expected != found {
                return Err(GpError::Shape { what, expected, found });
            }
        }
        let named = |word: &'static str, values: &[f64]| -> Vec<(String, f64)> {
            values.iter().enumerate().map(|(k, v)| (format!("{word} {}", k + 1), *v)).collect()
        };
        let mut all = named("length scale", &self.lengths);
        all.extend(named("slope size", &self.slopes));
        all.push(("signal deviation".into(), self.signal));
        all.push(("noise deviation".into(), self.noise));
        let (low, high) = (1e-9, 1e9);
        match all.into_iter().find(|(_, value)| !(low..=high).contains(value)) {
            None => Ok(()),
            Some((name, value)) => Err(GpError::Parameter { name, output, value, low, high }),
        }
    }
}
