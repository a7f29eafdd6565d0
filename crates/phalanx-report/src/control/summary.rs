//! What the replications of each arm add up to. Who was lost is counted, never averaged away.
use serde::{Deserialize, Serialize};

use super::record::{ControlLine, FlightLine, Moment, TrialLine};
use crate::folder::FORMAT;
use crate::real;

/// A quantity over replications at one time. A lost replication counts as infinite in the
/// quantiles and in the worst; the mean is that of the others, and `lost` says how many are not
/// in it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Band {
    /// simulated seconds
    pub seconds: f64,
    /// replications that were lost before
    pub lost: usize,
    /// arithmetic mean of those that were not
    #[serde(with = "real")]
    pub mean: f64,
    /// lower median
    #[serde(with = "real")]
    pub median: f64,
    /// one in ten is below
    #[serde(with = "real")]
    pub low: f64,
    /// one in ten is above
    #[serde(with = "real")]
    pub high: f64,
    /// the greatest
    #[serde(with = "real")]
    pub worst: f64,
}

/// Which quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Statistic {
    /// regret since the first decision
    Regret,
    /// excess of the average cost, added up
    Stationary,
    /// distance of the applied estimate from the truth
    Error,
    /// distance of the posterior's mean from the truth
    MeanError,
}

impl Statistic {
    fn of(self, moment: &Moment, first: &Moment) -> f64 {
        match self {
            Self::Regret => moment.regret - first.regret,
            Self::Stationary => moment.stationary_regret,
            Self::Error => moment.error,
            Self::MeanError => moment.mean_error,
        }
    }
}

/// One arm at the horizon.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ArmSummary {
    /// its name
    pub arm: String,
    /// replications flown
    pub replications: usize,
    /// replications that ran away
    pub lost: usize,
    /// share of replications, or of a fleet's members, whose first gain stabilises the true plant
    #[serde(with = "real")]
    pub stable_first: f64,
    /// share of decisions whose gain stabilises the true plant
    #[serde(with = "real")]
    pub stable: f64,
    /// proposals without a trustworthy gain
    pub rejected: u64,
    /// decisions that kept the former gain
    pub kept: u64,
    /// messages of honest members that pooling left out
    pub honest_left_out: u64,
    /// messages of Byzantine members that pooling used
    pub byzantine_used: u64,
    /// regret from the first second on
    pub total_regret: Band,
    /// regret since the first decision
    pub regret: Band,
    /// excess of the average cost, added up
    pub stationary_regret: Band,
    /// distance of the applied estimate from the truth
    pub error: Band,
    /// distance of the posterior's mean from the truth
    pub mean_error: Band,
    /// slope of the logarithms over the last decade of time: mean regret
    #[serde(with = "real")]
    pub regret_slope: f64,
    /// mean stationary regret
    #[serde(with = "real")]
    pub stationary_slope: f64,
    /// mean error of the estimate
    #[serde(with = "real")]
    pub error_slope: f64,
}

/// Stabilisation phases of one length.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrialSummary {
    /// which arm
    pub arm: String,
    /// their length
    pub seconds: f64,
    /// how many
    pub replications: usize,
    /// share whose gain stabilises the true plant
    pub success: f64,
    /// its standard error
    pub standard_error: f64,
    /// median distance of the estimate from the truth
    #[serde(with = "real")]
    pub median_error: f64,
    /// median of the greatest coordinate of the state
    #[serde(with = "real")]
    pub median_peak: f64,
    /// how many ran away
    pub lost: usize,
}

/// `summary.json` of a control run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ControlSummary {
    /// version of the format
    pub format: u32,
    /// `control`, to tell it from a training run's
    pub kind: String,
    /// name of the experiment
    pub experiment: String,
    /// seed of every stream
    pub seed: u64,
    /// the plant's name, or `custom`
    pub plant: String,
    /// J*, the average cost of the optimal controller
    #[serde(with = "real")]
    pub optimal_cost: f64,
    /// each arm
    pub arms: Vec<ArmSummary>,
    /// stabilisation phases by themselves
    pub trials: Vec<TrialSummary>,
}

