//! Every order of everything in one signed echo broadcast that comes alone, n = 4 and f = 1,
//! restarts included.
//!
//! Whatever was said may be heard at any time and any number of times, so a state of the world is
//! the state of each honest node and the set of what was said. The Byzantine node holds its key,
//! hears every echo that is for it, and offers whatever it can sign or certify by then.
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use phalanx_protocol::{
    Attestation, Broadcast, Digest, Echoes, Ed25519Keyring, Evidence, Input, Instance, Keyring,
    Machine, NodeId, Output, Share, SignedDigest, SignedEchoBroadcast, SignedEchoConfig,
    SignedEchoMessage, Time, To, Turn, Vector, VerificationCache, wire,
};
use phalanx_robust::{Population, StateReader, StateWriter};

const RUN: [u8; 32] = [7; 32];
const LIAR: NodeId = NodeId(3);
const HONEST: usize = 3;

fn turn() -> Turn {
    Turn::new(0, 0)
}

fn vector(value: u16) -> Vector {
    Vector::new(vec![f32::from(value)])
}

/// What happens after a restart to what is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Disk {
    NoRestarts,
    Kept,
    Forgotten,
}

#[derive(Clone)]
struct State {
    nodes: Vec<SignedEchoBroadcast>,
    /// to whom, from whom, as a frame
    said: BTreeSet<(usize, NodeId, Vec<u8>)>,
    /// what the liar holds: by digest, whose signature
    held: BTreeMap<Digest, BTreeMap<NodeId, Attestation>>,
    delivered: Vec<BTreeSet<Digest>>,
    restarts: usize,
}

impl State {
    fn key(&self) -> Vec<u8> {
        let mut key = StateWriter::default();
        self.nodes.iter().for_each(|node| node.save(&mut key));
        let mut key = key.finish();
        self.said.iter().for_each(|(to, from, frame)| {
            key.extend([*to as u8, from.0 as u8]);
            key.extend(&blake3_of(frame));
        });
        for delivered in &self.delivered {
            key.push(delivered.len() as u8);
            key.extend(delivered.iter().flatten());
        }
        key.push(self.restarts as u8);
        key
    }
}

/// Short names for frames, equal exactly for equal ones in such a small world.
fn blake3_of(frame: &[u8]) -> Digest {
    let entries = frame.iter().map(|byte| f32::from(*byte)).collect();
    Vector::new(entries).digest()
}

struct World {
    keys: Vec<Ed25519Keyring>,
    /// whose broadcast it is
    sender: NodeId,
    disk: Disk,
}

#[derive(Debug, Default)]
struct Covered {
    states: usize,
    transitions: usize,
    accused: BTreeSet<NodeId>,
    /// in how many states nothing that honest nodes said is news to anybody
    quiet: usize,
}

impl World {
    fn new(sender: u16, disk: Disk) -> Self {
        let cache = Arc::new(VerificationCache::new(1 << 12));
        let keys = Ed25519Keyring::population(5, HONEST + 1).into_iter();
        let keys = keys.map(|keyring| keyring.with_cache(Arc::clone(&cache))).collect();
        Self { keys, sender: NodeId(sender), disk }
    }

    fn instance(&self) -> Instance {
        Instance { turn: turn(), sender: self.sender }
    }

    fn machine(&self, me: usize) -> SignedEchoBroadcast {
        let config = SignedEchoConfig {
            population: Population::new(HONEST + 1, 1).unwrap(),
            run: RUN,
            echoes: Echoes::Single,
            dim: 1,
            is_finite_required: true,
            turns_ahead_max: 1,
            turns_served_max: 1,
        };
        let keyring: Arc<dyn Keyring> = Arc::new(self.keys[me].clone());
        SignedEchoBroadcast::new(NodeId(me as u16), config, keyring).unwrap()
    }

