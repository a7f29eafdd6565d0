//! Each pass of agreement brings honest vectors together and keeps them near their mean.
use std::collections::BTreeMap;

use phalanx_protocol::{AgreementBounds, NodeId, Time, Turn, Vector, Width};

use crate::checker::{Checker, Violation};
use crate::simulation::Outcome;
use crate::watch::Sight;

type Family = BTreeMap<NodeId, Vector>;

/// One row per node.
type Rows = Vec<Vec<f64>>;

/// ρ and κ of each pass, `2^−N` and C of the whole, up to rounding.
#[derive(Debug, Clone)]
pub struct Contraction {
    bounds: AgreementBounds,
    honest: usize,
    passes: BTreeMap<Turn, Family>,
    begun: BTreeMap<Turn, (u16, Family)>,
    agreed: BTreeMap<Turn, Family>,
    /// greatest ratio of a width to that before, and of an error to the width before
    pub worst: (f64, f64),
}

impl Contraction {
    /// All of the `honest` first nodes must have shared a pass for it to be looked at.
    pub fn new(bounds: AgreementBounds, honest: usize) -> Self {
        let passes = BTreeMap::new();
        let (begun, agreed) = (BTreeMap::new(), BTreeMap::new());
        Self { bounds, honest, passes, begun, agreed, worst: (0.0, 0.0) }
    }

    /// One pass: what was shared, and what came of it.
    fn check_pass(&mut self, turn: Turn, before: &Family, after: &Family) -> Result<(), String> {
        let (rho, kappa) = (self.bounds.contraction(), self.bounds.error());
        let slices: Vec<(Rows, Rows)> = match self.bounds.width() {
            Width::Euclidean => vec![(rows(before), rows(after))],
            Width::Coordinate => {
                let dim = before.values().next().map_or(0, |vector| vector.len());
                let column = |rows: Rows, i: usize| -> Rows {
                    rows.into_iter().map(|row| vec![row[i]]).collect()
                };
                (0..dim).map(|i| (column(rows(before), i), column(rows(after), i))).collect()
            }
        };
        for (before, after) in slices {
            let (width, center) = (diameter(&before), mean(&before));
            let error = after.iter().map(|row| distance(row, &center)).fold(0.0, f64::max);
            let slack = 1e-5 * before.iter().flatten().fold(1e-30_f64, |a, x| a.max(x.abs()));
            if width > slack {
                self.worst.0 = self.worst.0.max(diameter(&after) / width);
                self.worst.1 = self.worst.1.max(error / width);
            }
            if diameter(&after) > rho * width + slack {
                let ratio = diameter(&after) / width;
                return Err(format!("turn {turn}: width is {ratio} of that before, ρ = {rho}"));
            }
            if error > kappa * width + slack {
                let ratio = error / width;
                return Err(format!("turn {turn}: error is {ratio} widths, κ = {kappa}"));
            }
        }
        Ok(())
    }

    fn check_whole(&self, turn: Turn, halvings: u16, families: [&Family; 2]) -> Result<(), String> {
        let [before, after] = families.map(rows);
        let width = diameter(&before);
        let slack = 1e-5 * before.iter().flatten().fold(1e-30_f64, |a, x| a.max(x.abs()));
        if diameter(&after) > width / 2f64.powi(i32::from(halvings)) + slack {
            let ratio = diameter(&after) / width;
            return Err(format!("turn {turn}: diameter is {ratio} after {halvings} halvings"));
        }
        let error = distance(&mean(&after), &mean(&before));
        if error > self.bounds.constant() * width + slack {
            return Err(format!("turn {turn}: the mean moved by {} diameters", error / width));
        }
        Ok(())
    }

    fn check_all(&mut self) -> Result<(), String> {
        let honest = self.honest;
        let is_whole = |family: &&Family| family.len() == honest;
        let passes = self.passes.clone();
        for (turn, before) in passes.iter().filter(|(_, before)| is_whole(before)) {
            let next = turn.with_pass(turn.pass.0 + 1);
            let whole = turn.with_pass(0);
            let after = passes.get(&next).or_else(|| self.agreed.get(&whole)).cloned();
            if let Some(after) = after.as_ref().filter(is_whole) {
                self.check_pass(*turn, before, after)?;
            }
        }
        for (turn, (halvings, before)) in &self.begun {
            let after = self.agreed.get(turn).filter(is_whole);
            if let (Some(before), Some(after)) = (Some(before).filter(is_whole), after) {
                self.check_whole(*turn, *halvings, [before, after])?;
            }
        }
        Ok(())
    }
}

impl Checker for Contraction {
    fn see(&mut self, _at: Time, node: NodeId, sight: &Sight) -> Result<(), Violation> {
        match sight {
            Sight::Shared { turn, vector } => {
                self.passes.entry(*turn).or_default().insert(node, vector.clone());
            }
            Sight::Begun { turn, vector, halvings } => {
                let begun = self.begun.entry(*turn).or_insert_with(|| (*halvings, Family::new()));
                begun.1.insert(node, vector.clone());
            }
            Sight::Agreed { turn, vector } => {
                self.agreed.entry(*turn).or_default().insert(node, vector.clone());
            }
            _ => {}
        }
        Ok(())
    }

    fn conclude(&mut self, at: Time, _: Outcome) -> Result<(), Violation> {
        let node = NodeId(0);
        let broken = |what| Violation { checker: "contraction", node, at, what };
        self.check_all().map_err(broken)
    }
}

fn rows(family: &Family) -> Rows {
    family.values().map(|row| row.iter().map(|x| f64::from(*x)).collect()).collect()
}

fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}

fn diameter(rows: &[Vec<f64>]) -> f64 {
    let pairs = rows.iter().flat_map(|a| rows.iter().map(move |b| distance(a, b)));
    pairs.fold(0.0, f64::max)
}

fn mean(rows: &[Vec<f64>]) -> Vec<f64> {
    let sum = |i: usize| rows.iter().map(|row| row[i]).sum::<f64>();
    (0..rows[0].len()).map(|i| sum(i) / rows.len() as f64).collect()
}
