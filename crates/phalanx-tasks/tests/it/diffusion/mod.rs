//! Thompson sampling for diffusions: the numbers of the specification, and what holds exactly.
mod goldens;
mod laws;
mod streams;
mod tables;
