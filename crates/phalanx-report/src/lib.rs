//! Run folders: their format, and the tables, figures and pages made from them.
//!
//! This crate does not know how a run comes about; it reads and writes plain files.
//!
//! Start reading at `folder.rs`, the format, then the page.
pub mod folder;

pub use folder::{
    Environment, FORMAT, FolderError, Line, NodeSummary, Score, Status, Summary, Traffic,
};
