//! A little is enough: the honest mean, shifted by a few standard deviations per coordinate.
use phalanx_robust::kernel::Divisor;
use phalanx_robust::rule::BuildError;
use phalanx_robust::{Entry, Param};

use crate::attack::{AttackRule, AttackSetup};
use crate::line::{self, EVALUATIONS, Factor, Line, LineAttack};
use crate::moments;
use crate::quantile;

/// The registry entry.
pub const ENTRY: Entry<AttackRule> = Entry {
    name: "a-little-is-enough",
    summary: "the mean of the honest vectors plus a multiple of their standard deviation",
    source: "Baruch, Baruch, Goldberg, A Little Is Enough: Circumventing Defenses For Distributed \
             Learning, NeurIPS 2019; default factor and searches as in published simulators",
    params: &[
        Param::choice(
            "factor",
            &["fixed", "z-max", "line-search", "expansion-search"],
            "fixed",
        )
        .about(
            "fixed (tau), z-max = Φ⁻¹((h − s)/h) with s = ⌊n/2⌋ + 1 − byzantine, or the best of a \
             search against the rule",
        ),
        Param::number("tau", (0.0, 1e6), 1.5).about("standard deviations; used when fixed"),
        EVALUATIONS,
        Param::choice("deviation", &["sample", "population"], "sample")
            .about("divisor h − 1 (sample) or h (population) of the variance"),
        Param::flag("negative", false).about("shift down instead of up"),
    ],
    build: AttackRule {
        formula: "a = x̄ + τ s, s_k the standard deviation of the honest x_i,k; one honest vector \
                  has s = 0",
        build: |setup| {
            let factor = match setup.args.text("factor") {
                "z-max" => Factor::Fixed(z_max(&setup)?),
                _ => line::factor(setup.args, "tau"),
            };
            let divisor = match setup.args.text("deviation") {
                "sample" => Divisor::CountLessOne,
                _ => Divisor::Count,
            };
            let sign = if setup.args.flag("negative") { -1.0 } else { 1.0 };
            LineAttack::boxed(setup, factor, move |honest| {
                let (base, mut direction) = moments::mean_and_deviation(honest.rows(), divisor);
                direction.iter_mut().for_each(|deviation| *deviation *= sign);
                Ok(Line { base, direction })
            })
        },
    },
};

/// The largest z for which enough honest vectors lie farther out than the forged ones to give
/// these a majority, if honest coordinates were normal.
fn z_max(setup: &AttackSetup<'_>) -> Result<f64, BuildError> {
    let (n, byzantine) = (setup.population.n(), setup.byzantine);
    let honest = n as i64 - byzantine as i64;
    let supporters = n as i64 / 2 + 1 - byzantine as i64;
    let p = (honest - supporters) as f64 / honest as f64;
    let refuse = |reason: &str| {
        BuildError::Other(format!(
            "`factor = z-max` needs 1/2 ≤ (h − s)/h < 1, but `n = {n}` with `{byzantine}` \
             Byzantine nodes has h = {honest}, s = ⌊n/2⌋ + 1 − {byzantine} = {supporters}: {reason}"
        ))
    };
    if honest < 1 {
        return Err(refuse("there is no honest node"));
    }
    if supporters < 1 {
        return Err(refuse("the Byzantine nodes are a majority alone, so z has no bound"));
    }
    if p < 0.5 {
        return Err(refuse("too few Byzantine nodes, z would be negative"));
    }
    Ok(quantile::standard_normal(p))
}
