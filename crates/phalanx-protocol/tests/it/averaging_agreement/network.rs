//! Agreement over the real exchanges, under adversarial schedules, with members that lie.
use phalanx_protocol::Part;
use phalanx_protocol::reliable_broadcast::Form;
use phalanx_protocol::{
    AgreementBounds, AgreementRule, AveragingAgreement, Collected, Direct, DirectMessage, Enough,
    Exchange, Gather, GatherConfig, GatherMessage, Input, NodeId, ReliableBroadcast,
    ReliableBroadcastConfig, Turn, Vector,
};
use phalanx_robust::{Population, Rng};

use crate::averaging_agreement::driver::{diameter, distance_to, mean, rounding};
use crate::network::{Flying, Network, Order, Subject};

const SCHEDULES: u64 = if cfg!(feature = "nightly") { 1_000 } else { 200 };
const HALVINGS: u16 = 4;

type Gathered = AveragingAgreement<Gather<ReliableBroadcast>>;

/// Windows as wide as the agreement is long: a node may be kept behind by all of it.
fn gathered(me: NodeId, bounds: &AgreementBounds) -> Gathered {
    let windows = usize::from(bounds.passes(HALVINGS)) + 1;
    let population = bounds.population();
    let config = ReliableBroadcastConfig {
        population,
        form: Form::Digest,
        dim: bounds.dim(),
        is_finite_required: true,
        turns_ahead_max: windows,
        turns_served_max: windows,
    };
    let broadcast = ReliableBroadcast::new(me, config).unwrap();
    let config = GatherConfig { population, enough: Enough::Witnesses, turns_ahead_max: windows };
    AveragingAgreement::new(me, Gather::new(me, broadcast, config).unwrap(), *bounds)
}

fn direct(me: NodeId, bounds: &AgreementBounds) -> AveragingAgreement<Direct> {
    AveragingAgreement::over_direct(me, *bounds, usize::from(bounds.passes(HALVINGS)) + 1)
}

/// What a Byzantine node does, besides answering as a member.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Conduct {
    Silent,
    Extreme,
    /// another vector to each receiver
    Equivocating,
}

/// Replaces the vector of a message that shares one.
type Forge<M> = fn(&mut M, Vector);

fn forge_gathered(message: &mut <Gathered as phalanx_protocol::Machine>::Message, vector: Vector) {
    if let GatherMessage::Broadcast(message) = message
        && let Part::Send(sent) = &mut message.part
    {
        *sent = vector;
    }
}

fn forge_direct(message: &mut DirectMessage, vector: Vector) {
    message.vector = vector;
}

