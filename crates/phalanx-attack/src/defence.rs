//! The defence as the adversary knows it: what would the rule make of this forgery?
use phalanx_robust::Aggregator;

/// The honest nodes' rule, for attacks that search against it.
pub struct Defence {
    /// the rule with its mixings, built for all n vectors
    pub rule: Box<dyn Aggregator>,
    /// whether each honest node centres it at its own vector
    pub is_self_centred: bool,
}
