//! Small perturbation: the largest shift of the honest mean that the rule still lets through.
use phalanx_robust::kernel::Divisor;
use phalanx_robust::{Entry, Param, Rng, StateError, StateReader, StateWriter, Vectors};

use crate::attack::{Attack, AttackError, AttackRule, Forgery, View};
use crate::defence::Defence;
use crate::line::Line;
use crate::moments;

/// The registry entry.
pub const ENTRY: Entry<AttackRule> = Entry {
    name: "small-perturbation",
    summary: "the mean of the honest vectors with the largest shift that still changes the result",
    source: "after El Mhamdi, Guerraoui, Rouault, The Hidden Vulnerability of Distributed \
             Learning in Byzantium, ICML 2018; doubling, bisection and defaults as in the krum \
             library, which however compares with γ = 0 and so counts a rejected vector as let \
             through where the unmoved one counts",
    params: &[
        Param::choice("direction", &["one", "all"], "one")
            .about("the coordinate of largest honest deviation, or every coordinate equally"),
        Param::number("shift-max", (1e-30, 1e30), 1e6).about("largest γ"),
        Param::number("shift-start", (1e-30, 1e30), 1.0)
            .about("first γ; doubled while let through"),
        Param::number("tolerance", (1e-30, 1e30), 1e-3).about("width at which bisection ends"),
    ],
    build: AttackRule {
        formula: "a = x̄ + γ e_k with k of largest honest deviation, or x̄ + γ·(1, …, 1); γ the \
                  largest found by doubling, then bisection, for which the rule's result still \
                  differs from that for the largest admissible γ, far out, by more than 10⁻⁶ in \
                  norm; 0 when none does",
        build: |setup| {
            Ok(Box::new(SmallPerturbation {
                is_one: setup.args.text("direction") == "one",
                bisection: Bisection {
                    max: setup.args.number("shift-max"),
                    start: setup.args.number("shift-start"),
                    tolerance: setup.args.number("tolerance"),
                },
                defence: setup.defence,
                byzantine: setup.byzantine,
            }))
        },
    },
};

/// Results this close are the same.
const SAME: f64 = 1e-6;

/// Doubling from `start` up to `max`, then bisection down to `tolerance`.
struct Bisection {
    max: f64,
    start: f64,
    tolerance: f64,
}

struct SmallPerturbation {
    is_one: bool,
    bisection: Bisection,
    defence: Defence,
    byzantine: usize,
}

impl SmallPerturbation {
    fn line(&self, honest: Vectors<'_>) -> Line {
        let (base, deviation) = moments::mean_and_deviation(honest.rows(), Divisor::Count);
        let mut direction = vec![if self.is_one { 0.0 } else { 1.0 }; base.len()];
        if self.is_one {
            let largest = (1..base.len())
                .fold(0, |best, k| if deviation[k] > deviation[best] { k } else { best });
            direction[largest] = 1.0;
        }
        Line { base, direction }
    }
}

impl Bisection {
    /// The largest shift found for which `is_let_through`.
    fn search(&self, mut is_let_through: impl FnMut(f64) -> bool) -> f64 {
        let (mut low, mut high) = (0.0, self.start.min(self.max));
        // What the result is compared with is that for the maximum: it is never let through.
        while high < self.max && is_let_through(high) {
            low = high;
            high = (2.0 * high).min(self.max);
        }
        while high - low > self.tolerance {
            let middle = f64::midpoint(low, high);
            if middle <= low || middle >= high {
                break;
            }
            if is_let_through(middle) {
                low = middle;
            } else {
                high = middle;
            }
        }
        low
    }
}

impl Attack for SmallPerturbation {
    fn forge(&mut self, view: &View<'_>, _rng: &mut Rng) -> Result<Forgery, AttackError> {
        let (honest, byzantine) = (view.honest, self.byzantine);
        let line = self.line(honest);
        let mut displacement = self.defence.along(honest, byzantine, &line);
        let far_out = displacement.respond(self.bisection.max)?;
        let shift = self.bisection.search(|shift| {
            let moved = displacement.respond(shift);
            // An unknown distance is no difference.
            moved.is_ok_and(|moved| displacement.distance(&moved, &far_out) > SAME)
        });
        drop(displacement);
        let vector = line.at(shift);
        self.defence.advance(honest, byzantine, &vector)?;
        Ok(Forgery::same(vector, byzantine, honest.count()))
    }

    fn save(&self, out: &mut StateWriter) {
        self.defence.save(out);
    }

    fn load(&mut self, input: &mut StateReader<'_>) -> Result<(), StateError> {
        self.defence.load(input)
    }
}
