//! Whole populations over signed echo broadcast, under random schedules, restarts and liars.
//!
//! Each honest node shares in turn after turn, and goes on once `n − f` broadcasts were
//! delivered. Byzantine nodes pool their keys: they open twice, sign for everything, certify
//! whatever they can, lie to senders and replay. The checks run at every step.
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use phalanx_protocol::{
    Attestation, Broadcast, Delivered, Digest, Echoes, Ed25519Keyring, Input, Instance, Keyring,
    Machine, Message, NodeId, Output, Share, Signature, SignedDigest, SignedEchoBroadcast,
    SignedEchoConfig, SignedEchoMessage, Time, To, Turn, Vector, VerificationCache,
};
use phalanx_robust::{Population, StateReader, StateWriter};

const RUN: [u8; 32] = [7; 32];
const TURNS: u32 = 3;

/// What of the protocol is switched off, to see that the checks notice.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Broken {
    Nothing,
    /// what was signed is not there after a restart
    Memory,
    /// every signature counts as good
    Signatures,
}

#[derive(Debug, Clone, Copy)]
struct World {
    n: usize,
    f: usize,
    echoes: Echoes,
    seed: u64,
    broken: Broken,
    /// Byzantine nodes say nothing at all
    is_silent: bool,
    has_restarts: bool,
}

/// A stream of numbers, for schedules only.
struct Dice(u64);

impl Dice {
    fn below(&mut self, count: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) % count as u64) as usize
    }
}

/// Believes every signature.
#[derive(Debug)]
struct Credulous(Ed25519Keyring);

impl Keyring for Credulous {
    fn sign(&self, message: &[u8]) -> Signature {
        self.0.sign(message)
    }
    fn verify(&self, _: NodeId, _: &[u8], _: &Signature) -> bool {
        true
    }
}

/// What the layer above knows.
#[derive(Debug, Clone, Default)]
struct Layer {
    turn: u32,
    heard: BTreeMap<Instance, Digest>,
}

struct Node {
    machine: SignedEchoBroadcast,
    layer: Layer,
    /// written before anything is sent
    durable: Vec<u8>,
    /// written now and then
    snapshot: Option<(Vec<u8>, Layer)>,
}

struct Parcel {
    from: NodeId,
    to: NodeId,
    message: SignedEchoMessage,
}

struct Network {
    world: World,
    keys: Vec<Ed25519Keyring>,
    dice: Dice,
    nodes: Vec<Node>,
    parcels: Vec<Parcel>,
    /// everything that was ever sent, for replays
    history: Vec<Parcel>,
    /// by broadcast and digest: what the adversary can certify
    collected: BTreeMap<(Instance, Digest), BTreeMap<NodeId, Attestation>>,
    /// what honest nodes signed, whatever they forgot since
    signed: BTreeMap<(NodeId, Instance), Digest>,
    delivered: BTreeMap<Instance, Digest>,
    shared: BTreeMap<Instance, Digest>,
    accused: BTreeSet<NodeId>,
}

type Checked = Result<(), String>;

fn turn(round: u32) -> Turn {
    Turn::new(round, 0)
}

fn vector(values: [usize; 2]) -> Vector {
    Vector::new(values.map(|value| value as f32).to_vec())
}

impl Network {
    fn new(world: World) -> Self {
        let cache = Arc::new(VerificationCache::new(1 << 12));
        let keys = Ed25519Keyring::population(3, world.n).into_iter();
        let keys = keys.map(|keyring| keyring.with_cache(Arc::clone(&cache))).collect();
        let mut network = Self {
            world,
            keys,
            dice: Dice(world.seed),
            nodes: Vec::new(),
            parcels: Vec::new(),
            history: Vec::new(),
            collected: BTreeMap::new(),
            signed: BTreeMap::new(),
            delivered: BTreeMap::new(),
            shared: BTreeMap::new(),
            accused: BTreeSet::new(),
        };
        for node in 0..world.n - world.f {
            let machine = network.machine(node);
            let (layer, durable) = (Layer::default(), Vec::new());
            network.nodes.push(Node { machine, layer, durable, snapshot: None });
        }
        network
    }

