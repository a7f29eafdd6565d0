//! Builds the world of a case, runs it and says what the checkers said.
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use phalanx_attack::{ATTACKS, AttackSetup, Defence, Forger, MISBEHAVIOURS};
use phalanx_learn::{Event, Plan, Sink, Task, TaskSetup, Worker};
use phalanx_protocol::{
    AgreementBounds, AgreementRule, AveragingAgreement, Broadcast, Direct, DirectConfig, Echoes,
    Ed25519Keyring, Enough, Exchange, Form, Gather, GatherConfig, Input, Keyring, Machine, NodeId,
    Outbox, ReliableBroadcast, ReliableBroadcastConfig, Seat, Signature, SignedEchoBroadcast,
    SignedEchoConfig, Time, Turn,
};
use phalanx_robust::registry::find;
use phalanx_robust::{Args, Population, RULES, Rng, StateError, StateReader, StateWriter, Value};
use phalanx_sim::checker::{
    BoundedMemory, BoxValidity, Consistency, Contraction, Integrity, Liveness, NoHonestAccusation,
    Overlap, Totality,
};
use phalanx_sim::{
    Adversary, Checked, Checker, Crash, Hardship, Level, Log, Network, NoHonestRejection, Node,
    Order, Partition, Puppet, Reach, RoundsInOrder, Settings, Simulation, Speaker, Watched,
};
use phalanx_tasks::TASKS;

use crate::soak::case::Case;
use crate::soak::probe::{First, Probe};

/// What a checker objected to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// which checker
    pub checker: &'static str,
    /// what it said
    pub text: String,
    /// what happened before, the last things last
    pub trace: Vec<String>,
}

/// What became of a world.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// what was objected to first, if anything was
    pub finding: Option<Finding>,
    /// nanoseconds of virtual time
    pub virtual_time: u64,
    /// messages that reached somebody's network
    pub messages: u64,
}

/// Lines of a trace that are kept.
const TRACE: usize = 40;

const MILLISECOND: u64 = 1_000_000;

/// When everything heals.
const HEAL: u64 = 2_000 * MILLISECOND;

/// Runs a world. A panic of a machine is a finding like any other.
pub fn carry_out(case: &Case) -> Outcome {
    let run = || match case.exchange {
        "direct" => World::new(case).direct(),
        "reliable-broadcast" => World::new(case).reliable(),
        "signed-echo" => World::new(case).signed(),
        "mda-agreement" => World::new(case).minimum_diameter(),
        _ => World::new(case).trimmed(),
    };
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let text = text.unwrap_or_else(|| "a panic without a text".to_owned());
        let finding = Finding { checker: "no-panic", text, trace: Vec::new() };
        Outcome { finding: Some(finding), virtual_time: 0, messages: 0 }
    })
}

struct World<'a> {
    case: &'a Case,
    population: Population,
    dim: usize,
    honest: usize,
    /// turns that are kept ahead, and served
    window: usize,
    log: Log,
    hardship: Hardship,
}

impl<'a> World<'a> {
    fn new(case: &'a Case) -> Self {
        let population = Population::new(case.number("n"), case.number("f"));
        let population = population.expect("a possible case has a possible population");
        // Ample windows hold a whole run, so that who is left behind can catch up.
        let window = if case.is("ample") { 4096 } else { 2 };
        let honest = population.quorum();
        let (dim, log, hardship) = (case.number("dim"), Log::default(), hardship(case, honest));
        Self { case, population, dim, honest, window, log, hardship }
    }

    fn direct_machine(&self, me: NodeId) -> Direct {
        let config = DirectConfig {
            nodes: self.population.n(),
            quorum: self.population.quorum(),
            timeout: 0,
            is_finite_required: true,
            dim: self.dim,
            turns_ahead_max: self.window,
            seat: Seat::Peer,
        };
        Direct::new(me, config)
    }

