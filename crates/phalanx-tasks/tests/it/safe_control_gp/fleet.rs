//! Fleets: statistics pooled among liars (section 9), scales, parameters, experts and votes.
use std::ops::ControlFlow;
use std::sync::Arc;

use phalanx_robust::{Args, Population, RULES, registry};
use phalanx_tasks::control::{Cholesky, Matrix};
use phalanx_tasks::safe_control::barrier::{Barrier, Combination, Operator, SafetyEmbedded};
use phalanx_tasks::safe_control::dynamics::Dynamics;
use phalanx_tasks::safe_control::fleet::{
    Expert, ExpertError, Experts, HyperParameters, Member, POOLINGS, PoolError, Pooled,
    PublicBounds, STATISTICS_ATTACKS, ScalesError, Split, StatisticsView, check_plan,
    common_standardisation, is_rejected, shares,
};
use phalanx_tasks::safe_control::gp::{
    FeatureModel, FeaturePrior, FeatureStatistics, GaussianProcess, GpDynamics, Kernel,
    RandomFeatures, Samples, Standardisation, Training,
};
use phalanx_tasks::safe_control::planner::{
    Arena, Feedback, Nominal, Plan, Settings, fly_trials, plan,
};
use phalanx_tasks::safe_control::plant::named;

use super::data::DUBINS;

const MEMBERS: usize = 10;
const ROWS: usize = 60;
const SCALE: f64 = 0.1;
const BOUNDS: PublicBounds = PublicBounds { ridge: 1e-6, rows_max: 120.0, square_max: 2.0 };

/// The fleet of section 9: ten members of sixty rows of the Dubins vehicle, 200 features.
struct World {
    features: Arc<RandomFeatures>,
    messages: Vec<FeatureStatistics>,
    population: Population,
    test: Samples,
}

fn attack(name: &str, given: &[(&str, phalanx_robust::Value)]) -> Forger {
    let entry = registry::find(STATISTICS_ATTACKS, name).unwrap();
    let given = given.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    (entry.build.build)(&Args::check(entry.name, entry.params, &given).unwrap())
}

type Forger = Box<dyn phalanx_tasks::safe_control::fleet::StatisticsAttack>;

fn solved(statistics: &FeatureStatistics) -> Matrix {
    let ridge = Matrix::scalar(statistics.precision.rows(), BOUNDS.ridge);
    let factor = Cholesky::new(&statistics.precision.plus(1.0, &ridge)).unwrap();
    factor.solve(&statistics.evidence)
}

fn world(seed: u64, (liars, forger): (usize, Option<&Forger>), split: Split) -> World {
    let lengths = [300.0, 300.0, 2.0, 8.0, 300.0];
    let features = Arc::new(RandomFeatures::new(100 + seed, 200, &lengths).unwrap());
    let plant = named("dubins").unwrap();
    let rows = shares(plant, (MEMBERS, ROWS), split, seed).unwrap();
    let honest = |samples| FeatureStatistics::of(&features, samples, SCALE).unwrap();
    let mut messages: Vec<FeatureStatistics> = rows.iter().map(honest).collect();
    if let Some(forger) = forger {
        let mut total = FeatureStatistics::none(200, 3);
        messages[..MEMBERS - liars].iter().for_each(|message| total.add(message));
        let truth = solved(&total);
        for liar in 0..liars {
            let own = &mut messages[MEMBERS - 1 - liar];
            *own = forger.forge(&StatisticsView { own, truth: &truth, liar });
        }
    }
    let population = Population::new(MEMBERS, liars).unwrap();
    World { features, messages, population, test: DUBINS.truth(77 + seed, 1000) }
}

impl World {
    fn pooled(&self, name: &str) -> Pooled {
        let entry = registry::find(POOLINGS, name).unwrap();
        let pooling = (entry.build.build)(&Args::default());
        pooling.pool(BOUNDS, self.population, &self.messages).unwrap()
    }

