//! A tiny network of machines under a seeded, adversarial scheduler.
use phalanx_protocol::{
    AveragingAgreement, Broadcast, Direct, Exchange, Gather, Input, Machine, Message, NodeId,
    Output, Rejection, ReliableBroadcast, Share, Time, To, Turn, Vector,
};
use phalanx_robust::{Rng, StateReader, StateWriter};

/// A machine that a test can copy, save and compare.
pub trait Subject: Machine<Message: Message, Command = Share, Event: Clone> + Clone {
    fn snapshot(&self) -> Vec<u8>;
    fn restore(&mut self, bytes: &[u8]);
    fn held(&self) -> usize;
    fn held_max(&self) -> usize;
}

macro_rules! subject {
    ($dialect:ident: $([$($generics:tt)*] $machine:ty),*) => { $(
        impl<$($generics)*> Subject for $machine {
            fn snapshot(&self) -> Vec<u8> {
                let mut state = StateWriter::default();
                $dialect::save(self, &mut state);
                state.finish()
            }
            fn restore(&mut self, bytes: &[u8]) {
                let mut state = StateReader::new(bytes);
                $dialect::load(self, &mut state).unwrap();
                assert!(state.is_at_end(), "a snapshot is read to its end");
            }
            fn held(&self) -> usize {
                $dialect::held(self)
            }
            fn held_max(&self) -> usize {
                $dialect::held_max(self)
            }
        }
    )* };
}

subject!(Broadcast: [] ReliableBroadcast);
subject!(Exchange: [] Direct, [B: Broadcast + Clone] Gather<B>);
subject!(Exchange: [E: Exchange + Clone] AveragingAgreement<E>);

/// What is on its way: a message, or a command that its node has not given yet.
pub struct Flying<M: Machine> {
    pub from: NodeId,
    pub to: NodeId,
    pub input: Input<M>,
}

impl<M: Subject> Flying<M> {
    pub fn message(from: u16, to: u16, message: M::Message) -> Self {
        let input = Input::Message { from: NodeId(from), message };
        Self { from: NodeId(from), to: NodeId(to), input }
    }

    pub fn share(node: u16, turn: Turn, vector: Vector) -> Self {
        let input = Input::Command(Share { turn, vector, halvings: 1 });
        Self { from: NodeId(node), to: NodeId(node), input }
    }
}

/// In which order what flies arrives. All of them deliver everything in the end.
#[derive(Debug, Clone)]
pub enum Order {
    Uniform,
    OldestFirst,
    NewestFirst,
    /// each link has a rank; whatever can, goes by the link of the least one
    Ranked(Vec<usize>),
    /// nothing to or from some nodes while there is anything else
    Starved(Vec<bool>),
}

impl Order {
    pub fn draw(nodes: usize, rng: &mut Rng) -> Self {
        match rng.below(8) {
            0 => Self::OldestFirst,
            1 => Self::NewestFirst,
            2 | 3 => {
                let mut ranks: Vec<_> = (0..nodes * nodes).collect();
                rng.shuffle(&mut ranks);
                Self::Ranked(ranks)
            }
            4 | 5 => Self::Starved((0..nodes).map(|_| rng.below(3) == 0).collect()),
            _ => Self::Uniform,
        }
    }

    fn pick<M: Machine>(&self, flying: &[Flying<M>], rng: &mut Rng) -> usize {
        let any = rng.below(flying.len());
        // Now and then something else comes between.
        if rng.below(10) == 0 {
            return any;
        }
        match self {
            Self::Uniform => any,
            Self::OldestFirst => 0,
            Self::NewestFirst => flying.len() - 1,
            Self::Ranked(ranks) => {
                let nodes = ranks.len().isqrt();
                let rank = |at: &usize| {
                    let Flying { from, to, .. } = &flying[*at];
                    ranks[from.index() * nodes + to.index()]
                };
                (0..flying.len()).min_by_key(rank).unwrap()
            }
            Self::Starved(starved) => {
                let is_free = |flying: &Flying<M>| {
                    !starved[flying.from.index()] && !starved[flying.to.index()]
                };
                let free: Vec<_> = (0..flying.len()).filter(|at| is_free(&flying[*at])).collect();
                if free.is_empty() { any } else { free[any % free.len()] }
            }
        }
    }
}

