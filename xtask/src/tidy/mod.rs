//! Tidy: the rules of STYLE.md and ARCHITECTURE.md that no compiler checks.
use std::fmt;

use crate::repository::{Outcome, Repository};

pub mod documents;
pub mod edges;
pub mod foreign;
pub mod format;
pub mod lines;
pub mod shape;

/// Something to mend, and how.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// where, from the root
    pub path: String,
    /// line from 1; 0 when it is about the whole file
    pub line: usize,
    /// what is wrong
    pub what: String,
    /// what to do
    pub hint: &'static str,
}

impl Finding {
    /// A finding in a line.
    pub fn new(path: &str, line: usize, what: impl Into<String>, hint: &'static str) -> Self {
        Self { path: path.into(), line, what: what.into(), hint }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: {}; hint: {}", self.path, self.line.max(1), self.what, self.hint)
    }
}

/// Every finding, by file and line.
pub fn findings(repository: &Repository) -> Outcome<Vec<Finding>> {
    let files = repository.files()?;
    let mut findings = Vec::new();
    for file in &files {
        lines::check(file, &mut findings);
        foreign::check(file, &mut findings);
        shape::check(file, &mut findings);
    }
    shape::check_tree(&files, &mut findings);
    documents::check_tree(&files, &mut findings);
    // A tool that fails must not hide what the checks before it have found.
    if let Err(why) = edges::check(repository, &files, &mut findings) {
        findings.push(Finding::new("Cargo.toml", 0, one_line(&why), "mend the manifests"));
    }
    if let Err(why) = format::check(repository, &files, &mut findings) {
        findings.push(Finding::new("rustfmt.toml", 0, one_line(&why), "mend the sources"));
    }
    findings.sort();
    Ok(findings)
}

fn one_line(complaint: &str) -> String {
    complaint.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Prints the findings; whether there were none.
pub fn run(repository: &Repository) -> Outcome<bool> {
    let findings = findings(repository)?;
    findings.iter().for_each(|finding| println!("{finding}"));
    let count = findings.len();
    if count > 0 {
        eprintln!("tidy: {count} findings");
    }
    Ok(count == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_repository_is_tidy() {
        let repository = Repository::find().unwrap();
        let findings = findings(&repository).unwrap();
        let list: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert!(list.is_empty(), "{} findings\n{}", list.len(), list.join("\n"));
    }

    #[test]
    fn a_finding_is_one_line_that_an_editor_can_follow() {
        let finding = Finding::new("a/b.rs", 0, "is wrong", "mend it");
        assert_eq!(finding.to_string(), "a/b.rs:1: is wrong; hint: mend it");
    }
}
