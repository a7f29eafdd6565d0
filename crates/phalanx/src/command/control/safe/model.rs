//! Models of a plant: data gathered or logged, fitted, judged, stored and read again.
use std::path::Path;
use std::sync::Arc;

use phalanx_report::control::safe::{FitSummary, OutputFit};
use phalanx_tasks::safe_control::dynamics::Dynamics;
use phalanx_tasks::safe_control::gp::{
    Calibration, GaussianProcess, GpDynamics, GpError, Samples, Training, Truth,
};
use phalanx_tasks::safe_control::learning::{Observed, gather, split};
use phalanx_tasks::safe_control::plant::{Euler, Increments};

use super::data::transitions;
use super::file::{LearntPlan, SafeExperiment};
use crate::command::control::matrices::read_text;
use crate::problem::Problem;
use crate::run::Interrupt;

/// Between the seed of what is learnt from and that of what is held out.
const HELD_OUT_SEED: u64 = 0x5EED_0001;

/// A model, and what it knows about itself where that is known.
#[derive(Debug, Clone)]
pub(super) struct Learnt {
    pub(super) model: Arc<GaussianProcess>,
    pub(super) fit: Option<FitSummary>,
}

/// Data to learn from and to judge by.
pub(super) struct Data {
    pub(super) samples: Samples,
    pub(super) held_out: Option<Samples>,
    /// what is held out
    pub(super) truth: Truth,
}

/// An error of a model in our words: the message, and its hint apart.
pub(super) fn refused(error: &GpError) -> Problem {
    let text = error.to_string();
    match text.split_once("\nhint: ") {
        Some((message, hint)) => Problem::new(message.replace('\n', " ")).hint(hint),
        None => Problem::new(text.replace('\n', " ")),
    }
}

impl SafeExperiment {
    /// Whether models of this plant predict rates; increments over one step otherwise.
    pub(super) fn is_rate(&self) -> bool {
        self.plant.matrices.is_none() && self.plant.entry.is_some_and(|entry| entry.region.is_rate)
    }

    /// The data of a file: logged, or gathered from the plant.
    ///
    /// # Errors
    /// When the log cannot be read or the plant leaves the numbers.
    pub(super) fn data(&self, learnt: &LearntPlan) -> Result<Data, Problem> {
        if let Some(path) = &learnt.data {
            let all = transitions(
                path,
                &self.plant.names,
                learnt.rows,
                self.is_rate().then_some(self.plant.step),
            )?;
            let (samples, held_out) = split(&all, learnt.held_out, self.seed)
                .map_err(|error| refused(&error).at(path.display()))?;
            return Ok(Data { samples, held_out, truth: Truth::Measured });
        }
        let samples = self.gathered(learnt, (learnt.rows, learnt.noise), self.seed)?;
        let held_out = match learnt.held_out {
            0 => None,
            rows => {
                let seed = self.seed.wrapping_add(HELD_OUT_SEED);
                Some(self.gathered(learnt, (rows, 0.0), seed)?)
            }
        };
        Ok(Data { samples, held_out, truth: Truth::Exact })
    }

    /// Rows gathered from the plant.
    ///
    /// # Errors
    /// When the plant leaves the numbers.
    pub(super) fn gathered(
        &self,
        learnt: &LearntPlan,
        (rows, noise): (usize, f64),
        seed: u64,
    ) -> Result<Samples, Problem> {
        let nobody = || Problem::new("there is no plant to gather data from");
        let observed = Observed { low: &learnt.low, high: &learnt.high, noise, rows };
        let sizes = (self.plant.n(), self.plant.m());
        let done = if self.is_rate() {
            let mut flow = self.plant.flow().ok_or_else(nobody)?;
            gather(sizes, observed, seed, &mut |state, input, out| flow.rate(state, input, out))
        } else {
            let mut plant = self.plant.dynamics().ok_or_else(nobody)?;
            gather(sizes, observed, seed, &mut |state, input, out| {
                plant.step(state, input, out)?;
                out.iter_mut().zip(state).for_each(|(next, now)| *next -= now);
                Ok(())
            })
        };
        done.map_err(|error| Problem::new(error.to_string()).hint("choose another box"))
    }

