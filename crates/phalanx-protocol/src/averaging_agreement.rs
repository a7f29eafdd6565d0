//! Averaging agreement: honest nodes end with nearly the same vector, near the mean of theirs.
//!
//! It is an exchange that wraps an exchange: each pass shares the current vector through the
//! inner one and condenses what that collects, T(N) times for N halvings of the diameter. What it
//! collects in the end is one vector, the node's own outcome.
//!
//! Cost per turn and node: T(N) times that of the inner exchange, and T(N) condensations.
use phalanx_robust::registry::find;
use phalanx_robust::{Aggregator, Args, Population, RULES, Vectors};
use phalanx_robust::{StateError, StateReader, StateWriter};

use crate::direct::{Direct, DirectConfig, Seat, load_turn, save_turn};
use crate::machine::{
    Collected, Exchange, Input, Machine, Message, NodeId, Outbox, Output, Rejection, Share, Time,
    Turn,
};
use phalanx_robust::Vector;

mod bounds;

pub use bounds::{AgreementBounds, AgreementError, AgreementRule, HALVINGS_MAX, Width};

/// A turn on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Open {
    turn: Turn,
    /// the pass that is being collected, from 1
    pass: u16,
    /// T
    passes: u16,
}

/// The machine. Passes are numbered from 1; the pass of the turns above it is 0.
///
/// # Guarantee
/// With at most f Byzantine nodes, whatever they send and whenever messages arrive: Δ₂ of the
/// honest outcomes is at most `2^−N` of that of the inputs, and their mean is within
/// [`AgreementBounds::constant`] diameters of the mean of the inputs, both up to rounding to `f32`.
/// Equal inputs come back as they are. Without halvings nothing is sent.
///
/// No peer can make a condensation fail: the inner exchange delivers between q and n finite
/// vectors of one length, of which at most f are not from honest nodes, and for those every rule
/// here has an answer that is finite again.
pub struct AveragingAgreement<E: Exchange> {
    me: NodeId,
    inner: E,
    bounds: AgreementBounds,
    /// for q, q + 1, … n vectors; none of them remembers anything
    rules: Vec<Box<dyn Aggregator>>,
    open: Option<Open>,
    outputs: Outbox<E>,
}

impl AveragingAgreement<Direct> {
    /// Minimum-diameter agreement as published: plain sends, so that a Byzantine node may show
    /// each receiver another vector. `turns_ahead_max` counts passes.
    ///
    /// # Panics
    /// Unless the bounds are those of the minimum-diameter rule: a bug of the caller, for trimming
    /// needs the same vectors everywhere.
    pub fn over_direct(me: NodeId, bounds: AgreementBounds, turns_ahead_max: usize) -> Self {
        let is_minimum_diameter = matches!(bounds.rule(), AgreementRule::MinimumDiameter { .. });
        assert!(is_minimum_diameter, "trimming needs an exchange that forbids equivocation");
        let config = DirectConfig {
            nodes: bounds.population().n(),
            quorum: bounds.quorum(),
            // Without synchrony, and who gives up waiting has no bound.
            timeout: 0,
            is_finite_required: true,
            dim: bounds.dim(),
            turns_ahead_max,
            seat: Seat::Peer,
        };
        Self::new(me, Direct::new(me, config), bounds)
    }
}

impl<E: Exchange> AveragingAgreement<E> {
    /// Agreement over an exchange that delivers between q and n finite vectors of length d; for
    /// the trimming rules any two honest nodes must share `n − f` of them.
    pub fn new(me: NodeId, inner: E, bounds: AgreementBounds) -> Self {
        let rules = rules(&bounds);
        Self { me, inner, bounds, rules, open: None, outputs: Vec::new() }
    }

    /// What it promises.
    pub fn bounds(&self) -> &AgreementBounds {
        &self.bounds
    }

    /// Whether an honest node has such a pass at all.
    fn has_pass(&self, turn: Turn) -> bool {
        (1..=self.bounds.passes(HALVINGS_MAX)).contains(&turn.pass.0)
    }

    fn start(&mut self, share: Share, out: &mut Outbox<Self>) -> Option<Input<E>> {
        let Share { turn, vector, halvings } = share;
        assert!(self.open.is_none_or(|open| open.turn < turn), "turns only grow");
        let passes = self.bounds.passes(halvings);
        if passes == 0 {
            self.open = None;
            out.push(self.finish(turn, vector));
            return None;
        }
        self.open = Some(Open { turn, pass: 1, passes });
        Some(Input::Command(Share { turn: turn.with_pass(1), vector, halvings: 1 }))
    }

