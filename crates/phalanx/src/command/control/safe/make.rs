//! How a plan is made: model, rounds of learning, search; and what a folder is told of it.
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use phalanx_report::FORMAT;
use phalanx_report::control::safe as report;
use phalanx_report::control::safe::{Attempt, PlanSummary, RoundSummary, SafeSummary, Scene};
use phalanx_tasks::safe_control::gp::GaussianProcess;
use phalanx_tasks::safe_control::planner::{Nominal, PlanError, Status};

use super::file::{ModelPlan, SafeExperiment};
use super::model::{self, Learnt};
use super::work::{Made, Model, ended, told_plan};
use crate::printer::Printer;
use crate::problem::Problem;
use crate::run::Interrupt;

/// Everything that a plan came to.
pub(super) struct Outcome {
    pub(super) model: Model,
    pub(super) learnt: Option<Learnt>,
    pub(super) made: Made,
    pub(super) record: report::Plan,
    pub(super) summary: SafeSummary,
}

/// What a search begins with.
struct Base {
    model: Model,
    learnt: Option<Learnt>,
    rounds: Vec<RoundSummary>,
}

/// What making a plan needs besides the experiment.
pub(super) struct Making<'a> {
    pub(super) experiment: &'a SafeExperiment,
    pub(super) printer: &'a mut Printer,
    pub(super) interrupt: &'a Interrupt,
}

impl Making<'_> {
    /// Makes the plan, beginning with the inputs of an earlier one if there are any; `None` when
    /// somebody stopped it.
    ///
    /// # Errors
    /// When there is no model or no plan.
    pub(super) fn make(&mut self, warm: Option<&[f64]>) -> Result<Option<Outcome>, Problem> {
        let Some(Base { model, learnt, rounds }) = self.model()? else { return Ok(None) };
        let experiment = self.experiment;
        let nominal = warm.map_or(Nominal::Rest, Nominal::Inputs);
        let mut embedded = experiment.embedded(&model)?;
        let (printer, interrupt) = (&mut *self.printer, self.interrupt);
        let mut observe = |one: &report::Iteration| follow(printer, interrupt, "", one);
        let made = experiment.planned(&mut embedded, nominal, &mut observe);
        self.printer.clear_progress();
        let made = made.map_err(|error| self.no_plan(&error))?;
        if self.interrupt.is_asked() || made.plan.status == Status::Interrupted {
            return Ok(None);
        }
        if made.is_kept {
            self.printer.detail("rest was no safe trajectory to begin with: station-keeping");
        }
        let deviation = experiment.deviations(&mut embedded, &made.plan);
        let record = told_plan(experiment, &made.plan, (deviation, &experiment.course()?));
        let clearance = record.clearance.iter().copied().fold(f64::INFINITY, f64::min);
        let mut summary = self.summary((learnt.as_ref(), &model), rounds);
        // Of the obstacles themselves: a plan without barrier states knows none.
        summary.plan = Some(PlanSummary { clearance, ..plan_summary(experiment, &made) });
        Ok(Some(Outcome { model, learnt, made, record, summary }))
    }

    /// The model that a plan is made with; `None` when somebody stopped.
    fn model(&mut self) -> Result<Option<Base>, Problem> {
        let experiment = self.experiment;
        let plan = match &experiment.model {
            ModelPlan::Plant => {
                let (model, learnt, rounds) = (Model::Plant, None, Vec::new());
                return Ok(Some(Base { model, learnt, rounds }));
            }
            ModelPlan::File(path) => {
                let model = model::load(path)?;
                let learnt = Some(Learnt { model: Arc::clone(&model), fit: None });
                let (model, rounds) = (Model::Learnt(model), Vec::new());
                return Ok(Some(Base { model, learnt, rounds }));
            }
            ModelPlan::Learnt(plan) => plan,
        };
        let mut data = experiment.data(plan)?;
        let mut rounds = Vec::new();
        if let Some(learning) = experiment.learning {
            let done = self.learn((plan, learning), data)?;
            let Some((more, told)) = done else { return Ok(None) };
            (data, rounds) = (more, told);
        }
        let rows = data.samples.rows();
        self.printer.progress(&format!("fitting {} outputs to {rows} rows", experiment.plant.n()));
        let learnt = experiment.fitted(plan, &data, self.interrupt)?;
        self.printer.clear_progress();
        let Some(learnt) = learnt else { return Ok(None) };
        let model = Model::Learnt(Arc::clone(&learnt.model));
        Ok(Some(Base { model, learnt: Some(learnt), rounds }))
    }

    /// Why there is no plan, in a person's words.
    pub(super) fn no_plan(&self, error: &PlanError) -> Problem {
        let mut text = error.to_string();
        // States and inputs by their names: a person did not number them.
        if let PlanError::Start(_) = error {
            text = format!("{text} (`start` is {:?})", self.experiment.task.start);
        }
        Problem::new(format!("there is no plan: {text}"))
            .at(&self.experiment.name)
            .hint(error.hint())
    }

    fn summary(
        &self,
        (learnt, model): (Option<&Learnt>, &Model),
        rounds: Vec<RoundSummary>,
    ) -> SafeSummary {
        let experiment = self.experiment;
        let limits = experiment.input_limits.as_ref();
        SafeSummary {
            format: FORMAT,
            kind: "safe-control".into(),
            experiment: experiment.name.clone(),
            seed: experiment.seed,
            plant: experiment.plant.name.clone(),
            model: model_words(model, &experiment.model),
            truth: match experiment.plant.flow() {
                Some(_) => report::PLANT.into(),
                None => report::MODEL.into(),
            },
            names: experiment.plant.names.clone(),
            scene: Scene {
                obstacles: experiment.obstacles.clone(),
                start: experiment.task.start.clone(),
                goal: experiment.task.goal.clone(),
                input_limits: limits.map(|both| (both.low().to_vec(), both.high().to_vec())),
            },
            plan: None,
            fit: learnt.and_then(|learnt| learnt.fit.clone()),
            rounds,
            trials: Vec::new(),
        }
    }
}

