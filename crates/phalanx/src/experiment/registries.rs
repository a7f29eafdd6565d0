//! Every name that an experiment file can choose, by kind.
use phalanx_attack::{ATTACKS, AttackRule, MISBEHAVIOURS, MisbehaviourRule};
use phalanx_learn::{ALGORITHMS, AlgorithmRule, TaskRule};
use phalanx_protocol::{EXCHANGES, ExchangeRule, Yields};
use phalanx_robust::mixing::{MIXINGS, MixingRule};
use phalanx_robust::rule::{Certificate, Example};
use phalanx_robust::{Entry, Param, RULES, Rule};
use phalanx_tasks::TASKS;

use crate::problem::Problem;

/// The lists that names are looked up in.
#[derive(Debug, Clone, Copy)]
pub struct Registries {
    /// aggregation rules
    pub rules: &'static [Entry<Rule>],
    /// pre-aggregations
    pub mixings: &'static [Entry<MixingRule>],
    /// attacks
    pub attacks: &'static [Entry<AttackRule>],
    /// what Byzantine nodes do to their messages
    pub misbehaviours: &'static [Entry<MisbehaviourRule>],
    /// learning algorithms
    pub algorithms: &'static [Entry<AlgorithmRule>],
    /// workloads
    pub tasks: &'static [Entry<TaskRule>],
    /// how vectors travel
    pub exchanges: &'static [Entry<ExchangeRule>],
}

impl Registries {
    /// Everything that this build knows.
    pub const ALL: Self = Self {
        rules: RULES,
        mixings: MIXINGS,
        attacks: ATTACKS,
        misbehaviours: MISBEHAVIOURS,
        algorithms: ALGORITHMS,
        tasks: TASKS,
        exchanges: EXCHANGES,
    };

    /// What is declared under one name of one kind.
    pub fn find(&self, kind: Kind, name: &str) -> Option<Listed> {
        self.list(kind).into_iter().find(|listed| listed.name == name)
    }

    /// Refuses a score that a task does not measure.
    ///
    /// # Errors
    /// What it measures instead.
    pub fn require_score(&self, task: &str, score: &str) -> Result<(), Problem> {
        let entry = self.tasks.iter().find(|entry| entry.name == task);
        let known = entry.map_or(&[][..], |entry| entry.build.scores);
        if known.contains(&score) {
            return Ok(());
        }
        let problem = Problem::new(format!("task `{task}` does not measure `{score}`"));
        Err(problem.among("score", score, known.iter().copied()))
    }

    /// All entries of one kind, in the order of their list.
    pub fn list(&self, kind: Kind) -> Vec<Listed> {
        match kind {
            Kind::Rule => self.rules.iter().map(Listed::rule).collect(),
            Kind::Mixing => {
                let facts =
                    |rule: &MixingRule| vec![("formula", rule.formula), ("cost", rule.cost)];
                Listed::all(kind, self.mixings, facts)
            }
            Kind::Attack => Listed::all(kind, self.attacks, |rule| vec![("formula", rule.formula)]),
            Kind::Algorithm => Listed::all(kind, self.algorithms, |rule| {
                let network = if rule.is_star { "a star with a trusted hub" } else { "peers" };
                vec![("formula", rule.formula), ("network", network), ("rule", rule.default_rule)]
            }),
            Kind::Task => Listed::all(kind, self.tasks, |rule| vec![("formula", rule.formula)]),
            Kind::Misbehaviour => self.misbehaviours.iter().map(Listed::misbehaviour).collect(),
            Kind::Exchange => self.exchanges.iter().map(Listed::exchange).collect(),
        }
    }
}

/// Kinds of named things.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// aggregation rule
    Rule,
    /// pre-aggregation
    Mixing,
    /// attack
    Attack,
    /// learning algorithm
    Algorithm,
    /// workload
    Task,
    /// how vectors travel
    Exchange,
    /// what Byzantine nodes do to their messages
    Misbehaviour,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Rule,
        Self::Mixing,
        Self::Attack,
        Self::Algorithm,
        Self::Task,
        Self::Exchange,
        Self::Misbehaviour,
    ];

    /// The word for one of it, which is also its key in an experiment file.
    pub fn word(self) -> &'static str {
        match self {
            Self::Rule => "rule",
            Self::Mixing => "mixing",
            Self::Attack => "attack",
            Self::Algorithm => "algorithm",
            Self::Task => "task",
            Self::Exchange => "exchange",
            Self::Misbehaviour => "misbehaviour",
        }
    }
}

