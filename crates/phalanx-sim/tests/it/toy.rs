//! A quadratic task and a builder of small populations.
use std::collections::BTreeMap;

use phalanx_attack::{ATTACKS, AttackSetup, Defence, Forger, Misbehaviour};
use phalanx_learn::task::Batch;
use phalanx_learn::{ALGORITHMS, Event, Plan, Role, Scores, Setup, Sink, Task, TaskError, Worker};
use phalanx_protocol::direct::TURNS_AHEAD_MAX;
use phalanx_protocol::{Direct, DirectConfig, Exchange, NodeId, Seat, Time};
use phalanx_robust::registry::find;
use phalanx_robust::{
    AggregateError, Aggregator, Args, Population, RULES, Rng, StateError, StateReader, StateWriter,
    Value, Vectors,
};
use phalanx_sim::{Adversary, Network, Node, Puppet, Reach, Settings, Simulation, Speaker};

/// Loss ½‖θ − c‖² with noisy gradients; "flipped labels" mirror the centre.
pub struct Quadratic {
    pub center: Vec<f32>,
    pub noise: f32,
    pub rng: Rng,
    /// fresh gradients until it diverges
    pub left: u32,
}

impl Quadratic {
    pub fn new(node: usize, dim: usize, noise: f32, seed: u64) -> Self {
        let mut place = Rng::stream(seed, node as u64, "center");
        let center = (0..dim).map(|_| 2.0 + 0.2 * place.unit() as f32).collect();
        Self { center, noise, rng: Rng::stream(seed, node as u64, "batches"), left: u32::MAX }
    }
}

impl Task for Quadratic {
    fn dim(&self) -> usize {
        self.center.len()
    }

    fn init(&self, rng: &mut Rng, out: &mut [f32]) {
        out.iter_mut().for_each(|x| *x = rng.unit() as f32 - 3.0);
    }

    fn gradient(
        &mut self,
        params: &[f32],
        batch: Batch,
        grad: &mut [f32],
    ) -> Result<f64, TaskError> {
        if batch != Batch::LastFlipped {
            self.left = self.left.checked_sub(1).ok_or(TaskError::NotFinite { what: "loss" })?;
        }
        let sign = if batch == Batch::LastFlipped { -1.0 } else { 1.0 };
        let mut loss = 0.0;
        for ((g, x), c) in grad.iter_mut().zip(params).zip(&self.center) {
            let noise = match batch {
                Batch::LastFlipped => 0.0,
                _ => self.noise * (self.rng.unit() as f32 - 0.5),
            };
            *g = x - sign * c + noise;
            loss += f64::from(*g).powi(2) / 2.0;
        }
        if loss.is_finite() { Ok(loss) } else { Err(TaskError::NotFinite { what: "loss" }) }
    }

    fn evaluate(&mut self, params: &[f32]) -> Result<Scores, TaskError> {
        let error: f64 =
            params.iter().zip(&self.center).map(|(x, c)| f64::from(x - c).powi(2)).sum();
        Ok(BTreeMap::from([("error".into(), error)]))
    }

    fn save(&self, out: &mut StateWriter) {
        self.rng.save(out);
        out.u64(u64::from(self.left));
    }

    fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        self.rng.load(input)?;
        self.left = input.u64()? as u32;
        Ok(())
    }
}

/// Hides that a rule is geometric, so that the simulator must run it node by node.
struct Opaque(Box<dyn Aggregator>);

impl Aggregator for Opaque {
    fn aggregate(&mut self, vectors: Vectors<'_>, out: &mut [f32]) -> Result<(), AggregateError> {
        self.0.aggregate(vectors, out)
    }
    fn save(&self, out: &mut StateWriter) {
        self.0.save(out);
    }
    fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        self.0.load(input)
    }
}

/// What a small population is made of.
#[derive(Clone)]
pub struct World {
    pub n: usize,
    pub f: usize,
    pub byzantine: usize,
    pub dim: usize,
    pub noise: f32,
    pub seed: u64,
    pub algorithm: (&'static str, Vec<(&'static str, Value)>),
    pub rule: Option<&'static str>,
    pub attack: Option<&'static str>,
    pub reach: Reach,
    pub network: Network,
    pub plan: Plan,
    pub waits_for_all: bool,
    pub is_opaque: bool,
    pub timeout: u64,
    pub is_finite_required: bool,
    /// node 0 diverges in this round
    pub breaks_in: Option<u32>,
}

impl World {
    pub fn new(n: usize, f: usize, algorithm: &'static str) -> Self {
        Self {
            n,
            f,
            byzantine: f,
            dim: 7,
            noise: 0.1,
            seed: 5,
            algorithm: (algorithm, vec![("learning-rate", Value::Number(0.2))]),
            rule: None,
            attack: Some("sign-flipping"),
            reach: Reach::All,
            network: Network { delay: (5, 50), compute: (100, 120), loss: 0.0 },
            plan: Plan { rounds: 30, evaluate_every: 10 },
            waits_for_all: false,
            is_opaque: false,
            timeout: 0,
            is_finite_required: true,
            breaks_in: None,
        }
    }

    pub fn with(mut self, name: &'static str, value: Value) -> Self {
        self.algorithm.1.push((name, value));
        self
    }

