//! Run folders of many machines in one place: each checked, none overwritten.
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};

use phalanx_report::folder::{ENVIRONMENT, EXPERIMENT, RECORD, SUMMARY, read_json};
use phalanx_report::record::History;
use phalanx_report::{Comparison, Line, NodeSummary, Score, Status, Summary, compare};

use crate::problem::Problem;
use crate::sweep::manifest::{Entry, MANIFEST, Manifest, digest_of};
use crate::sweep::selection::CHOICE;

/// What became of one run of the manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// it was there already
    Present,
    /// it was copied from this folder
    Copied(PathBuf),
    /// no folder has it complete; where it was begun
    Missing(Vec<PathBuf>),
    /// something is wrong with it: where, and what
    Refused(PathBuf, String),
}

/// What became of a campaign.
#[derive(Debug)]
pub struct Collection {
    /// what should be there
    pub manifest: Manifest,
    /// of every run of the manifest, in its order
    pub fates: Vec<Fate>,
    /// run folders of the sources that are not of the manifest
    pub foreign: Vec<PathBuf>,
}

/// Merges the runs of experiment folders into one of them or into another.
///
/// # Errors
/// When there is no manifest, two of them differ, or a folder cannot be read or written. What is
/// wrong with a single run is its fate.
pub fn collect(target: &Path, sources: &[PathBuf]) -> Result<Collection, Problem> {
    let sources: Vec<PathBuf> =
        sources.iter().map(|s| experiment_folder(s)).collect::<Result<_, _>>()?;
    let manifest = common_manifest(target, &sources)?;
    fs::create_dir_all(target)
        .map_err(|error| Problem::io("cannot create the folder", target, &error))?;
    manifest.write(target)?;
    collect_choice(target, &sources)?;
    let mut fates = Vec::with_capacity(manifest.runs.len());
    for entry in &manifest.runs {
        fates.push(collect_run(entry, target, &sources)?);
    }
    let mut foreign = Vec::new();
    for source in &sources {
        foreign.extend(foreign_runs(source, &manifest)?);
    }
    Ok(Collection { manifest, fates, foreign })
}

/// The folder itself, or the one with a manifest in a folder of runs.
fn experiment_folder(path: &Path) -> Result<PathBuf, Problem> {
    if path.join(MANIFEST).is_file() {
        return Ok(path.into());
    }
    let entries = fs::read_dir(path).map_err(|error| Problem::io("cannot read", path, &error))?;
    let folders = entries.flatten().map(|entry| entry.path());
    let mut folders: Vec<PathBuf> =
        folders.filter(|folder| folder.join(MANIFEST).is_file()).collect();
    folders.sort();
    match folders.as_slice() {
        [one] => Ok(one.clone()),
        // Without a manifest of its own it is judged by that of the others.
        [] => Ok(path.into()),
        several => {
            let names: Vec<String> =
                several.iter().map(|path| path.display().to_string()).collect();
            let problem = Problem::new("this folder holds several campaigns").at(path.display());
            Err(problem.hint(format!("name one of them: {}", names.join(", "))))
        }
    }
}

fn common_manifest(target: &Path, sources: &[PathBuf]) -> Result<Manifest, Problem> {
    let mut common: Option<Manifest> = None;
    for folder in std::iter::once(target).chain(sources.iter().map(PathBuf::as_path)) {
        match (&common, Manifest::read(folder)?) {
            (None, found) => common = found,
            (Some(first), Some(found)) => first.require_same(&found, folder)?,
            (Some(_), None) => {}
        }
    }
    common.ok_or_else(|| {
        let problem = Problem::new(format!("none of these folders has a `{MANIFEST}`"));
        problem.hint("`phalanx sweep FILE` writes it beside the runs")
    })
}

/// What was selected belongs to the campaign, where anything was.
fn collect_choice(target: &Path, sources: &[PathBuf]) -> Result<(), Problem> {
    let place = target.join(CHOICE);
    for choice in sources.iter().map(|source| source.join(CHOICE)).filter(|path| path.is_file()) {
        if !place.exists() {
            fs::copy(&choice, &place)
                .map_err(|error| Problem::io("cannot copy the choice", &place, &error))?;
        }
        let read = |path: &Path| {
            fs::read(path).map_err(|error| Problem::io("cannot read the choice", path, &error))
        };
        if read(&place)? != read(&choice)? {
            let problem = Problem::new("hyper-parameters were selected twice, with other scores");
            return Err(problem
                .at(format!("{} and {}", place.display(), choice.display()))
                .hint("select once, and copy `selection.json` to the other machines"));
        }
    }
    Ok(())
}

