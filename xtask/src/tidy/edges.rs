//! Who may know whom: the table of ARCHITECTURE.md against what cargo resolves.
use std::collections::{BTreeMap, BTreeSet};

use crate::repository::{File, Outcome, Repository};
use crate::tidy::Finding;

const MAP: &str = "ARCHITECTURE.md";
/// Crates that need no system library and no async runtime.
pub const LIGHT: [&str; 6] = [
    "phalanx-robust",
    "phalanx-protocol",
    "phalanx-learn",
    "phalanx-attack",
    "phalanx-sim",
    "phalanx-tasks",
];
/// Direct dependencies of a light crate on crates of others.
const DEPENDENCIES_MAX: usize = 8;
const BANNED: [&str; 10] = [
    "async-executor",
    "async-io",
    "async-std",
    "futures-executor",
    "libloading",
    "mio",
    "monoio",
    "pkg-config",
    "smol",
    "tokio",
];
/// Names in `-sys` that link nothing: tables of system calls in Rust.
const PURE_SYS: [&str; 2] = ["linux-raw-sys", "windows-sys"];

type Names = BTreeSet<String>;

/// One row of the table.
#[derive(Debug, Default, PartialEq, Eq)]
struct Row {
    line: usize,
    may_use: Names,
    in_tests: Names,
}

/// Compares map and territory.
pub fn check(repository: &Repository, files: &[File], found: &mut Vec<Finding>) -> Outcome<()> {
    let map = files.iter().find(|file| file.path == MAP).and_then(|file| file.text.as_deref());
    let table = table(map.unwrap_or_default());
    let normal = direct(repository, "normal,build")?;
    let with_tests = direct(repository, "normal,build,dev")?;
    compare(&table, &normal, &with_tests, found);
    for name in LIGHT {
        let tree = ["tree", "--locked", "-e", "normal", "-p", name, "--prefix", "none"];
        let tree = repository.output("cargo", &tree)?;
        check_light(name, &tree, normal.get(name), found);
    }
    check_manifests(files, found);
    check_exceptions(files, found);
    Ok(())
}

/// Rows of the table whose header speaks of crates and of what they may use.
fn table(map: &str) -> BTreeMap<String, Row> {
    let lines = map.lines().enumerate();
    let header = |line: &str| line.starts_with("| crate |") && line.contains("may use");
    let body = lines.skip_while(|(_, line)| !header(line)).skip(2);
    let rows = body.take_while(|(_, line)| line.starts_with('|'));
    rows.filter_map(|(at, line)| {
        let cells: Vec<Names> = line.split('|').skip(1).map(in_backticks).collect();
        let name = cells.first()?.first()?.clone();
        let cell = |column: usize| cells.get(column).cloned().unwrap_or_default();
        Some((name, Row { line: at + 1, may_use: cell(1), in_tests: cell(2) }))
    })
    .collect()
}

fn in_backticks(cell: &str) -> Names {
    cell.split('`').skip(1).step_by(2).map(str::to_string).collect()
}

/// Direct dependencies of every member, all features on.
fn direct(repository: &Repository, kinds: &str) -> Outcome<BTreeMap<String, Names>> {
    let tree = ["tree", "--locked", "--workspace", "--all-features", "--no-dedupe"];
    let shape = ["--depth", "1", "--prefix", "depth", "-e", kinds];
    Ok(parse_direct(&repository.output("cargo", &[&tree[..], &shape[..]].concat())?))
}

fn parse_direct(tree: &str) -> BTreeMap<String, Names> {
    let mut direct: BTreeMap<String, Names> = BTreeMap::new();
    let mut member = String::new();
    for line in tree.lines() {
        let name = line.get(1..).and_then(|rest| rest.split(' ').next()).unwrap_or_default();
        if line.starts_with('0') {
            member = name.to_string();
            direct.entry(member.clone()).or_default();
        } else if line.starts_with('1') {
            direct.entry(member.clone()).or_default().insert(name.to_string());
        }
    }
    direct
}

