//! Displacement along a line from weights of mixtures and one pass over blocks of columns.
use phalanx_robust::kernel::order::{Columns, Family, MixtureTerms};
use phalanx_robust::mixing::ColumnRule;
use phalanx_robust::{AggregateError, Geometry, Vectors};

use crate::line::Line;

/// Room for evaluations of a rule of mixtures and a statistic of their coordinates.
#[derive(Default)]
pub(super) struct Pass {
    columns: Columns,
    terms: Vec<MixtureTerms>,
}

impl Pass {
    /// `‖rule(honest + copies of a(factor)) − mean‖²`; nothing of length d is written down. `None`
    /// where the geometry does not tell what the mixtures are.
    ///
    /// # Errors
    /// When the rule refuses.
    pub(super) fn squared(
        &mut self,
        rule: &mut dyn ColumnRule,
        geometry: &Geometry,
        (honest, mean): (Vectors<'_>, &[f64]),
        (line, factor): (&Line, f64),
    ) -> Result<Option<f64>, AggregateError> {
        let Some(statistic) = rule.mixtures(geometry, None, &mut self.terms)? else {
            return Ok(None);
        };
        // All copies are one vector, which follows the honest ones.
        let forged = honest.count();
        for terms in &mut self.terms {
            terms.iter_mut().for_each(|(vector, _)| *vector = forged.min(*vector));
        }
        let make = |start: usize, out: &mut [f32]| line.write_part(factor, start, out);
        let family = Family { rows: honest.rows(), made: Some(&make) };
        let squared =
            |start: usize, out: &[f32]| squared_distance(out, &mean[start..start + out.len()]);
        let (found, sum) = self.columns.sum_over_mixed(family, &self.terms, statistic, &squared);
        let tolerated = statistic.tolerated(self.terms.len());
        match found > tolerated {
            true => Err(AggregateError::TooManyNotFinite { found, tolerated }),
            false => Ok(Some(sum)),
        }
    }
}

/// `‖a − b‖²`, in eight sums that the compiler may keep side by side.
fn squared_distance(a: &[f32], b: &[f64]) -> f64 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut sums = [0.0; 8];
    for (a, b) in a.iter().zip(b) {
        for lane in 0..8 {
            let difference = f64::from(a[lane]) - b[lane];
            sums[lane] += difference * difference;
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| (f64::from(*a) - b).powi(2)).sum();
    sums.iter().sum::<f64>() + rest
}
