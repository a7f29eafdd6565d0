//! Bad input is refused with a reason and a hint, never by a panic.
use phalanx_tasks::safe_control::barrier::{
    Barrier, BarrierError, Combination, Course, CourseError, HalfPlane, Interval, Operator, Risk,
    SafetyEmbedded, Sphere,
};
use phalanx_tasks::safe_control::dynamics::{Dynamics, DynamicsError, Linearised};
use phalanx_tasks::safe_control::planner::{
    InputLimits, LimitError, Nominal, Plan, PlanError, Problem, Settings, plan,
};

use super::{barrier, embedded, entry, on_with};

fn refused(change: impl FnOnce(&mut Problem, &mut Settings)) -> PlanError {
    let entry = entry("dubins");
    let (mut problem, mut settings) = ((entry.problem)(), Settings::default());
    change(&mut problem, &mut settings);
    let found = planned(&problem, Nominal::Rest, &settings).unwrap_err();
    println!("{found}\nhint: {}", found.hint());
    found
}

fn planned(
    problem: &Problem,
    nominal: Nominal<'_>,
    settings: &Settings,
) -> Result<Plan, PlanError> {
    plan(&mut embedded(entry("dubins")), problem, nominal, settings, &mut on_with)
}

#[test]
fn starts_and_goals_that_are_not_safe_are_refused() {
    let start = refused(|problem, _| problem.start = vec![1.0, 2.5, 0.0]);
    assert!(matches!(start, PlanError::Start(DynamicsError::Unsafe { constraint: 2, .. })));
    let start = refused(|problem, _| problem.start[1] = f64::NAN);
    assert!(matches!(start, PlanError::Start(DynamicsError::NotFinite { entry: 1, .. })));
    let goal = refused(|problem, _| problem.goal = vec![4.0, 4.0, 0.0]);
    assert!(matches!(goal, PlanError::Problem(_)));
    let goal = refused(|problem, _| problem.goal[0] = f64::INFINITY);
    assert!(matches!(goal, PlanError::Problem(_)));
}

#[test]
fn a_nominal_trajectory_that_is_not_safe_is_refused_at_its_step() {
    let problem = (entry("dubins").problem)();
    let straight: Vec<f64> = (0..120).flat_map(|_| [1.5, 0.6]).collect();
    let found = planned(&problem, Nominal::Inputs(&straight), &Settings::default()).unwrap_err();
    println!("{found}\nhint: {}", found.hint());
    assert!(matches!(found, PlanError::Nominal { error: DynamicsError::Unsafe { .. }, .. }));
    let short = planned(&problem, Nominal::Inputs(&straight[..10]), &Settings::default());
    assert!(matches!(short.unwrap_err(), PlanError::Problem(_)));
    let nan = vec![f64::NAN; 240];
    let found = planned(&problem, Nominal::Inputs(&nan), &Settings::default()).unwrap_err();
    assert!(matches!(
        found,
        PlanError::Nominal { step: 0, error: DynamicsError::NotFinite { .. } }
    ));
}

#[test]
fn problems_and_settings_that_do_not_fit_are_refused() {
    assert!(matches!(refused(|problem, _| problem.horizon = 0), PlanError::Problem(_)));
    assert!(matches!(refused(|problem, _| problem.start.push(0.0)), PlanError::Problem(_)));
    assert!(matches!(refused(|problem, _| problem.goal.clear()), PlanError::Problem(_)));
    assert!(matches!(refused(|problem, _| problem.input_cost[0] = 0.0), PlanError::Problem(_)));
    assert!(matches!(refused(|problem, _| problem.state_cost[0] = -1.0), PlanError::Problem(_)));
    assert!(matches!(refused(|problem, _| problem.barrier_cost = f64::NAN), PlanError::Problem(_)));
    for change in [
        |settings: &mut Settings| settings.restarts.clear(),
        |settings: &mut Settings| settings.restarts = vec![-1.0],
        |settings: &mut Settings| settings.restarts = vec![f64::NAN],
        |settings: &mut Settings| settings.tolerance = f64::NAN,
        |settings: &mut Settings| settings.iterations_max = 0,
    ] {
        assert!(matches!(refused(|_, settings| change(settings)), PlanError::Setting { .. }));
    }
    let limits = InputLimits::new(vec![0.0], vec![1.0]).unwrap();
    let found = refused(|_, settings| settings.limits = Some(limits));
    assert!(matches!(found, PlanError::Limits(LimitError::Count { .. })));
}

#[test]
fn limits_that_contradict_each_other_are_refused() {
    let found = InputLimits::new(vec![0.0, 2.0], vec![1.0, 1.0]).unwrap_err();
    assert!(matches!(found, LimitError::Contradiction { input: 1, .. }), "{found}");
    assert!(InputLimits::new(vec![f64::NAN], vec![1.0]).is_err());
    assert!(InputLimits::new(vec![0.0], vec![]).is_err());
    let found = Course::limits(&[0.0, 3.0], &[1.0, 3.0]).err().unwrap();
    assert!(matches!(found, CourseError::Limits { entry: 1, .. }), "{found}");
    assert!(matches!(Interval::new(0, 1.0, -1.0), Err(CourseError::Limits { .. })));
    let one_sided = Course::limits(&[0.0, f64::NEG_INFINITY], &[f64::INFINITY, 2.0]).unwrap();
    assert_eq!(one_sided.len(), 2);
    assert_eq!(one_sided[1].value(&[0.0, 0.5]), 1.5);
}

