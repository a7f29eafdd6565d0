//! The quick half of a node: rounds and messages. Never blocks, never computes on coordinates.
use phalanx_protocol::{Exchange, Input, Output, Round, Share, Time, To, Turn};
use phalanx_robust::{StateError, StateReader, StateWriter};

use crate::event::Event;
use crate::worker::{Done, Job};

/// How long to train and how often to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Plan {
    /// rounds in all
    pub rounds: u32,
    /// evaluate before the first round, every so many rounds, and at the end; 0: never
    pub evaluate_every: u32,
}

impl Plan {
    fn is_evaluation_due(self, round: Round) -> bool {
        let every = self.evaluate_every;
        every > 0 && (round.0.is_multiple_of(every) || round.0 == self.rounds)
    }
}

/// What a participant wants its driver to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect<Message> {
    /// send a message
    Send {
        /// to whom
        to: To,
        /// what
        message: Message,
    },
    /// wake it at that time
    Wait {
        /// when
        until: Time,
    },
    /// give this to the worker and the outcome back to [`Participant::done`]
    Work(Job),
    /// tell whoever watches
    Record(Event),
}

/// One honest node's protocol side.
#[derive(Debug)]
pub struct Participant<E: Exchange> {
    exchange: E,
    plan: Plan,
    is_over: bool,
    outbox: Vec<Output<E::Message, phalanx_protocol::Collected>>,
}

impl<E: Exchange> Participant<E> {
    /// A participant that has not begun.
    pub fn new(exchange: E, plan: Plan) -> Self {
        Self { exchange, plan, is_over: false, outbox: Vec::new() }
    }

    /// Begins the first round.
    pub fn start(&mut self, effects: &mut Vec<Effect<E::Message>>) {
        self.next_round(Round(0), effects);
    }

    /// Whether all rounds are done or the node has failed.
    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// A message arrived, or the time that was waited for has come.
    pub fn handle(&mut self, now: Time, input: Input<E>, effects: &mut Vec<Effect<E::Message>>) {
        self.exchange.handle(now, input, &mut self.outbox);
        for output in self.outbox.drain(..) {
            match output {
                Output::Send { to, message } => effects.push(Effect::Send { to, message }),
                Output::Wait { until } => effects.push(Effect::Wait { until }),
                Output::Reject { from, reason } => {
                    effects.push(Effect::Record(Event::Rejected { from, reason }));
                }
                Output::Discard { from, reason } => {
                    effects.push(Effect::Record(Event::Discarded { from, reason }));
                }
                Output::Accuse(evidence) => {
                    effects.push(Effect::Record(Event::Accused { evidence: *evidence }));
                }
                Output::Event(collected) => {
                    let from = collected.vectors.iter().map(|(from, _)| *from).collect();
                    effects.push(Effect::Record(Event::Collected { turn: collected.turn, from }));
                    effects.push(Effect::Work(Job::Absorb(collected)));
                }
            }
        }
    }

    /// The worker has finished a job.
    pub fn done(&mut self, now: Time, done: Done, effects: &mut Vec<Effect<E::Message>>) {
        match done {
            Done::Proposed { turn, vector, loss, halvings, .. } => {
                effects.push(Effect::Record(Event::Proposed { turn, loss }));
                self.handle(now, Input::Command(Share { turn, vector, halvings }), effects);
            }
            Done::Absorbed { turn, loss, is_round_over } => {
                if loss.is_some() {
                    effects.push(Effect::Record(Event::Proposed { turn, loss }));
                }
                effects.push(Effect::Record(Event::Absorbed { turn }));
                if is_round_over {
                    self.next_round(Round(turn.round.0 + 1), effects);
                } else {
                    let turn = Turn::new(turn.round.0, turn.phase.0 + 1);
                    effects.push(Effect::Work(Job::Propose { turn }));
                }
            }
            Done::Evaluated { round, scores } => {
                effects.push(Effect::Record(Event::Evaluated { round, scores }));
                self.propose_or_finish(round, effects);
            }
        }
    }

    /// The worker cannot go on.
    pub fn fail(&mut self, turn: Turn, reason: String, effects: &mut Vec<Effect<E::Message>>) {
        self.is_over = true;
        effects.push(Effect::Record(Event::Failed { turn, reason }));
    }

    fn next_round(&mut self, round: Round, effects: &mut Vec<Effect<E::Message>>) {
        if self.plan.is_evaluation_due(round) {
            effects.push(Effect::Work(Job::Evaluate { round }));
        } else {
            self.propose_or_finish(round, effects);
        }
    }

    fn propose_or_finish(&mut self, round: Round, effects: &mut Vec<Effect<E::Message>>) {
        if round.0 < self.plan.rounds {
            effects.push(Effect::Work(Job::Propose { turn: Turn::new(round.0, 0) }));
        } else {
            self.is_over = true;
            effects.push(Effect::Record(Event::Finished { round }));
        }
    }

    /// Appends everything that the next input depends on.
    pub fn save(&self, out: &mut StateWriter) {
        out.flag(self.is_over);
        self.exchange.save(out);
    }

    /// # Errors
    /// When the snapshot does not fit.
    pub fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        self.is_over = input.flag()?;
        self.exchange.load(input)
    }
}