    fn machine(&self, node: usize) -> SignedEchoBroadcast {
        let config = SignedEchoConfig {
            population: Population::new(self.world.n, self.world.f).unwrap(),
            run: RUN,
            echoes: self.world.echoes,
            dim: 2,
            is_finite_required: true,
            turns_ahead_max: 4,
            turns_served_max: 2,
        };
        let keyring = self.keys[node].clone();
        let keyring: Arc<dyn Keyring> = match self.world.broken {
            Broken::Signatures => Arc::new(Credulous(keyring)),
            Broken::Nothing | Broken::Memory => Arc::new(keyring),
        };
        SignedEchoBroadcast::new(NodeId(node as u16), config, keyring).unwrap()
    }

    fn honest(&self) -> usize {
        self.nodes.len()
    }

    fn run(&mut self) -> Checked {
        for node in 0..self.honest() {
            self.share(node)?;
        }
        if !self.world.is_silent {
            self.open_twice();
        }
        // After so many steps the schedule only delivers, so that everything comes to an end.
        let mut liberties = 40 * self.world.n;
        while !self.parcels.is_empty() {
            let at = self.dice.below(self.parcels.len());
            let parcel = self.parcels.swap_remove(at);
            liberties = liberties.saturating_sub(1);
            match self.dice.below(40) {
                0 if liberties > 0 && self.world.has_restarts => {
                    let node = self.dice.below(self.honest());
                    self.restart(node)?;
                }
                1 => self.snapshot(),
                2..4 if liberties > 0 && !self.world.is_silent => self.replay(),
                _ => {}
            }
            let to = parcel.to.index();
            if to < self.honest() {
                let input = Input::Message { from: parcel.from, message: parcel.message };
                self.step(to, input)?;
            } else if !self.world.is_silent {
                self.adversary(&parcel);
            }
        }
        Ok(())
    }

    fn share(&mut self, node: usize) -> Checked {
        let round = self.nodes[node].layer.turn;
        let turn = turn(round);
        let instance = Instance { turn, sender: NodeId(node as u16) };
        // A node that went back in time need not compute the same again.
        let changed = if self.shared.contains_key(&instance) { self.dice.below(2) } else { 0 };
        let vector = vector([round as usize * 100 + node, changed]);
        self.shared.entry(instance).or_insert_with(|| vector.digest());
        self.step(node, Input::Command(Share { turn, vector, halvings: 1 }))
    }

    fn step(&mut self, node: usize, input: Input<SignedEchoBroadcast>) -> Checked {
        let me = NodeId(node as u16);
        let mut out = Vec::new();
        let machine = &mut self.nodes[node].machine;
        let before = machine.signed_count();
        machine.handle(Time(0), input, &mut out);
        if machine.held() > machine.held_max() {
            return Err(format!("node {me} holds too much"));
        }
        let is_new = machine.signed_count() != before;
        if is_new {
            let mut state = StateWriter::default();
            machine.durable(&mut state);
            self.nodes[node].durable = state.finish();
        }
        for output in out {
            match output {
                Output::Send { to, message } => self.send(me, to, message)?,
                Output::Event(delivered) => self.deliver(node, delivered)?,
                Output::Reject { from, reason } if from.index() < self.honest() => {
                    return Err(format!("node {me} rejects honest {from}: {reason:?}"));
                }
                Output::Accuse(evidence) => {
                    let accused = evidence.accused;
                    self.accused.insert(accused);
                    if !evidence.verify(&RUN, &self.keys[0]) {
                        return Err(format!("evidence proves nothing: {evidence}"));
                    }
                    if accused.index() < self.honest() {
                        return Err(format!("honest {accused} is accused: {evidence}"));
                    }
                }
                Output::Reject { .. } | Output::Discard { .. } | Output::Wait { .. } => {}
            }
        }
        Ok(())
    }

