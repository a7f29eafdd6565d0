//! Loading run folders, and grouping them by arm.
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::folder::{
    ENVIRONMENT, EXPERIMENT, Environment, FolderError, RECORD, SUMMARY, Summary, io, read_json,
    read_text,
};
use crate::record::History;

/// One run folder, read.
#[derive(Debug, Clone)]
pub struct LoadedRun {
    /// where it lies
    pub folder: PathBuf,
    /// how it ended
    pub summary: Summary,
    /// how it went
    pub history: History,
    /// where it ran, if that was written
    pub environment: Option<Environment>,
    /// the resolved experiment as TOML, if it was written
    pub experiment: Option<String>,
}

impl LoadedRun {
    /// Reads one run folder.
    ///
    /// # Errors
    /// Without a readable summary and record there is no run; the other files may be absent, but
    /// not broken.
    pub fn read(folder: &Path) -> Result<Self, FolderError> {
        let summary = read_json(&folder.join(SUMMARY))?;
        let history = History::read(&folder.join(RECORD))?;
        let environment = present(&folder.join(ENVIRONMENT), read_json)?;
        let experiment = present(&folder.join(EXPERIMENT), read_text)?;
        Ok(Self { folder: folder.into(), summary, history, environment, experiment })
    }

    /// Itself, unless its experiment is not TOML.
    fn with_readable_settings(self) -> Result<Self, FolderError> {
        crate::settings::of_run(&self)?;
        Ok(self)
    }

    /// The name of its folder.
    pub fn name(&self) -> String {
        name_of(&self.folder)
    }

    /// What runs of one arm share and runs of another do not: its name, and the hash of its
    /// settings that the folder's name holds, so that an arm whose settings changed is another arm.
    fn key(&self) -> (String, String) {
        let name = self.name();
        let suffix = format!("-s{}", self.summary.seed);
        let stem = name.strip_suffix(&suffix);
        let hash = stem.and_then(|stem| stem.rsplit('-').next());
        let hash = hash.filter(|h| h.len() >= 8 && h.bytes().all(|b| b.is_ascii_hexdigit()));
        let arm = &self.summary.arm;
        (arm.clone(), hash.map_or_else(|| arm.clone(), |hash| format!("{arm}-{hash}")))
    }
}

/// The last part of a folder's path, also of one that is written as `.`.
fn name_of(folder: &Path) -> String {
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let canonical = || folder.canonicalize().ok().as_deref().and_then(name);
    name(folder).or_else(canonical).unwrap_or_default()
}

