//! One world of the swarm: drawn from a seed, or written down to be replayed.
use std::fmt;

use phalanx_attack::MISBEHAVIOURS;
use phalanx_robust::Rng;

use crate::problem::Problem;

/// Exchanges that a case can have.
pub const EXCHANGES: &[&str] =
    &["direct", "reliable-broadcast", "signed-echo", "mda-agreement", "rb-tm-agreement"];

/// Attacks on vectors that need nothing but the vectors.
const ATTACKS: &[&str] =
    &["mimic", "sign-flipping", "gaussian", "equivocation", "silence", "coordinate-shift"];

/// What is broken on purpose, to see that a checker bites.
pub const FAULTS: &[&str] = &[
    "none",
    "witnesses-off",
    "quorum-lowered",
    "echo-unchecked",
    "sign-once-forgotten",
    "mda-keeps-all",
];

/// Orders in which messages of honest nodes can arrive.
const ORDERS: &[&str] = &["network", "links", "starved", "last-in-first-out"];

/// Everything that a world is made of, besides its seed.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// seed of every draw
    pub seed: u64,
    /// numbers and switches by name
    pub numbers: Vec<(&'static str, usize)>,
    /// `direct`, `signed-echo`, …
    pub exchange: &'static str,
    /// what is forged
    pub attack: &'static str,
    /// who is heard first
    pub order: &'static str,
    /// what is broken on purpose
    pub fault: &'static str,
    /// what Byzantine nodes do to their messages
    pub misbehaviours: Vec<&'static str>,
}

/// Names, least and greatest value of the numbers.
const NUMBERS: &[(&str, usize, usize)] = &[
    ("n", 1, 64),
    ("f", 0, 21),
    ("dim", 1, 64),
    ("rounds", 1, 100),
    ("halvings", 1, 16),
    ("sampled", 0, 1),
    ("witnesses", 0, 1),
    ("naive", 0, 1),
    ("midpoint", 0, 1),
    ("ample", 0, 1),
    ("partitions", 0, 4),
    ("crashes", 0, 4),
    ("duplication", 0, 1),
    ("skew", 0, 1),
];

fn pick(rng: &mut Rng, of: &[&'static str]) -> &'static str {
    of[rng.below(of.len())]
}

impl Case {
    /// The world of a seed; `exchange` if it must be that one, with a fault or `none`.
    pub fn draw(seed: u64, exchange: Option<&'static str>, fault: &'static str) -> Self {
        let rng = &mut Rng::stream(seed, u64::MAX, "soak");
        let drawn = pick(rng, EXCHANGES);
        let exchange = exchange.unwrap_or(drawn);
        let f = if rng.below(4) == 0 { 2 } else { 1 };
        let least = match exchange {
            "mda-agreement" => 6 * f + 1,
            _ => 3 * f + 1,
        };
        let n = least + rng.below(3);
        let mut number = |name, below| (name, rng.below(below));
        let mut numbers = vec![("n", n), ("f", f)];
        numbers.extend([number("dim", 3), number("rounds", 4), number("halvings", 3)]);
        numbers[2..].iter_mut().for_each(|(_, value)| *value += 1);
        numbers.extend(["sampled", "witnesses", "naive", "midpoint"].map(|name| number(name, 2)));
        numbers.push(("ample", usize::from(number("ample", 4).1 > 0)));
        numbers.extend([number("partitions", 3), number("crashes", 3)]);
        numbers.extend([number("duplication", 2), number("skew", 2)]);
        let mut misbehaviours: Vec<&'static str> = Vec::new();
        for _ in 0..rng.below(4) {
            let name = MISBEHAVIOURS[rng.below(MISBEHAVIOURS.len())].name;
            if !misbehaviours.contains(&name) {
                misbehaviours.push(name);
            }
        }
        let (attack, order) = (pick(rng, ATTACKS), pick(rng, ORDERS));
        Self { seed, numbers, exchange, attack, order, fault, misbehaviours }
    }

    /// A number or switch.
    ///
    /// # Panics
    /// When there is none of this name: a bug of the caller.
    pub fn number(&self, name: &str) -> usize {
        let found = self.numbers.iter().find(|(known, _)| *known == name);
        found.expect("every number is drawn").1
    }

    /// Whether a switch is on.
    pub fn is(&self, name: &str) -> bool {
        self.number(name) > 0
    }

    /// The same with another number.
    #[must_use]
    pub fn with(&self, name: &str, value: usize) -> Self {
        let mut case = self.clone();
        case.numbers.iter_mut().filter(|(known, _)| *known == name).for_each(|(_, v)| *v = value);
        case
    }

    /// Whether n is enough for f, and the agreement can tell both sides apart.
    pub fn is_possible(&self) -> bool {
        let (n, f) = (self.number("n"), self.number("f"));
        let times = if self.exchange == "mda-agreement" { 6 } else { 3 };
        n > times * f && n - f >= 2
    }

    /// Changes what is written in `text`: words `name=value` with spaces in between.
    ///
    /// # Errors
    /// When a word is not one that [`Case`] writes.
    pub fn replay(mut self, text: &str) -> Result<Self, Problem> {
        let known = |value: &str, list: &[&'static str]| {
            list.iter().find(|known| **known == value).copied()
        };
        for word in text.split_whitespace() {
            let wrong = || {
                Problem::new(format!("`{word}` is no part of a replay"))
                    .hint("give the words that `phalanx soak` printed behind `--replay`")
            };
            let (name, value) = word.split_once('=').ok_or_else(wrong)?;
            match name {
                "exchange" => self.exchange = known(value, EXCHANGES).ok_or_else(wrong)?,
                "attack" => self.attack = known(value, ATTACKS).ok_or_else(wrong)?,
                "order" => self.order = known(value, ORDERS).ok_or_else(wrong)?,
                "fault" => self.fault = known(value, FAULTS).ok_or_else(wrong)?,
                "misbehaviours" => {
                    let entry = |name: &str| MISBEHAVIOURS.iter().find(|e| e.name == name);
                    let names = value.split(',').filter(|name| !name.is_empty());
                    let names = names.map(|name| entry(name).map(|entry| entry.name));
                    self.misbehaviours = names.collect::<Option<_>>().ok_or_else(wrong)?;
                }
                name => {
                    let (known, least, most) =
                        NUMBERS.iter().find(|(known, ..)| *known == name).ok_or_else(wrong)?;
                    let value: usize = value.parse().map_err(|_| wrong())?;
                    if !(*least..=*most).contains(&value) {
                        return Err(wrong());
                    }
                    self = self.with(known, value);
                }
            }
        }
        if !self.is_possible() {
            let (n, f) = (self.number("n"), self.number("f"));
            let text = format!("`{}` is not possible with n = {n} and f = {f}", self.exchange);
            return Err(Problem::new(text));
        }
        Ok(self)
    }
}

impl fmt::Display for Case {
    /// The words that [`Case::replay`] reads.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "exchange={} attack={} order={}", self.exchange, self.attack, self.order)?;
        if self.fault != "none" {
            write!(out, " fault={}", self.fault)?;
        }
        write!(out, " misbehaviours={}", self.misbehaviours.join(","))?;
        self.numbers.iter().try_for_each(|(name, value)| write!(out, " {name}={value}"))
    }
}