    fn reliable_config(&self, is_finite_required: bool) -> ReliableBroadcastConfig {
        let form = if self.case.is("naive") { Form::Naive } else { Form::Digest };
        ReliableBroadcastConfig {
            population: self.population,
            form,
            dim: self.dim,
            is_finite_required,
            turns_ahead_max: self.window,
            turns_served_max: self.window,
        }
    }

    fn gather_config(&self, has_witnesses: bool) -> GatherConfig {
        let enough = match has_witnesses && self.case.fault != "witnesses-off" {
            true => Enough::Witnesses,
            false => Enough::Deliveries(self.population.quorum()),
        };
        GatherConfig { population: self.population, enough, turns_ahead_max: self.window }
    }

    fn signed_config(&self) -> SignedEchoConfig {
        let f = self.population.f() - usize::from(self.case.fault == "quorum-lowered");
        let believed = Population::new(self.population.n(), f);
        SignedEchoConfig {
            population: believed.expect("fewer Byzantine nodes are possible too"),
            run: [7; 32],
            // Every other seed, so that a swarm tries both.
            echoes: if self.case.seed.is_multiple_of(2) { Echoes::Batched } else { Echoes::Single },
            dim: self.dim,
            is_finite_required: true,
            turns_ahead_max: self.window,
            turns_served_max: self.window,
        }
    }

    fn direct(self) -> Outcome {
        let (n, h) = (self.population.n(), self.honest);
        let extra: Vec<Box<dyn Checker>> =
            vec![Box::new(Overlap::new(h, (2 * h).saturating_sub(n)))];
        let watch = |me| Watched::exchange(me, Level::Pass, &self.log, self.direct_machine(me));
        self.run(watch, |_| Speaker, extra)
    }

    fn broadcast_checkers(&self, has_witnesses: bool) -> Vec<Box<dyn Checker>> {
        let (n, h) = (self.population.n(), self.honest);
        let shared = if has_witnesses { h } else { (2 * h).saturating_sub(n) };
        let restarting: BTreeSet<NodeId> = self.hardship.crashes.iter().map(|c| c.node).collect();
        vec![
            Box::new(Consistency::default()),
            Box::new(Integrity::new(h, restarting)),
            Box::new(Overlap::new(h, shared)),
        ]
    }

    fn reliable(self) -> Outcome {
        let has_witnesses = self.case.is("witnesses");
        let (config, gather) = (self.reliable_config(true), self.gather_config(has_witnesses));
        let mut extra = self.broadcast_checkers(has_witnesses);
        if self.case.is("ample") {
            extra.push(Box::new(Totality::new(self.honest)));
        }
        let log = self.log.clone();
        let watch = |me| {
            let broadcast = ReliableBroadcast::new(me, config).expect("n > 3f");
            let broadcast = Watched::broadcast(me, &log, broadcast);
            let gather = Gather::new(me, broadcast, gather).expect("n > 3f");
            Watched::exchange(me, Level::Pass, &log, gather)
        };
        self.run(watch, move |me| reliable_puppet(me, config, gather), extra)
    }

    fn trimmed(self) -> Outcome {
        let (config, gather) = (self.reliable_config(true), self.gather_config(true));
        let rule = match self.case.is("midpoint") {
            true => AgreementRule::TrimmedMidpoint,
            false => AgreementRule::TrimmedMean,
        };
        let bounds = AgreementBounds::new(rule, self.population, self.dim).expect("n > 3f");
        let mut extra = self.broadcast_checkers(true);
        extra.push(Box::new(BoxValidity::default()));
        extra.push(Box::new(Contraction::new(bounds, self.honest)));
        let log = self.log.clone();
        let watch = |me| {
            let broadcast = ReliableBroadcast::new(me, config).expect("n > 3f");
            let broadcast = Watched::broadcast(me, &log, broadcast);
            let gather = Gather::new(me, broadcast, gather).expect("n > 3f");
            let pass = Watched::exchange(me, Level::Pass, &log, gather);
            let agreement = AveragingAgreement::new(me, pass, bounds);
            Watched::exchange(me, Level::Whole, &log, agreement)
        };
        self.run(watch, move |me| reliable_puppet(me, config, gather), extra)
    }

