//! β(x): what barrier states stand for, from all constraints of a course.
use std::sync::Arc;

use super::{Course, Operator};

/// How several constraints become barrier states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Combination {
    /// one state, Σ B(hᵢ)
    #[default]
    Sum,
    /// one state per constraint, B(hᵢ)
    Vector,
    /// one state, B(h) with 1 / h = Σ 1 / hᵢ
    Harmonic,
}

impl Combination {
    /// The combination of a name in files.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "sum" => Some(Self::Sum),
            "vector" => Some(Self::Vector),
            "harmonic" => Some(Self::Harmonic),
            _ => None,
        }
    }
}

/// A state without a finite barrier.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
#[error("constraint `{constraint}` has the value `{value}`, and above 0 is needed")]
pub struct Unsafe {
    /// which constraint, from 0
    pub constraint: usize,
    /// its value less its margin
    pub value: f64,
}

/// Why there is no such barrier.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum BarrierError {
    /// A scale that is not positive, or not finite.
    #[error("the operator `{0:?}` has a scale that is not positive")]
    Operator(Operator),
    /// Nothing is forbidden.
    #[error("there is no constraint")]
    Empty,
    /// 1 / h has no meaning on the unsafe side.
    #[error("the harmonic combination needs an operator that is infinite at zero")]
    TolerantHarmonic,
    /// A rate that does not contract.
    #[error("the contraction is `{found}`, and its size must be below 1")]
    Contraction {
        /// what was given
        found: f64,
    },
    /// A gain that does not pull.
    #[error("the gain is `{found}`, and a positive one is needed")]
    Gain {
        /// what was given
        found: f64,
    },
    /// A course of another plant.
    #[error("the course is for `{course}` states, but the plant has `{plant}`")]
    States {
        /// states of the course
        course: usize,
        /// states of the plant
        plant: usize,
    },
    /// The point that the barrier state is shifted by is not safe.
    #[error("the barrier cannot be shifted to this state: {0}")]
    Shift(Unsafe),
}

/// β(x) with value, gradient and Hessian.
///
/// Margins tighten constraints step by step of a horizon, hᵢ(x) − marginᵢ; they are numbers, not
/// functions of the state, so that one solve sees one problem.
#[derive(Debug, Clone)]
pub struct Barrier {
    operator: Operator,
    combination: Combination,
    course: Course,
    margins: Arc<[f64]>,
    lifts: Arc<[f64]>,
}

impl Barrier {
    /// Of a course.
    ///
    /// # Errors
    /// [`BarrierError`] when the operator has no positive scale, the course forbids nothing, or
    /// the two do not combine.
    pub fn new(
        operator: Operator,
        combination: Combination,
        course: Course,
    ) -> Result<Self, BarrierError> {
        if !operator.is_valid() {
            return Err(BarrierError::Operator(operator));
        }
        if course.is_empty() {
            return Err(BarrierError::Empty);
        }
        if operator.is_tolerant() && combination == Combination::Harmonic {
            return Err(BarrierError::TolerantHarmonic);
        }
        let none: Arc<[f64]> = Arc::new([]);
        Ok(Self { operator, combination, course, margins: none.clone(), lifts: none })
    }

    /// The operator.
    pub fn operator(&self) -> Operator {
        self.operator
    }

    /// How constraints are combined.
    pub fn combination(&self) -> Combination {
        self.combination
    }

    /// The constraints.
    pub fn course(&self) -> &Course {
        &self.course
    }

    /// Number of barrier states, b.
    pub fn width(&self) -> usize {
        if self.combination == Combination::Vector { self.course.len() } else { 1 }
    }

    /// Tightens constraint i at step k of a horizon by `margins[k c + i]`. Steps after the last
    /// row take the last row.
    ///
    /// # Panics
    /// When it is not whole rows.
    pub fn tighten(&mut self, margins: &[f64]) {
        assert_eq!(margins.len() % self.course.len(), 0, "a margin per constraint and step");
        self.margins = margins.into();
    }

    /// Adds `lifts[k b + i]` to barrier i at step k of a horizon.
    ///
    /// # Panics
    /// When it is not whole rows.
    pub fn lift(&mut self, lifts: &[f64]) {
        assert_eq!(lifts.len() % self.width(), 0, "a lift per barrier state and step");
        self.lifts = lifts.into();
    }

    /// The margins that [`Barrier::tighten`] set.
    pub fn margins(&self) -> &[f64] {
        &self.margins
    }

    /// The lifts that [`Barrier::lift`] set.
    pub fn lifts(&self) -> &[f64] {
        &self.lifts
    }

    fn row(table: &[f64], width: usize, step: usize) -> &[f64] {
        match (table.len() / width).checked_sub(1) {
            Some(last) => &table[step.min(last) * width..][..width],
            None => &[],
        }
    }

    #[inline]
    fn eta(&self, margins: &[f64], place: usize, state: &[f64]) -> Result<f64, Unsafe> {
        let margin = margins.get(place).copied().unwrap_or(0.0);
        let eta = self.course.constraints()[place].value(state) - margin;
        // Written so that a clearance that is not a number is refused too.
        if eta > 0.0 || (self.operator.is_tolerant() && !eta.is_nan()) {
            Ok(eta)
        } else {
            Err(Unsafe { constraint: place, value: eta })
        }
    }

