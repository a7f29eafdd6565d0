//! Discrete events in virtual time: the same seed yields the same record, on any number of threads.
use std::collections::BTreeMap;

use phalanx_attack::AttackError;
use phalanx_learn::{
    Cargo, Done, Effect, Event, Job, Participant, Plan, Sink, Spied, WorkError, Worker,
};
use phalanx_protocol::{Exchange, Input, Message, NodeId, Time, To, Turn};
use phalanx_robust::Rng;

use crate::adversary::Adversary;
use crate::crew::Crew;
use crate::hardship::Ordeal;
use crate::network::{Network, Traffic};

/// One honest node.
pub struct Node<E> {
    /// its index; the hub of a star has index n
    pub id: NodeId,
    /// how its vectors travel
    pub exchange: E,
    /// its task and algorithm
    pub worker: Worker,
    /// how long it trains
    pub plan: Plan,
    /// whether its vectors are of the kind that the adversary forges (all but a hub's)
    pub is_speaker: bool,
}

/// What a simulation is made of, besides its nodes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settings {
    /// n; Byzantine nodes have the last indices
    pub n: usize,
    /// Byzantine nodes that attack
    pub byzantine: usize,
    /// delays and losses
    pub network: Network,
    /// the run's seed
    pub seed: u64,
}

/// Why a simulation cannot go on.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SimulationError {
    /// the attack cannot be carried out
    #[error("in turn {turn}: {source}")]
    Attack {
        /// when
        turn: Turn,
        /// why
        source: AttackError,
    },
}

/// How [`Simulation::run`] came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// every honest node is done or has failed
    Finished,
    /// nothing can happen any more, but some node still waits
    Stalled,
    /// the caller said stop; calling again goes on
    Interrupted,
}

/// Where a simulation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// rounds that every honest node which has not failed has done
    pub rounds_done: u32,
    /// virtual time
    pub now: Time,
}

#[derive(Debug, Clone)]
pub(crate) enum Pending<Message> {
    Deliver {
        to: NodeId,
        from: NodeId,
        message: Message,
    },
    Wake {
        node: usize,
    },
    Done {
        node: usize,
    },
    /// among Byzantine nodes, from one mask to the accomplice's that belongs to it
    Whisper {
        to: NodeId,
        from: NodeId,
        mask: u16,
        message: Message,
    },
    WakeMask {
        seat: usize,
        mask: u16,
    },
    Restart {
        node: usize,
    },
}

/// An honest message that the adversary holds back.
#[derive(Debug, Clone)]
pub(crate) struct Held<Message> {
    pub(crate) to: NodeId,
    pub(crate) from: NodeId,
    pub(crate) delay: u64,
    pub(crate) message: Message,
}

pub(crate) struct Seat<E: Exchange> {
    pub(crate) id: NodeId,
    pub(crate) participant: Participant<E>,
    pub(crate) network_rng: Rng,
    pub(crate) compute_rng: Rng,
    pub(crate) is_speaker: bool,
    pub(crate) is_failed: bool,
    pub(crate) rounds_done: u32,
    /// turn of the job at hand, to say where a failure happened
    pub(crate) at: Turn,
    /// what an adversary knows of the vector that was proposed last, through all its passes
    pub(crate) saying: Option<(Spied, Cargo)>,
}

/// A population, its network and its adversary.
pub struct Simulation<E: Exchange> {
    pub(crate) settings: Settings,
    pub(crate) seats: Vec<Seat<E>>,
    pub(crate) crew: Crew,
    pub(crate) adversary: Option<Adversary<E::Message>>,
    pub(crate) has_started: bool,
    pub(crate) now: Time,
    pub(crate) sequence: u64,
    pub(crate) queue: BTreeMap<(Time, u64), Pending<E::Message>>,
    pub(crate) held: BTreeMap<Turn, Vec<Held<E::Message>>>,
    pub(crate) traffic: Traffic,
    pub(crate) ordeal: Option<Ordeal<E::Message>>,
}

impl<E: Exchange> Simulation<E> {
    /// `nodes` are the honest ones, ascending: `n − byzantine` of them, and a hub if there is one.
    ///
    /// # Panics
    /// When their number does not fit the settings: a bug of the caller.
    pub fn new(
        settings: Settings,
        nodes: Vec<Node<E>>,
        mut adversary: Option<Adversary<E::Message>>,
    ) -> Self {
        let speakers = nodes.iter().filter(|node| node.is_speaker).count();
        assert_eq!(speakers + settings.byzantine, settings.n, "honest and Byzantine nodes are n");
        let mut seats = Vec::new();
        let mut workers = Vec::new();
        for Node { id, exchange, mut worker, plan, is_speaker } in nodes {
            if let Some(adversary) = &adversary
                && is_speaker
            {
                worker.spy(adversary.spy());
            }
            let stream = |purpose| Rng::stream(settings.seed, u64::from(id.0), purpose);
            seats.push(Seat {
                id,
                participant: Participant::new(exchange, plan),
                network_rng: stream("network"),
                compute_rng: stream("compute"),
                is_speaker,
                is_failed: false,
                rounds_done: 0,
                at: Turn::default(),
                saying: None,
            });
            workers.push((id, worker));
        }
        if let Some(adversary) = &mut adversary {
            let hub = seats.iter().find(|seat| !seat.is_speaker);
            let honest = || seats.iter().map(|seat| seat.id).collect();
            let receivers: Vec<NodeId> = hub.map_or_else(honest, |hub| vec![hub.id]);
            let byzantine = settings.n - settings.byzantine..settings.n;
            adversary.sit(byzantine, &receivers);
        }
        Self {
            settings,
            seats,
            crew: Crew::new(workers),
            adversary,
            has_started: false,
            now: Time(0),
            sequence: 0,
            queue: BTreeMap::new(),
            held: BTreeMap::new(),
            traffic: Traffic::default(),
            ordeal: None,
        }
    }

