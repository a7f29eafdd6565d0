//! Any bytes as frames, and as scripts: inputs to a machine, in any order, from anybody.
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use phalanx_protocol::{
    Broadcast, Delivered, Digest, Exchange, Framed, Input, Instance, Keyring, Limits, Machine,
    Malformed, Message, NodeId, Outbox, Output, Reader, Share, Signature, SignedEchoMessage, Time,
    To, Turn, Vector, wire,
};
use phalanx_robust::{Population, StateReader, StateWriter};

/// The node that the machine under test is.
pub const ME: NodeId = NodeId(0);

/// Length of a vector.
pub const DIM: usize = 2;

/// Four nodes, one of them faulty; a script needs no regard for that.
pub fn population() -> Population {
    Population::new(4, 1).expect("a population")
}

/// Decodes bytes as a frame: they end as an error, or as a message whose frame they are.
pub fn frame<M: Framed + Debug>(bytes: &[u8]) {
    let limits = Limits { nodes: 5, dim: DIM, bytes_max: 4096 };
    if let Ok(message) = wire::decode::<M>(bytes, &limits) {
        assert_eq!(wire::encode(&message), bytes);
        assert_eq!(wire::frame_bytes(&message), bytes.len() as u64);
    }
}

/// A keyring whose signatures everybody can make: the first byte says whose it is. A script thus
/// reaches what liars reach who hold all keys.
#[derive(Debug)]
pub struct OpenKeyring;

impl Keyring for OpenKeyring {
    fn sign(&self, _: &[u8]) -> Signature {
        signature(ME.0 as u8)
    }
    fn verify(&self, node: NodeId, _: &[u8], given: &Signature) -> bool {
        *given == signature(node.0 as u8)
    }
}

fn signature(first: u8) -> Signature {
    let mut signature = [0; 64];
    signature[0] = first;
    signature
}

/// Few vectors, so that equal ones meet; some are refused.
fn vector(byte: u8) -> Vector {
    Vector::new(match byte % 8 {
        6 => vec![0.0; DIM + 1],
        7 => vec![f32::NAN; DIM],
        value => vec![f32::from(value % 3); DIM],
    })
}

/// Few turns, and one far away.
fn turn(byte: u8) -> Turn {
    match byte {
        255 => Turn::from_bits(u64::MAX),
        _ => Turn::new(u32::from(byte / 4 % 16), u16::from(byte / 2 % 2))
            .with_pass(u16::from(byte % 2)),
    }
}

/// Reads messages of few values from a script.
struct Script<'a>(&'a [u8]);

impl Script<'_> {
    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }
}

impl Reader for Script<'_> {
    type Error = ();

    fn u8(&mut self) -> Result<u8, ()> {
        self.next().map(|byte| byte % 8).ok_or(())
    }
    fn u16(&mut self) -> Result<u16, ()> {
        self.next().map(|byte| u16::from(byte % 8)).ok_or(())
    }
    fn u64(&mut self) -> Result<u64, ()> {
        self.next().map(|byte| turn(byte).bits()).ok_or(())
    }
    fn array<const N: usize>(&mut self) -> Result<[u8; N], ()> {
        let byte = self.next().ok_or(())?;
        let mut array = [0; N];
        match array.len() {
            32 => array.copy_from_slice(&vector(byte).digest()),
            64 => array.copy_from_slice(&signature(byte % 8)),
            _ => array.fill(byte),
        }
        Ok(array)
    }
    fn vector(&mut self) -> Result<Vector, ()> {
        self.next().map(vector).ok_or(())
    }
    fn nodes_max(&self) -> usize {
        5
    }
    fn malformed(&self, _: Malformed) {}
}

/// What an exchange and a broadcast have in common here.
pub trait Subject: Machine<Message: Message, Command = Share> {
    /// Appends its state.
    fn put(&self, out: &mut StateWriter);
    /// Takes its own state back.
    fn take(&mut self, input: &mut StateReader<'_>);
    /// What it holds, and the most that it may.
    fn holds(&self) -> [usize; 2];
    /// The layer above has left all turns before.
    fn leave(&mut self, turn: Turn);
    /// Which event must not come twice in one life.
    fn event(event: &Self::Event) -> Instance;
    /// What is on disk whenever messages are sent; nothing, if the machine never restarts.
    fn durable(&self) -> Option<Vec<u8>> {
        None
    }
    /// Takes that back.
    fn restore(&mut self, _: &[u8]) {}
}

macro_rules! subject {
    ($bound:ident, $event:expr, $leave:expr) => {
        fn put(&self, out: &mut StateWriter) {
            $bound::save(self, out);
        }
        fn take(&mut self, input: &mut StateReader<'_>) {
            $bound::load(self, input).expect("its own snapshot");
        }
        fn holds(&self) -> [usize; 2] {
            [$bound::held(self), $bound::held_max(self)]
        }
        fn leave(&mut self, turn: Turn) {
            $leave(self, turn);
        }
        fn event(event: &Self::Event) -> Instance {
            $event(event)
        }
    };
}

fn delivered(event: &Delivered) -> Instance {
    event.instance
}

impl Subject for phalanx_protocol::Direct {
    subject!(Exchange, collected, |_, _| ());
}

impl<B: Broadcast> Subject for phalanx_protocol::Gather<B> {
    subject!(Exchange, collected, |_, _| ());
}

impl Subject for phalanx_protocol::ReliableBroadcast {
    subject!(Broadcast, delivered, Broadcast::advance);
}

impl Subject for phalanx_protocol::SignedEchoBroadcast {
    subject!(Broadcast, delivered, Broadcast::advance);

