//! What a model's variance adds to barrier states.