    /// 1 / Σ 1 / ηᵢ.
    fn harmonic(&self, margins: &[f64], state: &[f64]) -> Result<f64, Unsafe> {
        let mut sum = 0.0;
        for place in 0..self.course.len() {
            sum += 1.0 / self.eta(margins, place, state)?;
        }
        Ok(1.0 / sum)
    }

    /// Writes β at a step of a horizon.
    ///
    /// # Errors
    /// [`Unsafe`] names the first constraint without a positive clearance.
    pub fn value(&self, step: usize, state: &[f64], value: &mut [f64]) -> Result<(), Unsafe> {
        let margins = Self::row(&self.margins, self.course.len(), step);
        value.fill(0.0);
        match self.combination {
            Combination::Harmonic => {
                value[0] = self.operator.value(self.harmonic(margins, state)?);
            }
            Combination::Sum => {
                for place in 0..self.course.len() {
                    value[0] += self.operator.value(self.eta(margins, place, state)?);
                }
            }
            Combination::Vector => {
                for (place, value) in value.iter_mut().enumerate() {
                    *value = self.operator.value(self.eta(margins, place, state)?);
                }
            }
        }
        let lifts = Self::row(&self.lifts, self.width(), step);
        value.iter_mut().zip(lifts).for_each(|(value, lift)| *value += lift);
        Ok(())
    }

    /// Writes β and its gradients, b × n.
    ///
    /// # Errors
    /// As [`Barrier::value`].
    pub fn slope(
        &self,
        step: usize,
        state: &[f64],
        value: &mut [f64],
        gradient: &mut [f64],
    ) -> Result<(), Unsafe> {
        let margins = Self::row(&self.margins, self.course.len(), step);
        let (operator, constraints) = (self.operator, self.course.constraints());
        value.fill(0.0);
        gradient.fill(0.0);
        match self.combination {
            Combination::Sum => {
                for (place, constraint) in constraints.iter().enumerate() {
                    let eta = self.eta(margins, place, state)?;
                    value[0] += operator.value(eta);
                    constraint.add_gradient(state, operator.slope(eta), gradient);
                }
            }
            Combination::Vector => {
                let rows = gradient.chunks_exact_mut(state.len());
                for (place, row) in rows.enumerate() {
                    let eta = self.eta(margins, place, state)?;
                    value[place] = operator.value(eta);
                    constraints[place].add_gradient(state, operator.slope(eta), row);
                }
            }
            Combination::Harmonic => {
                let h = self.harmonic(margins, state)?;
                value[0] = operator.value(h);
                for (place, constraint) in constraints.iter().enumerate() {
                    let share = h / self.eta(margins, place, state)?;
                    constraint.add_gradient(state, operator.slope(h) * share * share, gradient);
                }
            }
        }
        let lifts = Self::row(&self.lifts, self.width(), step);
        value.iter_mut().zip(lifts).for_each(|(value, lift)| *value += lift);
        Ok(())
    }

    /// Adds the Hessian of `weights · β` to `hessian`, n × n; `scratch` has n numbers.
    ///
    /// # Errors
    /// As [`Barrier::value`].
    pub fn add_hessian(
        &self,
        (step, state): (usize, &[f64]),
        weights: &[f64],
        hessian: &mut [f64],
        scratch: &mut [f64],
    ) -> Result<(), Unsafe> {
        let margins = Self::row(&self.margins, self.course.len(), step);
        let (operator, constraints) = (self.operator, self.course.constraints());
        let is_harmonic = self.combination == Combination::Harmonic;
        let whole = is_harmonic.then(|| self.harmonic(margins, state)).transpose()?;
        if let Some(h) = whole {
            scratch.fill(0.0);
            for (place, constraint) in constraints.iter().enumerate() {
                let share = h / self.eta(margins, place, state)?;
                constraint.add_gradient(state, share * share, scratch);
            }
            let scale = operator.curvature(h) + 2.0 * operator.slope(h) / h;
            add_square(hessian, weights[0] * scale, scratch);
        }
        for (place, constraint) in constraints.iter().enumerate() {
            let eta = self.eta(margins, place, state)?;
            let weight = weights[if self.combination == Combination::Vector { place } else { 0 }];
            let (of_square, of_hessian) = match whole {
                None => (operator.curvature(eta), operator.slope(eta)),
                Some(h) => {
                    let share = h / eta;
                    let slope = operator.slope(h) * share * share;
                    (-2.0 * slope / eta, slope)
                }
            };
            scratch.fill(0.0);
            constraint.add_gradient(state, 1.0, scratch);
            add_square(hessian, weight * of_square, scratch);
            constraint.add_hessian(state, weight * of_hessian, hessian);
        }
        Ok(())
    }
}

/// `matrix += scale · v vᵀ`, where v is mostly zero.
fn add_square(matrix: &mut [f64], scale: f64, v: &[f64]) {
    for (row, left) in matrix.chunks_exact_mut(v.len()).zip(v) {
        if *left != 0.0 {
            row.iter_mut().zip(v).for_each(|(entry, right)| *entry += scale * left * right);
        }
    }
}