    fn rmse(&self, pooled: &Pooled) -> f64 {
        let mut phi = vec![0.0; self.features.count()];
        let mut sum = 0.0;
        for row in 0..self.test.rows() {
            self.features.write(self.test.input(row), &mut phi);
            for (e, truth) in self.test.output(row).iter().enumerate() {
                let weights = (0..phi.len()).map(|k| pooled.weights[(k, e)]);
                let mean: f64 = phi.iter().zip(weights).map(|(phi, weight)| phi * weight).sum();
                sum += (SCALE * mean - truth).powi(2);
            }
        }
        (sum / (self.test.rows() * 3) as f64).sqrt()
    }

    fn model(&self, pooled: &Pooled) -> FeatureModel {
        let prior = FeaturePrior { ridge: BOUNDS.ridge, scale: SCALE, noise: vec![1e-3; 3] };
        FeatureModel::new(Arc::clone(&self.features), &pooled.statistics, &prior).unwrap()
    }
}

fn number(value: f64) -> phalanx_robust::Value {
    phalanx_robust::Value::Number(value)
}

/// Errors of (sum, centre, screen) and how many the screen keeps, honest and liars apart.
fn errors(
    seed: u64,
    (liars, forger): (usize, Option<&Forger>),
    split: Split,
) -> ([f64; 3], (usize, usize)) {
    let world = world(seed, (liars, forger), split);
    let errors = ["sum", "centre", "screen"].map(|name| world.rmse(&world.pooled(name)));
    let kept = world.pooled("screen").is_used;
    let count = |part: &[bool]| part.iter().filter(|is_used| **is_used).count();
    (errors, (count(&kept[..MEMBERS - liars]), count(&kept[MEMBERS - liars..])))
}

#[test]
fn without_liars_screening_costs_next_to_nothing() {
    let ([sum, _, screen], kept) = errors(1, (0, None), Split::Uniform);
    println!("no liars: sum {sum:.5}, screen {screen:.5}, kept {kept:?}");
    assert!(screen <= 1.1 * sum, "{screen} {sum}");
    assert!(sum < 0.0008, "{sum}");
}

#[test]
fn three_liars_of_ten_ruin_the_sum_and_not_the_screen() {
    for forger in [attack("flip", &[]), attack("lie", &[("factor", number(20.0))])] {
        let ([sum, centre, screen], kept) = errors(2, (3, Some(&forger)), Split::Uniform);
        println!("three liars: sum {sum:.4}, centre {centre:.5}, screen {screen:.5}, {kept:?}");
        assert!(sum >= 0.05 && screen <= 0.001 && centre < 0.01, "{sum} {centre} {screen}");
        assert_eq!(kept.1, 0, "no liar is kept");
    }
}

#[test]
#[cfg(feature = "nightly")]
fn the_table_of_the_reference() {
    let lie = |factor: f64, is_common: bool| {
        let common = ("is-common", phalanx_robust::Value::Flag(is_common));
        Some(attack("lie", &[("factor", number(factor)), common]))
    };
    let attacks = [
        ("none", 0, None),
        ("flip", 3, Some(attack("flip", &[]))),
        ("lie x 20", 3, lie(20.0, true)),
        ("lie, common", 3, lie(1.0, true)),
        ("lie, separate", 3, lie(1.0, false)),
        ("mild lie", 3, Some(attack("scaled-truth", &[]))),
    ];
    for split in [Split::Uniform, Split::Sectors] {
        for (name, liars, forger) in &attacks {
            let (mut means, mut kept) = ([0.0; 3], Vec::new());
            for seed in 1..=3 {
                let (errors, counts) = errors(seed, (*liars, forger.as_ref()), split);
                means.iter_mut().zip(errors).for_each(|(mean, error)| *mean += error / 3.0);
                kept.push(counts);
            }
            println!("{split:?}, {name}: sum, centre, screen {means:.5?}, kept {kept:?}");
            let [sum, _, screen] = means;
            match (split, *name) {
                (Split::Uniform, "none") => assert!(screen <= 1.1 * sum, "{means:?}"),
                (Split::Uniform, "flip" | "lie x 20") => {
                    assert!(screen <= 0.001 && sum >= 0.05, "{means:?}");
                }
                (Split::Uniform, _) => assert!(screen <= 0.001, "{means:?}"),
                // Honest specialists are the hard case: what is certain is that the sum is worse.
                // Three neighbours of one opinion are the majority where only they have been.
                (Split::Sectors, "mild lie") => assert!(screen <= sum, "{means:?}"),
                (Split::Sectors, "none") => assert!(screen <= 1.1 * sum, "{means:?}"),
                (Split::Sectors, _) => assert!(screen < 0.5 * sum, "{means:?}"),
            }
        }
    }
}