impl ControlSummary {
    /// Summarises a record.
    pub fn of(
        (experiment, plant): (&str, &str),
        seed: u64,
        optimal_cost: f64,
        lines: &[ControlLine],
    ) -> Self {
        let (arms, trials) = summarise(lines);
        Self {
            format: FORMAT,
            kind: "control".into(),
            experiment: experiment.into(),
            seed,
            plant: plant.into(),
            optimal_cost,
            arms,
            trials,
        }
    }
}

/// Arms in the order of the record, and trials in the order of arms and lengths.
pub fn summarise(lines: &[ControlLine]) -> (Vec<ArmSummary>, Vec<TrialSummary>) {
    let arms = flights(lines).into_iter().map(|(arm, flights)| arm_summary(arm, &flights));
    let trials = trials(lines).into_iter().map(|trials| trial_summary(&trials));
    (arms.collect(), trials.collect())
}

/// The flights of each arm, in order.
pub(super) fn flights(lines: &[ControlLine]) -> Vec<(&str, Vec<&FlightLine>)> {
    let mut arms: Vec<(&str, Vec<&FlightLine>)> = Vec::new();
    for line in lines {
        let ControlLine::Flight(flight) = line else { continue };
        match arms.iter_mut().find(|(arm, _)| *arm == flight.arm) {
            Some((_, flights)) => flights.push(flight),
            None => arms.push((&flight.arm, vec![flight])),
        }
    }
    arms
}

fn trials(lines: &[ControlLine]) -> Vec<Vec<&TrialLine>> {
    let mut groups: Vec<Vec<&TrialLine>> = Vec::new();
    for line in lines {
        let ControlLine::Trial(trial) = line else { continue };
        let is_same = |group: &&mut Vec<&TrialLine>| {
            group[0].arm == trial.arm && group[0].seconds == trial.seconds
        };
        match groups.iter_mut().find(is_same) {
            Some(group) => group.push(trial),
            None => groups.push(vec![trial]),
        }
    }
    groups
}

/// A quantity at every decision that any replication reached.
pub(super) fn bands(flights: &[&FlightLine], statistic: Statistic) -> Vec<Band> {
    let longest = flights.iter().max_by_key(|flight| flight.moments.len());
    let Some(longest) = longest else { return Vec::new() };
    let value = |flight: &FlightLine, at: usize| {
        let moment = flight.moments.get(at)?;
        Some(statistic.of(moment, &flight.moments[0]))
    };
    let band = |(at, moment): (usize, &Moment)| {
        let values: Vec<Option<f64>> = flights.iter().map(|flight| value(flight, at)).collect();
        Band::over(moment.seconds, &values)
    };
    longest.moments.iter().enumerate().map(band).collect()
}

impl Band {
    /// Over replications; `None` for one that was lost.
    pub fn over(seconds: f64, values: &[Option<f64>]) -> Self {
        let present: Vec<f64> = values.iter().flatten().copied().collect();
        let mean = present.iter().sum::<f64>() / present.len() as f64;
        let mut sorted: Vec<f64> =
            values.iter().map(|value| value.unwrap_or(f64::INFINITY)).collect();
        sorted.sort_by(f64::total_cmp);
        let quantile = |share: f64| match sorted.len() {
            0 => f64::NAN,
            count => sorted[((count - 1) as f64 * share).floor() as usize],
        };
        Self {
            seconds,
            lost: values.len() - present.len(),
            mean,
            median: quantile(0.5),
            low: quantile(0.1),
            high: quantile(0.9),
            worst: quantile(1.0),
        }
    }
}

