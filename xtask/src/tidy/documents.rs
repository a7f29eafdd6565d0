//! Documents and experiments: one sentence per line, links that lead somewhere, no empty files.
use std::collections::BTreeSet;

use crate::repository::File;
use crate::tidy::Finding;

/// Words whose full stop does not end a sentence.
const ABBREVIATIONS: [&str; 14] = [
    "e.g.", "i.e.", "al.", "vs.", "cf.", "Fig.", "Eq.", "Sec.", "Alg.", "Thm.", "Prop.", "App.",
    "Tab.", "No.",
];
/// What a path in backticks begins with when it is one of ours.
const OURS: [&str; 5] = ["crates/", "docs/", "experiments/", "xtask/", ".ci/"];

/// Checks documents against each other and against the files that they name.
pub fn check_tree(files: &[File], findings: &mut Vec<Finding>) {
    let mut paths: BTreeSet<&str> = files.iter().map(|file| &*file.path).collect();
    for file in files {
        let mut directory = file.directory();
        while !directory.is_empty() {
            paths.insert(directory);
            directory = directory.rsplit_once('/').map_or("", |(parent, _)| parent);
        }
    }
    for file in files {
        let Some(text) = file.text.as_deref() else { continue };
        if file.path.starts_with("experiments/") && file.has_extension(&["toml"]) {
            check_experiment(file, text, findings);
        }
        if file.has_extension(&["md"]) {
            check_document(file, text, &paths, findings);
        }
    }
}

fn check_experiment(file: &File, text: &str, findings: &mut Vec<Finding>) {
    let is_blank = |line: &str| line.trim().is_empty() || line.trim_start().starts_with('#');
    if text.lines().all(is_blank) {
        let hint = "settings, or no file";
        findings.push(Finding::new(&file.path, 0, "an experiment without settings", hint));
    } else if !text.starts_with('#') {
        let hint = "open with `# Reproduces: …` or `# Shows: …`, and what differs";
        findings.push(Finding::new(&file.path, 1, "does not say what it is for", hint));
    }
}

fn check_document(file: &File, text: &str, paths: &BTreeSet<&str>, findings: &mut Vec<Finding>) {
    let mut is_code = false;
    for (at, line) in text.lines().enumerate() {
        let mut found = |what, hint| findings.push(Finding::new(&file.path, at + 1, what, hint));
        if line.trim_start().starts_with("```") {
            is_code = !is_code;
            continue;
        }
        if is_code {
            continue;
        }
        let is_generated = file.path.starts_with("docs/reference/");
        if !is_generated && !line.trim_start().starts_with('|') && is_two_sentences(line) {
            found("two sentences on one line".into(), "one sentence per line, so that diffs speak");
        }
        for link in links(line).into_iter().filter(|link| !resolves(file, link, paths)) {
            found(format!("link to `{link}`, which is not there"), "mend the link");
        }
        for path in paths_in_backticks(line).into_iter().filter(|path| !paths.contains(path)) {
            found(format!("`{path}` is not there"), "name the file as it is called now");
        }
    }
}

/// A full stop, a blank and a capital, outside of backticks and abbreviations.
fn is_two_sentences(line: &str) -> bool {
    let prose: String = line
        .split('`')
        .enumerate()
        .map(|(i, part)| if i % 2 == 0 { part } else { "code" })
        .collect();
    let list_mark = prose.trim_start().split_once(' ').filter(|(mark, _)| {
        mark.strip_suffix('.').is_some_and(|number| number.chars().all(|c| c.is_ascii_digit()))
    });
    let prose = list_mark.map_or(prose.as_str(), |(_, rest)| rest);
    prose.match_indices(". ").any(|(at, _)| {
        let word = prose[..=at].split([' ', '(']).next_back().unwrap_or_default();
        let is_initial = word.chars().count() == 2;
        let next = prose[at + 2..].trim_start_matches(['*', '_', '[', '(']).chars().next();
        !is_initial && !ABBREVIATIONS.contains(&word) && next.is_some_and(char::is_uppercase)
    })
}

fn links(line: &str) -> Vec<&str> {
    let targets = line.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    let targets = targets.map(|(target, _)| target.split(['#', ' ']).next().unwrap_or_default());
    targets.filter(|target| !target.is_empty() && !target.contains(':')).collect()
}

fn resolves(file: &File, link: &str, paths: &BTreeSet<&str>) -> bool {
    let mut parts: Vec<&str> =
        file.directory().split('/').filter(|part| !part.is_empty()).collect();
    for part in link.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.is_empty() || paths.contains(parts.join("/").as_str())
}

fn paths_in_backticks(line: &str) -> Vec<&str> {
    let quoted = line.split('`').skip(1).step_by(2);
    let plain = quoted.filter(|path| !path.contains([' ', '*', '<', '{', '…', '$']));
    let ours = plain.filter(|path| OURS.iter().any(|ours| path.starts_with(ours)));
    ours.map(|path| path.trim_end_matches('/')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> Vec<String> {
        let others = ["docs/a.md", "crates/b/src/lib.rs"].map(|path| File::new(path, ""));
        let files: Vec<File> = others.into_iter().chain([File::new(path, text)]).collect();
        let mut findings = Vec::new();
        check_tree(&files, &mut findings);
        findings.into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn one_sentence_per_line() {
        assert!(is_two_sentences("One thing. Another thing."));
        assert!(is_two_sentences("- It is `a`. **Then** more."));
        assert!(!is_two_sentences("1. One thing, e.g. Krum, of Blanchard et al. NeurIPS 2017."));
        assert!(!is_two_sentences("See `a. B` and J. Smith."));
        assert_eq!(findings("x.md", "```\nA b. C d.\n```\n| A b. C d. |\n").len(), 0);
    }

    #[test]
    fn links_and_paths_lead_somewhere() {
        assert!(
            findings("docs/x.md", "[a](a.md#top) [b](../crates/b) [c](https://c.d/e)").is_empty()
        );
        assert_eq!(findings("x.md", "[a](a.md)"), ["link to `a.md`, which is not there"]);
        assert!(findings("x.md", "`crates/b/src/lib.rs` `crates/b/` `crates/*/x`").is_empty());
        assert_eq!(findings("x.md", "`crates/c`"), ["`crates/c` is not there"]);
    }

    #[test]
    fn an_experiment_says_what_it_is_for_and_has_settings() {
        assert!(findings("experiments/a.toml", "# Shows: b.\nrun = {}\n").is_empty());
        assert_eq!(findings("experiments/a.toml", "run = {}\n"), ["does not say what it is for"]);
        assert_eq!(findings("experiments/s/a.toml", "# b\n"), ["an experiment without settings"]);
        assert!(findings("a.toml", "").is_empty());
    }
}
