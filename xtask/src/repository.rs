//! The working tree: where it is, which files belong to it, and commands run in its root.
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Every way to fail here is a sentence for a person.
pub type Outcome<T> = Result<T, String>;

/// One file that belongs to the repository.
#[derive(Debug, Clone)]
pub struct File {
    /// relative to the root, with forward slashes
    pub path: String,
    /// `None` when it is not text
    pub text: Option<String>,
    /// size in bytes
    pub bytes: u64,
}

impl File {
    /// A file that exists in memory alone.
    #[cfg(test)]
    pub fn new(path: &str, text: &str) -> Self {
        Self { path: path.into(), text: Some(text.into()), bytes: text.len() as u64 }
    }

    /// Whether its name ends in one of these extensions.
    pub fn has_extension(&self, extensions: &[&str]) -> bool {
        self.path.rsplit_once('.').is_some_and(|(_, found)| extensions.contains(&found))
    }

    /// File name without directories and extension.
    pub fn stem(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        name.rsplit_once('.').map_or(name, |(stem, _)| stem)
    }

    /// Directory without a closing slash; empty for the root.
    pub fn directory(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(directory, _)| directory)
    }
}

/// The root of the working tree.
#[derive(Debug)]
pub struct Repository {
    root: PathBuf,
}

impl Repository {
    /// The tree that this tool was built from.
    pub fn find() -> Outcome<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
        root.filter(|root| root.join("ARCHITECTURE.md").is_file())
            .map(|root| Self { root: root.to_path_buf() })
            .ok_or_else(|| "the repository has moved since this tool was built".into())
    }

    /// The absolute path of something in the tree.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// Files that are tracked or about to be: neither ignored nor deleted.
    pub fn files(&self) -> Outcome<Vec<File>> {
        let list = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
        let listed = self.output("git", &list)?;
        let mut paths: Vec<&str> = listed.split('\0').filter(|path| !path.is_empty()).collect();
        paths.sort_unstable();
        paths.dedup();
        let existing = paths.into_iter().filter(|path| self.path(path).is_file());
        existing.map(|path| self.read(path)).collect()
    }

    fn read(&self, path: &str) -> Outcome<File> {
        let bytes = std::fs::read(self.path(path)).map_err(|why| format!("{path}: {why}"))?;
        let size = bytes.len() as u64;
        let text = String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
        Ok(File { path: path.into(), text, bytes: size })
    }

    /// A command in the root that reads nothing from a terminal.
    pub fn command(&self, program: &str, words: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(words).current_dir(&self.root).stdin(Stdio::null());
        command
    }

    /// What a command prints; its failure is an error that shows what it complained of.
    pub fn output(&self, program: &str, words: &[&str]) -> Outcome<String> {
        let said = format!("{program} {}", words.join(" "));
        // What is read back must not depend on who looks on.
        let quiet = [("NO_COLOR", "1"), ("COLUMNS", "100")];
        let output = self.command(program, words).envs(quiet).output();
        let output = output.map_err(|why| format!("`{said}` did not start: {why}"))?;
        if !output.status.success() {
            let complaint = String::from_utf8_lossy(&output.stderr);
            return Err(format!("`{said}` failed: {}", complaint.trim()));
        }
        String::from_utf8(output.stdout).map_err(|_| format!("`{said}` did not print text"))
    }
}