/// One agreement of all honest nodes, whose outcomes must keep every promise.
fn assert_promises<E: Exchange + Clone>(
    bounds: &AgreementBounds,
    build: fn(NodeId, &AgreementBounds) -> AveragingAgreement<E>,
    forge: Forge<E::Message>,
    seed: u64,
) where
    AveragingAgreement<E>: Subject<Event = Collected, Message = E::Message>,
{
    let (n, h, dim) = (bounds.population().n(), bounds.honest(), bounds.dim());
    let mut rng = Rng::stream(seed, n as u64, "schedule of agreement");
    let conduct = [Conduct::Silent, Conduct::Extreme, Conduct::Equivocating][rng.below(3)];
    let is_silent = |node: usize| node >= h && conduct == Conduct::Silent;
    let node = |node: usize| (!is_silent(node)).then(|| build(NodeId(node as u16), bounds));
    let mut network = Network::new((0..n).map(node).collect());
    let random = |rng: &mut Rng, scale: f64| {
        Vector::new((0..dim).map(|_| (scale * (rng.unit() - 0.5)) as f32).collect())
    };
    let inputs: Vec<Vector> = (0..h).map(|_| random(&mut rng, 2.0)).collect();
    let turn = Turn::new(0, 0);
    for node in (0..n).filter(|node| !is_silent(*node)) {
        let vector = if node < h { inputs[node].clone() } else { random(&mut rng, 1e4) };
        let mut share: Flying<AveragingAgreement<E>> = Flying::share(node as u16, turn, vector);
        if let Input::Command(share) = &mut share.input {
            share.halvings = HALVINGS;
        }
        network.flying.push(share);
    }
    let mut seen = 0usize;
    let mut meddle = |network: &mut Network<AveragingAgreement<E>>, rng: &mut Rng| {
        // One has arrived since; what is new stands last.
        seen = seen.saturating_sub(1).min(network.flying.len());
        for flying in &mut network.flying[seen..] {
            if let Input::Message { from, message } = &mut flying.input
                && from.index() >= h
                && conduct == Conduct::Equivocating
                && phalanx_protocol::Message::shared(message).is_some()
            {
                let scale = [1.0, 3.0, 1e6][rng.below(3)];
                forge(message, random(rng, scale));
            }
        }
        seen = network.flying.len();
    };
    let order = Order::draw(n, &mut rng);
    network.run(&order, &mut rng, &mut meddle, &mut |_, _| None);
    let outcome = |node: usize| match &network.events[node][..] {
        [Collected { turn: found, vectors }] => {
            assert_eq!((*found, vectors.len()), (turn, 1));
            vectors[0].1.clone()
        }
        events => panic!("node {node} has {} outcomes under {order:?}", events.len()),
    };
    let outcomes: Vec<Vector> = (0..h).map(outcome).collect();
    let wronged = network.rejected.iter().any(|(by, from, _)| by.index() < h && from.index() < h);
    assert!(!wronged, "an honest node was rejected");
    let (width, allowance) = (diameter(&inputs), rounding(&inputs));
    let found = diameter(&outcomes);
    assert!(found <= width / f64::from(1u32 << HALVINGS) + allowance, "{found} of {width}");
    let moved: Vec<f32> = mean(&outcomes).iter().map(|entry| *entry as f32).collect();
    let error = distance_to(&moved, &mean(&inputs));
    let most = bounds.constant() * width + f64::from(bounds.passes(HALVINGS)) * allowance;
    assert!(error <= most, "{error} > {most}");
    if !matches!(bounds.rule(), AgreementRule::MinimumDiameter { .. }) {
        assert_in_box(&inputs, &outcomes);
    }
}

fn assert_in_box(inputs: &[Vector], outcomes: &[Vector]) {
    for k in 0..inputs[0].len() {
        let column = || inputs.iter().map(|input| input[k]);
        let least = column().fold(f32::INFINITY, f32::min);
        let greatest = column().fold(f32::NEG_INFINITY, f32::max);
        assert!(outcomes.iter().all(|y| (least..=greatest).contains(&y[k])), "the box is kept");
    }
}

// Spec 03, checks 2, 3 and 6 over reliable broadcast with witnesses.
#[test]
fn trimmed_agreement_keeps_its_promises_under_any_schedule() {
    for (n, f) in [(4, 1), (7, 2)] {
        for rule in [AgreementRule::TrimmedMean, AgreementRule::TrimmedMidpoint] {
            let population = Population::new(n, f).unwrap();
            let bounds = AgreementBounds::new(rule, population, 3).unwrap();
            for seed in 0..SCHEDULES / 4 {
                assert_promises(&bounds, gathered, forge_gathered, seed);
            }
        }
    }
}

// Spec 03, checks 2 and 6 over direct exchanges.
#[test]
fn minimum_diameter_agreement_keeps_its_promises_under_any_schedule() {
    for (n, f) in [(7, 1), (13, 2)] {
        let bounds = AgreementBounds::minimum_diameter(Population::new(n, f).unwrap(), 3).unwrap();
        for seed in 0..SCHEDULES / 4 {
            assert_promises(&bounds, direct, forge_direct, seed);
        }
    }
}
