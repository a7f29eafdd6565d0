//! Drives machines of agreement pass by pass; the test decides what each node collects.
use std::ops::Deref;

use phalanx_protocol::{
    AgreementBounds, AveragingAgreement, Collected, Direct, DirectMessage, Exchange, Input,
    Machine, Message, NodeId, Outbox, Output, Reader, Share, Time, To, Turn, Vector, Writer,
};
use phalanx_robust::{StateError, StateReader, StateWriter};

/// What one node collects in one pass; for the direct exchange its own vector is among it.
pub type View = Vec<(NodeId, Vector)>;

/// An exchange that collects what the test wrote down, as one that forbids equivocation may.
#[derive(Debug, Default)]
pub struct Scripted {
    open: Option<Turn>,
}

/// What travels through a [`Scripted`] exchange.
#[derive(Debug, Clone, PartialEq)]
pub enum Script {
    /// a node's own vector
    Shared(Turn, Vector),
    /// everything that the receiver collects in this turn
    View(Turn, View),
}

impl Machine for Scripted {
    type Message = Script;
    type Command = Share;
    type Event = Collected;

    fn handle(&mut self, _: Time, input: Input<Self>, out: &mut Outbox<Self>) {
        match input {
            Input::Command(Share { turn, vector, .. }) => {
                self.open = Some(turn);
                out.push(Output::Send { to: To::Others, message: Script::Shared(turn, vector) });
            }
            Input::Message { message: Script::View(turn, vectors), .. } => {
                assert_eq!(self.open.take(), Some(turn));
                out.push(Output::Event(Collected { turn, vectors }));
            }
            Input::Message { .. } | Input::Wake => {}
        }
    }
}

impl Exchange for Scripted {
    fn save(&self, out: &mut StateWriter) {
        out.flag(self.open.is_some());
        self.open.unwrap_or_default().save(out);
    }

    fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        let is_open = input.flag()?;
        let turn = Turn::load(input)?;
        self.open = is_open.then_some(turn);
        Ok(())
    }

    fn held(&self) -> usize {
        0
    }

    fn held_max(&self) -> usize {
        0
    }
}

impl Message for Script {
    fn write(&self, out: &mut dyn Writer) {
        out.u64(self.turn().bits());
    }

    fn read<R: Reader>(input: &mut R) -> Result<Self, R::Error> {
        Err(input.malformed("scripts are not read"))
    }

    fn turn(&self) -> Turn {
        match self {
            Self::Shared(turn, _) | Self::View(turn, _) => *turn,
        }
    }

    fn shared(&self) -> Option<&Vector> {
        match self {
            Self::Shared(_, vector) => Some(vector),
            Self::View(..) => None,
        }
    }
}

/// An exchange below agreement that a test can feed.
pub trait Driven: Exchange + Sized {
    fn agreement(me: NodeId, bounds: &AgreementBounds) -> AveragingAgreement<Self>;
    /// Messages that make the machine collect exactly this view.
    fn messages(me: NodeId, turn: Turn, view: &View) -> Vec<(NodeId, Self::Message)>;
}

impl Driven for Scripted {
    fn agreement(me: NodeId, bounds: &AgreementBounds) -> AveragingAgreement<Self> {
        AveragingAgreement::new(me, Self::default(), *bounds)
    }

    fn messages(me: NodeId, turn: Turn, view: &View) -> Vec<(NodeId, Script)> {
        vec![(me, Script::View(turn, view.clone()))]
    }
}

impl Driven for Direct {
    fn agreement(me: NodeId, bounds: &AgreementBounds) -> AveragingAgreement<Self> {
        AveragingAgreement::over_direct(me, *bounds, 64)
    }

    fn messages(me: NodeId, turn: Turn, view: &View) -> Vec<(NodeId, DirectMessage)> {
        let others = view.iter().filter(|(from, _)| *from != me).cloned();
        others.map(|(from, vector)| (from, DirectMessage { turn, vector })).collect()
    }
}

/// One node's machine with what it has last shared, or its outcome.
pub struct Node<E: Driven> {
    pub id: NodeId,
    pub machine: AveragingAgreement<E>,
    /// the vector of the pass that is open, or the outcome
    pub vector: Vector,
    /// the pass that is open
    pub pass: Option<Turn>,
}

impl<E: Driven> Node<E> {
    /// Has shared its input.
    pub fn start(id: NodeId, bounds: &AgreementBounds, input: Vector, halvings: u16) -> Self {
        let machine = E::agreement(id, bounds);
        let mut node = Self { id, machine, vector: input.clone(), pass: None };
        node.share(Turn::new(0, 0), input, halvings);
        node
    }

    /// Shares the input of a turn.
    pub fn share(&mut self, turn: Turn, input: Vector, halvings: u16) {
        let mut out = Vec::new();
        let share = Share { turn, vector: input, halvings };
        self.machine.handle(Time(0), Input::Command(share), &mut out);
        self.take(out);
    }

    /// Collects a view in the pass that is open.
    pub fn collect(&mut self, view: &View) {
        let turn = self.pass.expect("a pass is open");
        for (from, message) in E::messages(self.id, turn, view) {
            let mut out = Vec::new();
            self.machine.handle(Time(0), Input::Message { from, message }, &mut out);
            self.take(out);
        }
        assert_ne!(self.pass, Some(turn), "the view ends the pass");
    }

    fn take(&mut self, out: Outbox<AveragingAgreement<E>>) {
        for output in out {
            match output {
                Output::Send { message, .. } => {
                    self.vector = message.shared().expect("only vectors travel").clone();
                    self.pass = Some(message.turn());
                }
                Output::Event(Collected { turn, vectors }) => {
                    assert_eq!((turn.pass.0, vectors.len(), vectors[0].0), (0, 1, self.id));
                    self.vector = vectors[0].1.clone();
                    self.pass = None;
                }
                other => panic!("{other:?}"),
            }
        }
    }
}

/// Greatest Euclidean distance of two of them.
pub fn diameter<V: Deref<Target = [f32]>>(vectors: &[V]) -> f64 {
    let pairs = (0..vectors.len()).flat_map(|a| (0..a).map(move |b| (a, b)));
    pairs.map(|(a, b)| distance(&vectors[a], &vectors[b])).fold(0.0, f64::max)
}

/// Euclidean distance.
pub fn distance(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum::<f64>().sqrt()
}

/// Their mean.
pub fn mean<V: Deref<Target = [f32]>>(vectors: &[V]) -> Vec<f64> {
    let dim = vectors[0].len();
    let sum = |k| vectors.iter().map(|v| f64::from(v[k])).sum::<f64>();
    (0..dim).map(|k| sum(k) / vectors.len() as f64).collect()
}

/// Euclidean distance to a mean.
pub fn distance_to(a: &[f32], mean: &[f64]) -> f64 {
    a.iter().zip(mean).map(|(a, b)| (f64::from(*a) - b).powi(2)).sum::<f64>().sqrt()
}

/// What rounding two outcomes to `f32` can add to their distance.
pub fn rounding<V: Deref<Target = [f32]>>(vectors: &[V]) -> f64 {
    let entries = vectors.iter().flat_map(|vector| vector.iter());
    let largest = entries.map(|entry| f64::from(entry.abs())).fold(0.0, f64::max);
    (vectors[0].len() as f64).sqrt() * largest * f64::from(f32::EPSILON)
}