fn compare(
    table: &BTreeMap<String, Row>,
    normal: &BTreeMap<String, Names>,
    with_tests: &BTreeMap<String, Names>,
    found: &mut Vec<Finding>,
) {
    let ours = |names: &Names| -> Vec<String> {
        names.iter().filter(|name| normal.contains_key(*name)).cloned().collect()
    };
    for (member, names) in with_tests {
        let Some(row) = table.get(member) else {
            let what = format!("`{member}` has no row in the table of allowed edges");
            found.push(Finding::new(MAP, 0, what, "a new crate is an edit of the map"));
            continue;
        };
        let linked = normal.get(member);
        for other in ours(names) {
            let is_linked = linked.is_some_and(|linked| linked.contains(&other));
            let is_allowed =
                row.may_use.contains(&other) || (!is_linked && row.in_tests.contains(&other));
            if !is_allowed {
                let manifest = format!("crates/{member}/Cargo.toml");
                let what = format!("`{member}` may not use `{other}`");
                let hint = "arrows point toward less knowledge; a new one is an edit of the map";
                found.push(Finding::new(&manifest, 0, what, hint));
            }
        }
    }
    for (member, row) in table {
        let names = with_tests.get(member);
        let listed = row.may_use.iter().chain(&row.in_tests);
        let gone: Vec<&String> =
            listed.filter(|other| names.is_none_or(|names| !names.contains(*other))).collect();
        if !gone.is_empty() {
            let what = format!("`{member}` does not use {gone:?}");
            found.push(Finding::new(MAP, row.line, what, "a map shows the roads that exist"));
        }
    }
}

fn check_light(name: &str, tree: &str, direct: Option<&Names>, found: &mut Vec<Finding>) {
    let manifest = format!("crates/{name}/Cargo.toml");
    let linked: BTreeSet<&str> =
        tree.lines().filter_map(|line| line.split(' ').next()).filter(|l| !l.is_empty()).collect();
    for other in linked {
        let is_system = other.ends_with("-sys") && !PURE_SYS.contains(&other);
        if is_system || BANNED.contains(&other) {
            let what = format!("`{name}` pulls in `{other}`");
            let hint = "light crates link no system library and no async runtime";
            found.push(Finding::new(&manifest, 0, what, hint));
        }
    }
    let others = direct.into_iter().flatten().filter(|other| !other.starts_with("phalanx-"));
    let count = others.count();
    if count > DEPENDENCIES_MAX {
        let what = format!("{count} direct dependencies, more than {DEPENDENCIES_MAX}");
        found.push(Finding::new(&manifest, 0, what, "write it, or move what needs it"));
    }
}

/// Every member takes the lints of the workspace.
fn check_manifests(files: &[File], found: &mut Vec<Finding>) {
    let is_member =
        |file: &&File| file.path.ends_with("/Cargo.toml") && file.path != "fuzz/Cargo.toml";
    for file in files.iter().filter(is_member) {
        let text = file.text.as_deref().unwrap_or_default();
        if !text.contains("[lints]\nworkspace = true") {
            let hint = "add `[lints]` and `workspace = true`";
            found.push(Finding::new(&file.path, 0, "goes without the house's lints", hint));
        }
    }
}

