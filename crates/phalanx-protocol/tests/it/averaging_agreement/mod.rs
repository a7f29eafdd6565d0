//! Averaging agreement: its bounds as numbers, and adversaries that search for a breach.
mod bounds;
mod driver;
mod machine;
mod network;
mod passes;
mod search;
