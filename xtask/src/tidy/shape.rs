//! The shape of source files: first sentences, sizes, names, registry entries, dead files.
use std::collections::BTreeMap;

use crate::repository::File;
use crate::source::Code;
use crate::tidy::Finding;

const FUNCTION_LINES_MAX: usize = 70;
const FILE_LINES_MAX: usize = 500;
/// Limit of the files below, each of which says why it may be longer.
const LONG_FILE_LINES_MAX: usize = 800;
const LONG_FILES: &[(&str, &str)] = &[];
/// The example that shows the whole idea must stay readable in one go.
const NANO: (&str, usize) = ("crates/phalanx/examples/nano.rs", 150);
/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 6] = ["utils", "util", "helpers", "helper", "common", "manager"];

/// Checks one source file.
pub fn check(file: &File, findings: &mut Vec<Finding>) {
    let Some(text) = file.text.as_deref().filter(|_| file.has_extension(&["rs"])) else { return };
    let code = Code::new(text);
    let mut found = |line, what: String, hint| {
        findings.push(Finding::new(&file.path, line, what, hint));
    };
    if let Some(what) = head_fault(text) {
        found(1, what, "open with `//! One sentence.` that says what the file is");
    }
    if file.path.starts_with("crates/") && file.path.ends_with("/src/lib.rs") {
        for what in crate_head_faults(text) {
            found(1, what, "paragraphs of a crate: what; what it does not know; where to start");
        }
    }
    for function in code.functions() {
        if function.lines > FUNCTION_LINES_MAX {
            let (name, lines) = (function.name, function.lines);
            let what =
                format!("function `{name}` has {lines} lines, more than {FUNCTION_LINES_MAX}");
            found(function.line, what, "name its parts");
        }
    }
    let lines = text.lines().count() - code.test_lines();
    let limit = file_lines_max(&file.path);
    if limit.is_some_and(|limit| lines > limit) {
        let limit = limit.unwrap_or_default();
        let what = format!("{lines} lines without tests, more than {limit}");
        found(0, what, "split it by what its parts must know");
    }
    if file.path.split(['/', '.']).any(|part| EMPTY_NAMES.contains(&part)) {
        found(0, "a name that says nothing".into(), "name it after what it holds");
    }
    for (line, what) in entry_faults(&code, &module_name(file).replace('_', "-")) {
        let hint = "`name`: the module in kebab case; `summary`: one line; `source`: who and where";
        found(line, what, hint);
    }
}

fn file_lines_max(path: &str) -> Option<usize> {
    if path == NANO.0 {
        return Some(NANO.1);
    }
    let is_listed = LONG_FILES.iter().any(|(listed, _)| *listed == path);
    let is_test = path.contains("/tests/") || path.ends_with("/tests.rs");
    let limit = if is_listed { LONG_FILE_LINES_MAX } else { FILE_LINES_MAX };
    (!is_test).then_some(limit)
}

/// Paragraphs of the `//!` comment at the very top.
fn head(text: &str) -> Vec<String> {
    let lines = text.lines().map_while(|line| line.strip_prefix("//!"));
    let mut paragraphs = vec![String::new()];
    for line in lines.map(str::trim) {
        match paragraphs.last_mut() {
            Some(last) if !line.is_empty() => {
                last.push_str(if last.is_empty() { "" } else { " " });
                last.push_str(line);
            }
            _ => paragraphs.push(String::new()),
        }
    }
    paragraphs.retain(|paragraph| !paragraph.is_empty());
    paragraphs
}

fn head_fault(text: &str) -> Option<String> {
    let Some(first) = head(text).into_iter().next() else {
        return Some("does not open with a sentence".into());
    };
    let is_sentence = first.ends_with(['.', '?', '!', ':']) && first.contains(' ');
    let begins = first.starts_with(|c: char| !c.is_lowercase());
    (!is_sentence || !begins).then(|| format!("`{first}` is not a sentence"))
}

