//! The adversary: one omniscient mind that waits for the honest vectors of a turn, then forges.
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use phalanx_attack::{Attack, AttackError, Forger, Forgery, Misbehaviour, Needs, View};
use phalanx_learn::{Cargo, Spied, Spy};
use phalanx_protocol::{Message, NodeId, Turn, Vector};
use phalanx_robust::{Rng, StateError, StateReader, StateWriter, Vectors};

use crate::conduct::Conduct;
use crate::puppet::{BuildPuppet, Puppet, PuppetSeat};
use crate::resume::load_node;

/// Whom Byzantine vectors reach, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The adversary also schedules: honest messages of a turn are held back until its own have
    /// arrived, so that every Byzantine vector is among what every honest node acts on. Legal in
    /// an asynchronous network, where every message arrives eventually.
    All,
    /// Byzantine messages travel like all others: between 0 and all of them reach each node.
    Sampled,
}

/// What one honest node said in a turn.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub vector: Vector,
    pub spied: Spied,
    pub cargo: Cargo,
}

/// An attack with what it has heard so far, and the machines through which it speaks.
pub struct Adversary<M> {
    attack: Box<dyn Attack>,
    /// whom it reaches
    pub reach: Reach,
    rng: Rng,
    heard: BTreeMap<Turn, BTreeMap<NodeId, Said>>,
    /// the last turn in which each honest node was heard
    last: BTreeMap<NodeId, Turn>,
    build: BuildPuppet<M>,
    pub(crate) seats: Vec<PuppetSeat<M>>,
    pub(crate) conduct: Option<Conduct<M>>,
}

impl<M: Message> Adversary<M> {
    /// An adversary that has heard nothing. `puppet` builds the machine of a Byzantine node: the
    /// exchange that an honest node in its place would run, or that of one pass of it where the
    /// exchange iterates.
    pub fn new<P: Puppet<M> + 'static>(
        attack: Box<dyn Attack>,
        reach: Reach,
        seed: u64,
        puppet: impl Fn(NodeId) -> P + Send + Sync + 'static,
    ) -> Self {
        let rng = Rng::stream(seed, u64::MAX, "adversary");
        let build: BuildPuppet<M> = Arc::new(move |id| Box::new(puppet(id)));
        let (heard, last, seats) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        Self { attack, reach, rng, heard, last, build, seats, conduct: None }
    }

    /// Lets its nodes misbehave, in the order given; honest nodes believe in at most `f` of them.
    #[must_use]
    pub fn misbehaving(
        mut self,
        misbehaviours: Vec<Box<dyn Misbehaviour>>,
        f: usize,
        seed: u64,
    ) -> Self
    where
        M: Forger,
    {
        self.conduct = Some(Conduct::new(misbehaviours, f, seed));
        self
    }

    /// Takes its seats, which may speak to these honest nodes.
    pub(crate) fn sit(&mut self, seats: Range<usize>, receivers: &[NodeId]) {
        self.conduct.iter_mut().for_each(|conduct| conduct.sit(seats.len(), seats.end));
        let seats = seats.map(|index| NodeId(index as u16));
        self.seats = seats.map(|id| PuppetSeat::new(id, receivers, self.build.clone())).collect();
    }

    pub(crate) fn is_listening(&self) -> bool {
        self.seats.iter().any(PuppetSeat::is_listening)
    }

    pub(crate) fn spy(&self) -> Spy {
        let Needs { flipped, models } = self.attack.needs();
        Spy { is_flipped_wanted: flipped, is_model_wanted: models }
    }

    /// Takes note of what an honest node shares. A node that shares a turn again, after a
    /// restart, says nothing new.
    pub(crate) fn hear(&mut self, turn: Turn, node: NodeId, said: Said) {
        if self.last.get(&node).is_none_or(|last| *last < turn) {
            self.last.insert(node, turn);
            self.heard.entry(turn).or_default().insert(node, said);
        }
    }

    /// Whether honest messages that share this turn's vectors are still held back.
    pub(crate) fn is_holding(&self, turn: Turn) -> bool {
        self.reach == Reach::All && self.heard.contains_key(&turn)
    }

    /// Turns that are complete: everyone in `speakers` has been heard.
    pub(crate) fn complete(&self, speakers: &BTreeSet<NodeId>) -> Vec<Turn> {
        let all = |said: &BTreeMap<NodeId, Said>| speakers.iter().all(|s| said.contains_key(s));
        self.heard.iter().filter(|(_, said)| all(said)).map(|(turn, _)| *turn).collect()
    }

    /// Forges the vectors of a complete turn. Receivers are the honest speakers, ascending.
    pub(crate) fn forge(&mut self, turn: Turn) -> Result<(Vec<NodeId>, Forgery), AttackError> {
        let said = self.heard.remove(&turn).expect("the turn was heard");
        let nodes = said.keys().copied().collect();
        let honest: Vec<&[f32]> = said.values().map(|said| &*said.vector).collect();
        let all = |choose: fn(&Spied) -> Option<&Vector>| -> Option<Vec<&[f32]>> {
            said.values().map(|said| choose(&said.spied).map(|vector| &**vector)).collect()
        };
        let flipped = all(|spied| spied.flipped.as_ref());
        let models = all(|spied| spied.model.as_ref());
        let step = match said.values().next().map(|said| said.cargo) {
            Some(Cargo::HalfSteps { step }) => Some(step),
            Some(Cargo::Models) => Some(0.0),
            _ => None,
        };
        let vectors = |rows| Vectors::new(rows).expect("honest vectors have one length");
        let view = View {
            turn,
            honest: vectors(&honest),
            step,
            flipped: flipped.as_deref().map(vectors),
            models: models.as_deref().map(vectors),
        };
        let mut forgery = self.attack.forge(&view, &mut self.rng)?;
        if let Some(conduct) = &mut self.conduct {
            conduct.bend(&mut forgery, honest.len());
        }
        Ok((nodes, forgery))
    }

    pub(crate) fn save(&self, out: &mut StateWriter) {
        self.attack.save(out);
        self.rng.save(out);
        out.u64(self.heard.len() as u64);
        for (turn, said) in &self.heard {
            turn.save(out);
            out.u64(said.len() as u64);
            for (node, said) in said {
                out.u64(u64::from(node.0));
                said.save(out);
            }
        }
        out.u64(self.last.len() as u64);
        for (node, turn) in &self.last {
            out.u64(u64::from(node.0));
            turn.save(out);
        }
        self.seats.iter().for_each(|seat| seat.save(out));
        self.conduct.iter().for_each(|conduct| conduct.save(out));
    }

    pub(crate) fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        self.attack.load(input)?;
        self.rng.load(input)?;
        self.heard.clear();
        for _ in 0..input.usize()? {
            let said = self.heard.entry(Turn::load(input)?).or_default();
            for _ in 0..input.usize()? {
                said.insert(load_node(input)?, Said::load(input)?);
            }
        }
        self.last.clear();
        for _ in 0..input.usize()? {
            self.last.insert(load_node(input)?, Turn::load(input)?);
        }
        self.seats.iter_mut().try_for_each(|seat| seat.load(input))?;
        self.conduct.iter_mut().try_for_each(|conduct| conduct.load(input))
    }
}

impl Said {
    fn save(&self, out: &mut StateWriter) {
        out.vector(&self.vector);
        self.spied.save(out);
        self.cargo.save(out);
    }

    fn load(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let vector = input.vector()?;
        Ok(Self { vector, spied: Spied::load(input)?, cargo: Cargo::load(input)? })
    }
}