/// First those of the specification, then what lies between them: which start finds the way
/// through the obstacles is a matter of luck.
const RESTARTS: [f64; 9] = [1.0, 10.0, 0.1, 100.0, 0.01, 0.03, 0.3, 3.0, 30.0];

/// A plan on a model of the Dubins vehicle, with restarts.
fn planned(model: Box<dyn Dynamics>) -> Option<(Plan, SafetyEmbedded)> {
    let entry = named("dubins").unwrap();
    let course = entry.course().unwrap();
    let barrier = Barrier::new(Operator::INVERSE, Combination::Sum, course).unwrap();
    let mut model = SafetyEmbedded::new(model, barrier, 0.0).unwrap();
    let settings = Settings { restarts: RESTARTS.to_vec(), ..Settings::default() };
    let problem = (entry.problem)();
    let on = &mut |_: &_| ControlFlow::Continue(());
    let plan = plan(&mut model, &problem, Nominal::Rest, &settings, on).ok()?;
    Some((plan, model))
}

/// Safe and successful flights of the true vehicle out of `count`.
fn flown(model: Box<dyn Dynamics>, (first, count): (u64, usize)) -> (usize, usize) {
    let entry = named("dubins").unwrap();
    let Some((plan, mut model)) = planned(model) else { return (0, 0) };
    let (starts, away) = (plan.attempts.len(), plan.goal_distance);
    println!("  a plan of cost {:.3} that ends {away:.3} away, of {starts} starts", plan.cost);
    let (mut truth, course, problem) =
        (entry.dynamics(), entry.course().unwrap(), (entry.problem)());
    let mut arena = Arena {
        truth: &mut *truth,
        course: &course,
        goal: &problem.goal,
        positions: entry.positions,
    };
    let trials =
        fly_trials((&plan, &mut model), &mut arena, entry.trial, (first, count), Feedback::Closed);
    (trials.safe(), trials.reached())
}

#[test]
fn a_screened_model_flies_among_liars() {
    let forger = attack("flip", &[]);
    let world = world(1, (3, Some(&forger)), Split::Uniform);
    let (safe, reached) = flown(Box::new(world.model(&world.pooled("screen"))), (0, 20));
    println!("screened model among liars: {safe} of 20 safe, {reached} reached");
    assert!(safe >= 19 && reached >= 19, "{safe} {reached}");
}

#[test]
#[cfg(feature = "nightly")]
fn flights_of_screened_and_of_summed_models() {
    let attacks = [
        ("none", 0, None),
        ("flip", 3, Some(attack("flip", &[]))),
        ("lie", 3, Some(attack("lie", &[("factor", number(20.0))]))),
    ];
    for (name, liars, forger) in &attacks {
        for way in ["sum", "screen"] {
            let (mut safe, mut reached) = (0, 0);
            for seed in 1..=4 {
                let world = world(seed, (*liars, forger.as_ref()), Split::Uniform);
                let model = Box::new(world.model(&world.pooled(way)));
                let (s, r) = flown(model, (20 * seed, 20));
                (safe, reached) = (safe + s, reached + r);
            }
            println!("{name}, {way}: {safe} of 80 safe, {reached} reached");
            if way == "screen" {
                assert!(safe >= 78 && reached >= 76, "{name}: {safe} {reached}");
            } else if *liars > 0 {
                assert!(reached <= 20, "{name}: {reached}");
            }
        }
    }
}

