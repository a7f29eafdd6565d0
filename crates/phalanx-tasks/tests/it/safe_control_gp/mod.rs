//! Gaussian processes: the numbers of the specification, derivatives, and what holds exactly.
mod bad_data;
mod data;
mod derivatives;
mod fleet;
mod goldens;
mod moments;
mod tables;
mod text;
