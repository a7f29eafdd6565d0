//! Tasks whose answer is known in closed form: for tests of everything around them.
mod quadratic;

pub use quadratic::{ENTRY, centers};