#[test]
fn what_no_rows_can_yield_is_screened_and_more_than_f_of_it_is_an_error() {
    type Spoil = fn(&mut FeatureStatistics);
    let honest = world(3, (0, None), Split::Uniform);
    let entry = registry::find(POOLINGS, "screen").unwrap();
    let pooling = (entry.build.build)(&Args::default());
    let breaks: [(&str, Spoil); 5] = [
        ("not finite", |message| message.evidence[(0, 0)] = f64::NAN),
        ("not symmetric", |message| message.precision[(0, 1)] += 1.0),
        ("negative", |message| message.precision[(7, 7)] = -1.0),
        ("more rows than anybody has", |message| message.rows = 1e9),
        ("more information than so many rows hold", |message| message.rows = 3.0),
    ];
    for (what, spoil) in breaks {
        let mut messages = honest.messages.clone();
        spoil(&mut messages[4]);
        let one = Population::new(MEMBERS, 1).unwrap();
        let pooled = pooling.pool(BOUNDS, one, &messages).unwrap();
        assert!(!pooled.is_used[4], "{what}");
        spoil(&mut messages[5]);
        let refused = pooling.pool(BOUNDS, one, &messages).unwrap_err();
        assert_eq!(refused, PoolError::Malformed { found: 2, tolerated: 1 }, "{what}");
    }
    let nine = &honest.messages[..9];
    let refused = pooling.pool(BOUNDS, honest.population, nine).unwrap_err();
    assert!(matches!(refused, PoolError::Shape { what: "messages", .. }), "{refused}");
    let mut misfit = honest.messages.clone();
    misfit[2] = FeatureStatistics::none(100, 3);
    let refused = pooling.pool(BOUNDS, honest.population, &misfit).unwrap_err();
    assert!(matches!(refused, PoolError::Shape { .. }), "{refused}");
}

#[test]
fn features_are_a_model_with_its_derivatives() {
    let world = world(4, (0, None), Split::Uniform);
    let mut model = world.model(&world.pooled("sum"));
    let at = [0.5, 0.3, 0.7, 1.2, -0.4];
    let (mut mean, mut slope) = ([0.0; 3], [0.0; 15]);
    model.mean_and_slope(&at, &mut mean, &mut slope);
    let mut hessian = [0.0; 25];
    assert!(model.curve(&at[..3], &at[3..], &[1.0, 2.0, -1.0], &mut hessian).unwrap());
    for d in 0..5 {
        let [above, below] = [1e-5, -1e-5].map(|width| {
            let (mut at, mut mean, mut slope) = (at, [0.0; 3], [0.0; 15]);
            at[d] += width;
            model.mean_and_slope(&at, &mut mean, &mut slope);
            (mean, slope)
        });
        for e in 0..3 {
            let expected = (above.0[e] - below.0[e]) / 2e-5;
            assert!((slope[e * 5 + d] - expected).abs() < 1e-6, "{e} {d}");
        }
        for f in 0..5 {
            let along =
                |(_, slope): ([f64; 3], [f64; 15])| slope[f] + 2.0 * slope[5 + f] - slope[10 + f];
            let expected = (along(above) - along(below)) / 2e-5;
            assert!((hessian[d * 5 + f] - expected).abs() < 1e-6, "{d} {f}");
        }
    }
    let (mut near, mut far) = ([0.0; 3], [0.0; 3]);
    FeatureModel::variance(&mut model, &at, &mut near);
    FeatureModel::variance(&mut model, &[0.0, 0.0, 40.0, 90.0, 0.0], &mut far);
    assert!(near[0] > 0.0 && near[0] < 1e-6 && far[0] > 4.0 * near[0], "{near:?} {far:?}");
}

#[test]
fn many_features_are_the_kernel() {
    let (mut one, mut other) = (vec![0.0; 4000], vec![0.0; 4000]);
    for off in [[0.0, 0.0], [1.0, 0.2], [3.0, -0.5_f64]] {
        let s = (off[0] / 2.0).powi(2) + (off[1] / 0.5).powi(2);
        let mut mean = 0.0;
        for seed in 1..=8 {
            let features = RandomFeatures::new(seed, 4000, &[2.0, 0.5]).unwrap();
            features.write(&[0.3, -0.1], &mut one);
            features.write(&[0.3 + off[0], -0.1 + off[1]], &mut other);
            mean += one.iter().zip(&other).map(|(a, b)| a * b).sum::<f64>() / 8.0;
        }
        // The deviation of such a mean is at most 0.0056.
        assert!((mean - (-0.5 * s).exp()).abs() < 0.017, "{mean} {s}");
    }
}

