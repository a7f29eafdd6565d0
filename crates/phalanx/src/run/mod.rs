//! One run after another: assemble, train, record, save, resume.
pub mod assemble;
pub mod checkpoint;
pub mod clock;
pub mod execute;
pub mod folder;
pub mod interrupt;
pub mod laboratory;
pub mod recorder;
pub mod tally;
mod wiring;

pub use execute::{Conduct, End, Watch, execute};
pub use folder::{Folder, State};
pub use interrupt::Interrupt;
