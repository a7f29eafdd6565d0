//! One agreement on given vectors, in the simulator: machines, network and adversary of a run.
use phalanx_attack::Attack;
use phalanx_learn::algorithm::Algorithm;
use phalanx_learn::task::Batch;
use phalanx_learn::{Cargo, Event, Plan, Scores, Sink, Task, TaskError, Worker};
use phalanx_protocol::reliable_broadcast::Form;
use phalanx_protocol::{
    AgreementBounds, AgreementRule, AveragingAgreement, Direct, Enough, Exchange, Gather,
    GatherConfig, NodeId, ReliableBroadcast, ReliableBroadcastConfig, Round, Time, Turn, Vector,
};
use phalanx_robust::{Aggregator, Rng, StateError, StateReader, StateWriter};
use phalanx_sim::{
    Adversary, Network, Node, Outcome, Puppet, Reach, Settings, Simulation, Speaker,
};

use crate::command::agree::observed::{Log, Observed, SharedLog};
use crate::problem::Problem;

/// Least and greatest delay of a message, in nanoseconds of virtual time.
const DELAY: (u64, u64) = (1_000_000, 10_000_000);

/// What one agreement consists of.
pub struct Trial<'a> {
    /// the algorithm and its promises
    pub bounds: &'a AgreementBounds,
    /// N
    pub halvings: u16,
    /// what the honest nodes begin with
    pub honest: &'a [Vector],
    /// Byzantine nodes with what they do
    pub adversary: Option<(usize, Box<dyn Attack>, Reach)>,
    /// of delays and attack
    pub seed: u64,
}

type Gathered = Gather<ReliableBroadcast>;

impl Trial<'_> {
    /// Runs it to its end.
    ///
    /// # Errors
    /// When the attack cannot be carried out, or an honest node never ends.
    pub fn run(self) -> Result<Log, Problem> {
        let bounds = *self.bounds;
        // A node may be kept behind by a whole agreement, and is served to its end.
        let window = usize::from(bounds.passes(self.halvings)) + 1;
        match bounds.rule() {
            AgreementRule::MinimumDiameter { .. } => self.populate(
                |me| AveragingAgreement::<Direct>::over_direct(me, bounds, window),
                |_| Speaker,
            ),
            AgreementRule::TrimmedMean | AgreementRule::TrimmedMidpoint => self.populate(
                move |me| AveragingAgreement::new(me, gathered(me, &bounds, window), bounds),
                move |me| gathered(me, &bounds, window),
            ),
        }
    }

    fn populate<E: Exchange + 'static, P: Puppet<E::Message> + 'static>(
        self,
        exchange: impl Fn(NodeId) -> E,
        puppet: impl Fn(NodeId) -> P + Send + Sync + 'static,
    ) -> Result<Log, Problem> {
        let log = SharedLog::default();
        let byzantine = self.adversary.as_ref().map_or(0, |(count, ..)| *count);
        let n = self.honest.len() + byzantine;
        let node = |(index, vector): (usize, &Vector)| {
            let id = NodeId(index as u16);
            let given = Given { vector: vector.to_vec(), halvings: self.halvings };
            let task = Nothing { dim: vector.len() };
            Node {
                id,
                exchange: Observed { me: id, nodes: n, inner: exchange(id), log: log.clone() },
                worker: Worker::new(id, Box::new(task), Box::new(given)),
                plan: Plan { rounds: 1, evaluate_every: 0 },
                is_speaker: true,
            }
        };
        let nodes = self.honest.iter().enumerate().map(node).collect();
        let network = Network { delay: DELAY, compute: (0, 0), loss: 0.0 };
        let settings = Settings { n, byzantine, network, seed: self.seed };
        let adversary = self
            .adversary
            .map(|(_, attack, reach)| Adversary::new(attack, reach, self.seed, puppet));
        let mut simulation = Simulation::new(settings, nodes, adversary);
        let outcome = simulation.run(&mut Deaf, &mut |_| true);
        let outcome = outcome.map_err(|error| {
            Problem::new(format!("the attack cannot be carried out: {error}")).at("--attack")
        })?;
        let log = log.lock().clone();
        if outcome != Outcome::Finished || log.outcomes.len() < self.honest.len() {
            let waiting = self.honest.len() - log.outcomes.len();
            return Err(Problem::new(format!("`{waiting}` honest nodes wait for ever")));
        }
        Ok(log)
    }
}

fn gathered(me: NodeId, bounds: &AgreementBounds, window: usize) -> Gathered {
    let population = bounds.population();
    let config = ReliableBroadcastConfig {
        population,
        form: Form::Digest,
        dim: bounds.dim(),
        is_finite_required: true,
        turns_ahead_max: window,
        turns_served_max: window,
    };
    let broadcast = ReliableBroadcast::new(me, config).expect("the bound on n was checked");
    let config = GatherConfig { population, enough: Enough::Witnesses, turns_ahead_max: window };
    Gather::new(me, broadcast, config).expect("the bound on n was checked")
}

struct Deaf;

impl Sink for Deaf {
    fn record(&mut self, _: Time, _: NodeId, _: &Event) {}
}

/// An algorithm that shares a given vector and takes what comes back.
struct Given {
    vector: Vec<f32>,
    halvings: u16,
}

impl Algorithm for Given {
    fn phases(&self, _: Round) -> u16 {
        1
    }

    fn propose(
        &mut self,
        _: Turn,
        _: &mut dyn Task,
        out: &mut [f32],
    ) -> Result<Option<f64>, TaskError> {
        out.copy_from_slice(&self.vector);
        Ok(None)
    }

    fn cargo(&self, _: Turn) -> Cargo {
        Cargo::Gradients
    }

    fn halvings(&self, _: Turn) -> u16 {
        self.halvings
    }

    fn rule(&mut self, _: Turn) -> Option<&mut dyn Aggregator> {
        None
    }

    fn absorb(&mut self, _: Turn, aggregate: &mut Vec<f32>) {
        std::mem::swap(&mut self.vector, aggregate);
    }

    fn params(&self) -> &[f32] {
        &self.vector
    }

    fn save(&self, out: &mut StateWriter) {
        out.f32s(&self.vector);
    }

    fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        input.f32s_into(&mut self.vector)
    }
}

/// Nothing is learned here.
struct Nothing {
    dim: usize,
}

impl Task for Nothing {
    fn dim(&self) -> usize {
        self.dim
    }

    fn init(&self, _: &mut Rng, out: &mut [f32]) {
        out.fill(0.0);
    }

    fn gradient(&mut self, _: &[f32], _: Batch, _: &mut [f32]) -> Result<f64, TaskError> {
        Err(TaskError::Unsupported { what: "gradient" })
    }

    fn evaluate(&mut self, _: &[f32]) -> Result<Scores, TaskError> {
        Ok(Scores::new())
    }

    fn save(&self, _: &mut StateWriter) {}

    fn load(&mut self, _: &mut StateReader<'_>) -> Result<(), StateError> {
        Ok(())
    }
}
