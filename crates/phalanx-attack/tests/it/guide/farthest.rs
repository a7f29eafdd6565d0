//! Farthest: repeats the honest vector that is farthest from the honest mean.
use phalanx_attack::attack::{Attack, AttackError, AttackRule, Forgery, View};
use phalanx_robust::{Entry, Rng};

/// The registry entry.
pub const ENTRY: Entry<AttackRule> = Entry {
    name: "farthest",
    summary: "the honest vector farthest from the honest mean, repeated",
    source: "the guide to rules of one's own; not from a paper",
    params: &[],
    build: AttackRule {
        formula: "a = x_i of largest ‖x_i − x̄‖",
        build: |setup| Ok(Box::new(Farthest { byzantine: setup.byzantine })),
    },
};

struct Farthest {
    byzantine: usize,
}

impl Attack for Farthest {
    fn forge(&mut self, view: &View<'_>, _rng: &mut Rng) -> Result<Forgery, AttackError> {
        let rows = view.honest.rows();
        let mut mean = vec![0.0; view.honest.dim()];
        let weights = vec![1.0 / rows.len() as f64; rows.len()];
        phalanx_robust::kernel::combine(rows, &weights, &mut mean);
        let distance =
            |row: &[f32]| row.iter().zip(&mean).map(|(x, m)| f64::from(x - m).powi(2)).sum::<f64>();
        let farthest = rows.iter().max_by(|a, b| distance(a).total_cmp(&distance(b)));
        let farthest = farthest.expect("vectors are at least one");
        Ok(Forgery::same(farthest.to_vec(), self.byzantine, rows.len()))
    }
}
