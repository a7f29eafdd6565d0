//! Against comparative gradient elimination: cancel the small honest vectors, with a norm that
//! still survives the elimination.
use phalanx_robust::rule::BuildError;
use phalanx_robust::{Entry, Rng, kernel};

use crate::attack::{Attack, AttackError, AttackRule, AttackSetup, Forgery, View};

/// The registry entry.
pub const ENTRY: Entry<AttackRule> = Entry {
    name: "anti-comparative-gradient-elimination",
    summary: "opposite to the sum of the smallest honest vectors, just short enough to be kept",
    source: "after the published simulator of Farhadkhani et al., Robust Collaborative Learning \
             with Linear Gradient Overhead, ICML 2023, which counts the smallest vector twice \
             (not done here); the factor 1 − 1e-6 is chosen",
    params: &[],
    build: AttackRule {
        formula: "a = −(1 − 10⁻⁶) ν S/‖S‖, S the sum of the h − f honest vectors of least norm, ν \
                  the next norm; 0 when S = 0",
        build: |setup| Ok(Box::new(AntiComparativeGradientElimination::new(&setup)?)),
    },
};

/// Short enough that rounding to `f32` cannot lengthen the vector beyond ν.
const JUST_BELOW: f64 = 1.0 - 1e-6;

struct AntiComparativeGradientElimination {
    f: usize,
    byzantine: usize,
}

impl AntiComparativeGradientElimination {
    fn new(setup: &AttackSetup<'_>) -> Result<Self, BuildError> {
        let (population, byzantine) = (setup.population, setup.byzantine);
        let (n, f) = (population.n(), population.f());
        if f == 0 || n <= f + byzantine {
            return Err(BuildError::Other(format!(
                "`{}` needs f ≥ 1 eliminated and h > f honest vectors, but `n = {n}`, `f = {f}` \
                 with `{byzantine}` Byzantine nodes",
                ENTRY.name
            )));
        }
        Ok(Self { f, byzantine })
    }
}

impl Attack for AntiComparativeGradientElimination {
    fn forge(&mut self, view: &View<'_>, _rng: &mut Rng) -> Result<Forgery, AttackError> {
        let rows = view.honest.rows();
        if rows.len() <= self.f {
            let what = "more than f honest vectors";
            return Err(AttackError::Missing { attack: ENTRY.name, what });
        }
        let norms: Vec<f64> = rows.iter().map(|row| kernel::dot(row, row).sqrt()).collect();
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_by(|&a, &b| norms[a].total_cmp(&norms[b]));
        let kept = rows.len() - self.f;
        let mut sum = vec![0.0_f64; view.honest.dim()];
        for &i in &order[..kept] {
            sum.iter_mut().zip(rows[i]).for_each(|(sum, value)| *sum += f64::from(*value));
        }
        let norm = sum.iter().map(|value| value * value).sum::<f64>().sqrt();
        let scale = if norm > 0.0 { -JUST_BELOW * norms[order[kept]] / norm } else { 0.0 };
        let vector = sum.iter().map(|value| (value * scale) as f32).collect();
        Ok(Forgery::same(vector, self.byzantine, rows.len()))
    }
}