    fn minimum_diameter(self) -> Outcome {
        let (population, dim) = (self.population, self.dim);
        let bounds = AgreementBounds::minimum_diameter(population, dim).expect("n > 6f");
        let used = match self.case.fault {
            // All of the quorum's vectors are kept: nobody is taken for Byzantine.
            "mda-keeps-all" => {
                let trusting = Population::new(population.n(), 0).expect("nobody is Byzantine");
                let rule = AgreementRule::MinimumDiameter { quorum: population.quorum() };
                AgreementBounds::new(rule, trusting, dim).expect("any quorum but the least")
            }
            _ => bounds,
        };
        let h = self.honest;
        let shared = (2 * h).saturating_sub(population.n());
        let extra: Vec<Box<dyn Checker>> =
            vec![Box::new(Overlap::new(h, shared)), Box::new(Contraction::new(bounds, h))];
        let log = self.log.clone();
        let watch = |me| {
            let pass = Watched::exchange(me, Level::Pass, &log, self.direct_machine(me));
            let agreement = AveragingAgreement::new(me, pass, used);
            Watched::exchange(me, Level::Whole, &log, agreement)
        };
        self.run(watch, |_| Speaker, extra)
    }

    fn signed(self) -> Outcome {
        let (config, gather) = (self.signed_config(), self.gather_config(false));
        let rings = Ed25519Keyring::population(self.case.seed, self.population.n());
        let is_credulous = self.case.fault == "echo-unchecked";
        let ring = move |me: NodeId| -> Arc<dyn Keyring> {
            let ring = rings[me.index()].clone();
            if is_credulous { Arc::new(Credulous(ring)) } else { Arc::new(ring) }
        };
        let is_forgetful = self.case.fault == "sign-once-forgotten";
        let extra = self.broadcast_checkers(false);
        let log = self.log.clone();
        let machine = move |me| SignedEchoBroadcast::new(me, config, ring(me)).expect("n > 3f");
        let watch = |me| {
            let forgetful = Forgetful { fresh: machine(me), is_forgetful, inner: machine(me) };
            let broadcast = Watched::broadcast(me, &log, forgetful);
            let gather = Gather::new(me, broadcast, gather).expect("n > 3f");
            Watched::exchange(me, Level::Pass, &log, gather)
        };
        let puppet = {
            let machine = machine.clone();
            move |me| Gather::new(me, machine(me), gather).expect("n > 3f")
        };
        self.run(watch, puppet, extra)
    }

    fn run<E, P>(
        &self,
        exchange: impl Fn(NodeId) -> E,
        puppet: impl Fn(NodeId) -> P + Send + Sync + 'static,
        extra: Vec<Box<dyn Checker>>,
    ) -> Outcome
    where
        E: Exchange<Message: Forger>,
        P: Puppet<E::Message> + 'static,
    {
        let case = self.case;
        let (n, honest, seed) = (self.population.n(), self.honest, case.seed);
        let nodes = tasks(seed, honest, self.dim).into_iter().enumerate().map(|(index, task)| {
            let id = NodeId(index as u16);
            let probe = Probe {
                seed,
                node: index as u64,
                halvings: case.number("halvings") as u16,
                params: vec![0.0; self.dim],
                rule: First,
            };
            let worker = Worker::new(id, task, Box::new(probe));
            let plan = Plan { rounds: case.number("rounds") as u32, evaluate_every: 0 };
            Node { id, exchange: exchange(id), worker, plan, is_speaker: true }
        });
        let network = Network {
            delay: (MILLISECOND, 20 * MILLISECOND),
            compute: (0, 5 * MILLISECOND),
            loss: 0.0,
        };
        let settings = Settings { n, byzantine: n - honest, network, seed };
        let adversary = (honest < n).then(|| self.adversary(puppet));
        let mut simulation = Simulation::new(settings, nodes.collect(), adversary);
        simulation.endure(self.hardship.clone());
        let mut checkers = self.checkers(extra);
        let mut trace = Trace::default();
        let mut checked = Checked::new(&mut trace, &mut checkers).watching(self.log.clone());
        // A flooding adversary makes many messages, but no endless run.
        let ended = simulation.run(&mut checked, &mut |_| true);
        let now = simulation.progress().now;
        let mut finding = None;
        match ended {
            Ok(outcome) => checked.conclude(now, outcome),
            Err(error) => finding = Some(("attack", error.to_string())),
        }
        let broken = checked.violation.take();
        finding = broken.map(|broken| (broken.checker, broken.to_string())).or(finding);
        let lines = trace.0;
        let finding = finding.map(|(checker, text)| Finding { checker, text, trace: lines });
        let traffic = simulation.traffic();
        let messages = traffic.messages + traffic.byzantine_messages;
        Outcome { finding, virtual_time: now.0, messages }
    }