    /// Motion by a model.
    ///
    /// # Errors
    /// When the model is one of another plant.
    pub(super) fn motion(
        &self,
        model: &Arc<GaussianProcess>,
    ) -> Result<Box<dyn Dynamics>, Problem> {
        let (n, m) = (self.plant.n(), self.plant.m());
        if (model.outputs(), model.inputs()) != (n, n + m) {
            let message = format!(
                "the model has `{}` inputs and `{}` outputs, but the plant needs `{}` and `{n}`",
                model.inputs(),
                model.outputs(),
                n + m
            );
            return Err(Problem::new(message).hint("fit it to data of this plant"));
        }
        let motion = GpDynamics::new(Arc::clone(model)).map_err(|error| refused(&error))?;
        if self.is_rate() {
            let flow = Increments::new(Box::new(motion));
            return Ok(Box::new(Euler::new(Box::new(flow), self.plant.step)));
        }
        Ok(Box::new(motion))
    }

    /// Names of what a model of this plant predicts.
    fn output_names(&self) -> Vec<String> {
        let prefix = if self.is_rate() { "rate of" } else { "step of" };
        self.plant.names.states.iter().map(|name| format!("{prefix} {name}")).collect()
    }

    /// What is told of a model.
    pub(super) fn fit_summary(
        &self,
        model: &GaussianProcess,
        calibration: &[Calibration],
        held_out: usize,
    ) -> FitSummary {
        let output = |(at, name): (usize, String)| {
            let parameters = &model.parameters()[at];
            let scale = model.standardisation().outputs[at].deviation;
            let judged = calibration.get(at);
            let value = |of: fn(&Calibration) -> f64| judged.map_or(f64::NAN, of);
            OutputFit {
                name,
                nlml: model.nlml(at),
                noise: model.noise(at),
                signal: parameters.signal * scale,
                length_scales: parameters.lengths.clone(),
                rmse: value(|judged| judged.rmse),
                relative_error: value(|judged| judged.relative_rmse),
                coverage: value(|judged| judged.coverage),
                calibration: judged.map_or(Vec::new(), |judged| judged.intervals.into()),
            }
        };
        let names = &self.plant.names;
        FitSummary {
            kernel: model.kernel().name().into(),
            rows: model.samples().rows(),
            held_out,
            inputs: names.states.iter().chain(&names.inputs).cloned().collect(),
            outputs: self.output_names().into_iter().enumerate().map(output).collect(),
        }
    }

    /// Fits a model to data and judges it by what was held out; `None` when somebody stopped it.
    ///
    /// # Errors
    /// When the data cannot be learnt from.
    pub(super) fn fitted(
        &self,
        learnt: &LearntPlan,
        data: &Data,
        interrupt: &Interrupt,
    ) -> Result<Option<Learnt>, Problem> {
        let place = |error: &GpError| {
            let problem = refused(error);
            match &learnt.data {
                Some(path) => problem.at(path.display()),
                None => problem.at("model"),
            }
        };
        let training = self.training(learnt);
        let keep_going = || !interrupt.is_asked();
        let model = training.fit_while(&data.samples, &keep_going);
        let Some(model) = model.map_err(|error| place(&error))? else { return Ok(None) };
        let model = Arc::new(model);
        let (calibration, held_out) = match &data.held_out {
            Some(rows) => {
                let judged = model.calibration(rows, data.truth).map_err(|error| place(&error))?;
                (judged, rows.rows())
            }
            None => (Vec::new(), 0),
        };
        let fit = self.fit_summary(&model, &calibration, held_out);
        Ok(Some(Learnt { model, fit: Some(fit) }))
    }

    /// How models of a file are fitted.
    pub(super) fn training(&self, learnt: &LearntPlan) -> Training {
        Training { kernel: learnt.kernel, ..Training::default() }
    }
}

/// Reads a model that was stored.
///
/// # Errors
/// When the file cannot be read or is no model; the line is named.
pub(super) fn load(path: &Path) -> Result<Arc<GaussianProcess>, Problem> {
    let text = read_text("model", path).map_err(|problem| {
        problem.hint("`phalanx control fit` writes `model.txt`; the path is relative to the file")
    })?;
    GaussianProcess::from_text(&text).map(Arc::new).map_err(|error| match &error {
        GpError::Text { line, why } => Problem::new(format!("this is not a model: {why}"))
            .at(format!("{}:{line}", path.display())),
        other => refused(other).at(path.display()),
    })
}
