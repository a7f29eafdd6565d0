//! A robust rule in place of the server's sum.
use phalanx_robust::mixing::Mixing;
use phalanx_robust::{AggregateError, Aggregator, Chain, Vectors};

/// What the server makes of the users' slopes.
pub struct Defence {
    rule: Option<Box<dyn Aggregator>>,
    failure: Option<AggregateError>,
}

impl Defence {
    /// The sum of the framework.
    pub fn none() -> Self {
        Self { rule: None, failure: None }
    }

    /// A rule with its mixings, times the number of users in place of their sum.
    pub fn of(mixings: Vec<Box<dyn Mixing>>, rule: Box<dyn Aggregator>) -> Self {
        let rule: Box<dyn Aggregator> =
            if mixings.is_empty() { rule } else { Box::new(Chain::new(mixings, rule)) };
        Self { rule: Some(rule), failure: None }
    }

    /// Whether there is a rule.
    pub fn is_rule(&self) -> bool {
        self.rule.is_some()
    }

    /// Condenses what was asked of ρ; after a failure nothing moves any more.
    pub fn condense(&mut self, asked: &[Vec<f64>], out: &mut [f64]) {
        let narrow = |row: &Vec<f64>| row.iter().map(|entry| *entry as f32).collect::<Vec<f32>>();
        let rows: Vec<Vec<f32>> = asked.iter().map(narrow).collect();
        let rows: Vec<&[f32]> = rows.iter().map(Vec::as_slice).collect();
        let mut mean = vec![0.0f32; out.len()];
        let Some(rule) = &mut self.rule else { return };
        let condensed = Vectors::new(&rows)
            .map_err(AggregateError::from)
            .and_then(|vectors| rule.aggregate(vectors, &mut mean));
        if let Err(error) = condensed {
            self.failure.get_or_insert(error);
            return;
        }
        let count = asked.len() as f64;
        out.iter_mut().zip(mean).for_each(|(out, mean)| *out = count * f64::from(mean));
    }

    /// Why the rule could not be applied, if it could not.
    pub fn failure(&mut self) -> Option<AggregateError> {
        self.failure.take()
    }
}