fn collect_run(entry: &Entry, target: &Path, sources: &[PathBuf]) -> Result<Fate, Problem> {
    let own = target.join(&entry.folder);
    let (mut whole, mut begun) = (Vec::new(), Vec::new());
    let folders = std::iter::once(target).chain(sources.iter().map(PathBuf::as_path));
    for folder in folders.map(|folder| folder.join(&entry.folder)) {
        if !folder.is_dir() || whole.contains(&folder) {
            continue;
        }
        match inspect(&folder, entry) {
            Ok(true) => whole.push(folder),
            Ok(false) => begun.push(folder),
            Err(reason) => return Ok(Fate::Refused(folder, reason)),
        }
    }
    let Some((first, others)) = whole.split_first() else { return Ok(Fate::Missing(begun)) };
    for other in others {
        match compare(first, other) {
            Ok(Comparison::Equal { .. }) => {}
            Ok(different) => return Ok(Fate::Refused(other.clone(), different.to_string())),
            Err(error) => return Ok(Fate::Refused(other.clone(), error.to_string())),
        }
    }
    if *first == own {
        return Ok(Fate::Present);
    }
    if begun.contains(&own) {
        let reason =
            "an unfinished run is in its place; remove it, or finish it by `phalanx sweep`";
        return Ok(Fate::Refused(own, reason.into()));
    }
    copy(first, &own)?;
    Ok(Fate::Copied(first.clone()))
}

/// Whether a run is complete and all its files say the same; what is wrong otherwise.
fn inspect(folder: &Path, entry: &Entry) -> Result<bool, String> {
    let text = match fs::read(folder.join(EXPERIMENT)) {
        Ok(text) => text,
        // Killed before anything was written.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(format!("cannot read `{EXPERIMENT}`: {error}")),
    };
    if digest_of(&text) != entry.digest {
        return Err(format!("its `{EXPERIMENT}` is not that of the manifest"));
    }
    if !folder.join(SUMMARY).exists() {
        return Ok(false);
    }
    let summary: Summary = read_json(&folder.join(SUMMARY)).map_err(|error| error.to_string())?;
    if summary.status == Status::Interrupted {
        return Ok(false);
    }
    if (&summary.arm, summary.seed) != (&entry.arm, entry.seed) {
        return Err(format!("its `{SUMMARY}` is of another run"));
    }
    let record = folder.join(RECORD);
    let history = History::read(&record).map_err(|error| error.to_string())?;
    let ends_well = ends_in_line_feed(&record).map_err(|error| error.to_string())?;
    if history.truncated || !ends_well {
        return Err(format!("the last line of `{RECORD}` is cut off"));
    }
    let retold = retell(&record, &summary).map_err(|error| error.to_string())?;
    retold
        .agrees(&summary)
        .map_err(|what| format!("`{RECORD}` and `{SUMMARY}` differ in {what}"))?;
    Ok(true)
}

fn ends_in_line_feed(path: &Path) -> std::io::Result<bool> {
    use std::io::{Read as _, Seek as _, SeekFrom};
    let mut file = File::open(path)?;
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last[0] == b'\n')
}

/// What a record adds up to, node by node.
#[derive(Default)]
struct Retold(BTreeMap<u16, NodeSummary>);

/// Reads the record once more, for what a summary says of it.
fn retell(record: &Path, summary: &Summary) -> std::io::Result<Retold> {
    let mut retold = Retold::default();
    let senders = summary.nodes.first().map_or(0, |node| node.heard.len());
    for line in BufReader::new(File::open(record)?).lines() {
        let line: Line = serde_json::from_str(&line?).map_err(std::io::Error::other)?;
        let node = retold.0.entry(line.node).or_insert_with(|| NodeSummary {
            node: line.node,
            rounds: 0,
            scores: BTreeMap::new(),
            heard: vec![0; senders],
            failed: None,
        });
        match line.event.as_str() {
            "collected" => {
                for from in line.from {
                    node.heard.get_mut(usize::from(from)).into_iter().for_each(|count| *count += 1);
                }
            }
            "evaluated" => node.scores = line.scores,
            "failed" => node.failed = line.reason,
            _ => {}
        }
        node.rounds = node.rounds.max(line.round.unwrap_or(0));
    }
    Ok(retold)
}

