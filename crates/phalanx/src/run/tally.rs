//! What the events of a run add up to, node by node.
use std::collections::BTreeMap;

use phalanx_learn::Event;
use phalanx_protocol::{NodeId, Turn};
use phalanx_report::{NodeSummary, Score};
use phalanx_robust::{StateError, StateReader, StateWriter};

/// Counters of every honest node that has said something.
#[derive(Debug, Clone, PartialEq)]
pub struct Tally {
    senders: usize,
    rejected: u64,
    nodes: BTreeMap<u16, Node>,
}

#[derive(Debug, Clone, PartialEq, Default)]
struct Node {
    rounds: u32,
    loss: Option<f64>,
    scores: BTreeMap<String, f64>,
    heard: Vec<u64>,
    failed: Option<(Turn, String)>,
    is_finished: bool,
}

impl Tally {
    /// Nothing has happened; `senders` counts the nodes that may be heard, a hub included.
    pub fn new(senders: usize) -> Self {
        Self { senders, rejected: 0, nodes: BTreeMap::new() }
    }

    /// Takes note of one event.
    pub fn note(&mut self, node: NodeId, event: &Event) {
        let senders = self.senders;
        self.rejected += u64::from(matches!(event, Event::Rejected { .. }));
        let node = self.nodes.entry(node.0).or_default();
        node.heard.resize(senders, 0);
        let mut turn = None;
        match event {
            Event::Proposed { turn: at, loss } => {
                turn = Some(*at);
                node.loss = loss.or(node.loss);
            }
            Event::Collected { turn: at, from } => {
                turn = Some(*at);
                for sender in from {
                    if let Some(count) = node.heard.get_mut(sender.index()) {
                        *count += 1;
                    }
                }
            }
            Event::Absorbed { turn: at } => turn = Some(*at),
            Event::Evaluated { round, scores } => {
                node.rounds = node.rounds.max(round.0);
                node.scores.clone_from(scores);
            }
            Event::Failed { turn: at, reason } => {
                turn = Some(*at);
                node.failed = Some((*at, reason.clone()));
            }
            Event::Finished { round } => {
                node.rounds = node.rounds.max(round.0);
                node.is_finished = true;
            }
            Event::Rejected { .. } | Event::Discarded { .. } | Event::Accused { .. } => {}
        }
        // Who is in round r (counted from 0) has done r rounds.
        node.rounds = turn.map_or(node.rounds, |turn| node.rounds.max(turn.round.0));
    }

    /// Rounds that every honest node has done.
    pub fn rounds_done(&self) -> u32 {
        self.nodes.values().map(|node| node.rounds).min().unwrap_or(0)
    }

    /// Messages that proved their sender faulty.
    pub fn rejected(&self) -> u64 {
        self.rejected
    }

    /// Mean of the honest nodes' latest batch losses.
    pub fn loss(&self) -> Option<f64> {
        let losses: Vec<f64> = self.nodes.values().filter_map(|node| node.loss).collect();
        (!losses.is_empty()).then(|| losses.iter().sum::<f64>() / losses.len() as f64)
    }

    /// Latest scores over the honest nodes that were evaluated.
    pub fn scores(&self) -> BTreeMap<String, Score> {
        let mut values: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        for (name, value) in self.nodes.values().flat_map(|node| &node.scores) {
            values.entry(name).or_default().push(*value);
        }
        values.iter().map(|(name, values)| ((*name).into(), Score::over(name, values))).collect()
    }

    /// The first failure by node: who, in which round, why.
    pub fn failure(&self) -> Option<String> {
        let failed = |node: &Node| node.failed.clone();
        let count = self.nodes.values().filter(|node| node.failed.is_some()).count();
        let (id, (turn, reason)) =
            self.nodes.iter().find_map(|(id, node)| Some((id, failed(node)?)))?;
        let first = format!("node {id} in round {}: {reason}", turn.round.0);
        Some(if count == 1 { first } else { format!("{count} nodes failed, {first}") })
    }

    /// Nodes that have neither finished nor failed.
    pub fn waiting(&self) -> usize {
        let is_waiting = |node: &&Node| !node.is_finished && node.failed.is_none();
        self.nodes.values().filter(is_waiting).count()
    }

    /// What became of each node, ascending.
    pub fn summaries(&self) -> Vec<NodeSummary> {
        let summary = |(id, node): (&u16, &Node)| NodeSummary {
            node: *id,
            rounds: node.rounds,
            scores: node.scores.clone(),
            heard: node.heard.clone(),
            failed: node.failed.as_ref().map(|(_, reason)| reason.clone()),
        };
        self.nodes.iter().map(summary).collect()
    }

    /// Appends all counters.
    pub fn save(&self, out: &mut StateWriter) {
        out.u64(self.senders as u64);
        out.u64(self.rejected);
        out.u64(self.nodes.len() as u64);
        for (id, node) in &self.nodes {
            out.u64(u64::from(*id));
            out.u64(u64::from(node.rounds));
            out.flag(node.loss.is_some());
            out.f64(node.loss.unwrap_or_default());
            out.u64(node.scores.len() as u64);
            for (name, value) in &node.scores {
                out.bytes(name.as_bytes());
                out.f64(*value);
            }
            out.u64(node.heard.len() as u64);
            node.heard.iter().for_each(|count| out.u64(*count));
            out.flag(node.is_finished);
            out.flag(node.failed.is_some());
            if let Some((turn, reason)) = &node.failed {
                turn.save(out);
                out.bytes(reason.as_bytes());
            }
        }
    }

    /// # Errors
    /// When the snapshot holds something else.
    pub fn load(input: &mut StateReader<'_>) -> Result<Self, StateError> {
        let mut tally = Self::new(input.usize()?);
        tally.rejected = input.u64()?;
        for _ in 0..input.usize()? {
            let id = input.u64()? as u16;
            let mut node = Node { rounds: input.u64()? as u32, ..Node::default() };
            let has_loss = input.flag()?;
            let loss = input.f64()?;
            node.loss = has_loss.then_some(loss);
            for _ in 0..input.usize()? {
                let name = text(input)?;
                node.scores.insert(name, input.f64()?);
            }
            for _ in 0..input.usize()? {
                node.heard.push(input.u64()?);
            }
            node.is_finished = input.flag()?;
            if input.flag()? {
                node.failed = Some((Turn::load(input)?, text(input)?));
            }
            tally.nodes.insert(id, node);
        }
        Ok(tally)
    }
}

fn text(input: &mut StateReader<'_>) -> Result<String, StateError> {
    let bytes = input.bytes()?.to_vec();
    String::from_utf8(bytes).map_err(|_| StateError::Mismatch { what: "a text" })
}
