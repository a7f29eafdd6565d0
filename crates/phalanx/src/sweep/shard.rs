//! One machine's part of a campaign.
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use crate::sweep::manifest::{Entry, Manifest};

/// Part `index` of `of`, from 1.
///
/// Runs are dealt like cards, the heaviest first and those of one kind one after another, so that
/// every shard gets as many of each kind as every other, give or take one. Nothing is measured:
/// every machine deals alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    index: usize,
    of: usize,
}

/// Greatest number of shards.
pub const SHARDS_MAX: usize = 100_000;

impl Shard {
    /// Part `index` of `of`, where there is one.
    pub fn new(index: usize, of: usize) -> Option<Self> {
        let is_part = (1..=of).contains(&index) && of <= SHARDS_MAX;
        is_part.then_some(Self { index, of })
    }

    /// Folders of its runs.
    pub fn part<'a>(&self, manifest: &'a Manifest) -> BTreeSet<&'a str> {
        let mut runs: Vec<&Entry> = manifest.runs.iter().collect();
        runs.sort_by(|a, b| {
            let order = |entry: &Entry| (std::cmp::Reverse(entry.weight), entry.kind.clone());
            order(a).cmp(&order(b)).then_with(|| a.folder.cmp(&b.folder))
        });
        let mine = runs.iter().skip(self.index - 1).step_by(self.of);
        mine.map(|entry| entry.folder.as_str()).collect()
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.index, self.of)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let shard = text
            .split_once('/')
            .and_then(|(index, of)| Self::new(index.trim().parse().ok()?, of.trim().parse().ok()?));
        shard.ok_or_else(|| format!("`I/N` is needed, I from 1 to N, N at most {SHARDS_MAX}"))
    }
}
