//! The reference pages: what the program says of itself, written down and compared.
use std::collections::BTreeMap;

use crate::repository::{Outcome, Repository};
use crate::tidy::Finding;

const FOLDER: &str = "docs/reference";
const HINT: &str = "run `cargo xtask gen`";
const ORIGIN: &str =
    "<!-- Written by `cargo xtask gen` from the program's own words; do not edit. -->\n";

/// Word in `phalanx list`, word in `phalanx explain`, title of the page.
const KINDS: [(&str, &str, &str); 7] = [
    ("rules", "rule", "Aggregation rules"),
    ("mixings", "mixing", "Mixings"),
    ("attacks", "attack", "Attacks"),
    ("algorithms", "algorithm", "Algorithms"),
    ("tasks", "task", "Tasks"),
    ("exchanges", "exchange", "Exchanges"),
    ("misbehaviours", "misbehaviour", "Misbehaviours"),
];

/// Text of each page by file name.
type Pages = BTreeMap<String, String>;

/// Writes every page, and removes those that nothing stands behind any more.
pub fn write(repository: &Repository) -> Outcome<bool> {
    let pages = pages(&|words| ask(repository, words))?;
    let folder = repository.path(FOLDER);
    std::fs::create_dir_all(&folder).map_err(|why| format!("{FOLDER}: {why}"))?;
    for (name, text) in &pages {
        std::fs::write(folder.join(name), text).map_err(|why| format!("{name}: {why}"))?;
    }
    for name in written(repository)?.keys().filter(|name| !pages.contains_key(*name)) {
        std::fs::remove_file(folder.join(name)).map_err(|why| format!("{name}: {why}"))?;
    }
    Ok(true)
}

/// Whether every page says what the program says; a line for each that does not.
pub fn check(repository: &Repository) -> Outcome<bool> {
    let pages = pages(&|words| ask(repository, words))?;
    let findings = compare(&pages, &written(repository)?);
    findings.iter().for_each(|finding| println!("{finding}"));
    Ok(findings.is_empty())
}

fn compare(pages: &Pages, written: &Pages) -> Vec<Finding> {
    let path = |name: &str| format!("{FOLDER}/{name}");
    let differing = pages.iter().filter_map(|(name, text)| {
        let old = written.get(name).map(String::as_str).unwrap_or_default();
        let line = text.lines().zip(old.lines()).position(|(new, old)| new != old);
        let line = line.unwrap_or_else(|| old.lines().count().min(text.lines().count()));
        (old != text).then(|| Finding::new(&path(name), line + 1, "stale", HINT))
    });
    let surplus = written.keys().filter(|name| !pages.contains_key(*name));
    let surplus =
        surplus.map(|name| Finding::new(&path(name), 0, "nothing stands behind it", HINT));
    differing.chain(surplus).collect()
}

fn written(repository: &Repository) -> Outcome<Pages> {
    let files = repository.files()?.into_iter();
    let pages = files.filter_map(|file| {
        let name = file.path.strip_prefix(FOLDER)?.strip_prefix('/')?.to_string();
        Some((name, file.text.unwrap_or_default()))
    });
    Ok(pages.collect())
}

fn ask(repository: &Repository, words: &[&str]) -> Outcome<String> {
    let cargo = ["run", "--release", "--locked", "--quiet", "-p", "phalanx", "--"];
    repository.output("cargo", &[&cargo[..], words].concat())
}

fn pages(ask: &dyn Fn(&[&str]) -> Outcome<String>) -> Outcome<Pages> {
    let help = ask(&["--help"])?;
    let mut commands = format!("{ORIGIN}\n# The command line\n\n{}", block(&help));
    for name in subcommands(&help) {
        let help = ask(&[name, "--help"])?;
        commands.push_str(&format!("\n## `phalanx {name}`\n\n{}", block(&help)));
    }
    let mut pages = Pages::from([("commands.md".into(), commands)]);
    for (list, word, title) in KINDS {
        let listed = ask(&["list", list])?;
        let mut page = format!("{ORIGIN}\n# {title}\n");
        // A summary that is broken over lines is indented.
        let entries = listed.lines().filter(|line| !line.starts_with(' '));
        for name in entries.filter_map(|line| line.split_whitespace().next()) {
            let said = ask(&["explain", &format!("{word}/{name}")])?;
            page.push_str(&format!("\n## `{name}`\n\n{}", block(&said)));
        }
        pages.insert(format!("{list}.md"), page);
    }
    Ok(pages)
}

fn block(text: &str) -> String {
    let lines = text.trim_end().lines().map(|line| format!("{}\n", line.trim_end()));
    format!("```text\n{}```\n", lines.collect::<String>())
}

/// Names below `Commands:`.
fn subcommands(help: &str) -> Vec<&str> {
    let below = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let listed = below.take_while(|line| line.starts_with(' '));
    // A summary that is broken over lines is indented further.
    let first = listed.filter(|line| !line.starts_with("   "));
    first.filter_map(|line| line.split_whitespace().next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HELP: &str = "Does it\n\nUsage: phalanx <COMMAND>\n\nCommands:\n  run   Run it\n        \
                        with care\n  list  List it\n\nOptions:\n  -h  Help\n";

    #[test]
    fn commands_are_found_in_the_help() {
        assert_eq!(subcommands(HELP), ["run", "list"]);
    }

    #[test]
    fn pages_hold_what_the_program_says() {
        let ask = |words: &[&str]| {
            Ok(match words {
                ["--help"] => HELP.to_string(),
                ["list", "rules"] => "krum     picks\n         one\naverage  the mean\n".into(),
                ["list", _] => String::new(),
                other => format!("on {}  \n\n", other.join(" ")),
            })
        };
        let pages = pages(&ask).unwrap();
        assert_eq!(pages.len(), 8);
        assert!(pages["commands.md"].contains("## `phalanx run`\n\n```text\non run --help\n```\n"));
        let rules = "# Aggregation rules\n\n## `krum`\n\n```text\non explain rule/krum\n```\n";
        assert!(pages["rules.md"].contains(rules), "{}", pages["rules.md"]);
        assert!(!pages["rules.md"].contains("rule/one"), "{}", pages["rules.md"]);
    }

    #[test]
    fn stale_missing_and_surplus_pages_are_found() {
        let pages = |texts: &[(&str, &str)]| -> Pages {
            texts.iter().map(|(name, text)| (name.to_string(), text.to_string())).collect()
        };
        let new = pages(&[("a.md", "x\ny\n"), ("b.md", "z\n"), ("c.md", "same\n")]);
        let old = pages(&[("a.md", "x\nw\n"), ("c.md", "same\n"), ("d.md", "old\n")]);
        let found: Vec<(String, usize)> =
            compare(&new, &old).into_iter().map(|finding| (finding.path, finding.line)).collect();
        let expected = [("a.md", 2), ("b.md", 1), ("d.md", 0)];
        assert_eq!(found, expected.map(|(name, line)| (format!("{FOLDER}/{name}"), line)));
    }
}