    fn rule(&self, vectors: usize) -> (Box<dyn Aggregator>, bool) {
        let algorithm = find(ALGORITHMS, self.algorithm.0).unwrap();
        let entry = find(RULES, self.rule.unwrap_or(algorithm.build.default_rule)).unwrap();
        let args = Args::check(entry.name, entry.params, &BTreeMap::new()).unwrap();
        let population = Population::new(vectors, self.f).unwrap();
        let rule = (entry.build.build)(&args, population).unwrap();
        let rule = if self.is_opaque { Box::new(Opaque(rule)) } else { rule };
        (rule, entry.build.is_self_centred)
    }

    pub fn build(&self) -> Simulation<Direct> {
        self.build_over(Direct::new, |_| Speaker, Vec::new())
    }

    /// The same population over another exchange, with Byzantine nodes that misbehave.
    pub fn build_over<E: Exchange<Message: Forger>, P: Puppet<E::Message> + 'static>(
        &self,
        exchange: impl Fn(NodeId, DirectConfig) -> E,
        puppet: impl Fn(NodeId) -> P + Send + Sync + 'static,
        misbehaviours: Vec<Box<dyn Misbehaviour>>,
    ) -> Simulation<E> {
        let entry = find(ALGORITHMS, self.algorithm.0).unwrap();
        let given = self.algorithm.1.iter().map(|(k, v)| (k.to_string(), v.clone())).collect();
        let args = Args::check(entry.name, entry.params, &given).unwrap();
        let is_star = entry.build.is_star;
        let collected = if self.waits_for_all || is_star { self.n } else { self.n - self.f };
        let honest = self.n - self.byzantine;
        let hub = NodeId(self.n as u16);
        let ids = (0..honest).map(|i| NodeId(i as u16)).chain(is_star.then_some(hub));
        let nodes = ids.map(|id| {
            let mut task = Quadratic::new(id.index(), self.dim, self.noise, self.seed);
            if id.0 == 0 {
                task.left = self.breaks_in.unwrap_or(u32::MAX);
            }
            let mut init = vec![0.0; self.dim];
            task.init(&mut Rng::stream(self.seed, u64::MAX, "init"), &mut init);
            let (role, seat) = match (is_star, id == hub) {
                (false, _) => (Role::Peer, Seat::Peer),
                (true, true) => (Role::Hub, Seat::Hub),
                (true, false) => (Role::Leaf, Seat::Leaf { hub }),
            };
            let rule = self.rule(collected).0;
            let setup = Setup { args: &args, rule, init, role, collected };
            let algorithm = (entry.build.build)(setup).unwrap();
            let config = DirectConfig {
                nodes: self.n,
                quorum: collected,
                timeout: self.timeout,
                is_finite_required: self.is_finite_required,
                dim: self.dim,
                turns_ahead_max: TURNS_AHEAD_MAX,
                seat,
            };
            let evaluate_every = if role == Role::Leaf { 0 } else { self.plan.evaluate_every };
            Node {
                id,
                exchange: exchange(id, config),
                worker: Worker::new(id, Box::new(task), algorithm),
                plan: Plan { evaluate_every, ..self.plan },
                is_speaker: role != Role::Hub,
            }
        });
        let settings = Settings {
            n: self.n,
            byzantine: self.byzantine,
            network: self.network,
            seed: self.seed,
        };
        Simulation::new(settings, nodes.collect(), self.adversary(puppet, misbehaviours))
    }

    fn adversary<M: Forger, P: Puppet<M> + 'static>(
        &self,
        puppet: impl Fn(NodeId) -> P + Send + Sync + 'static,
        misbehaviours: Vec<Box<dyn Misbehaviour>>,
    ) -> Option<Adversary<M>> {
        if self.byzantine == 0 {
            return None;
        }
        let entry = find(ATTACKS, self.attack?).unwrap();
        let args = Args::check(entry.name, entry.params, &BTreeMap::new()).unwrap();
        // The adversary is the same whether the nodes work together or alone.
        let (rule, is_self_centred) = Self { is_opaque: false, ..self.clone() }.rule(self.n);
        let attack = (entry.build.build)(AttackSetup {
            args: &args,
            population: Population::new(self.n, self.f).unwrap(),
            byzantine: self.byzantine,
            defence: Defence { rule, is_self_centred },
        });
        let adversary = Adversary::new(attack.unwrap(), self.reach, self.seed, puppet);
        Some(match misbehaviours.is_empty() {
            true => adversary,
            false => adversary.misbehaving(misbehaviours, self.f, self.seed),
        })
    }
}

/// Keeps every event.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Record(pub Vec<(Time, NodeId, Event)>);

impl Sink for Record {
    fn record(&mut self, at: Time, node: NodeId, event: &Event) {
        self.0.push((at, node, event.clone()));
    }
}

impl Record {
    /// Senders that each collection held, by node and turn.
    pub fn collected(&self) -> impl Iterator<Item = (NodeId, &Vec<NodeId>)> {
        self.0.iter().filter_map(|(_, node, event)| match event {
            Event::Collected { from, .. } => Some((*node, from)),
            _ => None,
        })
    }

    pub fn failures(&self) -> Vec<&str> {
        let reason = |(_, _, event): &'_ (Time, NodeId, Event)| match event {
            Event::Failed { reason, .. } => Some(reason.clone()),
            _ => None,
        };
        self.0.iter().filter_map(reason).map(|reason| &*reason.leak()).collect()
    }
}
