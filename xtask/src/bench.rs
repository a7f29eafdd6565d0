//! Benches: where they are, and running them one crate after the other.
use crate::repository::{Outcome, Repository};

/// Runs every bench, or those whose crate or name contains one of `words`.
pub fn run(repository: &Repository, words: &[String]) -> Outcome<bool> {
    let files = repository.files()?;
    let benches = files.iter().filter_map(|file| bench(&file.path));
    let is_wanted = |(member, name): &(&str, &str)| {
        words.is_empty() || words.iter().any(|w| member.contains(&**w) || name.contains(&**w))
    };
    let benches: Vec<(&str, &str)> = benches.filter(is_wanted).collect();
    if benches.is_empty() {
        return Err("no such bench: they live in crates/CRATE/benches/NAME.rs".into());
    }
    for (member, name) in &benches {
        eprintln!("crates/{member}/benches/{name}.rs");
    }
    let mut is_good = true;
    for (member, name) in benches {
        let status =
            repository.command("cargo", &["bench", "-p", member, "--bench", name]).status();
        is_good &= status.map_err(|why| format!("cargo did not start: {why}"))?.success();
    }
    Ok(is_good)
}

/// Crate and name of a bench file.
fn bench(path: &str) -> Option<(&str, &str)> {
    let (member, file) = path.strip_prefix("crates/")?.split_once("/benches/")?;
    let name = file.strip_suffix(".rs").or_else(|| file.strip_suffix("/main.rs"));
    let name = name.map(|name| name.strip_suffix("/main").unwrap_or(name));
    name.filter(|name| !name.contains('/')).map(|name| (member, name))
}

#[cfg(test)]
mod tests {
    use super::bench;

    #[test]
    fn benches_are_found_by_their_place() {
        assert_eq!(bench("crates/a/benches/b.rs"), Some(("a", "b")));
        assert_eq!(bench("crates/a/benches/b/main.rs"), Some(("a", "b")));
        assert_eq!(bench("crates/a/benches/b/part.rs"), None);
        assert_eq!(bench("crates/a/src/b.rs"), None);
    }
}