fn crate_head_faults(text: &str) -> Vec<String> {
    let head = head(text).join(" ").to_lowercase();
    let wanted = [
        ("what the crate does not know", &[" not ", "nothing", " no "][..]),
        ("where to start reading", &["start reading"][..]),
    ];
    let missing = wanted.iter().filter(|(_, marks)| marks.iter().all(|mark| !head.contains(mark)));
    missing.map(|(what, _)| format!("does not say {what}")).collect()
}

/// Registry entries without summary or source, or named otherwise than their module.
fn entry_faults(code: &Code, module: &str) -> Vec<(usize, String)> {
    let words = code.words();
    let mut faults = Vec::new();
    for window in words.windows(3).filter(|w| w[0].1 == "const" && w[2].1 == "Entry") {
        let (at, name) = (window[1].0, &window[1].1);
        let Some(block) = code.block(at) else { continue };
        let body = code.original(block);
        let value =
            |field: &str| body.split_once(&format!("{field}:")).map(|(_, rest)| rest.trim_start());
        let is_misnamed =
            |value: &str| value.starts_with('"') && !value.starts_with(&format!("\"{module}\""));
        if name == "ENTRY" && value("name").is_some_and(is_misnamed) {
            faults.push((code.line(at), format!("the entry of `{module}` has another name")));
        }
        for field in ["summary", "source"] {
            let is_there = value(field).is_some_and(|value| !value.starts_with("\"\""));
            if !is_there {
                faults.push((code.line(at), format!("`{name}` has no {field}")));
            }
        }
    }
    faults
}

/// Checks that span files: modules that nothing declares, outdated exceptions.
pub fn check_tree(files: &[File], findings: &mut Vec<Finding>) {
    let sources: BTreeMap<&str, &File> =
        files.iter().filter(|file| file.has_extension(&["rs"])).map(|f| (&*f.path, f)).collect();
    for file in sources.values() {
        let parents = parents(file);
        let declares = |path: &String| {
            let text = sources.get(path.as_str()).and_then(|parent| parent.text.as_deref());
            let name = module_name(file);
            text.is_some_and(|text| Code::new(text).words().iter().any(|(_, word)| word == name))
        };
        if !parents.is_empty() && !parents.iter().any(declares) {
            let hint = "declare the module, or delete the file";
            findings.push(Finding::new(&file.path, 0, "no module declares this file", hint));
        }
    }
    for (path, _) in LONG_FILES {
        let lines = sources.get(path).and_then(|file| file.text.as_deref());
        let lines = lines.map_or(0, |text| text.lines().count() - Code::new(text).test_lines());
        if lines <= FILE_LINES_MAX {
            let what = format!("{lines} lines need no exception");
            findings.push(Finding::new(path, 0, what, "strike it from the list in tidy"));
        }
    }
}

fn module_name(file: &File) -> &str {
    match file.stem() {
        "mod" => file.directory().rsplit('/').next().unwrap_or_default(),
        stem => stem,
    }
}

