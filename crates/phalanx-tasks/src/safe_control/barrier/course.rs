//! All constraints of a plant together.
use std::sync::Arc;

use super::{Constraint, HalfPlane, Interval};

/// Why numbers make no constraint, or a constraint does not belong to a plant.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum CourseError {
    /// A centre with another number of coordinates than there are positions.
    #[error("a centre has `{found}` coordinates, but `{expected}` positions (1 to 3) are kept")]
    Centre {
        /// positions
        expected: usize,
        /// coordinates
        found: usize,
    },
    /// A radius that is none.
    #[error("a radius is `{found}`, and a positive one is needed")]
    Radius {
        /// what was given
        found: f64,
    },
    /// A normal that is zero.
    #[error("the normal of a half-plane is zero")]
    Normal,
    /// A number that is NaN or infinite.
    #[error("`{found}` in a {what}")]
    NotFinite {
        /// centre, half-plane
        what: &'static str,
        /// what was given
        found: f64,
    },
    /// Limits that leave nothing between them.
    #[error("the limits of entry `{entry}` are `{low}` and `{high}`: nothing lies between them")]
    Limits {
        /// which entry of the state
        entry: usize,
        /// lower limit
        low: f64,
        /// upper limit
        high: f64,
    },
    /// Not one lower and one upper limit per entry.
    #[error("there are `{low}` lower and `{high}` upper limits, but `{expected}` states")]
    LimitCount {
        /// states
        expected: usize,
        /// lower limits
        low: usize,
        /// upper limits
        high: usize,
    },
    /// A constraint on an entry that the plant does not have.
    #[error("constraint `{constraint}` needs `{needed}` states, but the plant has `{states}`")]
    States {
        /// which constraint, from 0
        constraint: usize,
        /// what it needs
        needed: usize,
        /// what there is
        states: usize,
    },
}

/// The constraints of one plant, in a fixed order.
#[derive(Clone)]
pub struct Course {
    constraints: Arc<[Box<dyn Constraint>]>,
    states: usize,
}

impl std::fmt::Debug for Course {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.constraints.iter().map(|one| one.describe())).finish()
    }
}

impl Course {
    /// Of a plant with so many states.
    ///
    /// # Errors
    /// [`CourseError::States`] when a constraint needs more of them.
    pub fn new(states: usize, constraints: Vec<Box<dyn Constraint>>) -> Result<Self, CourseError> {
        for (constraint, one) in constraints.iter().enumerate() {
            let needed = one.states_min();
            if needed > states {
                return Err(CourseError::States { constraint, needed, states });
            }
        }
        Ok(Self { constraints: constraints.into(), states })
    }

    /// Constraints that keep each entry between its limits; infinite limits are none.
    ///
    /// # Errors
    /// [`CourseError`] when limits are not one pair per entry, contradict each other or are NaN.
    pub fn limits(low: &[f64], high: &[f64]) -> Result<Vec<Box<dyn Constraint>>, CourseError> {
        if low.len() != high.len() {
            let (expected, low, high) = (low.len().max(high.len()), low.len(), high.len());
            return Err(CourseError::LimitCount { expected, low, high });
        }
        let mut constraints: Vec<Box<dyn Constraint>> = Vec::new();
        for (entry, (low, high)) in low.iter().zip(high).enumerate() {
            if low.is_nan() || high.is_nan() || low >= high {
                return Err(CourseError::Limits { entry, low: *low, high: *high });
            }
            let mut normal = vec![0.0; entry + 1];
            match (low.is_finite(), high.is_finite()) {
                (true, true) => constraints.push(Box::new(Interval::new(entry, *low, *high)?)),
                (true, false) => {
                    normal[entry] = 1.0;
                    constraints.push(Box::new(HalfPlane::new(&normal, *low)?));
                }
                (false, true) => {
                    normal[entry] = -1.0;
                    constraints.push(Box::new(HalfPlane::new(&normal, -high)?));
                }
                (false, false) => {}
            }
        }
        Ok(constraints)
    }

    /// The constraints.
    pub fn constraints(&self) -> &[Box<dyn Constraint>] {
        &self.constraints
    }

    /// Their number, c.
    pub fn len(&self) -> usize {
        self.constraints.len()
    }

    /// Whether nothing is forbidden.
    pub fn is_empty(&self) -> bool {
        self.constraints.is_empty()
    }

    /// States of the plant, n.
    pub fn states(&self) -> usize {
        self.states
    }

    /// The constraint with the least [`Constraint::clearance`] and that clearance; infinite where
    /// nothing is forbidden, NaN where one is.
    pub fn least(&self, state: &[f64]) -> (usize, f64) {
        let mut least = (0, f64::INFINITY);
        for (place, constraint) in self.constraints.iter().enumerate() {
            let value = constraint.clearance(state);
            if value.is_nan() {
                return (place, value);
            }
            if value < least.1 {
                least = (place, value);
            }
        }
        least
    }
}
