//! Rules that one line can break: its length, absolute paths, unnumbered to-do marks.
use crate::repository::File;
use crate::tidy::Finding;

/// Columns of a line of code.
const COLUMNS_MAX: usize = 100;
/// Bytes of a tracked file.
const BYTES_MAX: u64 = 2_000_000;

const CODE: &[&str] = &["rs", "toml", "sh", "run"];

/// Directories that exist on one machine only. Split, so that this file does not name them.
const ROOTS: [(&str, &str); 5] =
    [("/ho", "me/"), ("/ro", "ot/"), ("/wo", "rk/"), ("/tm", "p/"), ("/Use", "rs/")];
const MARKS: [(&str, &str); 3] = [("TO", "DO"), ("FIX", "ME"), ("XX", "X")];

/// Checks one file line by line.
pub fn check(file: &File, findings: &mut Vec<Finding>) {
    if file.bytes > BYTES_MAX {
        let what = format!("{} bytes, more than {BYTES_MAX}", file.bytes);
        let hint = "large data stays outside: load it from a directory, or generate it";
        findings.push(Finding::new(&file.path, 0, what, hint));
    }
    let Some(text) = file.text.as_deref().filter(|_| file.path != "Cargo.lock") else { return };
    let is_code = file.has_extension(CODE) || file.path == ".ci/run";
    for (at, line) in text.lines().enumerate() {
        let mut found = |what: String, hint| {
            findings.push(Finding::new(&file.path, at + 1, what, hint));
        };
        let columns = line.chars().count();
        if is_code && columns > COLUMNS_MAX {
            found(format!("{columns} columns, more than {COLUMNS_MAX}"), "break the line");
        }
        if line.trim_end() != line && !file.has_extension(&["md"]) && is_code {
            found("ends in blanks".into(), "run `cargo xtask fix`");
        }
        if let Some(path) = absolute_path(line) {
            let hint = "take paths from the caller; tests use `std::env::temp_dir`";
            found(format!("an absolute path under `{path}`"), hint);
        }
        if is_code && let Some(mark) = unnumbered_mark(line) {
            found(format!("`{mark}` without an issue"), "do it, or name the issue as in `(#12)`");
        }
    }
}

/// A path that begins at the root of one machine's file system.
fn absolute_path(line: &str) -> Option<String> {
    ROOTS.iter().map(|(a, b)| format!("{a}{b}")).find(|root| {
        line.match_indices(root.as_str()).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            !before.is_some_and(|c| c.is_alphanumeric() || "._-}>)*/".contains(c))
        })
    })
}

/// A to-do mark on a line that names no issue.
fn unnumbered_mark(line: &str) -> Option<String> {
    let numbered =
        line.split('#').skip(1).any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let mut words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
    let mark = words
        .find_map(|word| MARKS.iter().map(|(a, b)| format!("{a}{b}")).find(|mark| mark == word));
    mark.filter(|_| !numbered)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> Vec<String> {
        let mut findings = Vec::new();
        check(&File::new(path, text), &mut findings);
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_line_of_code_has_at_most_100_columns() {
        let (fits, long) = ("κ".repeat(100), "κ".repeat(101));
        assert!(findings("a.rs", &fits).is_empty());
        assert!(findings("a.rs", &format!("\n{long}"))[0].starts_with("a.rs:2: 101 columns"));
        assert!(findings("a.md", &long).is_empty());
    }

    #[test]
    fn machine_paths_are_found_and_relative_ones_are_not() {
        for (a, b) in ROOTS {
            assert_eq!(findings("a.toml", &format!("data = \"{a}{b}x\"")).len(), 1);
            for before in ["here", ".", "..", "{root}", "<root>", "a_", "*", "(a)"] {
                assert!(findings("a.toml", &format!("data = \"{before}{a}{b}x\"")).is_empty());
            }
        }
    }

    #[test]
    fn a_mark_needs_the_number_of_an_issue() {
        for (a, b) in MARKS {
            assert_eq!(findings("a.rs", &format!("// {a}{b}: later")).len(), 1);
            assert!(findings("a.rs", &format!("// {a}{b}(#12): later")).is_empty());
            assert!(findings("a.rs", &format!("// {a}{b}S")).is_empty());
        }
    }

    #[test]
    fn large_files_stay_outside() {
        let mut findings = Vec::new();
        let file = File { path: "a.bin".into(), text: None, bytes: BYTES_MAX + 1 };
        check(&file, &mut findings);
        assert_eq!(findings.len(), 1);
        check(&File { bytes: BYTES_MAX, ..file }, &mut findings);
        assert_eq!(findings.len(), 1);
    }
}
