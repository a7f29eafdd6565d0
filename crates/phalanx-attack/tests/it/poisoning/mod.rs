//! The equivalence of data poisoning and gradient attacks, number by number.
mod bound;
mod classical;
mod equivalence;
mod pac;
mod recursion;
mod softmax;
