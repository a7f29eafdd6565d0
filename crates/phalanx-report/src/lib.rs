//! Run folders: their format, and the tables, figures and pages made from them.
//!
//! This crate does not know how a run comes about; it reads and writes plain files.
//!
//! Start reading at `folder.rs`, the format, then the page.
mod campaign;
pub mod compare;
pub mod contact_sheet;
mod contraction;
pub mod control;
mod csv;
mod expectation;
mod figure;
pub mod folder;
pub mod number;
mod page;
mod paper;
pub mod parquet;
pub mod read;
mod real;
pub mod record;
mod settings;
pub mod spread;
mod svg;
pub mod table;
pub mod tensorboard;
mod text;
pub mod tidy;

pub use compare::{Comparison, compare};
pub use contact_sheet::contact_sheet;
pub use contraction::{Contraction, Drawn};
pub use expectation::{EXPECTATIONS, Judgement, write_expectations};
pub use figure::Lines;
pub use folder::{
    Environment, FORMAT, FolderError, Line, NodeSummary, Score, Status, Summary, Traffic,
};
pub use page::{Report, write_figures, write_report};
pub use paper::{PaperStyle, paper_tables};
pub use read::{Arm, Found, LoadedRun, arms, load, load_found};
pub use table::{TableStyle, summary_table};
