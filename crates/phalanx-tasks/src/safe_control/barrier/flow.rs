//! Barrier states in continuous time.