/// What a person can read about one entry, whatever its kind.
#[derive(Debug, Clone)]
pub struct Listed {
    /// its kind
    pub kind: Kind,
    /// its name
    pub name: &'static str,
    /// one line
    pub summary: &'static str,
    /// where it comes from
    pub source: &'static str,
    /// declared parameters
    pub params: &'static [Param],
    /// heading and text, in reading order
    pub facts: Vec<(&'static str, String)>,
}

impl Listed {
    fn all<B: 'static>(
        kind: Kind,
        entries: &'static [Entry<B>],
        facts: impl Fn(&B) -> Vec<(&'static str, &'static str)>,
    ) -> Vec<Self> {
        let listed = entries.iter().map(|entry| {
            let facts = facts(&entry.build);
            let facts = facts.into_iter().map(|(heading, text)| (heading, text.into()));
            Self::new(kind, entry, facts.collect())
        });
        listed.collect()
    }

    fn rule(entry: &'static Entry<Rule>) -> Self {
        let rule = &entry.build;
        let mut facts = vec![
            ("formula", rule.formula.into()),
            ("guarantee", rule.guarantee.into()),
            ("cost", rule.cost.into()),
            ("bound", format!("{}, where n counts the vectors that it is given", rule.bound)),
        ];
        facts.extend(certified(rule));
        let Example { rows, f, result } = rule.example;
        let text = format!("{rows:?} with f = {f} becomes {result:?}");
        facts.push(("example", text));
        if rule.is_self_centred {
            facts.push(("centre", "the node's own vector".into()));
        }
        Self::new(Kind::Rule, entry, facts)
    }

    fn misbehaviour(entry: &'static Entry<MisbehaviourRule>) -> Self {
        let MisbehaviourRule { formula, kinds, .. } = entry.build;
        let kinds: Vec<String> =
            kinds.iter().map(|kind| format!("{kind:?}").to_lowercase()).collect();
        let facts = vec![("formula", formula.into()), ("messages", kinds.join(", "))];
        Self::new(Kind::Misbehaviour, entry, facts)
    }

    fn exchange(entry: &'static Entry<ExchangeRule>) -> Self {
        let ExchangeRule { formula, guarantee, cost, bound, yields } = entry.build;
        let yields = match yields {
            Yields::Vectors => "the vectors of n − f nodes or more, for the rule".into(),
            Yields::Agreed { rule } => format!("one vector, condensed by `{rule}`: no other rule"),
        };
        let facts = vec![
            ("formula", formula.into()),
            ("guarantee", guarantee.into()),
            ("cost", cost.into()),
            ("bound", bound.to_string()),
            ("yields", yields),
        ];
        Self::new(Kind::Exchange, entry, facts)
    }

    fn new<B>(kind: Kind, entry: &Entry<B>, facts: Vec<(&'static str, String)>) -> Self {
        let Entry { name, summary, source, params, .. } = *entry;
        Self { kind, name, summary, source, params, facts }
    }
}

/// The certificate in words, with κ for a few populations.
fn certified(rule: &Rule) -> Vec<(&'static str, String)> {
    let Certificate { kappa, label, breakdown } = rule.certificate;
    let mut facts = Vec::new();
    if let Some(kappa) = kappa {
        let at = |(n, f): (u8, u8)| {
            format!("{:.3} at n = {n}, f = {f}", kappa(f64::from(n), f64::from(f)))
        };
        let values = [(10, 1), (10, 3), (25, 5)].map(at).join("; ");
        facts.push(("kappa", format!("{values} ({})", label.word())));
    }
    if let Some(bound) = breakdown {
        facts.push(("breakdown", format!("none for {bound} ({})", label.word())));
    }
    facts
}