fn plan_summary(experiment: &SafeExperiment, made: &Made) -> PlanSummary {
    let plan = &made.plan;
    let attempts = plan.attempts.iter().map(|attempt| {
        let solved = attempt.outcome.as_ref();
        Attempt {
            regularisation: attempt.first_lambda,
            iterations: solved.map_or(0, |solved| solved.iterations),
            cost: solved.map_or(f64::INFINITY, |solved| solved.cost),
            goal_error: attempt.goal_distance,
            end: match &attempt.outcome {
                Ok(solved) => ended(solved.status).into(),
                Err(error) => error.to_string(),
            },
            is_taken: attempt.first_lambda == plan.first_lambda
                && solved.is_ok_and(|solved| solved.cost == plan.cost),
        }
    });
    PlanSummary {
        horizon: plan.horizon(),
        dt: experiment.plant.step,
        cost: plan.cost,
        start_cost: made.start_cost,
        clearance: plan.clearance,
        goal_error: plan.goal_distance,
        goal_tolerance: experiment.settings.goal_tolerance,
        attempts: attempts.collect(),
    }
}

fn model_words(model: &Model, plan: &ModelPlan) -> String {
    match (model, plan) {
        (Model::Plant, _) => "the plant itself".into(),
        (Model::Learnt(model), ModelPlan::File(path)) => {
            format!("the model `{}`, fitted to {} rows", path.display(), rows(model))
        }
        (Model::Learnt(model), _) => format!("a Gaussian process fitted to {} rows", rows(model)),
    }
}

fn rows(model: &GaussianProcess) -> usize {
    model.samples().rows()
}

/// Shows an iteration, and says whether the search goes on.
pub(super) fn follow(
    printer: &mut Printer,
    interrupt: &Interrupt,
    label: &str,
    one: &report::Iteration,
) -> ControlFlow<()> {
    let line = format!(
        "{label}search {}, iteration {}  cost {:.6}  step {:.3}  λ {:.1e}  |Qu| {:.1e}  \
         clearance {:.4}",
        one.restart + 1,
        one.iteration + 1,
        one.cost,
        one.step,
        one.regularisation,
        one.gradient,
        one.clearance
    );
    printer.progress(&line);
    printer.detail(&line);
    if interrupt.is_asked() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
}

/// The inputs of an earlier plan, to begin with.
///
/// # Errors
/// When the folder holds no plan that fits.
pub(super) fn warm_inputs(experiment: &SafeExperiment, folder: &Path) -> Result<Vec<f64>, Problem> {
    let summary = super::folder::read_summary(folder)?;
    let (n, m) = (&experiment.plant.names.states, &experiment.plant.names.inputs);
    if (&summary.names.states, &summary.names.inputs) != (n, m) {
        let problem = Problem::new("the earlier plan is one of another plant");
        return Err(problem.at(folder.display()).hint("leave out `--warm`"));
    }
    let dt = summary.plan.as_ref().map_or(0.0, |plan| plan.dt);
    let plan = report::read_plan(folder, &summary.names, dt)
        .map_err(|error| crate::command::report::unreadable(&error))?;
    let (found, needed) = (plan.inputs.len(), experiment.task.horizon);
    if found != needed {
        let message = format!("the earlier plan has `{found}` steps, but `{needed}` are needed");
        let hint = format!("plan as many steps: `--set horizon={found}`");
        return Err(Problem::new(message).at(folder.display()).hint(hint));
    }
    Ok(plan.inputs.concat())
}