    fn durable(&self) -> Option<Vec<u8>> {
        let mut state = StateWriter::default();
        self.durable(&mut state);
        Some(state.finish())
    }
    fn restore(&mut self, durable: &[u8]) {
        self.restore(&mut StateReader::new(durable)).expect("its own file");
    }
}

fn collected(event: &phalanx_protocol::Collected) -> Instance {
    Instance { turn: event.turn, sender: ME }
}

/// What a machine must never do, whatever its peers do.
#[derive(Default)]
struct Promises {
    /// what came out in this life
    events: BTreeSet<Instance>,
    /// what was signed in any life
    signed: BTreeMap<Instance, Digest>,
}

impl Promises {
    fn check<S: Subject>(
        &mut self,
        out: Outbox<S>,
        signed: impl Fn(To, &S::Message) -> Option<(Instance, Digest)>,
    ) {
        for output in out {
            match output {
                Output::Event(event) => {
                    assert!(self.events.insert(S::event(&event)), "delivered twice");
                }
                Output::Send { to, message } => {
                    let Some((instance, digest)) = signed(to, &message) else { continue };
                    let known = *self.signed.entry(instance).or_insert(digest);
                    assert_eq!(known, digest, "signed twice");
                }
                Output::Accuse(evidence) => assert!(evidence.verify(&[0; 32], &OpenKeyring)),
                Output::Wait { .. } | Output::Discard { .. } | Output::Reject { .. } => {}
            }
        }
    }
}

/// The layer above, as far as a machine may rely on it: turns only grow.
#[derive(Default)]
struct Layer {
    last: Option<Turn>,
    left: Turn,
}

impl Layer {
    fn next(&mut self, byte: u8) -> Option<Turn> {
        let later = |last: Turn| last.bits().saturating_add(1 << (16 * (byte % 3)));
        let next = self.last.map_or(turn(byte), |last| Turn::from_bits(later(last)));
        let next = next.max(self.left);
        (self.last < Some(next)).then(|| *self.last.insert(next))
    }
}

/// Runs a script. Panics where the machine does, holds more than it may, delivers twice, or does
/// not come back from its own snapshot as it was.
///
/// `signed` says what a message that this node sends signs; nothing is signed in two ways.
pub fn run<S: Subject>(
    bytes: &[u8],
    new: impl Fn() -> S,
    signed: impl Fn(To, &S::Message) -> Option<(Instance, Digest)>,
) {
    let mut script = Script(bytes);
    let (mut machine, mut layer, mut promises) = (new(), Layer::default(), Promises::default());
    let mut now = 0;
    while let Some(step) = script.next() {
        let mut out: Outbox<S> = Vec::new();
        match step % 16 {
            0..=9 => {
                let from = NodeId(u16::from(step / 16 % 6));
                let Ok(message) = S::Message::read(&mut script) else { continue };
                machine.handle(Time(now), Input::Message { from, message }, &mut out);
            }
            10 | 11 => {
                let Some(byte) = script.next() else { return };
                if let Some(turn) = layer.next(byte) {
                    let share = Share { turn, vector: vector(step / 16 % 6), halvings: 1 };
                    machine.handle(Time(now), Input::Command(share), &mut out);
                }
            }
            12 => {
                now += u64::from(step / 16);
                machine.handle(Time(now), Input::Wake, &mut out);
            }
            13 => {
                let Some(byte) = script.next() else { return };
                layer.left = layer.left.max(turn(byte));
                machine.leave(layer.left);
            }
            14 => {
                let bytes = saved(&machine);
                machine = new();
                machine.take(&mut StateReader::new(&bytes));
                assert_eq!(saved(&machine), bytes, "a snapshot is all there is");
            }
            _ => {
                if let Some(durable) = machine.durable() {
                    machine = new();
                    machine.restore(&durable);
                    assert_eq!(machine.durable(), Some(durable), "nothing is forgotten");
                    layer = Layer::default();
                    promises.events.clear();
                }
            }
        }
        let [held, most] = machine.holds();
        assert!(held <= most, "held {held}, but at most {most} are allowed");
        promises.check::<S>(out, &signed);
    }
}

fn saved<S: Subject>(machine: &S) -> Vec<u8> {
    let mut state = StateWriter::default();
    machine.put(&mut state);
    state.finish()
}

/// What a message of signed echo broadcast signs.
pub fn signed_echo(to: To, message: &SignedEchoMessage) -> Option<(Instance, Digest)> {
    match (message, to) {
        (SignedEchoMessage::Send { turn, vector, .. }, _) => {
            Some((Instance { turn: *turn, sender: ME }, vector.digest()))
        }
        (SignedEchoMessage::Echo { turn, said }, To::Node(sender)) => {
            Some((Instance { turn: *turn, sender }, said.digest))
        }
        _ => None,
    }
}
