//! Formatting of every source file, those that `cargo fmt` does not reach included.
use crate::repository::{File, Outcome, Repository};
use crate::tidy::Finding;

/// `cargo fmt` follows `mod` lines only, and misses modules that a macro declares.
fn rustfmt(repository: &Repository, files: &[File], words: &[&str]) -> Outcome<(bool, String)> {
    let sources = files.iter().filter(|file| file.has_extension(&["rs"]));
    let paths: Vec<&str> = sources.map(|file| &*file.path).collect();
    let words = [&["--edition", "2024"], words, &paths].concat();
    let output = repository.command("rustfmt", &words).output();
    let output = output.map_err(|why| format!("rustfmt did not start: {why}"))?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaint = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() && said.trim().is_empty() {
        return Err(format!("rustfmt failed: {}", complaint.trim()));
    }
    Ok((output.status.success(), said))
}

/// One finding per file that is not formatted.
pub fn check(repository: &Repository, files: &[File], findings: &mut Vec<Finding>) -> Outcome<()> {
    let (_, said) = rustfmt(repository, files, &["--check", "-l"])?;
    let mut paths: Vec<String> = said.lines().map(|path| relative(repository, path)).collect();
    paths.sort_unstable();
    paths.dedup();
    let finding = |path: String| Finding::new(&path, 0, "not formatted", "run `cargo xtask fix`");
    findings.extend(paths.into_iter().map(finding));
    Ok(())
}

fn relative(repository: &Repository, path: &str) -> String {
    let root = repository.path("");
    path.strip_prefix(&*root.to_string_lossy()).unwrap_or(path).to_string()
}

/// Formats every source file.
pub fn fix(repository: &Repository) -> Outcome<bool> {
    let files = repository.files()?;
    rustfmt(repository, &files, &[]).map(|(is_done, _)| is_done)
}
