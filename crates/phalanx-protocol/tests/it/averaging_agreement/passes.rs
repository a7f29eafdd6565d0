//! Whole agreements: enough halvings, equal inputs, the lower bound, and where nothing contracts.
use phalanx_protocol::{AgreementBounds, AgreementRule, Direct, NodeId, Vector, Width};
use phalanx_robust::registry::find;
use phalanx_robust::{Args, Population, RULES, Rng, Vectors};

use crate::averaging_agreement::driver::{
    Driven, Node, Scripted, View, diameter, distance_to, mean, rounding,
};

/// Every row of both tables that ends in seconds; all of them in the nightly build.
const MINIMUM_DIAMETER: &[(usize, usize)] = if cfg!(feature = "nightly") {
    &[(7, 1), (13, 2), (16, 2), (26, 1), (26, 4), (100, 5), (100, 16)]
} else {
    &[(7, 1), (13, 2), (16, 2), (26, 1)]
};
const TRIMMED: &[(usize, usize)] = &[(4, 1), (7, 2), (10, 3), (16, 3), (26, 5), (26, 8)];
const SEEDS: u64 = if cfg!(feature = "nightly") { 20 } else { 3 };

fn bounds(rule: AgreementRule, n: usize, f: usize, dim: usize) -> AgreementBounds {
    AgreementBounds::new(rule, Population::new(n, f).unwrap(), dim).unwrap()
}

fn largest_quorum(n: usize, f: usize) -> AgreementRule {
    AgreementRule::MinimumDiameter { quorum: n - f }
}

/// What every honest node collects in one pass, and nobody else decides.
type Views<'a> = dyn FnMut(&[Vector]) -> Vec<View> + 'a;

/// Runs all honest nodes; `after` sees the honest vectors after each pass. Returns the outcomes.
fn agree<E: Driven>(
    bounds: &AgreementBounds,
    (inputs, halvings): (&[Vector], u16),
    views: &mut Views<'_>,
    after: &mut dyn FnMut(u16, &[Vector]),
) -> Vec<Vector> {
    let start = |(id, input): (usize, &Vector)| {
        Node::<E>::start(NodeId(id as u16), bounds, input.clone(), halvings)
    };
    let mut nodes: Vec<Node<E>> = inputs.iter().enumerate().map(start).collect();
    for pass in 1..=bounds.passes(halvings) {
        let vectors: Vec<Vector> = nodes.iter().map(|node| node.vector.clone()).collect();
        let views = views(&vectors);
        nodes.iter_mut().zip(&views).for_each(|(node, view)| node.collect(view));
        let vectors: Vec<Vector> = nodes.iter().map(|node| node.vector.clone()).collect();
        after(pass, &vectors);
    }
    assert!(nodes.iter().all(|node| node.pass.is_none()), "every node has its outcome");
    nodes.into_iter().map(|node| node.vector).collect()
}

fn gaussian(rng: &mut Rng, dim: usize) -> Vector {
    let mut normal = || ((0..6).map(|_| rng.unit() - 0.5).sum::<f64>() * 1.414) as f32;
    Vector::new((0..dim).map(|_| normal()).collect())
}

/// `a + push (a − b)`
fn beyond(a: &Vector, b: &Vector, push: f32) -> Vector {
    Vector::new(a.iter().zip(b.iter()).map(|(a, b)| a + push * (a - b)).collect())
}

/// Equivocation to every receiver, its quorum drawn anew each time; half of the receivers hear
/// those nearest to them, which keeps the honest nodes apart.
fn direct_views(bounds: &AgreementBounds, rng: &mut Rng, honest: &[Vector]) -> Vec<View> {
    let (h, f, quorum) = (bounds.honest(), bounds.population().f(), bounds.quorum());
    let near = |a: &Vector, b: &Vector| super::driver::distance(a, b);
    let mut views = Vec::new();
    for receiver in 0..h {
        let mut others: Vec<usize> = (0..h).filter(|node| *node != receiver).collect();
        rng.shuffle(&mut others);
        if rng.below(2) == 0 {
            let own = &honest[receiver];
            others.sort_by(|a, b| near(&honest[*a], own).total_cmp(&near(&honest[*b], own)));
        }
        others.truncate(quorum - 1 - f);
        others.push(receiver);
        others.sort_unstable();
        let plain = others.iter().map(|node| (NodeId(*node as u16), honest[*node].clone()));
        let mut view: View = plain.collect();
        for byzantine in 0..f {
            let far = (0..h).max_by(|a, b| {
                let own = &honest[receiver];
                near(&honest[*a], own).total_cmp(&near(&honest[*b], own))
            });
            let push = [0.0, 0.5, 0.99, 1e20][rng.below(4)];
            let forged = beyond(&honest[receiver], &honest[far.unwrap()], push);
            view.push((NodeId((h + byzantine) as u16), forged));
        }
        views.push(view);
    }
    views
}