    fn checkers(&self, extra: Vec<Box<dyn Checker>>) -> Vec<Box<dyn Checker>> {
        let (honest, n) = (self.honest, self.population.n());
        let mut checkers: Vec<Box<dyn Checker>> = vec![
            Box::new(NoHonestRejection { honest, n }),
            Box::new(NoHonestAccusation { honest }),
            Box::new(BoundedMemory),
        ];
        if self.hardship.crashes.is_empty() {
            checkers.push(Box::new(RoundsInOrder::default()));
        }
        checkers.extend(extra);
        if self.case.is("ample") {
            checkers.push(Box::new(Liveness));
        }
        checkers
    }

    fn adversary<M: Forger, P: Puppet<M> + 'static>(
        &self,
        puppet: impl Fn(NodeId) -> P + Send + Sync + 'static,
    ) -> Adversary<M> {
        let case = self.case;
        let entry = find(ATTACKS, case.attack).expect("only known attacks are drawn");
        let args = defaults(entry.name, entry.params);
        let (n, f) = (self.population.n(), self.population.f());
        let average = find(RULES, "average").expect("the average is a rule");
        let rule = (average.build.build)(&defaults(average.name, average.params), self.population);
        let rule = rule.expect("the average takes any population");
        let attack = (entry.build.build)(AttackSetup {
            args: &args,
            population: self.population,
            byzantine: n - self.honest,
            defence: Defence { rule, is_self_centred: false },
        });
        let attack = attack.expect("an attack takes its defaults");
        let reach = if case.is("sampled") { Reach::Sampled } else { Reach::All };
        let misbehaviours = case.misbehaviours.iter().map(|name| {
            let entry = find(MISBEHAVIOURS, name).expect("only known misbehaviours are drawn");
            (entry.build.build)(&defaults(entry.name, entry.params))
        });
        Adversary::new(attack, reach, case.seed, puppet).misbehaving(
            misbehaviours.collect(),
            f,
            case.seed,
        )
    }
}

fn defaults(name: &'static str, params: &'static [phalanx_robust::Param]) -> Args {
    Args::check(name, params, &BTreeMap::new()).expect("defaults are within their ranges")
}

fn tasks(seed: u64, nodes: usize, dim: usize) -> Vec<Box<dyn Task>> {
    let entry = find(TASKS, "quadratic").expect("the quadratic is a task");
    let given = BTreeMap::from([("dim".to_owned(), Value::Integer(dim as i64))]);
    let args = Args::check(entry.name, entry.params, &given).expect("a dimension is a number");
    let setup = TaskSetup { args: &args, nodes, seed, data: Path::new("") };
    (entry.build.build)(setup).expect("the quadratic needs no data")
}