fn claims() -> Vec<Standardisation> {
    let rows = shares(named("dubins").unwrap(), (MEMBERS, ROWS), Split::Uniform, 5).unwrap();
    rows.iter().map(|samples| Standardisation::of(samples).unwrap()).collect()
}

#[test]
fn common_scales_lie_between_honest_claims() {
    let honest = claims();
    let mut lies = honest.clone();
    for (liar, claim) in lies.iter_mut().take(4).enumerate() {
        for scale in claim.inputs.iter_mut().chain(&mut claim.outputs) {
            scale.mean = if liar % 2 == 0 { 1e9 } else { -1e9 };
            scale.deviation = if liar < 2 { 1e9 } else { 1e-9 };
        }
    }
    let population = Population::new(MEMBERS, 4).unwrap();
    let found = common_standardisation(population, (5, 3), &lies).unwrap();
    for d in 0..5 {
        let all = || honest[4..].iter().map(|claim| claim.inputs[d]);
        let within = |value: f64, of: fn(phalanx_tasks::safe_control::gp::Scale) -> f64| {
            all().any(|scale| of(scale) <= value) && all().any(|scale| of(scale) >= value)
        };
        assert!(within(found.inputs[d].mean, |scale| scale.mean));
        assert!(within(found.inputs[d].deviation, |scale| scale.deviation));
    }
    for claim in lies.iter_mut().take(5) {
        claim.outputs[1].deviation = 0.0;
    }
    let refused = common_standardisation(population, (5, 3), &lies).unwrap_err();
    assert_eq!(refused, ScalesError::Malformed { found: 5, tolerated: 4 });
}

