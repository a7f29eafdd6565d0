//! Thompson sampling for diffusions: the numbers of the specification, and what holds exactly.
mod fleet;
mod goldens;
mod laws;
mod streams;
mod tables;
