//! From an exchange's name and parameters to one node's machine.
use std::sync::Arc;

use phalanx_learn::Role;
use phalanx_protocol::direct::TURNS_AHEAD_MAX;
use phalanx_protocol::{
    AveragingAgreement, Direct, DirectConfig, Echoes, Ed25519Keyring, Enough, Form, Gather,
    GatherConfig, NodeId, ReliableBroadcast, ReliableBroadcastConfig, Seat, SignedEchoBroadcast,
    SignedEchoConfig, VerificationCache,
};

use crate::experiment::{Run, resolve::nanoseconds};
use crate::run::assemble::AssembleError;

/// The place of one node.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) id: NodeId,
    pub(super) role: Role,
    /// length of a vector
    pub(super) dim: usize,
}

/// The trusted server of a star sits behind the last node.
pub(super) fn hub(run: &Run) -> NodeId {
    NodeId(run.population.n() as u16)
}

fn echoes(run: &Run) -> Echoes {
    match run.exchange.choice.args.text("echoes") {
        "single" => Echoes::Single,
        _ => Echoes::Batched,
    }
}

/// Builds the machines of a run.
#[derive(Clone)]
pub(super) struct Wiring {
    run: Arc<Run>,
    /// by node; all of them remember verdicts in one place, since they are one process
    keyrings: Arc<[Ed25519Keyring]>,
}

type Reliable = Gather<ReliableBroadcast>;
type Signed = Gather<SignedEchoBroadcast>;

impl Wiring {
    pub(super) fn new(run: &Run) -> Self {
        let n = run.population.n();
        let is_signed = run.exchange.choice.name == "signed-echo";
        let keyrings = if is_signed { Ed25519Keyring::population(run.seed, n) } else { Vec::new() };
        // Echoes of all nodes to all senders, of a few turns.
        let cache = Arc::new(VerificationCache::new((4 * n * n).min(CACHE_PLACES_MAX)));
        let keyrings = keyrings.into_iter().map(|ring| ring.with_cache(Arc::clone(&cache)));
        Self { run: Arc::new(run.clone()), keyrings: keyrings.collect() }
    }

    /// What is kept for peers ahead and served to peers behind.
    ///
    /// A node that is further behind is lost, so an agreement keeps at least one turn's passes.
    fn windows(&self, dim: usize) -> Result<(usize, usize), AssembleError> {
        let args = &self.run.exchange.choice.args;
        let agreement = self.run.exchange.agreement(self.run.population, dim)?;
        let passes = agreement.map_or(0, |bounds| usize::from(bounds.passes(HALVINGS)) + 1);
        let ahead = args.integer_if("turns-ahead").unwrap_or(TURNS_AHEAD_MAX.max(passes));
        Ok((ahead, args.integer_if("turns-served").unwrap_or(SERVED.max(passes))))
    }

    fn gathered(&self, enough: Enough, turns_ahead_max: usize) -> GatherConfig {
        GatherConfig { population: self.run.population, enough, turns_ahead_max }
    }

    pub(super) fn direct(&self, place: Place) -> Direct {
        let run = &self.run;
        let seat = match place.role {
            Role::Peer => Seat::Peer,
            Role::Hub => Seat::Hub,
            Role::Leaf => Seat::Leaf { hub: hub(run) },
        };
        let config = DirectConfig {
            nodes: run.population.n(),
            quorum: run.collected,
            timeout: nanoseconds(run.exchange.timeout_ms),
            is_finite_required: run.exchange.is_finite_required,
            dim: place.dim,
            turns_ahead_max: TURNS_AHEAD_MAX,
            seat,
        };
        Direct::new(place.id, config)
    }

    /// With witnesses where the experiment asks for them, and always below an agreement.
    pub(super) fn reliable(&self, place: Place) -> Result<Reliable, AssembleError> {
        let args = &self.run.exchange.choice.args;
        let form = match args.text("form") {
            "naive" => Form::Naive,
            _ => Form::Digest,
        };
        let (turns_ahead_max, turns_served_max) = self.windows(place.dim)?;
        let config = ReliableBroadcastConfig {
            population: self.run.population,
            form,
            dim: place.dim,
            is_finite_required: true,
            turns_ahead_max,
            turns_served_max,
        };
        let broadcast = ReliableBroadcast::new(place.id, config)?;
        let is_witnessed = !args.has("witnesses") || args.flag("witnesses");
        let enough = match is_witnessed {
            true => Enough::Witnesses,
            false => Enough::Deliveries(self.run.collected),
        };
        Ok(Gather::new(place.id, broadcast, self.gathered(enough, turns_ahead_max))?)
    }

    pub(super) fn signed(&self, place: Place) -> Result<Signed, AssembleError> {
        let (turns_ahead_max, turns_served_max) = self.windows(place.dim)?;
        let config = SignedEchoConfig {
            population: self.run.population,
            run: *blake3::hash(self.run.folder_name().as_bytes()).as_bytes(),
            echoes: echoes(&self.run),
            dim: place.dim,
            is_finite_required: true,
            turns_ahead_max,
            turns_served_max,
        };
        let keyring = Arc::new(self.keyrings[place.id.index()].clone());
        let broadcast = SignedEchoBroadcast::new(place.id, config, keyring)?;
        let enough = Enough::Deliveries(self.run.collected);
        Ok(Gather::new(place.id, broadcast, self.gathered(enough, turns_ahead_max))?)
    }

    pub(super) fn minimum_diameter(
        &self,
        place: Place,
    ) -> Result<AveragingAgreement<Direct>, AssembleError> {
        let bounds = self.run.exchange.agreement(self.run.population, place.dim)?;
        let bounds = bounds.expect("an agreement has bounds");
        Ok(AveragingAgreement::over_direct(place.id, bounds, self.windows(place.dim)?.0))
    }

    pub(super) fn trimmed(
        &self,
        place: Place,
    ) -> Result<AveragingAgreement<Reliable>, AssembleError> {
        let bounds = self.run.exchange.agreement(self.run.population, place.dim)?;
        let bounds = bounds.expect("an agreement has bounds");
        Ok(AveragingAgreement::new(place.id, self.reliable(place)?, bounds))
    }
}

/// N up to which the passes of one turn fit the windows by themselves.
const HALVINGS: u16 = 10;

/// Old turns that are served unless told otherwise; each keeps up to n vectors.
const SERVED: usize = 8;

/// A place takes about 100 bytes.
const CACHE_PLACES_MAX: usize = 1 << 18;
