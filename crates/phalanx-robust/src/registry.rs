//! The one shape in which rules, mixings, attacks, algorithms and tasks are listed.
use crate::args::Param;

/// A named thing that an experiment file can choose.
#[derive(Debug, Clone, Copy)]
pub struct Entry<B: 'static> {
    /// module name in kebab case
    pub name: &'static str,
    /// one line
    pub summary: &'static str,
    /// authors, title, venue, algorithm or equation
    pub source: &'static str,
    /// declared parameters
    pub params: &'static [Param],
    /// how it is built, and what else is known of its kind
    pub build: B,
}

/// Finds an entry by name.
pub fn find<B>(entries: &'static [Entry<B>], name: &str) -> Option<&'static Entry<B>> {
    entries.iter().find(|entry| entry.name == name)
}
