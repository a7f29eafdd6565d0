//! Scales that a whole fleet shares: medians of what its members claim.
use phalanx_robust::{Bound, Population, PopulationError};

use crate::safe_control::gp::{Scale, Standardisation};

/// Why there are no common scales.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ScalesError {
    /// n and f do not go together.
    #[error(transparent)]
    Population(#[from] PopulationError),
    /// Not one claim for each member.
    #[error("`{found}` claims, but there are `{expected}` members")]
    Claims {
        /// members
        expected: usize,
        /// claims
        found: usize,
    },
    /// More claims than f are no scales at all.
    #[error("`{found}` claims are no scales, but only `{tolerated}` are tolerated")]
    Malformed {
        /// how many
        found: usize,
        /// f
        tolerated: usize,
    },
}

/// The median of the members' means and of their deviations, column by column.
///
/// # Guarantee
/// With at most f < n / 2 liars each number lies between honest claims.
///
/// # Errors
/// [`ScalesError`] when more than f claims are not scales of so many inputs and outputs.
pub fn common_standardisation(
    population: Population,
    (inputs, outputs): (usize, usize),
    claims: &[Standardisation],
) -> Result<Standardisation, ScalesError> {
    population.require(Bound::MAJORITY)?;
    let (expected, found) = (population.n(), claims.len());
    if expected != found {
        return Err(ScalesError::Claims { expected, found });
    }
    let sound: Vec<&Standardisation> =
        claims.iter().filter(|claim| claim.check(inputs, outputs).is_ok()).collect();
    let (found, tolerated) = (claims.len() - sound.len(), population.f());
    if found > tolerated {
        return Err(ScalesError::Malformed { found, tolerated });
    }
    let scale = |of: &dyn Fn(&Standardisation) -> Scale| Scale {
        mean: median(sound.iter().map(|claim| of(claim).mean).collect()),
        deviation: median(sound.iter().map(|claim| of(claim).deviation).collect()),
    };
    Ok(Standardisation {
        inputs: (0..inputs).map(|d| scale(&|claim| claim.inputs[d])).collect(),
        outputs: (0..outputs).map(|e| scale(&|claim| claim.outputs[e])).collect(),
    })
}

/// The middle of an odd number of values, the mean of the two middle ones of an even number.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let (low, high) = (values[(values.len() - 1) / 2], values[values.len() / 2]);
    low + 0.5 * (high - low)
}
