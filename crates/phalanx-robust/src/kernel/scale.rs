//! Rows times factors: written once, or in place where only some rows change.
use rayon::prelude::*;

use crate::kernel::distances::dot;
use crate::kernel::lanes::{Kernel, LANES, Machine, Path};

/// Coordinates of one piece of work.
const BLOCK: usize = 1 << 14;
/// Coordinates below which threads cost more than they save.
const LEAST_PARALLEL: usize = 1 << 19;

/// Row i of `out` becomes `factors_i x_i`, rounded once; a row is copied where its factor is 1, and
/// zero where it is 0, whatever the row holds.
///
/// # Shape
/// `out` is `rows.len() × dim`, row-major.
///
/// # Panics
/// When lengths differ.
pub fn scale(rows: &[&[f32]], factors: &[f64], out: &mut [f32]) {
    scale_on(Path::best(), rows, factors, out);
}

pub(super) fn scale_on(path: Path, rows: &[&[f32]], factors: &[f64], out: &mut [f32]) {
    assert_eq!(rows.len(), factors.len(), "one factor per row");
    let Some(dim) = rows.first().map(|row| row.len()).filter(|dim| *dim > 0) else { return };
    assert_eq!(out.len(), rows.len() * dim, "an output is as long as all rows");
    let fill = |(from, to): (&[f32], &mut [f32]), factor: f64| {
        if factor == 1.0 {
            to.copy_from_slice(from);
        } else if factor == 0.0 {
            to.fill(0.0);
        } else {
            path.run(Scaled { from, factor, to });
        }
    };
    let pairs = rows.iter().zip(factors);
    if out.len() < LEAST_PARALLEL {
        let rows = pairs.zip(out.chunks_exact_mut(dim));
        rows.for_each(|((row, factor), out)| fill((row, out), *factor));
        return;
    }
    let rows = rows.par_iter().zip(factors).zip(out.par_chunks_exact_mut(dim));
    rows.for_each(|((row, factor), out)| {
        let blocks = row.par_chunks(BLOCK).zip(out.par_chunks_mut(BLOCK));
        blocks.for_each(|block| fill(block, *factor));
    });
}

/// As [`scale`], where the rows lie already; those of factor 1 are not touched.
///
/// # Panics
/// Unless `values` is `factors.len()` rows.
pub fn scale_in_place(values: &mut [f32], factors: &[f64]) {
    if values.is_empty() {
        return;
    }
    assert_eq!(values.len() % factors.len(), 0, "one factor per row");
    let dim = values.len() / factors.len();
    let path = Path::best();
    let change = |values: &mut [f32], factor: f64| match factor == 0.0 {
        true => values.fill(0.0),
        false => path.run(ScaledInPlace { values, factor }),
    };
    let changed = |factor: &f64| *factor != 1.0;
    let count = factors.iter().filter(|factor| changed(factor)).count();
    if count * dim < LEAST_PARALLEL {
        let rows = values.chunks_exact_mut(dim).zip(factors);
        rows.filter(|(_, factor)| changed(factor)).for_each(|(row, factor)| change(row, *factor));
        return;
    }
    let rows = values.par_chunks_exact_mut(dim).zip(factors);
    rows.filter(|(_, factor)| changed(factor)).for_each(|(row, factor)| {
        row.par_chunks_mut(BLOCK).for_each(|block| change(block, *factor));
    });
}

/// Row i of `out` becomes `factor(‖x_i‖²) x_i`, in one pass over memory where a row fits into a
/// second-level cache; `squared_norms` gets the squared norms. As [`scale`] otherwise.
///
/// # Panics
/// When lengths differ.
pub fn scale_by_norm(
    rows: &[&[f32]],
    factor: impl Fn(f64) -> f64 + Sync,
    squared_norms: &mut [f64],
    out: &mut [f32],
) {
    let Some(dim) = rows.first().map(|row| row.len()).filter(|dim| *dim > 0) else { return };
    assert_eq!(out.len(), rows.len() * dim, "an output is as long as all rows");
    assert_eq!(squared_norms.len(), rows.len(), "one norm per row");
    let path = Path::best();
    let fill = |((from, squared), to): ((&&[f32], &mut f64), &mut [f32])| {
        *squared = dot(from, from);
        match factor(*squared) {
            1.0 => to.copy_from_slice(from),
            0.0 => to.fill(0.0),
            factor => path.run(Scaled { from, factor, to }),
        }
    };
    if out.len() < LEAST_PARALLEL {
        rows.iter().zip(squared_norms).zip(out.chunks_exact_mut(dim)).for_each(fill);
    } else {
        rows.par_iter().zip(squared_norms).zip(out.par_chunks_exact_mut(dim)).for_each(fill);
    }
}

/// As [`scale_by_norm`], where the rows lie already.
///
/// # Panics
/// Unless `values` is one row per norm.
pub fn scale_by_norm_in_place(
    values: &mut [f32],
    factor: impl Fn(f64) -> f64 + Sync,
    squared_norms: &mut [f64],
) {
    if values.is_empty() {
        return;
    }
    assert_eq!(values.len() % squared_norms.len(), 0, "one norm per row");
    let (dim, is_long) = (values.len() / squared_norms.len(), values.len() >= LEAST_PARALLEL);
    let path = Path::best();
    let change = |(values, squared): (&mut [f32], &mut f64)| {
        *squared = dot(values, values);
        match factor(*squared) {
            1.0 => {}
            0.0 => values.fill(0.0),
            factor => path.run(ScaledInPlace { values, factor }),
        }
    };
    if is_long {
        values.par_chunks_exact_mut(dim).zip(squared_norms).for_each(change);
    } else {
        values.chunks_exact_mut(dim).zip(squared_norms).for_each(change);
    }
}

struct Scaled<'a> {
    from: &'a [f32],
    factor: f64,
    to: &'a mut [f32],
}

impl Kernel for Scaled<'_> {
    #[inline(always)]
    fn run<M: Machine>(self, machine: M) {
        let (from, from_rest) = self.from.as_chunks::<LANES>();
        let (to, to_rest) = self.to.as_chunks_mut::<LANES>();
        let factor = machine.splat(self.factor);
        for (from, to) in from.iter().zip(to) {
            machine.store(scaled(machine, machine.load(from), factor), to);
        }
        let mut padded = [0.0; LANES];
        machine.store(scaled(machine, machine.load_part(from_rest), factor), &mut padded);
        to_rest.copy_from_slice(&padded[..from_rest.len()]);
    }
}

struct ScaledInPlace<'a> {
    values: &'a mut [f32],
    factor: f64,
}

impl Kernel for ScaledInPlace<'_> {
    #[inline(always)]
    fn run<M: Machine>(self, machine: M) {
        let (values, rest) = self.values.as_chunks_mut::<LANES>();
        let factor = machine.splat(self.factor);
        for values in values {
            let value = machine.load(values);
            machine.store(scaled(machine, value, factor), values);
        }
        let mut padded = [0.0; LANES];
        machine.store(scaled(machine, machine.load_part(rest), factor), &mut padded);
        rest.copy_from_slice(&padded[..rest.len()]);
    }
}

/// A product that keeps the sign of a zero, for −0 changes no sum.
#[inline(always)]
fn scaled<M: Machine>(machine: M, value: M::Lanes, factor: M::Lanes) -> M::Lanes {
    machine.fma(value, factor, machine.splat(-0.0))
}