/// The same vectors to all that hear of them; any two views share `n − f`.
fn gathered_views(bounds: &AgreementBounds, rng: &mut Rng, honest: &[Vector]) -> Vec<View> {
    let (n, h, quorum) = (bounds.population().n(), bounds.honest(), bounds.quorum());
    let mut all: View = Vec::new();
    for slot in 0..n {
        let vector = match slot < h {
            true => honest[slot].clone(),
            false => {
                let (a, b) = (&honest[rng.below(h)], &honest[rng.below(h)]);
                beyond(a, b, [0.0, 1.0, 1e20][rng.below(3)])
            }
        };
        all.push((NodeId(slot as u16), vector));
    }
    let mut views: Vec<Vec<bool>> = Vec::new();
    while views.len() < h {
        let mut view: Vec<bool> = (0..n).map(|slot| slot < quorum).collect();
        rng.shuffle(&mut view);
        // The first is the core of the later ones where they would share too little.
        let share = |other: &Vec<bool>| view.iter().zip(other).filter(|(a, b)| **a && **b).count();
        if views.iter().any(|other| share(other) < quorum) {
            let core = views[0].clone();
            view.iter_mut().zip(core).for_each(|(heard, core)| *heard |= core);
        }
        let share = |other: &Vec<bool>| view.iter().zip(other).filter(|(a, b)| **a && **b).count();
        if views.iter().all(|other| share(other) >= quorum) {
            views.push(view);
        }
    }
    let chosen = |view: Vec<bool>| all.iter().zip(view).filter(|(_, heard)| *heard);
    views.into_iter().map(|view| chosen(view).map(|(one, _)| one.clone()).collect()).collect()
}

/// After T(N) passes the diameter is at most `2^−N` of what it was, for N = 1 … 20, and the mean
/// is within C of the mean.
fn assert_promises<E: Driven>(bounds: &AgreementBounds, seed: u64) {
    let mut rng = Rng::stream(seed, bounds.dim() as u64, "agreement");
    let inputs: Vec<Vector> =
        (0..bounds.honest()).map(|_| gaussian(&mut rng, bounds.dim())).collect();
    let (width, center, allowance) = (diameter(&inputs), mean(&inputs), rounding(&inputs));
    let mut after = |pass: u16, vectors: &[Vector]| {
        for halvings in (1..=20).filter(|halvings| bounds.passes(*halvings) == pass) {
            let found = diameter(vectors);
            let most = width / f64::from(1u32 << halvings) + allowance;
            assert!(found <= most, "{found} > {most} after {pass} passes, N = {halvings}");
        }
    };
    let is_direct = bounds.width() == Width::Euclidean;
    let mut views = |honest: &[Vector]| match is_direct {
        true => direct_views(bounds, &mut rng, honest),
        false => gathered_views(bounds, &mut rng, honest),
    };
    let outcomes = agree::<E>(bounds, (&inputs, 20), &mut views, &mut after);
    let moved: Vec<f32> = mean(&outcomes).iter().map(|entry| *entry as f32).collect();
    let error = distance_to(&moved, &center);
    let passes = f64::from(bounds.passes(20));
    let most = bounds.constant() * width + passes * allowance;
    assert!(error <= most, "{error} > {most}: {bounds:?}");
}

// Spec 03, check 2.
#[test]
fn minimum_diameter_agreement_halves_the_diameter_as_often_as_asked() {
    for &(n, f) in MINIMUM_DIAMETER {
        for seed in 0..SEEDS {
            assert_promises::<Direct>(&bounds(largest_quorum(n, f), n, f, 3), seed);
        }
    }
}