/// Reads a file that may be absent.
fn present<T>(
    path: &Path,
    read: impl FnOnce(&Path) -> Result<T, FolderError>,
) -> Result<Option<T>, FolderError> {
    match read(path) {
        Ok(value) => Ok(Some(value)),
        Err(FolderError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Loads runs from run folders and experiment folders, each run once, sorted by experiment, arm
/// and seed.
///
/// # Errors
/// A folder that holds no run, or a run that cannot be read.
pub fn load(paths: &[PathBuf]) -> Result<Vec<LoadedRun>, FolderError> {
    let mut seen = BTreeSet::new();
    let mut runs = Vec::new();
    for path in paths {
        for folder in run_folders(path)? {
            let canonical = folder.canonicalize().map_err(|source| io(&folder, source))?;
            if seen.insert(canonical) {
                runs.push(LoadedRun::read(&folder)?);
            }
        }
    }
    sort(&mut runs);
    Ok(runs)
}

fn sort(runs: &mut [LoadedRun]) {
    runs.sort_by_cached_key(|run| (run.summary.experiment.clone(), run.key(), run.summary.seed));
}

/// What lies in some folders: runs, and what looks like one but cannot be read.
#[derive(Debug, Default)]
pub struct Found {
    /// sorted by experiment, arm and seed
    pub runs: Vec<LoadedRun>,
    /// run folders that are left out, and why
    pub broken: Vec<(PathBuf, FolderError)>,
    /// run folders without a summary: still running, or killed
    pub unfinished: Vec<PathBuf>,
}

/// Loads all runs that can be read from run folders and experiment folders, and names the others:
/// one broken run among many does not hide the many, and is not hidden by them.
///
/// # Errors
/// A folder that holds no run; a folder that is itself a run and cannot be read; nothing can be
/// read at all.
pub fn load_found(paths: &[PathBuf]) -> Result<Found, FolderError> {
    let mut seen = BTreeSet::new();
    let mut found = Found::default();
    for path in paths {
        for folder in run_folders(path)? {
            let canonical = folder.canonicalize().map_err(|source| io(&folder, source))?;
            if !seen.insert(canonical) {
                continue;
            }
            match LoadedRun::read(&folder).and_then(LoadedRun::with_readable_settings) {
                Ok(run) => found.runs.push(run),
                Err(error) if folder == *path => return Err(error),
                Err(error) => found.broken.push((folder, error)),
            }
        }
        found.unfinished.extend(unfinished(path)?);
    }
    if found.runs.is_empty()
        && let Some((_, error)) = found.broken.pop()
    {
        return Err(error);
    }
    sort(&mut found.runs);
    Ok(found)
}

/// The run folders in `path`, or `path` itself if it is one.
///
/// # Errors
/// There is none, or the folder cannot be read.
pub fn run_folders(path: &Path) -> Result<Vec<PathBuf>, FolderError> {
    if path.join(SUMMARY).is_file() {
        return Ok(vec![path.into()]);
    }
    let folders: Vec<_> =
        subfolders(path)?.into_iter().filter(|folder| folder.join(SUMMARY).is_file()).collect();
    if folders.is_empty() {
        return Err(FolderError::Empty { path: path.into() });
    }
    Ok(folders)
}

/// Folders in an experiment folder that were begun as runs but have no summary: killed, or still
/// running.
///
/// # Errors
/// The folder cannot be read.
pub fn unfinished(path: &Path) -> Result<Vec<PathBuf>, FolderError> {
    if path.join(SUMMARY).is_file() {
        return Ok(Vec::new());
    }
    let begun = |folder: &PathBuf| {
        !folder.join(SUMMARY).is_file()
            && (folder.join(RECORD).is_file() || folder.join(EXPERIMENT).is_file())
    };
    Ok(subfolders(path)?.into_iter().filter(begun).collect())
}

fn subfolders(path: &Path) -> Result<Vec<PathBuf>, FolderError> {
    let failed = |source| io(path, source);
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let folder = entry.map_err(failed)?.path();
        if folder.is_dir() {
            folders.push(folder);
        }
    }
    folders.sort();
    Ok(folders)
}

/// Runs that differ in their seed alone.
#[derive(Debug, Clone)]
pub struct Arm<'a> {
    /// its name, with the hash of its settings where another arm has the same name
    pub name: String,
    /// one per seed
    pub runs: Vec<&'a LoadedRun>,
}

/// Groups runs by experiment and arm.
pub fn arms(runs: &[LoadedRun]) -> Vec<Arm<'_>> {
    let mut groups: BTreeMap<_, Vec<&LoadedRun>> = BTreeMap::new();
    for run in runs {
        groups.entry((run.summary.experiment.as_str(), run.key())).or_default().push(run);
    }
    let several = groups.keys().map(|key| key.0).collect::<BTreeSet<_>>().len() > 1;
    let twins = |experiment: &str, arm: &str| {
        groups.keys().filter(|key| key.0 == experiment && key.1.0 == arm).count() > 1
    };
    let name = |experiment: &str, arm: &str, stem: &str| {
        let name = if twins(experiment, arm) { stem } else { arm };
        if several { format!("{experiment}/{name}") } else { name.to_owned() }
    };
    let named = |(experiment, (arm, stem)): &(&str, (String, String)), runs: &Vec<_>| Arm {
        name: name(experiment, arm, stem),
        runs: runs.clone(),
    };
    groups.iter().map(|(key, runs)| named(key, runs)).collect()
}