    /// Runs until nothing is left to do or `keep_going` says no. It is asked after every batch of
    /// work; a simulation that was stopped goes on when this is called again.
    ///
    /// # Errors
    /// When the attack cannot be carried out.
    pub fn run(
        &mut self,
        sink: &mut dyn Sink,
        keep_going: &mut dyn FnMut(&Progress) -> bool,
    ) -> Result<Outcome, SimulationError> {
        if !self.has_started {
            self.has_started = true;
            for node in 0..self.seats.len() {
                let mut effects = Vec::new();
                self.seats[node].participant.start(&mut effects);
                self.apply(node, effects, sink)?;
            }
            self.forge_what_is_complete()?;
        }
        while let Some(((time, _), pending)) = self.queue.pop_first() {
            self.now = time;
            let is_batch_due = matches!(pending, Pending::Done { node }
                if self.crew.waiting(node).is_none());
            self.step(pending, sink)?;
            if is_batch_due && !keep_going(&self.progress()) {
                return Ok(Outcome::Interrupted);
            }
        }
        self.crew.run_all();
        for node in 0..self.seats.len() {
            // The last absorption of a node that is never evaluated has no job behind it.
            if self.crew.waiting(node).is_some() {
                let result = self.crew.result(node);
                self.finish_job(node, result, sink)?;
            }
        }
        let is_over = self.seats.iter().all(|seat| seat.participant.is_over());
        Ok(if is_over { Outcome::Finished } else { Outcome::Stalled })
    }

    fn step(
        &mut self,
        pending: Pending<E::Message>,
        sink: &mut dyn Sink,
    ) -> Result<(), SimulationError> {
        if let Pending::Done { node } | Pending::Wake { node } = pending
            && let Some(until) = self.is_down(node)
        {
            self.schedule(until, pending);
            return Ok(());
        }
        let mut effects = Vec::new();
        let (node, input) = match pending {
            Pending::Restart { node } => {
                self.restart(node);
                return Ok(());
            }
            Pending::Deliver { to, from, message } if self.is_byzantine(to) => {
                self.pull(to, from, &message, None);
                return Ok(());
            }
            Pending::Whisper { to, from, mask, message } => {
                self.pull(to, from, &message, Some(mask));
                return Ok(());
            }
            Pending::WakeMask { seat, mask } => {
                self.wake_mask(seat, mask);
                return Ok(());
            }
            Pending::Done { node } => {
                let result = self.crew.result(node);
                return self.finish_job(node, result, sink);
            }
            Pending::Wake { node } => (node, Input::Wake),
            Pending::Deliver { to, from, message } => {
                let node = self.seat_of(to);
                if self.seats[node].is_failed {
                    return Ok(());
                }
                if let Some(until) = self.is_down(node) {
                    self.schedule(until, Pending::Deliver { to, from, message });
                    return Ok(());
                }
                (node, Input::Message { from, message })
            }
        };
        let again = self.ordeal.is_some().then(|| input.clone());
        self.seats[node].participant.handle(self.now, input, &mut effects);
        let is_record = |effect: &Effect<_>| matches!(effect, Effect::Record(_));
        self.store(node, !effects.iter().all(is_record), again.as_ref());
        self.apply(node, effects, sink)?;
        self.forge_what_is_complete()
    }

    fn finish_job(
        &mut self,
        node: usize,
        result: Result<Done, WorkError>,
        sink: &mut dyn Sink,
    ) -> Result<(), SimulationError> {
        let mut effects = Vec::new();
        let seat = &mut self.seats[node];
        match result {
            Ok(done) => {
                if let Done::Proposed { cargo, spied, .. } = &done {
                    seat.saying = Some((spied.clone(), *cargo));
                }
                if let Done::Absorbed { turn, is_round_over: true, .. } = &done {
                    seat.rounds_done = turn.round.0 + 1;
                }
                seat.participant.done(self.now, done, &mut effects);
                self.store(node, true, None);
            }
            Err(error) => {
                seat.is_failed = true;
                seat.participant.fail(seat.at, error.to_string(), &mut effects);
            }
        }
        self.apply(node, effects, sink)?;
        self.forge_what_is_complete()
    }