// Spec 03, check 2.
#[test]
fn trimmed_agreement_halves_the_diameter_as_often_as_asked() {
    for &(n, f) in TRIMMED {
        for seed in 0..SEEDS {
            for dim in [1, 3, 40] {
                let (mean, midpoint) = (AgreementRule::TrimmedMean, AgreementRule::TrimmedMidpoint);
                assert_promises::<Scripted>(&bounds(mean, n, f, dim), seed);
                assert_promises::<Scripted>(&bounds(midpoint, n, f, dim), seed);
            }
        }
    }
}

fn constant(values: &[f32]) -> Vec<Vector> {
    values.iter().map(|value| Vector::new(vec![*value; 2])).collect()
}

/// In numbers: forged zeros may bring their sign.
fn assert_equal(found: &[Vector], expected: &[Vector]) {
    assert!(found.iter().zip(expected).all(|(a, b)| **a == **b), "{found:?} {expected:?}");
}

// Spec 03, check 8.
#[test]
fn equal_inputs_come_back_exactly() {
    // Not representable sums, the ends of the range of `f32`, the least one above 0.
    let values = [0.1f32, 1.0 / 3.0, -f32::MAX, f32::MAX, 1e-45, 0.0, 16_777_215.0];
    for value in values {
        for seed in 0..SEEDS {
            let mut rng = Rng::stream(seed, 0, "equal inputs");
            let direct = bounds(largest_quorum(13, 2), 13, 2, 2);
            let inputs = constant(&[value; 11]);
            let forged = [value * 0.999, -value, 1e30, -1e30];
            let mut views = |honest: &[Vector]| {
                let mut views = direct_views(&direct, &mut rng, honest);
                for view in &mut views {
                    for (_, vector) in &mut view[9..] {
                        *vector = Vector::new(vec![forged[rng.below(4)]; 2]);
                    }
                }
                views
            };
            let outcomes = agree::<Direct>(&direct, (&inputs, 5), &mut views, &mut |_, _| ());
            assert_equal(&outcomes, &inputs);
            for rule in [AgreementRule::TrimmedMean, AgreementRule::TrimmedMidpoint] {
                let trimmed = bounds(rule, 10, 3, 2);
                let inputs = constant(&[value; 7]);
                let mut views = |honest: &[Vector]| {
                    let mut views = gathered_views(&trimmed, &mut rng, honest);
                    for (from, vector) in views.iter_mut().flatten().filter(|(id, _)| id.0 >= 7) {
                        *vector = Vector::new(vec![forged[usize::from(from.0) % 4]; 2]);
                    }
                    views
                };
                let outcomes =
                    agree::<Scripted>(&trimmed, (&inputs, 5), &mut views, &mut |_, _| ());
                assert_equal(&outcomes, &inputs);
            }
        }
    }
}

/// Who hears `q − f` zeros and `f` ones cannot tell whether the zeros are all honest (then it must
/// answer 0) or f of them are forged and f honest ones unheard. Returns the error of the means.
fn error_in_the_second_world<E: Driven>(bounds: &AgreementBounds, halvings: u16) -> f64 {
    let (f, h, quorum) = (bounds.population().f(), bounds.honest(), bounds.quorum());
    let zeros = quorum - 2 * f;
    let inputs = constant(&(0..h).map(|node| f32::from(node >= zeros)).collect::<Vec<_>>());
    let mut views = |honest: &[Vector]| {
        let view = |receiver: usize| {
            // Its own vector among the ones that are heard, where it has one.
            let ones = std::iter::once(receiver.max(zeros)).chain(zeros..h);
            let mut ones: Vec<usize> = ones.collect();
            ones.dedup_by_key(|node| *node);
            let first = ones[0];
            ones = std::iter::once(first)
                .chain((zeros..h).filter(|node| *node != first))
                .take(f)
                .collect();
            let heard = (0..zeros).chain(ones).map(|id| (NodeId(id as u16), honest[id].clone()));
            let forged = (h..h + f).map(|id| (NodeId(id as u16), Vector::new(vec![0.0; 2])));
            let mut view: View = heard.chain(forged).collect();
            view.sort_by_key(|(from, _)| *from);
            assert_eq!(view.len(), quorum);
            view
        };
        (0..h).map(view).collect()
    };
    let outcomes = agree::<E>(bounds, (&inputs, halvings), &mut views, &mut |_, _| ());
    // In one coordinate: both are equal.
    mean(&inputs)[0] - mean(&outcomes)[0]
}