    fn send(&mut self, from: NodeId, to: To, message: SignedEchoMessage) -> Checked {
        let turn = message.turn();
        let signed = match (&message, to) {
            (SignedEchoMessage::Send { vector, .. }, _) => {
                Some((Instance { turn, sender: from }, vector.digest()))
            }
            (SignedEchoMessage::Echo { said, .. }, To::Node(sender)) => {
                Some((Instance { turn, sender }, said.digest))
            }
            _ => None,
        };
        if let Some((instance, digest)) = signed {
            let known = *self.signed.entry((from, instance)).or_insert(digest);
            // With memory lost on purpose, the other checks shall show what comes of it.
            if known != digest && self.world.broken == Broken::Nothing {
                return Err(format!("{from} signed twice in {instance:?}"));
            }
        }
        for node in 0..self.world.n as u16 {
            let node = NodeId(node);
            if node != from && (to == To::Others || to == To::Node(node)) {
                self.parcels.push(Parcel { from, to: node, message: message.clone() });
                self.history.push(Parcel { from, to: node, message: message.clone() });
            }
        }
        Ok(())
    }

    fn deliver(&mut self, node: usize, delivered: Delivered) -> Checked {
        let Delivered { instance, vector } = delivered;
        let digest = vector.digest();
        let known = *self.delivered.entry(instance).or_insert(digest);
        if known != digest {
            return Err(format!("consistency: two vectors of {instance:?}"));
        }
        if self.shared.get(&instance).is_some_and(|shared| *shared != digest) {
            return Err(format!("integrity: {instance:?} was not shared so"));
        }
        let layer = &mut self.nodes[node].layer;
        if layer.heard.insert(instance, digest).is_some() {
            return Err(format!("duplication: {instance:?} again at {node}"));
        }
        self.go_on(node)
    }

    /// Leaves a turn in which enough was delivered, perhaps before it began.
    fn go_on(&mut self, node: usize) -> Checked {
        let layer = &mut self.nodes[node].layer;
        let now = turn(layer.turn);
        let count = layer.heard.keys().filter(|instance| instance.turn == now).count();
        if count < self.world.n - self.world.f || layer.turn + 1 == TURNS {
            return Ok(());
        }
        layer.turn += 1;
        let next = turn(layer.turn);
        self.nodes[node].machine.advance(next);
        self.share(node)?;
        self.go_on(node)
    }

    fn snapshot(&mut self) {
        let node = self.dice.below(self.honest());
        let Node { machine, layer, snapshot, .. } = &mut self.nodes[node];
        let mut state = StateWriter::default();
        machine.save(&mut state);
        *snapshot = Some((state.finish(), layer.clone()));
    }

    /// Back to the last snapshot, or to the beginning; only what is durable is newer.
    fn restart(&mut self, node: usize) -> Checked {
        let mut machine = self.machine(node);
        let layer = match &self.nodes[node].snapshot {
            Some((state, layer)) => {
                machine.load(&mut StateReader::new(state)).unwrap();
                layer.clone()
            }
            None => Layer::default(),
        };
        let is_from_start = self.nodes[node].snapshot.is_none();
        if self.world.broken != Broken::Memory && !self.nodes[node].durable.is_empty() {
            machine.restore(&mut StateReader::new(&self.nodes[node].durable)).unwrap();
        }
        self.nodes[node].machine = machine;
        self.nodes[node].layer = layer;
        if is_from_start { self.share(node) } else { Ok(()) }
    }
}

/// What Byzantine nodes do.
impl Network {
    fn liars(&self) -> std::ops::Range<usize> {
        self.honest()..self.world.n
    }

    /// Among other leaves where echoes are batched.
    fn signed_by(&self, liar: usize, instance: Instance, digest: Digest) -> SignedDigest {
        let Instance { turn, sender } = instance;
        let seen = match self.world.echoes {
            Echoes::Single => vec![(sender, digest)],
            Echoes::Batched => vec![(NodeId(0), [4; 32]), (sender, digest), (NodeId(2), [4; 32])],
        };
        let mut batch = Attestation::batch(&RUN, turn, &seen, &self.keys[liar]);
        let attestation = batch.swap_remove(if seen.len() > 1 { 1 } else { 0 });
        SignedDigest { digest, attestation }
    }

    fn post(&mut self, from: NodeId, to: usize, message: SignedEchoMessage) {
        self.history.push(Parcel { from, to: NodeId(to as u16), message: message.clone() });
        self.parcels.push(Parcel { from, to: NodeId(to as u16), message });
    }