/// The bans of clippy.toml hold in light crates without exception; drivers may say why not.
fn check_exceptions(files: &[File], found: &mut Vec<Finding>) {
    let ban = ["clippy::", "disallowed_"].concat();
    for name in LIGHT {
        let sources = format!("crates/{name}/src/");
        for file in files.iter().filter(|file| file.path.starts_with(&sources)) {
            let text = file.text.as_deref().unwrap_or_default();
            for (at, _) in text.lines().enumerate().filter(|(_, line)| line.contains(&ban)) {
                let hint = "move the clock, thread or hash map to a driver";
                found.push(Finding::new(&file.path, at + 1, "lifts a ban of clippy.toml", hint));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "words\n\n| crate | may use, of ours | in tests also | heavy |\n\
                         | --- | --- | --- | --- |\n| `a` | – | – | – |\n| `b` | `a` | – | x |\n\
                         \n| `c` | other table |\n";

    fn names(names: &[&str]) -> Names {
        names.iter().map(|name| name.to_string()).collect()
    }

    fn compared(table_text: &str, normal: &str, with_tests: &str) -> Vec<String> {
        let mut found = Vec::new();
        let (normal, with_tests) = (parse_direct(normal), parse_direct(with_tests));
        compare(&table(table_text), &normal, &with_tests, &mut found);
        found.into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn the_table_is_read_where_it_stands() {
        let table = table(TABLE);
        assert_eq!(table.keys().collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(table["b"].may_use, names(&["a"]));
        assert_eq!(table["b"].line, 6);
    }

    #[test]
    fn an_edge_that_the_table_lacks_is_found() {
        let tree = "0a v1 (x)\n1serde v1\n\n0b v1 (y)\n1a v1 (x)\n";
        assert!(compared(TABLE, tree, tree).is_empty());
        let reversed = "0a v1\n1b v1\n\n0b v1\n1a v1\n";
        assert_eq!(compared(TABLE, reversed, reversed), ["`a` may not use `b`"]);
    }

    #[test]
    fn a_crate_needs_a_row_and_a_row_needs_its_edges() {
        let tree = "0a v1\n\n0b v1\n\n0c v1\n";
        let expected = ["`c` has no row in the table of allowed edges", "`b` does not use [\"a\"]"];
        assert_eq!(compared(TABLE, tree, tree), expected);
    }

    #[test]
    fn what_only_tests_may_use_must_not_be_linked() {
        let table = TABLE.replace("| `b` | `a` | – |", "| `b` | – | `a` |");
        let (without, with) = ("0a v1\n\n0b v1\n", "0a v1\n\n0b v1\n1a v1\n");
        assert!(compared(&table, without, with).is_empty());
        assert_eq!(compared(&table, with, with), ["`b` may not use `a`"]);
    }

    #[test]
    fn runtimes_and_system_libraries_are_banned_from_light_crates() {
        let mut found = Vec::new();
        let tree = "phalanx-sim v1\nlinux-raw-sys v1\nrand v1\n\ntokio v1\nopenssl-sys v1 (*)\n";
        check_light("phalanx-sim", tree, None, &mut found);
        let what: Vec<&str> = found.iter().map(|finding| &*finding.what).collect();
        let expected = ["`phalanx-sim` pulls in `openssl-sys`", "`phalanx-sim` pulls in `tokio`"];
        assert_eq!(what, expected);
    }

    #[test]
    fn a_light_crate_has_few_direct_dependencies() {
        let many: Vec<String> = (0..9).map(|i| format!("x{i}")).collect();
        let mut direct: Names = many.into_iter().collect();
        let mut found = Vec::new();
        check_light("phalanx-sim", "", Some(&direct), &mut found);
        assert_eq!(found.len(), 1);
        direct.remove("x0");
        direct.insert("phalanx-learn".into());
        check_light("phalanx-sim", "", Some(&direct), &mut found);
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn light_crates_lift_no_ban_and_members_take_the_lints() {
        let ban = "#![expect(clippy::DISALLOWED_methods)]".replace("DISALLOWED", "disallowed");
        let files = ["phalanx-sim", "phalanx"]
            .map(|name| File::new(&format!("crates/{name}/src/lib.rs"), &ban));
        let mut found = Vec::new();
        check_exceptions(&files, &mut found);
        assert_eq!(found.len(), 1);
        check_manifests(&[File::new("a/Cargo.toml", "[lints]\nworkspace = true\n")], &mut found);
        assert_eq!(found.len(), 1);
        check_manifests(&[File::new("a/Cargo.toml", "[package]\n")], &mut found);
        assert_eq!(found.len(), 2);
    }
}