// Spec 03, check 7.
#[test]
fn the_lower_bound_is_met_and_the_upper_one_kept() {
    for halvings in [1, 5, 10] {
        let rows = [(7, 1, 6), (13, 2, 11), (16, 2, 14), (26, 1, 25), (26, 4, 22), (13, 1, 10)];
        for (n, f, quorum) in rows {
            let bounds = bounds(AgreementRule::MinimumDiameter { quorum }, n, f, 2);
            assert_meets(&bounds, error_in_the_second_world::<Direct>(&bounds, halvings), halvings);
        }
        for &(n, f) in TRIMMED {
            for rule in [AgreementRule::TrimmedMean, AgreementRule::TrimmedMidpoint] {
                let bounds = bounds(rule, n, f, 2);
                let error = error_in_the_second_world::<Scripted>(&bounds, halvings);
                assert_meets(&bounds, error, halvings);
            }
        }
    }
}

fn assert_meets(bounds: &AgreementBounds, error: f64, halvings: u16) {
    let least = bounds.least_constant() - f64::from(halvings).exp2().recip();
    let most = bounds.constant_in_widths();
    assert!((least..=most + 1e-6).contains(&error), "{least} ≤ {error} ≤ {most}: {bounds:?}");
    assert!((error - bounds.least_constant()).abs() < 1e-6, "{error}: all end at 0 exactly");
}

// Spec 03, check 3: the factor f/(n − 2f) is attained.
#[test]
fn with_four_nodes_and_one_fault_the_width_is_halved_and_no_more() {
    let bounds = bounds(AgreementRule::TrimmedMean, 4, 1, 1);
    assert_eq!(bounds.contraction(), 0.5);
    let value = |id: u16, value: f32| (NodeId(id), Vector::new(vec![value]));
    // Honest: 0, 0 and 1; the Byzantine node broadcasts 1.
    let core = vec![value(0, 0.0), value(1, 0.0), value(3, 1.0)];
    let mut more = core.clone();
    more.insert(2, value(2, 1.0));
    let outcome = |id: u16, input: f32, view: &View| {
        let mut node = Node::<Scripted>::start(NodeId(id), &bounds, Vector::new(vec![input]), 1);
        node.collect(view);
        node.vector[0]
    };
    assert_eq!((outcome(0, 0.0, &core), outcome(2, 1.0, &more)), (0.0, 0.5));
}

// Spec 03, check 10: its second half. With n = 6, f = 1, q = 5 the factor is 1.
#[test]
fn with_six_nodes_and_one_fault_minimum_diameter_averaging_need_not_contract() {
    let entry = find(RULES, "minimum-diameter-averaging").unwrap();
    let population = Population::new(5, 1).unwrap();
    let mut rule = (entry.build.build)(&Args::default(), population).unwrap();
    let mut average = |values: [f64; 5]| {
        let rows = values.map(|value| [value as f32]);
        let rows = rows.each_ref().map(|row| &row[..]);
        let mut out = [0.0];
        rule.aggregate(Vectors::new(&rows).unwrap(), &mut out).unwrap();
        f64::from(out[0])
    };
    // Two honest nodes at each end, one a little inside; nobody is farther apart than `width`.
    let (mut low, mut inner, mut high) = (0.0, 1e-3, 1.0);
    for pass in 0..100 {
        let (width, gap) = (high - low, inner - low);
        // Heard by the low ones: both low, the inner, one high, and a forged one far below.
        let below = inner - width + gap / 4.0;
        let next_low = average([low, low, inner, high, below]);
        let next_inner = average([low, low, inner, high, below + 4.0 * gap]);
        // Heard by the high ones: both high, the inner, one low, and a forged one far above.
        let next_high = average([low, inner, high, high, inner + width - gap / 4.0]);
        let ratio = (next_high - next_low) / width;
        assert!(ratio > 0.999, "pass {pass}: {ratio}");
        (low, inner, high) = (next_low, next_inner, next_high);
        assert!((low..=high).contains(&inner));
    }
    assert!(high - low > 0.95, "after 100 passes the width is {}", high - low);
}