    fn open_twice(&mut self) {
        for liar in self.liars() {
            for round in 0..TURNS {
                let sender = NodeId(liar as u16);
                let instance = Instance { turn: turn(round), sender };
                for to in 0..self.honest() {
                    let first = self.dice.below(2);
                    let shown: &[usize] = match self.dice.below(8) {
                        0 => &[],
                        1 => &[first, 1 - first],
                        _ => &[first],
                    };
                    for which in shown {
                        let vector = vector([1000 * liar + round as usize, *which]);
                        let SignedDigest { digest, attestation } =
                            self.signed_by(liar, instance, vector.digest());
                        let is_signed = self.world.echoes == Echoes::Single;
                        let opening = is_signed.then_some(attestation);
                        for ally in self.liars() {
                            let said = self.signed_by(ally, instance, digest);
                            let known = self.collected.entry((instance, digest)).or_default();
                            known.insert(NodeId(ally as u16), said.attestation);
                        }
                        let turn = turn(round);
                        self.post(sender, to, SignedEchoMessage::Send { turn, vector, opening });
                    }
                }
            }
        }
    }

    fn adversary(&mut self, parcel: &Parcel) {
        let (from, liar) = (parcel.from, parcel.to.index());
        let turn = parcel.message.turn();
        match &parcel.message {
            SignedEchoMessage::Echo { said, .. } => {
                let instance = Instance { turn, sender: parcel.to };
                let known = self.collected.entry((instance, said.digest)).or_default();
                known.insert(from, said.attestation.clone());
                self.certify(instance, said.digest);
            }
            SignedEchoMessage::Send { vector, .. } => {
                let instance = Instance { turn, sender: from };
                let truth = self.signed_by(liar, instance, vector.digest());
                let lie = self.signed_by(liar, instance, [9; 32]);
                let mut forged = truth.clone();
                forged.attestation.signature = [5; 64];
                let said: &[SignedDigest] = match self.dice.below(5) {
                    0 => &[],
                    1 => &[lie, truth],
                    2 => &[truth, lie],
                    3 => &[forged],
                    _ => &[truth],
                };
                for said in said {
                    let message = SignedEchoMessage::Echo { turn, said: said.clone() };
                    self.post(NodeId(liar as u16), from.index(), message);
                }
            }
            SignedEchoMessage::Final { .. } => {}
        }
    }

    /// Sends the certificate of a digest as soon as the adversary has one, or something like it.
    fn certify(&mut self, instance: Instance, digest: Digest) {
        let quorum = (self.world.n + self.world.f) / 2 + 1;
        let mut known = self.collected[&(instance, digest)].clone();
        let is_forged = known.len() < quorum;
        if is_forged && self.dice.below(3) > 0 {
            return;
        }
        for node in (0..self.world.n as u16).map(NodeId) {
            if known.len() < quorum {
                known.entry(node).or_insert(Attestation {
                    signature: [3; 64],
                    index: 0,
                    path: Vec::new(),
                });
            }
        }
        while known.len() > quorum {
            known.retain(|node, _| *node == instance.sender || self.dice.below(3) > 0);
            for (node, attestation) in &self.collected[&(instance, digest)] {
                if known.len() < quorum {
                    known.insert(*node, attestation.clone());
                }
            }
        }
        let certificate: Vec<_> = known.into_iter().collect();
        for to in 0..self.honest() {
            // A forged one to few, so that a true one still has its chance.
            if !is_forged || self.dice.below(self.honest()) == 0 {
                let certificate = certificate.clone();
                let message = SignedEchoMessage::Final { turn: instance.turn, digest, certificate };
                self.post(instance.sender, to, message);
            }
        }
    }

    /// Somebody's message again, in a liar's name, perhaps in another turn.
    fn replay(&mut self) {
        let at = self.dice.below(self.history.len());
        let (mut message, to) = (self.history[at].message.clone(), self.history[at].to);
        if self.dice.below(2) == 0 {
            let other = turn(self.dice.below(TURNS as usize + 1) as u32);
            match &mut message {
                SignedEchoMessage::Send { turn, .. }
                | SignedEchoMessage::Echo { turn, .. }
                | SignedEchoMessage::Final { turn, .. } => *turn = other,
            }
        }
        let liar = self.honest() + self.dice.below(self.world.f);
        if to.index() < self.honest() {
            self.parcels.push(Parcel { from: NodeId(liar as u16), to, message });
        }
    }
}

