//! Gaussian processes: the numbers of the specification, derivatives, and what holds exactly.
mod data;
mod derivatives;
mod goldens;
