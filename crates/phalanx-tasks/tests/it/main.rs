//! Integration tests of the tasks, one module per subject.
mod model;