/// The first seed, if any, whose world breaks a promise, and what it breaks.
fn first_violation(world: World, seeds: u64) -> Option<(u64, String)> {
    (0..seeds).find_map(|seed| {
        let violation = Network::new(World { seed, ..world }).run().err()?;
        Some((seed, violation))
    })
}

const MODES: [Echoes; 2] = [Echoes::Single, Echoes::Batched];

/// Schedules of four nodes for each kind of echo; both together make the number of the property.
const SEEDS: u64 = if cfg!(feature = "nightly") { 5000 } else { 1000 };

fn world(n: usize, f: usize, echoes: Echoes) -> World {
    let broken = Broken::Nothing;
    World { n, f, echoes, seed: 0, broken, is_silent: false, has_restarts: false }
}

#[test]
fn liars_and_restarts_break_nothing_and_no_honest_node_is_blamed() {
    for echoes in MODES {
        let four = World { has_restarts: true, ..world(4, 1, echoes) };
        assert_eq!(first_violation(four, SEEDS), None);
        let seven = World { has_restarts: true, ..world(7, 2, echoes) };
        assert_eq!(first_violation(seven, SEEDS / 10), None);
    }
}

#[test]
fn among_liars_all_honest_nodes_go_on_and_deliver_every_honest_vector() {
    for (echoes, (n, f, seeds)) in MODES.into_iter().flat_map(|echoes| {
        [(4, 1, SEEDS / 3), (7, 2, SEEDS / 25)].map(|population| (echoes, population))
    }) {
        let mut accused = 0;
        for seed in 0..seeds {
            let mut network = Network::new(World { seed, ..world(n, f, echoes) });
            assert_eq!(network.run(), Ok(()), "seed {seed}");
            assert_all_heard(&network);
            accused += usize::from(!network.accused.is_empty());
        }
        assert!(accused > 0, "liars are found out");
    }
}

#[test]
fn silent_nodes_stop_nobody() {
    for (echoes, seed) in MODES.into_iter().flat_map(|echoes| (0..100).map(move |at| (echoes, at)))
    {
        let mut network = Network::new(World { seed, is_silent: true, ..world(4, 1, echoes) });
        assert_eq!(network.run(), Ok(()), "seed {seed}");
        assert_all_heard(&network);
        assert!(network.accused.is_empty());
    }
}

/// Validity, as far as a layer that does not wait can see it: everybody reaches the last turn,
/// and in the last turn, where nobody leaves, every honest vector is delivered everywhere.
fn assert_all_heard(network: &Network) {
    let seed = network.world.seed;
    for (me, node) in network.nodes.iter().enumerate() {
        assert_eq!(node.layer.turn, TURNS - 1, "seed {seed}: node {me} is stuck");
        for sender in 0..network.honest() as u16 {
            let instance = Instance { turn: turn(TURNS - 1), sender: NodeId(sender) };
            assert!(node.layer.heard.contains_key(&instance), "seed {seed}: {me}, {instance:?}");
        }
    }
}

#[test]
fn a_node_that_forgets_what_it_signed_breaks_consistency() {
    for echoes in MODES {
        let world = World { broken: Broken::Memory, has_restarts: true, ..world(4, 1, echoes) };
        let broken = |promise: &str| {
            let of_seed = |seed| Network::new(World { seed, ..world }).run().err();
            (0..3000).find(|seed| of_seed(*seed).is_some_and(|what| what.contains(promise)))
        };
        let (consistency, blame) = (broken("consistency"), broken("accused"));
        println!("{echoes:?}: consistency at seed {consistency:?}, honest accused at {blame:?}");
        assert!(consistency.is_some() && blame.is_some());
    }
}

#[test]
fn unchecked_signatures_break_consistency() {
    for echoes in MODES {
        let world = World { broken: Broken::Signatures, ..world(4, 1, echoes) };
        let found = first_violation(world, 100);
        println!("unchecked, {echoes:?}: {found:?}");
        let is_told = |what: &str| what.contains("consistency") || what.contains("proves");
        assert!(found.is_some_and(|(_, what)| is_told(&what)));
    }
}