#[test]
fn a_robust_rule_finds_parameters_that_liars_do_not_carry_away() {
    let plant = named("dubins").unwrap();
    let rows = shares(plant, (MEMBERS, 30), Split::Uniform, 6).unwrap();
    let population = Population::new(MEMBERS, 3).unwrap();
    let claims: Vec<Standardisation> =
        rows.iter().map(|samples| Standardisation::of(samples).unwrap()).collect();
    let scales = common_standardisation(population, (5, 3), &claims).unwrap();
    let search =
        HyperParameters { rounds: 50, ..HyperParameters::new(Kernel::SquaredExponential, (5, 3)) };
    let agreed = |rule: &str, liars: usize| {
        let entry = registry::find(RULES, rule).unwrap();
        // The radius of clipping is that of an honest gradient.
        let given = match rule {
            "centered-clipping" => [("tau".to_owned(), number(1.0))].into(),
            _ => Default::default(),
        };
        let args = Args::check(entry.name, entry.params, &given).unwrap();
        let mut rule = (entry.build.build)(&args, population).unwrap();
        let speak = |member: usize| {
            let (search, scales, rows) = (&search, &scales, &rows);
            move |at: &[f64]| {
                let (_, gradient) = search.likelihood(&rows[member], scales, at)?;
                let factor = if member >= MEMBERS - liars { -20.0 } else { 1.0 };
                Ok(gradient.iter().map(|slope| factor * slope).collect())
            }
        };
        let mut members: Vec<_> = (0..MEMBERS).map(speak).collect();
        let mut members: Vec<Member<'_>> =
            members.iter_mut().map(|member| member as Member<'_>).collect();
        let at = search.agree(&mut members, &mut *rule).unwrap();
        let loss = |samples: &Samples| search.likelihood(samples, &scales, &at).unwrap().0;
        loss(&DUBINS.samples(500, 80))
    };
    let start = search.likelihood(&DUBINS.samples(500, 80), &scales, &search.start()).unwrap().0;
    let alone = agreed("average", 0);
    println!("likelihood of held-out rows: start {start:.2}, average without liars {alone:.2}");
    for rule in ["geometric-median", "centered-clipping", "coordinate-wise-median"] {
        let among = agreed(rule, 3);
        println!("{rule} among three liars: {among:.2}");
        assert!(among < alone + 0.35 * (start - alone), "{rule}: {among} {alone} {start}");
    }
    let ruined = agreed("average", 3);
    println!("average among three liars: {ruined:.2}");
    assert!(ruined > start, "{ruined}");
}

#[test]
fn experts_agree_and_no_minority_of_equals_carries_the_median_away() {
    let population = Population::new(5, 2).unwrap();
    let experts = Experts::new(population, 1, 0.01).unwrap();
    let belief = |mean, variance| Expert { mean: vec![mean], variance: vec![variance] };
    let mut all: Vec<Expert> = [1.0, 1.1, 0.9, 1.05, 0.95].map(|mean| belief(mean, 0.01)).into();
    let product = experts.product(&all).unwrap();
    assert!((product.mean[0] - 1.0).abs() < 1e-12 && (product.variance[0] - 0.01).abs() < 1e-15);
    assert_eq!(experts.median(&all).unwrap().mean, [1.0]);
    // A liar that is certain counts no more than the floor lets it.
    all[3] = belief(1e6, 0.0);
    all[4] = belief(1e6, 1e-300);
    let median = experts.median(&all).unwrap();
    assert!((0.9..=1.1).contains(&median.mean[0]) && median.variance[0] == 0.01);
    assert!(experts.product(&all).unwrap().mean[0] > 1e5);
    // Who knows more counts more.
    let uneven = [belief(0.0, 0.01), belief(1.0, 10.0), belief(2.0, 10.0)];
    let three = Experts::new(Population::new(3, 1).unwrap(), 1, 0.01).unwrap();
    assert_eq!(three.median(&uneven).unwrap().mean, [0.0]);
    assert!(three.product(&uneven).unwrap().mean[0] < 0.01);
    all[3] = belief(f64::NAN, 1.0);
    all[4] = belief(0.0, -1.0);
    assert_eq!(experts.median(&all).unwrap().mean, [1.0], "what is no belief is left out");
    all[0] = belief(f64::INFINITY, 1.0);
    let refused = experts.median(&all).unwrap_err();
    assert_eq!(refused, ExpertError::Malformed { found: 3, tolerated: 2 });
    assert!(matches!(Experts::new(population, 1, 0.0), Err(ExpertError::Floor(_))));
    assert!(matches!(experts.median(&all[..4]), Err(ExpertError::Beliefs { .. })));
}

#[test]
fn members_veto_a_plan_that_their_own_model_finds_unsafe() {
    let entry = named("dubins").unwrap();
    let course = entry.course().unwrap();
    let (plan, _) = planned(entry.dynamics()).unwrap();
    let rows = DUBINS.samples(1, 100);
    let model: Arc<GaussianProcess> = Arc::new(Training::default().fit(&rows).unwrap());
    let mut member = GpDynamics::new(model).unwrap();
    assert_eq!(check_plan(&mut member, &course, &plan, 2.0), Ok(()));
    // So much doubt that nobody is safe, and a plan through an obstacle.
    let veto = check_plan(&mut member, &course, &plan, 1e5).unwrap_err();
    assert!(veto.constraint.is_some() && veto.margin <= 0.0, "{veto:?}");
    let mut bad = plan.clone();
    let middle = 60 * bad.width;
    bad.states[middle..middle + 3].copy_from_slice(&[2.5, 2.0, 0.0]);
    let veto = check_plan(&mut member, &course, &bad, 0.0).unwrap_err();
    assert_eq!((veto.step, veto.constraint), (60, Some(0)));
    bad.states[middle] = f64::NAN;
    assert_eq!(check_plan(&mut member, &course, &bad, 0.0).unwrap_err().constraint, None);
    assert!(is_rejected(6, 10) && !is_rejected(5, 10) && !is_rejected(0, 10));
}
