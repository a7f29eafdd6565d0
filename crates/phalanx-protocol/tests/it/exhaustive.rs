//! All delivery orders of a few messages among a few nodes, whatever a Byzantine one adds.
//!
//! A node's state after an input depends on its state before and on the input alone, so the states
//! of each node are numbered as they are met, with everything that it has said so far, and a state
//! of the world is one number per node. What a node was told twice changes nothing, so messages
//! need not be crossed off: whoever has said something may be heard at any time. What Byzantine
//! nodes might say is on offer at any time, all versions of it, which covers every strategy.
use std::collections::BTreeMap;
use std::fmt;

use phalanx_protocol::{Input, Message, NodeId, Output, Time, To};
use phalanx_robust::StateWriter;

use crate::network::{Flying, Subject};

/// One node in one state, and what it has said and done on the way there.
pub struct Local<M: Subject> {
    pub machine: M,
    has_shared: bool,
    /// per receiver: what was said to it
    said: Vec<Inputs>,
    pub events: Vec<M::Event>,
    /// by input: the state that it leads to
    next: Vec<Option<usize>>,
    /// inputs that are known to change nothing
    idle: Inputs,
}

/// A set of inputs by their numbers.
type Inputs = u128;

/// Where an input comes from, which decides whether it must come in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    Own,
    Honest,
    Byzantine,
}

struct Place<M: Subject> {
    states: Vec<Local<M>>,
    numbers: BTreeMap<Vec<u8>, usize>,
}

/// What is to be enumerated.
pub struct World<M: Subject> {
    /// honest nodes are `0..places.len()`, Byzantine ones come after them
    places: Vec<Place<M>>,
    /// every input that was ever met: to whom, whence, what
    inputs: Vec<(usize, Origin, Input<M>)>,
    input_numbers: BTreeMap<Vec<u8>, usize>,
    /// inputs that are there from the beginning, per node
    offers: Vec<Inputs>,
    /// whether a message belongs to what is enumerated; the others stay on the way for ever
    is_relevant: fn(&M::Message) -> bool,
}

/// What must hold in a state of the world.
pub type Check<'a, M> = &'a dyn Fn(&[&Local<M>]) -> Result<(), String>;

/// How much was covered.
#[derive(Debug, Clone, Default)]
pub struct Covered {
    /// of the world
    pub states: usize,
    pub transitions: usize,
    /// different orders from the beginning to an end
    pub orders: f64,
    /// states in which honest nodes have nothing left to hear
    pub quiet: usize,
    /// states that each honest node was met in
    pub local: Vec<usize>,
}

/// A violation, and in the state of which number it was met.
#[derive(Debug)]
pub struct Violation {
    pub state: usize,
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "in state {}: {}", self.state, self.what)
    }
}

const NODE_BITS: usize = 16;
const INPUTS_MAX: usize = Inputs::BITS as usize;

impl<M: Subject<Event: fmt::Debug>> World<M> {
    /// Honest nodes in their first state, and what is on its way to them: their own shares, which
    /// come in the end, and what Byzantine nodes might say, which may never come.
    pub fn new(
        nodes: Vec<M>,
        offers: Vec<Flying<M>>,
        is_relevant: fn(&M::Message) -> bool,
    ) -> Self {
        let count = nodes.len();
        let place = |machine: M| {
            let mut place = Place { states: Vec::new(), numbers: BTreeMap::new() };
            place.number(machine, false, vec![0; count], Vec::new());
            place
        };
        let mut world = Self {
            offers: vec![0; count],
            places: nodes.into_iter().map(place).collect(),
            inputs: Vec::new(),
            input_numbers: BTreeMap::new(),
            is_relevant,
        };
        for Flying { from, to, input } in offers {
            let number = world.input(from, to, input);
            world.offers[to.index()] |= 1 << number;
        }
        world
    }

    fn input(&mut self, from: NodeId, to: NodeId, input: Input<M>) -> usize {
        let mut key = StateWriter::default();
        key.u64(u64::from(from.0));
        key.u64(u64::from(to.0));
        if let Input::Message { message, .. } = &input {
            message.write(&mut key);
        }
        let origin = match from {
            from if from == to => Origin::Own,
            from if from.index() < self.places.len() => Origin::Honest,
            _ => Origin::Byzantine,
        };
        let number = self.inputs.len();
        *self.input_numbers.entry(key.finish()).or_insert_with(|| {
            assert!(number < INPUTS_MAX, "too many inputs");
            self.inputs.push((to.index(), origin, input));
            number
        })
    }

    /// The state that an input leads to, worked out once.
    fn step(&mut self, node: usize, state: usize, input: usize) -> usize {
        let local = &self.places[node].states[state];
        if let Some(next) = local.next[input] {
            return next;
        }
        let (_, origin, what) = &self.inputs[input];
        let (origin, mut next) = (*origin, state);
        // A node shares once.
        if origin != Origin::Own || !local.has_shared {
            let mut machine = local.machine.clone();
            let (mut said, mut events) = (local.said.clone(), local.events.clone());
            let has_shared = local.has_shared || origin == Origin::Own;
            let mut outputs = Vec::new();
            machine.handle(Time(0), what.clone(), &mut outputs);
            if origin != Origin::Own {
                assert_deaf(&machine, what);
            }
            for output in outputs {
                match output {
                    Output::Send { to, message } => self.say(node, to, &message, &mut said),
                    Output::Event(event) => events.push(event),
                    Output::Reject { from, reason } if origin == Origin::Honest => {
                        panic!("honest node {from} was rejected: {reason:?}");
                    }
                    _ => {}
                }
            }
            next = self.places[node].number(machine, has_shared, said, events);
        }
        let local = &mut self.places[node].states[state];
        local.next[input] = Some(next);
        local.idle |= if next == state { 1 << input } else { 0 };
        next
    }