impl Retold {
    /// Whether a summary says the same; what differs otherwise.
    fn agrees(&self, summary: &Summary) -> Result<(), String> {
        if !summary.nodes.iter().map(|node| node.node).eq(self.0.keys().copied()) {
            return Err("the nodes that took part".into());
        }
        let mut values: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        for (told, retold) in summary.nodes.iter().zip(self.0.values()) {
            let (name, NodeSummary { heard, failed, rounds, .. }) = (told.node, retold);
            let is_same = told.scores.len() == retold.scores.len()
                && told
                    .scores
                    .iter()
                    .zip(&retold.scores)
                    .all(|(a, b)| a.0 == b.0 && same(*a.1, *b.1));
            if !is_same {
                return Err(format!("the scores of node {name}"));
            }
            if told.heard != *heard {
                return Err(format!("whom node {name} has heard"));
            }
            if told.failed != *failed || told.rounds < *rounds {
                return Err(format!("how node {name} ended"));
            }
            for (score, value) in &retold.scores {
                values.entry(score).or_default().push(*value);
            }
        }
        let least = summary.nodes.iter().map(|node| node.rounds).min().unwrap_or(0);
        if summary.rounds_done != least {
            return Err("the rounds that were done".into());
        }
        let has_failed = self.0.values().any(|node| node.failed.is_some());
        if (summary.status == Status::Diverged) != has_failed
            || (summary.status == Status::Finished && least != summary.rounds)
        {
            return Err("how the run ended".into());
        }
        if !summary.scores.keys().map(String::as_str).eq(values.keys().copied()) {
            return Err("the scores that were measured".into());
        }
        for (name, values) in values {
            let (told, retold) = (summary.scores[name], Score::over(name, &values));
            let parts = [
                (told.mean, retold.mean),
                (told.worst, retold.worst),
                (told.best, retold.best),
                (told.deviation, retold.deviation),
            ];
            if !parts.iter().all(|(told, retold)| near(*told, *retold)) {
                return Err(format!("score `{name}`"));
            }
        }
        Ok(())
    }
}

/// Both were read from the same digits.
fn same(one: f64, other: f64) -> bool {
    one == other || (one.is_nan() && other.is_nan())
}

/// The same sum, but its terms went through their digits.
fn near(one: f64, other: f64) -> bool {
    same(one, other) || (one - other).abs() <= 1e-9 * one.abs().max(other.abs()).max(1e-9)
}

/// Copies what a run consists of. Nothing is linked: a run that is done again with `--force` is
/// written in place, and would change the other machine's copy with it.
fn copy(from: &Path, to: &Path) -> Result<(), Problem> {
    let parent = to.parent().unwrap_or(Path::new("."));
    let name = to.file_name().unwrap_or_default().to_string_lossy();
    let beside = parent.join(format!(".{name}.{}.part", std::process::id()));
    let written = (|| {
        fs::create_dir_all(&beside)?;
        for name in [EXPERIMENT, RECORD, ENVIRONMENT, SUMMARY] {
            if name == ENVIRONMENT && !from.join(name).exists() {
                continue;
            }
            fs::copy(from.join(name), beside.join(name))?;
            File::open(beside.join(name))?.sync_all()?;
        }
        fs::rename(&beside, to)
    })();
    written.map_err(|error| {
        let _ = fs::remove_dir_all(&beside);
        Problem::io("cannot copy the run", to, &error)
    })
}

/// Run folders of an experiment folder that are not of the manifest.
///
/// # Errors
/// When the folder cannot be read.
pub fn foreign_runs(source: &Path, manifest: &Manifest) -> Result<Vec<PathBuf>, Problem> {
    let entries = fs::read_dir(source).map_err(|e| Problem::io("cannot read", source, &e))?;
    let mut foreign = Vec::new();
    for folder in entries.flatten().map(|entry| entry.path()) {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_run = folder.join(EXPERIMENT).is_file();
        if is_run && manifest.runs.iter().all(|entry| entry.folder != name) {
            foreign.push(folder);
        }
    }
    foreign.sort();
    Ok(foreign)
}