    fn finish(&self, turn: Turn, vector: Vector) -> Output<E::Message, Collected> {
        Output::Event(Collected { turn, vectors: vec![(self.me, vector)] })
    }

    /// Ends a pass: condenses, and shares the outcome in the next one if there is any.
    fn absorb(&mut self, collected: &Collected, out: &mut Outbox<Self>) -> Option<Input<E>> {
        let Open { turn, pass, passes } = self.open?;
        if collected.turn != turn.with_pass(pass) {
            // Of a turn that was abandoned.
            return None;
        }
        let vector = self.condense(collected);
        if pass == passes {
            self.open = None;
            out.push(self.finish(turn, vector));
            return None;
        }
        self.open = Some(Open { turn, pass: pass + 1, passes });
        Some(Input::Command(Share { turn: turn.with_pass(pass + 1), vector, halvings: 1 }))
    }

    fn condense(&mut self, collected: &Collected) -> Vector {
        let rows: Vec<&[f32]> = collected.vectors.iter().map(|(_, vector)| &**vector).collect();
        let vectors = Vectors::new(&rows).expect("the inner exchange delivers vectors of length d");
        let place = rows.len().checked_sub(self.bounds.quorum());
        let rule = place.and_then(|place| self.rules.get_mut(place));
        let rule = rule.expect("the inner exchange delivers between q and n vectors");
        let mut out = vec![0.0; vectors.dim()];
        rule.aggregate(vectors, &mut out).expect("finite vectors, of which at most f are forged");
        Vector::new(out)
    }
}

impl<E: Exchange + Clone> Clone for AveragingAgreement<E> {
    fn clone(&self) -> Self {
        // The rules remember nothing from one call to the next.
        let rules = rules(&self.bounds);
        let Self { me, inner, bounds, open, .. } = self;
        let (inner, bounds, open) = (inner.clone(), *bounds, *open);
        Self { me: *me, inner, bounds, rules, open, outputs: Vec::new() }
    }
}

/// One rule for each number of vectors that a pass can collect.
fn rules(bounds: &AgreementBounds) -> Vec<Box<dyn Aggregator>> {
    let entry = find(RULES, bounds.rule().name()).expect("the rule is in the registry");
    let rule = |count| {
        let population = Population::new(count, bounds.population().f());
        let population = population.expect("the quorum is larger than f");
        (entry.build.build)(&Args::default(), population).expect("the bound on n holds for q too")
    };
    (bounds.quorum()..=bounds.population().n()).map(rule).collect()
}

impl<E: Exchange> Machine for AveragingAgreement<E> {
    type Message = E::Message;
    type Command = Share;
    type Event = Collected;

    fn handle(&mut self, now: Time, input: Input<Self>, out: &mut Outbox<Self>) {
        let mut next = match input {
            Input::Message { from, message } if !self.has_pass(message.turn()) => {
                return out.push(Output::Reject { from, reason: Rejection::NoSuchTurn });
            }
            Input::Message { from, message } => Some(Input::Message { from, message }),
            Input::Command(share) => self.start(share, out),
            Input::Wake => Some(Input::Wake),
        };
        // Not by recursion: what is already here may carry a slow node through many passes.
        while let Some(input) = next.take() {
            let mut outputs = std::mem::take(&mut self.outputs);
            self.inner.handle(now, input, &mut outputs);
            for output in outputs.drain(..) {
                match output {
                    Output::Event(collected) => next = self.absorb(&collected, out),
                    other => out.push(other),
                }
            }
            self.outputs = outputs;
        }
    }
}

impl<E: Exchange> Exchange for AveragingAgreement<E> {
    fn save(&self, out: &mut StateWriter) {
        self.inner.save(out);
        save_turn(self.open.map(|open| open.turn.with_pass(open.pass)), out);
        out.u64(self.open.map_or(0, |open| u64::from(open.passes)));
    }

    fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        self.inner.load(input)?;
        let turn = load_turn(input)?;
        let passes = input.u64()? as u16;
        self.open = match turn {
            Some(turn) if !(1..=passes).contains(&turn.pass.0) => {
                return Err(StateError::Mismatch { what: "a pass of agreement" });
            }
            turn => turn.map(|turn| Open { turn: turn.with_pass(0), pass: turn.pass.0, passes }),
        };
        Ok(())
    }

    fn held(&self) -> usize {
        self.inner.held()
    }

    fn held_max(&self) -> usize {
        self.inner.held_max()
    }
}
