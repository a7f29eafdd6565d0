//! A model as text: what it learnt from, its scales and parameters, from which all else follows.
//!
//! ```text
//! phalanx-gaussian-process 1
//! kernel squared-exponential
//! sizes 150 5 3                      rows, inputs, outputs
//! input MEAN DEVIATION               for each input
//! output MEAN DEVIATION              for each output
//! parameters L_1 … L_D S_F S_N [C_1 … C_D]    for each output, in standard units
//! likelihood NLML                    for each output, in standard units
//! row Z_1 … Z_D Y_1 … Y_E            for each row
//! ```
//!
//! Numbers are written with as many digits as they need to be read back bit for bit.
use std::fmt::Write as _;
use std::str::{FromStr, SplitAsciiWhitespace};

use super::error::GpError;
use super::kernel::Kernel;
use super::model::{GaussianProcess, ROWS_MAX};
use super::parameters::Parameters;
use super::samples::{COLUMNS_MAX, Samples};
use super::standardisation::{Scale, Standardisation};

const TITLE: &str = "phalanx-gaussian-process";
const VERSION: &str = "1";

/// What a likelihood may differ by, relative to 1 and itself, between machines.
const LIKELIHOOD_TOLERANCE: f64 = 1e-6;

impl GaussianProcess {
    /// The model as text.
    pub fn to_text(&self) -> String {
        let samples = self.samples();
        let (rows, inputs, outputs) = (samples.rows(), samples.inputs(), samples.outputs());
        let mut text = format!("{TITLE} {VERSION}\nkernel {}\n", self.kernel().name());
        let _ = writeln!(text, "sizes {rows} {inputs} {outputs}");
        let scales = self.standardisation();
        for (word, scales) in [("input", &scales.inputs), ("output", &scales.outputs)] {
            for scale in scales {
                line(&mut text, word, &[scale.mean, scale.deviation]);
            }
        }
        for parameters in self.parameters() {
            let last = [parameters.signal, parameters.noise];
            line(
                &mut text,
                "parameters",
                &[&parameters.lengths, &last[..], &parameters.slopes].concat(),
            );
        }
        (0..outputs).for_each(|output| line(&mut text, "likelihood", &[self.nlml(output)]));
        for row in 0..rows {
            line(&mut text, "row", &[samples.input(row), samples.output(row)].concat());
        }
        text
    }

    /// The model that [`GaussianProcess::to_text`] wrote: the posterior is computed anew, and must
    /// have the likelihood that the text states.
    ///
    /// # Errors
    /// [`GpError::Text`] names the line; other errors are those of the data themselves.
    pub fn from_text(text: &str) -> Result<Self, GpError> {
        let mut lines = Lines { lines: text.lines(), line: 0 };
        let version: Vec<String> = lines.values(TITLE, 1)?;
        if version[0] != VERSION {
            return Err(lines.wrong(format!("version `{}` is not `{VERSION}`", version[0])));
        }
        let name: Vec<String> = lines.values("kernel", 1)?;
        let unknown = || format!("there is no kernel `{}`", name[0]);
        let kernel = Kernel::named(&name[0]).ok_or_else(|| lines.wrong(unknown()))?;
        let sizes: Vec<usize> = lines.values("sizes", 3)?;
        let limits = [("rows", ROWS_MAX), ("inputs", COLUMNS_MAX), ("outputs", COLUMNS_MAX)];
        for (size, (what, limit)) in sizes.iter().zip(limits) {
            if !(1..=limit).contains(size) {
                return Err(lines.wrong(format!("`{size}` {what} are not from 1 to {limit}")));
            }
        }
        let (rows, inputs, outputs) = (sizes[0], sizes[1], sizes[2]);
        let standardisation = Standardisation {
            inputs: lines.scales("input", inputs)?,
            outputs: lines.scales("output", outputs)?,
        };
        let mut parameters = Vec::with_capacity(outputs);
        for _ in 0..outputs {
            let values: Vec<f64> = lines.values("parameters", kernel.parameters(inputs))?;
            parameters.push(Parameters {
                lengths: values[..inputs].to_vec(),
                signal: values[inputs],
                noise: values[inputs + 1],
                slopes: values[inputs + 2..].to_vec(),
            });
        }
        let first = lines.line + 1;
        let mut likelihoods: Vec<f64> = Vec::with_capacity(outputs);
        for _ in 0..outputs {
            likelihoods.extend(lines.values::<f64>("likelihood", 1)?);
        }
        let (mut points, mut targets) = (Vec::new(), Vec::new());
        for _ in 0..rows {
            let values: Vec<f64> = lines.values("row", inputs + outputs)?;
            points.extend_from_slice(&values[..inputs]);
            targets.extend_from_slice(&values[inputs..]);
        }
        lines.end()?;
        let samples = Samples::new((inputs, outputs), points, targets)?;
        let model = Self::with_parameters(&samples, standardisation, kernel, parameters)?;
        for (output, stated) in likelihoods.into_iter().enumerate() {
            let found = model.nlml(output);
            // Written so that NaN is refused.
            let is_close = (found - stated).abs() <= LIKELIHOOD_TOLERANCE * (1.0 + found.abs());
            if !is_close {
                let why = format!("the likelihood is `{stated}`, but the data give `{found}`");
                return Err(GpError::Text { line: first + output, why });
            }
        }
        Ok(model)
    }
}

fn line(text: &mut String, word: &str, values: &[f64]) {
    text.push_str(word);
    for value in values {
        let _ = write!(text, " {value:e}");
    }
    text.push('\n');
}

struct Lines<'a> {
    lines: std::str::Lines<'a>,
    line: usize,
}

impl<'a> Lines<'a> {
    fn wrong(&self, why: String) -> GpError {
        GpError::Text { line: self.line, why }
    }

    fn next(&mut self, word: &str) -> Result<SplitAsciiWhitespace<'a>, GpError> {
        self.line += 1;
        let line = self.lines.next().ok_or_else(|| {
            self.wrong(format!("the text ends where a line `{word} …` should be"))
        })?;
        let mut words = line.split_ascii_whitespace();
        match words.next() {
            Some(found) if found == word => Ok(words),
            found => {
                let found = found.unwrap_or("");
                Err(self.wrong(format!("it begins with `{found}`, but `{word}` is needed")))
            }
        }
    }

    fn values<T: FromStr>(&mut self, word: &str, count: usize) -> Result<Vec<T>, GpError> {
        let words = self.next(word)?;
        let mut values = Vec::new();
        for found in words {
            if values.len() == count {
                return Err(self.wrong(format!("`{word}` has more than `{count}` values")));
            }
            let value = found.parse();
            values.push(value.map_err(|_| self.wrong(format!("`{found}` is no number")))?);
        }
        match values.len() == count {
            true => Ok(values),
            false => {
                let found = values.len();
                Err(self.wrong(format!("`{word}` has `{found}` values instead of `{count}`")))
            }
        }
    }

    fn scales(&mut self, word: &str, count: usize) -> Result<Vec<Scale>, GpError> {
        let scale = |values: Vec<f64>| Scale { mean: values[0], deviation: values[1] };
        (0..count).map(|_| self.values(word, 2).map(scale)).collect()
    }

    fn end(&mut self) -> Result<(), GpError> {
        self.line += 1;
        match self.lines.find(|line| !line.trim().is_empty()) {
            None => Ok(()),
            Some(_) => Err(self.wrong("there is more than the model".into())),
        }
    }
}