    fn first(&self) -> State {
        let mut state = State {
            nodes: (0..HONEST).map(|me| self.machine(me)).collect(),
            said: BTreeSet::new(),
            held: BTreeMap::new(),
            delivered: vec![BTreeSet::new(); HONEST],
            restarts: 0,
        };
        for digest in [vector(100), vector(101)].map(|vector| vector.digest()) {
            let said = self.signed(digest);
            state.held.entry(digest).or_default().insert(LIAR, said.attestation);
        }
        if self.sender == LIAR {
            for (to, value) in (0..HONEST).flat_map(|to| [100, 101].map(|value| (to, value))) {
                let opening = Some(self.signed(vector(value).digest()).attestation);
                let vector = vector(value);
                self.say(&mut state, to, SignedEchoMessage::Send { turn: turn(), vector, opening });
            }
        } else {
            // Every answer that a liar has to an honest sender's vector.
            let truth = self.signed(vector(self.sender.0).digest());
            let mut forged = truth.clone();
            forged.attestation.signature = [1; 64];
            for said in [truth, self.signed(vector(100).digest()), forged] {
                let to = self.sender.index();
                self.say(&mut state, to, SignedEchoMessage::Echo { turn: turn(), said });
            }
        }
        state
    }

    fn signed(&self, digest: Digest) -> SignedDigest {
        SignedEchoMessage::signed(&RUN, self.instance(), digest, &self.keys[LIAR.index()])
    }

    fn say(&self, state: &mut State, to: usize, message: SignedEchoMessage) {
        state.said.insert((to, LIAR, wire::encode(&message)));
    }

    /// One node takes one input.
    fn step(
        &self,
        state: &mut State,
        node: usize,
        input: Input<SignedEchoBroadcast>,
    ) -> Result<Vec<Evidence>, String> {
        let (mut out, mut accused) = (Vec::new(), Vec::new());
        state.nodes[node].handle(Time(0), input, &mut out);
        let from = NodeId(node as u16);
        for output in out {
            match output {
                Output::Send { to: To::Others, message } => {
                    for to in (0..HONEST).filter(|to| *to != node) {
                        state.said.insert((to, from, wire::encode(&message)));
                    }
                }
                Output::Send { to: To::Node(LIAR), message } => {
                    if let SignedEchoMessage::Echo { said, .. } = message {
                        let held = state.held.entry(said.digest).or_default();
                        held.insert(from, said.attestation);
                        self.certify(state, said.digest);
                    }
                }
                Output::Send { to: To::Node(to), message } => {
                    state.said.insert((to.index(), from, wire::encode(&message)));
                }
                Output::Event(delivered) => {
                    let digest = delivered.vector.digest();
                    let is_new = state.delivered[node].insert(digest);
                    if !is_new && self.disk == Disk::NoRestarts {
                        return Err("delivered twice".to_owned());
                    }
                }
                Output::Reject { from, reason } if from != LIAR => {
                    return Err(format!("honest {from} is rejected: {reason:?}"));
                }
                Output::Accuse(evidence) => accused.push(*evidence),
                Output::Reject { .. } | Output::Discard { .. } | Output::Wait { .. } => {}
            }
        }
        let all: BTreeSet<_> = state.delivered.iter().flatten().collect();
        if all.len() > 1 {
            return Err("consistency: two vectors were delivered".to_owned());
        }
        Ok(accused)
    }

    /// Every certificate that the liar can make by now.
    fn certify(&self, state: &mut State, digest: Digest) {
        let held: Vec<_> =
            state.held[&digest].iter().map(|(node, by)| (*node, by.clone())).collect();
        for left_out in 0..=held.len() {
            let mut certificate = held.clone();
            if left_out < held.len() {
                certificate.remove(left_out);
            }
            if certificate.len() == HONEST && certificate.iter().any(|(node, _)| *node == LIAR) {
                for to in 0..HONEST {
                    let certificate = certificate.clone();
                    let message = SignedEchoMessage::Final { turn: turn(), digest, certificate };
                    self.say(state, to, message);
                }
            }
        }
    }