fn arm_summary(arm: &str, flights: &[&FlightLine]) -> ArmSummary {
    let lost = flights.iter().filter(|flight| flight.lost.is_some()).count();
    let sum = |value: fn(&Moment) -> u32| {
        let moments = flights.iter().flat_map(|flight| &flight.moments);
        moments.map(|moment| u64::from(value(moment))).sum()
    };
    let mean = |values: Vec<f64>| values.iter().sum::<f64>() / values.len() as f64;
    let first = |flight: &&FlightLine| flight.moments.first().map_or(0.0, |moment| moment.stable);
    let moments = flights.iter().flat_map(|flight| &flight.moments);
    let curve = |statistic| bands(flights, statistic);
    // Who was lost at any time is infinite at the end, whatever the last decision of others.
    let end = |statistic: Statistic| {
        last(flights, |f| Some(statistic.of(f.moments.last()?, f.moments.first()?)))
    };
    ArmSummary {
        arm: arm.into(),
        replications: flights.len(),
        lost,
        stable_first: mean(flights.iter().map(first).collect()),
        stable: mean(moments.map(|moment| moment.stable).collect()),
        rejected: sum(|moment| moment.rejected),
        kept: sum(|moment| moment.kept),
        honest_left_out: sum(|moment| moment.honest_left_out),
        byzantine_used: sum(|moment| moment.byzantine_used),
        total_regret: last(flights, |flight| Some(flight.moments.last()?.regret)),
        regret: end(Statistic::Regret),
        stationary_regret: end(Statistic::Stationary),
        error: end(Statistic::Error),
        mean_error: end(Statistic::MeanError),
        regret_slope: slope(&curve(Statistic::Regret)),
        stationary_slope: slope(&curve(Statistic::Stationary)),
        error_slope: slope(&curve(Statistic::Error)),
    }
}

/// A quantity at the horizon.
fn last(flights: &[&FlightLine], value: impl Fn(&FlightLine) -> Option<f64>) -> Band {
    let ends = flights.iter().filter_map(|flight| flight.moments.last());
    let seconds = ends.map(|moment| moment.seconds).fold(0.0, f64::max);
    let at_end = |flight: &&FlightLine| value(flight).filter(|_| flight.lost.is_none());
    Band::over(seconds, &flights.iter().map(at_end).collect::<Vec<_>>())
}

/// Slope of a least-squares line through the logarithms of time and mean, over the last decade;
/// nan where fewer than three means there are positive.
pub(super) fn slope(bands: &[Band]) -> f64 {
    let end = bands.last().map_or(0.0, |band| band.seconds);
    let late = bands.iter().filter(|band| band.seconds >= 0.1 * end && band.mean > 0.0);
    let logs: Vec<(f64, f64)> = late.map(|band| (band.seconds.ln(), band.mean.ln())).collect();
    if logs.len() < 3 {
        return f64::NAN;
    }
    let count = logs.len() as f64;
    let x = logs.iter().map(|point| point.0).sum::<f64>() / count;
    let y = logs.iter().map(|point| point.1).sum::<f64>() / count;
    let cross: f64 = logs.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    cross / logs.iter().map(|point| (point.0 - x).powi(2)).sum::<f64>()
}

fn trial_summary(trials: &[&TrialLine]) -> TrialSummary {
    let count = trials.len() as f64;
    let success = trials.iter().filter(|trial| trial.is_stable).count() as f64 / count;
    let median = |value: fn(&TrialLine) -> f64| {
        let values: Vec<Option<f64>> =
            trials.iter().map(|t| Some(value(t)).filter(|v| !v.is_nan())).collect();
        Band::over(0.0, &values).median
    };
    TrialSummary {
        arm: trials[0].arm.clone(),
        seconds: trials[0].seconds,
        replications: trials.len(),
        success,
        standard_error: (success * (1.0 - success) / count).sqrt(),
        median_error: median(|trial| trial.error),
        median_peak: median(|trial| trial.peak),
        lost: trials.iter().filter(|trial| trial.lost.is_some()).count(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_was_lost_is_infinite_in_quantiles_and_counted_beside_the_mean() {
        let band = Band::over(1.0, &[Some(1.0), Some(2.0), Some(3.0), None]);
        assert_eq!((band.lost, band.mean, band.median), (1, 2.0, 2.0));
        assert_eq!((band.low, band.worst), (1.0, f64::INFINITY));
        let all_lost = Band::over(1.0, &[None, None]);
        assert!(all_lost.mean.is_nan() && all_lost.median == f64::INFINITY);
    }

    #[test]
    fn the_slope_of_a_power_is_its_exponent() {
        let band = |seconds: f64| Band::over(seconds, &[Some(3.0 * seconds.powf(0.5))]);
        let bands: Vec<Band> = (1..=40).map(|step| band(f64::from(step) * 10.0)).collect();
        assert!((slope(&bands) - 0.5).abs() < 1e-12);
        assert!(slope(&bands[..2]).is_nan());
    }
}