#[test]
fn numbers_that_make_no_constraint_are_refused() {
    assert!(matches!(Sphere::new(&[0, 1], &[0.0; 3], 1.0), Err(CourseError::Centre { .. })));
    assert!(matches!(Sphere::new(&[0], &[0.0], -1.0), Err(CourseError::Radius { .. })));
    assert!(matches!(Sphere::new(&[0], &[f64::NAN], 1.0), Err(CourseError::NotFinite { .. })));
    assert!(matches!(HalfPlane::new(&[0.0, 0.0], 1.0), Err(CourseError::Normal)));
    let ball = Box::new(Sphere::new(&[4], &[0.0], 1.0).unwrap());
    assert!(matches!(Course::new(3, vec![ball]), Err(CourseError::States { .. })));
    let empty = Course::new(3, Vec::new()).unwrap();
    let found = Barrier::new(Operator::INVERSE, Combination::Sum, empty).unwrap_err();
    assert_eq!(found, BarrierError::Empty);
    let course = || entry("dubins").course().unwrap();
    let negative = Operator::Inverse { scale: -1.0 };
    assert!(Barrier::new(negative, Combination::Sum, course()).is_err());
    assert!(Barrier::new(Operator::TOLERANT, Combination::Harmonic, course()).is_err());
    for contraction in [1.0, -1.0, f64::NAN] {
        let entry = entry("dubins");
        assert!(SafetyEmbedded::new(entry.dynamics(), barrier(entry), contraction).is_err());
    }
    assert!(Risk::chance(0.0).is_err() && Risk::chance(0.7).is_err());
    assert!(Risk::tightened(-1.0).is_err() && Risk::tightened(f64::NAN).is_err());
}

/// A model that leaves the numbers in one of its answers.
struct Broken {
    within: Box<dyn Dynamics>,
    is_slope: bool,
}

impl Dynamics for Broken {
    fn name(&self) -> &'static str {
        "broken"
    }

    fn states(&self) -> usize {
        3
    }

    fn inputs(&self) -> usize {
        2
    }

    fn step(&mut self, x: &[f64], u: &[f64], next: &mut [f64]) -> Result<(), DynamicsError> {
        self.within.step(x, u, next)?;
        if !self.is_slope && x[0] > 0.2 {
            next[1] = f64::NAN;
        }
        Ok(())
    }

    fn linearise(
        &mut self,
        x: &[f64],
        u: &[f64],
        into: Linearised<'_>,
    ) -> Result<(), DynamicsError> {
        let Linearised { next, by_state, by_input } = into;
        let within = Linearised { next, by_state: &mut *by_state, by_input };
        self.within.linearise(x, u, within)?;
        if self.is_slope {
            by_state[0] = f64::NAN;
        }
        Ok(())
    }
}

#[test]
fn models_that_leave_the_numbers_are_refused_or_kept_away_from() {
    let entry = entry("dubins");
    let problem = (entry.problem)();
    let model = |is_slope| {
        let broken = Box::new(Broken { within: entry.dynamics(), is_slope });
        SafetyEmbedded::new(broken, barrier(entry), 0.0).unwrap()
    };
    let settings = Settings::default();
    let found = plan(&mut model(true), &problem, Nominal::Rest, &settings, &mut on_with);
    let found = found.unwrap_err();
    println!("{found}\nhint: {}", found.hint());
    assert!(matches!(found, PlanError::Model { .. }), "{found}");
    // Where only some states have no successor, plans stay where there is one.
    let found = plan(&mut model(false), &problem, Nominal::Rest, &settings, &mut on_with).unwrap();
    let is_before = |state: &[f64]| state[0] <= 0.2;
    assert!(found.states.chunks_exact(4).take(120).all(is_before));
}

#[test]
fn a_curvature_that_no_regularisation_mends_is_refused() {
    /// A cost that falls without bound along the input, as no quadratic one may.
    struct Hollow;
    use phalanx_tasks::safe_control::planner::{Cost, Expansion, plan_at};
    impl Cost for Hollow {
        fn running(&mut self, _: &[f64], input: &[f64]) -> f64 {
            -1e12 * input[0] * input[0]
        }
        fn expand_running(&mut self, _: &[f64], input: &[f64], into: Expansion<'_>) {
            into.by_state.fill(0.0);
            into.state_state.fill(0.0);
            into.input_state.fill(0.0);
            into.by_input.copy_from_slice(&[-2e12 * input[0], 0.0]);
            into.input_input.copy_from_slice(&[-2e12, 0.0, 0.0, 1.0]);
        }
        fn terminal(&mut self, _: &[f64]) -> f64 {
            0.0
        }
        fn expand_terminal(&mut self, _: &[f64], gradient: &mut [f64], hessian: &mut [f64]) {
            gradient.fill(0.0);
            hessian.fill(0.0);
        }
    }
    let entry = entry("dubins");
    let problem = (entry.problem)();
    let mut model = embedded(entry);
    let with = (&mut model, &mut Hollow as &mut dyn Cost);
    let found = plan_at(with, &problem, Nominal::Rest, &Settings::default(), &mut on_with);
    let found = found.unwrap_err();
    println!("{found}\nhint: {}", found.hint());
    assert!(matches!(found, PlanError::Indefinite { .. }), "{found}");
}