/// Where a file would be declared; empty for crate roots and the like.
fn parents(file: &File) -> Vec<String> {
    let directory = match file.stem() {
        "mod" => file.directory().rsplit_once('/').map_or("", |(parent, _)| parent),
        _ => file.directory(),
    };
    let is_root = ["lib", "main", "build"].contains(&file.stem());
    let last = directory.rsplit('/').next().unwrap_or_default();
    let has_own_roots = ["bin", "examples", "benches", "tests", "fuzz_targets", ""];
    if is_root || has_own_roots.contains(&last) {
        return Vec::new();
    }
    let beside = ["mod.rs", "lib.rs", "main.rs"].map(|name| format!("{directory}/{name}"));
    beside.into_iter().chain([format!("{directory}.rs")]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> Vec<String> {
        let mut findings = Vec::new();
        check(&File::new(path, text), &mut findings);
        findings.iter().map(|finding| format!("{} {}", finding.line, finding.what)).collect()
    }

    #[test]
    fn a_file_opens_with_a_sentence() {
        assert!(findings("a.rs", "//! One thing,\n//! and no other.\n").is_empty());
        assert_eq!(findings("a.rs", "use a::b;\n"), ["1 does not open with a sentence"]);
        assert_eq!(findings("a.rs", "//! stub\n"), ["1 `stub` is not a sentence"]);
        assert_eq!(findings("a.rs", "\n//! Too late, I fear.\n").len(), 1);
    }

    #[test]
    fn a_crate_says_what_it_is_not_and_where_to_start() {
        let path = "crates/a/src/lib.rs";
        let whole = "//! What it is.\n//!\n//! It does not know files.\n//!\n\
                     //! Start reading at [`A`].\n";
        assert!(findings(path, whole).is_empty());
        let half = "//! What it is.\n//!\n//! It knows files.\n";
        assert_eq!(findings(path, half).len(), 2);
        assert!(findings("crates/a/src/b.rs", half).is_empty());
    }

    #[test]
    fn functions_and_files_have_limits() {
        let function = |lines: usize| format!("//! A file.\nfn a() {{\n{}}}\n", "\n".repeat(lines));
        assert!(findings("a.rs", &function(68)).is_empty());
        assert!(findings("a.rs", &function(69))[0].starts_with("2 function `a` has 71 lines"));
        let file = |lines: usize| format!("//! A file.\n{}", "\n".repeat(lines));
        assert!(findings("a.rs", &file(499)).is_empty());
        assert!(findings("a.rs", &file(500))[0].starts_with("0 501 lines without tests"));
        assert!(findings("a/tests/it/b.rs", &file(500)).is_empty());
        let tests = format!("{}#[cfg(test)]\nmod tests {{\n}}\n", file(499));
        assert!(findings("a.rs", &tests).is_empty());
    }

    #[test]
    fn names_say_something() {
        assert_eq!(findings("a/utils.rs", "//! A file.\n"), ["0 a name that says nothing"]);
        assert_eq!(findings("common/a.rs", "//! A file.\n").len(), 1);
        assert!(findings("a/commons.rs", "//! A file.\n").is_empty());
    }

    #[test]
    fn an_entry_has_summary_and_source() {
        let entry = |summary: &str, source: &str| {
            let fields = format!("name: \"a\", {summary} {source} params: &[]");
            let constant = format!("pub const ENTRY: Entry<Rule> = Entry {{ {fields} }};");
            findings("a.rs", &format!("//! A file.\n{constant}\n"))
        };
        assert!(entry("summary: \"b\",", "source: \"c {\",").is_empty());
        assert!(entry("summary: B,", "source:\n\"c\",").is_empty());
        assert_eq!(entry("summary: \"\",", "source: \"c\","), ["2 `ENTRY` has no summary"]);
        assert_eq!(entry("summary: \"b\",", ""), ["2 `ENTRY` has no source"]);
    }

    #[test]
    fn an_entry_bears_the_name_of_its_module() {
        let entry = |path: &str| {
            let fields = "name: \"a-b\", summary: \"c\", source: \"d\"";
            let text = format!("//! A file.\nconst ENTRY: Entry<Rule> = Entry {{ {fields} }};\n");
            findings(path, &text)
        };
        assert!(entry("rule/a_b.rs").is_empty());
        assert!(entry("a_b/mod.rs").is_empty());
        assert_eq!(entry("rule/a_c.rs"), ["2 the entry of `a-c` has another name"]);
    }

    #[test]
    fn every_module_is_declared_somewhere() {
        let tree = |root: &str| {
            let files =
                [("a/src/lib.rs", root), ("a/src/b/mod.rs", "mod c;"), ("a/src/b/c.rs", "")];
            let mut findings = Vec::new();
            check_tree(&files.map(|(path, text)| File::new(path, text)), &mut findings);
            findings.into_iter().map(|finding| finding.path).collect::<Vec<_>>()
        };
        assert!(tree("registry! { b, d }").is_empty());
        assert_eq!(tree("// mod b;"), ["a/src/b/mod.rs"]);
    }
}