    fn restart(&self, state: &mut State, node: usize) {
        let mut durable = StateWriter::default();
        state.nodes[node].durable(&mut durable);
        state.nodes[node] = self.machine(node);
        if self.disk == Disk::Kept {
            let durable = durable.finish();
            state.nodes[node].restore(&mut StateReader::new(&durable)).unwrap();
        }
        state.restarts += 1;
    }

    /// All that can come next.
    fn successors(&self, state: &State, covered: &mut Covered) -> Result<Vec<State>, String> {
        let mut next = Vec::new();
        let mut is_quiet = true;
        let before = state.key();
        for (to, from, frame) in &state.said {
            let limits = phalanx_protocol::Limits { nodes: 4, dim: 1, bytes_max: 1 << 10 };
            let message = wire::decode(frame, &limits).unwrap();
            let mut after = state.clone();
            for evidence in self.step(&mut after, *to, Input::Message { from: *from, message })? {
                // Who forgets signs twice, and is accused of it; what that breaks is the question.
                let is_liar = evidence.accused == LIAR || self.disk == Disk::Forgotten;
                if !is_liar || !evidence.verify(&RUN, &self.keys[0]) {
                    return Err(format!("an honest node is accused: {evidence}"));
                }
                covered.accused.insert(evidence.accused);
            }
            is_quiet &= *from == LIAR || after.key() == before;
            next.push(after);
        }
        if self.sender != LIAR {
            // The sender shares once; once more in each life.
            let share = Share { turn: turn(), vector: vector(self.sender.0), halvings: 1 };
            let mut after = state.clone();
            let node = self.sender.index();
            let is_shared = state.said.iter().any(|(_, from, _)| *from == self.sender);
            if !is_shared {
                is_quiet = false;
                self.step(&mut after, node, Input::Command(share))?;
                next.push(after);
            }
        }
        if self.disk != Disk::NoRestarts && state.restarts < 1 {
            for node in (0..HONEST).filter(|node| *node != self.sender.index()) {
                let mut after = state.clone();
                self.restart(&mut after, node);
                next.push(after);
            }
        }
        covered.quiet += usize::from(is_quiet);
        let has_all = state.delivered.iter().all(|delivered| delivered.len() == 1);
        if is_quiet && self.sender != LIAR && !has_all {
            return Err("validity: all was heard, and somebody did not deliver".to_owned());
        }
        Ok(next)
    }

    fn enumerate(&self) -> Result<Covered, String> {
        let (mut covered, mut seen) = (Covered::default(), BTreeSet::new());
        let mut waiting = vec![self.first()];
        while let Some(state) = waiting.pop() {
            if !seen.insert(blake3_of(&state.key())) {
                continue;
            }
            covered.states += 1;
            let next = self.successors(&state, &mut covered)?;
            covered.transitions += next.len();
            waiting.extend(next);
        }
        Ok(covered)
    }
}

#[test]
fn an_equivocating_sender_splits_nobody_in_any_order() {
    for disk in [Disk::NoRestarts, Disk::Kept] {
        let covered = World::new(LIAR.0, disk).enumerate().unwrap();
        println!("Byzantine sender, {disk:?}: {covered:?}");
        assert_eq!(covered.accused, BTreeSet::from([LIAR]));
        assert!(covered.states > 500, "{covered:?}");
    }
}

#[test]
fn an_honest_sender_is_delivered_by_all_in_every_order() {
    let covered = World::new(0, Disk::NoRestarts).enumerate().unwrap();
    println!("honest sender: {covered:?}");
    assert!(covered.states > 20 && covered.quiet > 0, "{covered:?}");
    assert_eq!(covered.accused, BTreeSet::from([LIAR]), "its two echoes are a proof");
}

#[test]
fn some_order_splits_nodes_that_forget_what_they_signed() {
    let violation = World::new(LIAR.0, Disk::Forgotten).enumerate().unwrap_err();
    assert!(violation.contains("consistency"), "{violation}");
}