    /// Carries out what a participant wants.
    fn apply(
        &mut self,
        node: usize,
        effects: Vec<Effect<E::Message>>,
        sink: &mut dyn Sink,
    ) -> Result<(), SimulationError> {
        for effect in effects {
            match effect {
                Effect::Send { to, message } => self.send(node, to, &message),
                Effect::Wait { until } => {
                    self.schedule(self.alarm(node, until), Pending::Wake { node });
                }
                Effect::Work(job) => self.work(node, job, sink)?,
                Effect::Record(event) => self.record(node, &event, sink),
            }
        }
        Ok(())
    }

    fn record(&mut self, node: usize, event: &Event, sink: &mut dyn Sink) {
        match event {
            Event::Rejected { .. } => self.traffic.rejected += 1,
            Event::Discarded { .. } => self.traffic.discarded += 1,
            _ => {}
        }
        sink.record(self.now, self.seats[node].id, event);
    }

    fn work(&mut self, node: usize, job: Job, sink: &mut dyn Sink) -> Result<(), SimulationError> {
        let seat = &mut self.seats[node];
        let duration = match &job {
            Job::Absorb(collected) => {
                // Aggregation takes no virtual time, so what follows it can be asked for at once
                // and both run together later.
                let turn = collected.turn;
                seat.at = turn;
                let is_round_over = self.crew.member(node).worker.is_last_phase(turn);
                self.crew.assign(node, job);
                let done = Done::Absorbed { turn, loss: None, is_round_over };
                return self.finish_job(node, Ok(done), sink);
            }
            Job::Propose { turn } => {
                seat.at = *turn;
                if turn.phase.0 == 0 {
                    self.settings.network.draw_compute(&mut seat.compute_rng)
                } else {
                    0
                }
            }
            Job::Evaluate { .. } => self.settings.network.draw_compute(&mut seat.compute_rng),
        };
        self.crew.assign(node, job);
        self.schedule(self.now.after(duration), Pending::Done { node });
        Ok(())
    }

    fn send(&mut self, node: usize, to: To, message: &E::Message) {
        let from = self.seats[node].id;
        let is_held = self.overhear(node, message);
        let is_anybody_listening = self.adversary.as_ref().is_some_and(Adversary::is_listening);
        for to in self.receivers(from, to) {
            let rng = &mut self.seats[node].network_rng;
            let (delay, lost) = self.settings.network.draw_delay(rng);
            self.traffic.messages += 1;
            self.traffic.bytes += message.bytes();
            self.traffic.lost += lost;
            let message = message.clone();
            if self.is_byzantine(to) {
                // The adversary schedules: what it wants to know it knows at once.
                if is_anybody_listening {
                    self.schedule(self.now, Pending::Deliver { to, from, message });
                }
            } else if is_held {
                let held = self.held.entry(message.turn()).or_default();
                held.push(Held { to, from, delay, message });
            } else {
                self.carry((from, to), delay, message);
            }
        }
    }

    pub(crate) fn receivers(&self, from: NodeId, to: To) -> Vec<NodeId> {
        match to {
            To::Node(receiver) => vec![receiver],
            To::Others => self.everyone().filter(|receiver| *receiver != from).collect(),
        }
    }

    pub(crate) fn schedule(&mut self, at: Time, pending: Pending<E::Message>) {
        self.queue.insert((at, self.sequence), pending);
        self.sequence += 1;
    }

    fn everyone(&self) -> impl Iterator<Item = NodeId> {
        let hub = self.seats.iter().filter(|seat| !seat.is_speaker).map(|seat| seat.id);
        (0..self.settings.n as u16).map(NodeId).chain(hub)
    }

    pub(crate) fn is_byzantine(&self, node: NodeId) -> bool {
        let Settings { n, byzantine, .. } = self.settings;
        (n - byzantine..n).contains(&node.index())
    }

    /// Honest peers sit at their index; a hub, whose index is n, sits last.
    pub(crate) fn seat_of(&self, node: NodeId) -> usize {
        node.index().min(self.seats.len() - 1)
    }

    /// Where the simulation stands.
    pub fn progress(&self) -> Progress {
        let live = self.seats.iter().filter(|seat| !seat.is_failed);
        let rounds_done = live.map(|seat| seat.rounds_done).min().unwrap_or(0);
        Progress { rounds_done, now: self.now }
    }

    /// What went over the network so far.
    pub fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// Bytes that one honest node holds between two steps, by purpose.
    pub fn node_memory_bytes(&self) -> BTreeMap<String, u64> {
        self.crew.member(0).worker.memory_bytes()
    }

    /// The model of the honest node at `index`, in the order of construction. Work that waits is
    /// not yet in it.
    pub fn params(&self, index: usize) -> &[f32] {
        self.crew.member(index).worker.params()
    }
}