fn reliable_puppet(
    me: NodeId,
    config: ReliableBroadcastConfig,
    gather: GatherConfig,
) -> Gather<ReliableBroadcast> {
    // What it shares may be malformed on purpose.
    let config = ReliableBroadcastConfig { is_finite_required: false, ..config };
    let broadcast = ReliableBroadcast::new(me, config).expect("n > 3f");
    Gather::new(me, broadcast, gather).expect("n > 3f")
}

fn hardship(case: &Case, honest: usize) -> Hardship {
    let rng = &mut Rng::stream(case.seed, u64::MAX, "hardship of a case");
    let victim = NodeId(rng.below(honest) as u16);
    let order = match case.order {
        "links" => Order::Links,
        "starved" => Order::Starved(victim),
        "last-in-first-out" => Order::LastInFirstOut,
        _ => Order::Network,
    };
    let mut span = |longest: u64| {
        let from = rng.below(500) as u64 * MILLISECOND;
        let until = from + (1 + rng.below(longest as usize) as u64) * MILLISECOND;
        (Time(from), Time(until.min(HEAL)))
    };
    let spans: Vec<_> = (0..case.number("partitions")).map(|_| span(600)).collect();
    let downs: Vec<_> = (0..case.number("crashes")).map(|_| span(300)).collect();
    let partitions = spans.into_iter().map(|(from, until)| {
        let side = (0..honest as u16).map(NodeId).filter(|_| rng.below(2) == 0).collect();
        Partition { from, until, side }
    });
    let partitions = partitions.collect();
    let crashes = downs.into_iter().map(|(from, until)| {
        let node = NodeId(rng.below(honest) as u16);
        Crash { node, from, until }
    });
    Hardship {
        heal: Time(HEAL),
        order,
        delay_max: 300 * MILLISECOND,
        partitions,
        crashes: crashes.collect(),
        duplication: if case.is("duplication") { 0.2 } else { 0.0 },
        skew: if case.is("skew") { 1.5 } else { 1.0 },
    }
}

/// The last events, as text.
#[derive(Default)]
struct Trace(Vec<String>);

impl Sink for Trace {
    fn record(&mut self, at: Time, node: NodeId, event: &Event) {
        if self.0.len() == TRACE {
            self.0.remove(0);
        }
        let milliseconds = at.0 as f64 / 1e6;
        self.0.push(format!("{milliseconds:10.3} ms  node {node}  {event:?}"));
    }
}

/// A keyring that believes every signature: a fault for checkers to find.
#[derive(Debug)]
struct Credulous(Ed25519Keyring);

impl Keyring for Credulous {
    fn sign(&self, message: &[u8]) -> Signature {
        self.0.sign(message)
    }

    fn verify(&self, _: NodeId, _: &[u8], _: &Signature) -> bool {
        true
    }
}

/// A broadcast that, where it is told so, comes back from a restart as if nothing had been.
#[derive(Debug, Clone)]
struct Forgetful<B> {
    fresh: B,
    is_forgetful: bool,
    inner: B,
}

impl<B: Machine> Machine for Forgetful<B> {
    type Message = B::Message;
    type Command = B::Command;
    type Event = B::Event;

    fn handle(&mut self, now: Time, input: Input<Self>, out: &mut Outbox<Self>) {
        let input = match input {
            Input::Message { from, message } => Input::Message { from, message },
            Input::Command(command) => Input::Command(command),
            Input::Wake => Input::Wake,
        };
        self.inner.handle(now, input, out);
    }
}

impl<B: Broadcast + Clone> Broadcast for Forgetful<B> {
    fn advance(&mut self, turn: Turn) {
        self.inner.advance(turn);
    }

    fn save(&self, out: &mut StateWriter) {
        self.inner.save(out);
    }

    fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        self.inner.load(input)?;
        if self.is_forgetful {
            self.inner = self.fresh.clone();
        }
        Ok(())
    }

    fn held(&self) -> usize {
        self.inner.held()
    }

    fn held_max(&self) -> usize {
        self.inner.held_max()
    }
}