/// What the layer above a node does when an event has happened.
pub type React<'a, M> = &'a mut dyn FnMut(usize, &<M as Machine>::Event) -> Option<Flying<M>>;

/// Nodes, and what flies between them. Byzantine nodes have no machine: a test speaks for them.
pub struct Network<M: Machine> {
    pub nodes: Vec<Option<M>>,
    pub flying: Vec<Flying<M>>,
    /// per node
    pub events: Vec<Vec<M::Event>>,
    /// who refused whose message, and why
    pub rejected: Vec<(NodeId, NodeId, Rejection)>,
    /// messages and bytes that honest nodes sent
    pub sent: (u64, u64),
    /// an honest node that is fed what it asked for is not one that is flooded
    pub is_held_checked: bool,
}

impl<M: Subject> Network<M> {
    pub fn new(nodes: Vec<Option<M>>) -> Self {
        let events = nodes.iter().map(|_| Vec::new()).collect();
        let (flying, rejected) = (Vec::new(), Vec::new());
        Self { nodes, flying, events, rejected, sent: (0, 0), is_held_checked: true }
    }

    pub fn honest(&self) -> impl Iterator<Item = usize> {
        (0..self.nodes.len()).filter(|node| self.nodes[*node].is_some())
    }

    /// Lets one input arrive; the events that it causes.
    pub fn arrive(&mut self, flying: Flying<M>) -> Vec<M::Event> {
        let Flying { to: at, input, .. } = flying;
        let count = self.nodes.len() as u16;
        let Some(machine) = &mut self.nodes[at.index()] else { return Vec::new() };
        let mut outputs = Vec::new();
        machine.handle(Time(0), input, &mut outputs);
        if self.is_held_checked {
            assert!(machine.held() <= machine.held_max(), "memory is bounded");
        }
        let mut events = Vec::new();
        for output in outputs {
            match output {
                Output::Send { to, message } => {
                    let receivers = match to {
                        To::Others => (0..count).filter(|to| *to != at.0).collect(),
                        To::Node(to) => vec![to.0],
                    };
                    for to in receivers {
                        self.sent = (self.sent.0 + 1, self.sent.1 + message.bytes());
                        self.flying.push(Flying::message(at.0, to, message.clone()));
                    }
                }
                Output::Event(event) => events.push(event),
                Output::Reject { from, reason } => self.rejected.push((at, from, reason)),
                Output::Wait { .. } | Output::Discard { .. } | Output::Accuse(_) => {}
            }
        }
        self.events[at.index()].extend(events.iter().cloned());
        events
    }

    /// Lets everything arrive, in an order of the adversary's, while `meddle` may add to it before
    /// each step and `react` after each event. The number of steps.
    pub fn run(
        &mut self,
        order: &Order,
        rng: &mut Rng,
        meddle: &mut dyn FnMut(&mut Self, &mut Rng),
        react: React<'_, M>,
    ) -> usize {
        for step in 0.. {
            assert!(step < 1_000_000, "a schedule comes to an end");
            meddle(self, rng);
            if self.flying.is_empty() {
                return step;
            }
            let flying = self.flying.remove(order.pick(&self.flying, rng));
            let to = flying.to.index();
            for event in self.arrive(flying) {
                self.flying.extend(react(to, &event));
            }
        }
        unreachable!("the loop returns")
    }

    /// No honest node refuses what an honest node said.
    pub fn assert_nobody_is_wronged(&self) {
        let wronged = self.rejected.iter().find(|(_, from, _)| self.nodes[from.index()].is_some());
        assert_eq!(wronged, None, "an honest node was rejected");
    }
}