    fn say(&mut self, node: usize, to: To, message: &M::Message, said: &mut [Inputs]) {
        if !(self.is_relevant)(message) {
            return;
        }
        let from = NodeId(node as u16);
        let is_meant = |other: &usize| match to {
            To::Others => *other != node,
            To::Node(to) => to.index() == *other,
        };
        for other in (0..said.len()).filter(is_meant) {
            let input = Input::Message { from, message: message.clone() };
            said[other] |= 1 << self.input(from, NodeId(other as u16), input);
        }
    }

    /// What changes something when it is heard in this state of the world.
    fn successors(&mut self, states: &[usize], found: &mut Vec<(Origin, usize, usize)>) {
        found.clear();
        for (node, state) in states.iter().copied().enumerate() {
            let said =
                states.iter().zip(&self.places).map(|(at, place)| place.states[*at].said[node]);
            let there = said.fold(self.offers[node], |all, said| all | said);
            let mut left = there & !self.places[node].states[state].idle;
            while left != 0 {
                let input = left.trailing_zeros() as usize;
                left &= left - 1;
                let next = self.step(node, state, input);
                if next != state {
                    found.push((self.inputs[input].1, node, next));
                }
            }
        }
    }

    /// Goes through all states. `always` is asked in each, `quiet` in those in which honest nodes
    /// have heard one another out.
    pub fn enumerate(
        &mut self,
        always: Check<'_, M>,
        quiet: Check<'_, M>,
    ) -> Result<Covered, Violation> {
        let count = self.places.len();
        let mask = (1u64 << NODE_BITS) - 1;
        let mut covered = Covered::default();
        let (mut found, mut states) = (Vec::new(), vec![0; count]);
        // A state of the world, and in how many orders it is reached. Every input that changes
        // something brings the world one layer further.
        let (mut layer, mut later) = (vec![(0u64, 1.0f64)], Vec::new());
        while !layer.is_empty() {
            for (key, paths) in layer.drain(..) {
                for (node, state) in states.iter_mut().enumerate() {
                    *state = (key >> (NODE_BITS * node) & mask) as usize;
                }
                self.successors(&states, &mut found);
                covered.states += 1;
                covered.transitions += found.len();
                let place = |(node, state): (usize, &usize)| &self.places[node].states[*state];
                let locals: Vec<_> = states.iter().enumerate().map(place).collect();
                let is_quiet = found.iter().all(|(origin, ..)| *origin == Origin::Byzantine);
                let checked = always(&locals).and_then(|()| match is_quiet {
                    true => quiet(&locals),
                    false => Ok(()),
                });
                checked.map_err(|what| Violation { state: covered.states, what })?;
                covered.quiet += usize::from(is_quiet);
                covered.orders += if found.is_empty() { paths } else { 0.0 };
                for (_, node, next) in &found {
                    let shift = NODE_BITS * node;
                    later.push(((key & !(mask << shift)) | (*next as u64) << shift, paths));
                }
            }
            later.sort_unstable_by_key(|(key, _)| *key);
            later.dedup_by(|next, kept| {
                let is_same = next.0 == kept.0;
                kept.1 += if is_same { next.1 } else { 0.0 };
                is_same
            });
            std::mem::swap(&mut layer, &mut later);
        }
        covered.local = self.places.iter().map(|place| place.states.len()).collect();
        Ok(covered)
    }
}

/// What was heard once changes nothing when it is heard again.
fn assert_deaf<M: Subject<Event: fmt::Debug>>(machine: &M, input: &Input<M>) {
    let (mut again, mut outputs) = (machine.clone(), Vec::new());
    again.handle(Time(0), input.clone(), &mut outputs);
    let is_deed =
        |output: &Output<_, _>| !matches!(output, Output::Discard { .. } | Output::Reject { .. });
    assert!(!outputs.iter().any(is_deed), "the second time it does {outputs:?}");
    assert!(again.snapshot() == machine.snapshot(), "the second time it changes the state");
}

impl<M: Subject<Event: fmt::Debug>> Place<M> {
    fn number(
        &mut self,
        machine: M,
        has_shared: bool,
        said: Vec<Inputs>,
        events: Vec<M::Event>,
    ) -> usize {
        let mut key = machine.snapshot();
        key.push(u8::from(has_shared));
        key.extend(said.iter().flat_map(|inputs| inputs.to_le_bytes()));
        // Events in the order in which they came, whose bytes are of no other use.
        key.extend(format!("{events:?}").bytes());
        let number = self.states.len();
        *self.numbers.entry(key).or_insert_with(|| {
            assert!(number < 1 << NODE_BITS, "too many states of a node");
            let (next, idle) = (vec![None; INPUTS_MAX], 0);
            self.states.push(Local { machine, has_shared, said, events, next, idle });
            number
        })
    }
}
