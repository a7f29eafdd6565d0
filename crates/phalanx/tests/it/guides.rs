//! What the documents show is run: shell blocks by the built program, in a quick form; TOML blocks
//! are checked; the lines that a guide adds to a file must have their place there.
use std::path::{Path, PathBuf};

use phalanx::command::control::{ControlExperiment, SafeExperiment};
use phalanx::experiment::{Experiment, Overrides, Registries, document, is_safe_control};

use super::program::{Said, Scratch};

/// Settings that end a run of any experiment in moments; what it expects may then be missed.
const QUICK: [&str; 6] =
    ["--set", "run.rounds=2", "--set", "run.seeds=[1]", "--set", "run.evaluate-every=2"];

/// What the guide to one's own rule adds, and what stands for it where it was not added.
const ADDED: [(&str, &str); 2] = [("least-radius-averaging", "krum"), ("farthest", "mimic")];

/// Commands that are not run here, each with its reason.
const NOT_RUN: [(&str, &str); 6] = [
    ("phalanx report monna-fashion", "a campaign of hours; see the tests of campaigns"),
    ("phalanx export", "of that campaign; see the tests of export"),
    ("phalanx control simulate runs/", "the plan of a former command, whose name is its content's"),
    ("phalanx sweep collect", "folders of other machines; see the tests of sweeps"),
    ("phalanx control care plant.toml", "the file is the reader's own"),
    ("phalanx control regulate", "its experiments resolve in `control.rs`, and are flown there"),
];

/// Programs besides our own; what they are given must exist.
const OTHERS: [&str; 5] = ["cargo", "python", "python3.12", "venv/bin/pip", "venv/bin/python"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Every document that a person wrote.
fn documents() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root().join("docs")).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "md"));
    files.push(root().join("README.md"));
    files.sort();
    files
}

/// A fenced block: what stands behind the fence, the line before it, and its text.
struct Block {
    info: String,
    before: String,
    text: String,
}

fn blocks(document: &str) -> Vec<Block> {
    let (mut blocks, mut open, mut before) = (Vec::<Block>::new(), false, String::new());
    for line in document.lines() {
        match line.strip_prefix("```") {
            Some(info) if !open => {
                blocks.push(Block {
                    info: info.into(),
                    before: std::mem::take(&mut before),
                    text: String::new(),
                });
                open = true;
            }
            Some(_) => open = false,
            None if open => {
                let block = blocks.last_mut().unwrap();
                block.text.push_str(line);
                block.text.push('\n');
            }
            None if line.is_empty() => {}
            None => before = line.into(),
        }
    }
    assert!(!open, "a block is not closed");
    blocks
}

/// The words of a command line, without its comment; `"` and `'` quote.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in line.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => break,
            (None, ' ') => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// The commands of a block: continued lines joined, comments and empty lines left out.
fn commands(text: &str) -> Vec<Vec<String>> {
    let joined = text.replace("\\\n", " ");
    joined.lines().map(words).filter(|words| !words.is_empty()).collect()
}

fn with_replacements(text: &str) -> String {
    ADDED.iter().fold(text.into(), |text: String, (added, known)| text.replace(added, known))
}

/// Random rows as a NumPy file.
fn npy(rows: usize, columns: usize) -> Vec<u8> {
    let header =
        format!("{{'descr': '<f4', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
    let header = format!("{header:<117}\n");
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    let mut rng = phalanx_robust::Rng::stream(1, 0, "guides");
    bytes.extend((0..rows * columns).flat_map(|_| (rng.unit() as f32).to_le_bytes()));
    bytes
}

/// A folder with what the commands of one document find: vectors, experiments, files to be saved.
fn folder_of(blocks: &[Block]) -> Scratch {
    let scratch = Scratch::new();
    for name in ["in.npy", "honest.npy"] {
        std::fs::write(scratch.path().join(name), npy(12, 4)).unwrap();
    }
    for block in blocks.iter().filter(|block| block.info == "toml") {
        let saved = block.before.strip_prefix("Save as `").and_then(|rest| rest.split('`').next());
        if let Some(name) = saved {
            scratch.write(name, &with_replacements(&block.text));
        }
    }
    scratch
}

/// What is run in place of a command, if anything; panics where a document asks for the unknown.
fn quick_form(command: &[String]) -> Option<Vec<String>> {
    let line = command.join(" ").replacen("cargo run --release -- ", "phalanx ", 1);
    if NOT_RUN.iter().any(|(prefix, _)| line.starts_with(prefix)) {
        return None;
    }
    let program = words(&line);
    if program[0] != "phalanx" {
        let is_setting = |word: &&String| word.contains('=') && !word.starts_with('-');
        let name = program.iter().find(|word| !is_setting(word)).unwrap();
        assert!(OTHERS.contains(&name.as_str()), "nobody knows how to test `{line}`");
        assert_paths_exist(&program);
        return None;
    }
    let mut args: Vec<String> = program[1..].to_vec();
    let kept_by_repository = args.iter().any(|arg| arg.starts_with("experiments/"));
    match args[0].as_str() {
        "sweep" if args[1] == "cluster" => {}
        // The repository's own experiments are run elsewhere; their names and options are checked.
        "run" | "sweep" if kept_by_repository => args = checked_instead(&args),
        "run" | "sweep" => args.extend(QUICK.map(String::from)),
        "soak" => args = ["soak", "--seeds", "2"].map(String::from).to_vec(),
        _ => {}
    }
    Some(args)
}

/// `check` with those options that choose what is run; the others must be known to the command.
fn checked_instead(args: &[String]) -> Vec<String> {
    let help = Scratch::new().phalanx(&[&args[0], "--help"]).out;
    let mut checked = vec!["check".to_string()];
    let mut rest = args[1..].iter();
    while let Some(arg) = rest.next() {
        let is_option = arg.starts_with("--");
        assert!(
            !is_option || help.contains(&format!("{arg} ")) || help.contains(&format!("{arg}\n"))
        );
        let has_value = is_option && help.contains(&format!("{arg} <"));
        let value = if has_value { rest.next() } else { None };
        if !is_option || ["--set", "--arm", "--seed", "--quick"].contains(&arg.as_str()) {
            checked.push(arg.clone());
            checked.extend(value.cloned());
        }
    }
    checked
}

/// `-p CRATE`, `--bench NAME` and scripts that a command names.
fn assert_paths_exist(program: &[String]) {
    let value_of = |option: &str| {
        let at = program.iter().position(|word| word == option)?;
        program.get(at + 1).map(String::as_str)
    };
    let package = value_of("-p").map(|name| root().join("crates").join(name));
    if let Some(package) = &package {
        assert!(package.is_dir(), "no crate `{}`", package.display());
    }
    if let (Some(package), Some(bench)) = (&package, value_of("--bench")) {
        let manifest = std::fs::read_to_string(package.join("Cargo.toml")).unwrap();
        assert!(manifest.contains(&format!("name = \"{bench}\"")), "no bench `{bench}`");
    }
    for script in program.iter().filter(|word| word.starts_with("crates/")) {
        assert!(root().join(script).exists(), "no `{script}`");
    }
}

#[test]
fn every_shell_block_of_the_documents_does_what_it_says() {
    let (mut count, mut wrong) = (0, Vec::new());
    for file in documents() {
        let text = std::fs::read_to_string(&file).unwrap();
        let blocks = blocks(&text);
        let scratch = folder_of(&blocks);
        for block in blocks.iter().filter(|block| block.info.starts_with("sh")) {
            assert!(["sh", "sh fails"].contains(&block.info.as_str()), "{}", block.info);
            for command in commands(&with_replacements(&block.text)) {
                let Some(mut args) = quick_form(&command) else { continue };
                for arg in args.iter_mut().filter(|arg| arg.starts_with("experiments/")) {
                    *arg = root().join(&*arg).display().to_string();
                }
                let args: Vec<&str> = args.iter().map(String::as_str).collect();
                let Said { code, out, err } = scratch.phalanx(&args);
                let admissible: &[i32] = match (block.info.as_str(), args[0]) {
                    ("sh fails", _) => &[2],
                    (_, "run" | "sweep") => &[0, 1],
                    _ => &[0],
                };
                if !code.is_some_and(|code| admissible.contains(&code)) {
                    let name = file.file_name().unwrap().display();
                    wrong.push(format!("{name}: {args:?}: {code:?}\n{out}\n{err}"));
                }
                count += 1;
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count >= 20, "only {count} commands were found");
}

/// Sections that stand in for those which a fragment leaves out.
const REST: [(&str, &str); 4] = [
    ("population", "population = { n = 26, f = 4 }"),
    ("task", "task = { name = \"quadratic\" }"),
    ("algorithm", "algorithm = { name = \"d-sgd\" }"),
    ("run", "run = { rounds = 3, seeds = [1] }"),
];

fn has_key(text: &str, key: &str) -> bool {
    text.lines().any(|line| {
        let line = line.trim_start_matches('[');
        let rest = line.strip_prefix(key);
        rest.is_some_and(|rest| rest.trim_start().starts_with(['=', '.', ']']))
    })
}

#[test]
fn every_toml_block_of_the_documents_is_an_experiment_or_a_part_of_one() {
    let mut count = 0;
    for file in documents() {
        let text = std::fs::read_to_string(&file).unwrap();
        for block in blocks(&text).iter().filter(|block| block.info.starts_with("toml")) {
            let text = with_replacements(&block.text);
            let problem = if has_key(&text, "plant") || text.contains("fleet = ") {
                let plant =
                    if has_key(&text, "plant") { "" } else { "plant = { name = \"x-29a\" }\n" };
                let file = Scratch::new();
                let path = file.write("control.toml", &format!("{plant}{text}"));
                let table = document::parse(&text, "control.toml").unwrap();
                match is_safe_control(&table) {
                    true => SafeExperiment::load(&path, &[]).err(),
                    false => ControlExperiment::load(&path, &[]).err(),
                }
            } else {
                let rest = REST.iter().filter(|(key, _)| !has_key(&text, key));
                let rest: Vec<&str> = rest.map(|(_, line)| *line).collect();
                let whole = format!("{}\n{text}", rest.join("\n"));
                let (path, overrides) = (Path::new("block.toml"), Overrides::default());
                Experiment::parse(&whole, path, &overrides, &Registries::ALL).err()
            };
            if let Some(problem) = problem {
                panic!("{}: {problem} {:?}\n{text}", file.display(), problem.hint);
            }
            count += 1;
        }
    }
    assert!(count >= 4, "only {count} blocks were found");
}

#[test]
fn the_lines_that_the_guide_adds_have_their_place() {
    let guide = std::fs::read_to_string(root().join("docs/your-own-rule.md")).unwrap();
    let lists =
        ["crates/phalanx-robust/src/rule/mod.rs", "crates/phalanx-attack/src/attack/mod.rs"];
    let lists = lists.map(|file| std::fs::read_to_string(root().join(file)).unwrap());
    let blocks = blocks(&guide);
    let diffs = blocks.iter().filter(|block| block.info == "diff");
    let mut count = 0;
    for block in diffs {
        let kept = block.text.lines().filter(|line| !line.starts_with('+'));
        let kept: String = kept.map(|line| format!("{}\n", &line[1..])).collect();
        assert!(lists.iter().any(|list| list.contains(&kept)), "there is no place for\n{kept}");
        count += 1;
    }
    assert_eq!(count, 4);
}

/// What is promised to n nodes of which f may be Byzantine, row by row of the guide's table.
const CONDITIONS: [fn(f64, f64) -> bool; 8] = [
    |n, f| n >= 2.0 * f + 1.0,
    |n, f| n >= 3.0 * f + 1.0,
    |n, f| n >= 3.0 * f + 3.0,
    |n, f| n >= 5.0 * f + 3.0,
    |n, f| n >= 6.0 * f + 1.0,
    |n, f| n >= 11.0 * f,
    |n, f| 8.0 * f < n - f,
    |n, f| n > 2.0 * f && 14.657 * f * (n - f) < (n - 2.0 * f).powi(2),
];

/// What makes the program keep to the condition of a row.
const ENFORCED: [(usize, &[&str]); 6] = [
    (0, &["exchange = { name = \"direct\", wait = \"all\" }"]),
    (1, &["exchange = { name = \"signed-echo\" }"]),
    (1, &["exchange = { name = \"rb-tm-agreement\" }"]),
    (2, &["rule = { name = \"krum\" }"]),
    (3, &["rule = { name = \"bulyan\" }"]),
    (4, &["exchange = { name = \"mda-agreement\" }"]),
];

#[test]
fn the_table_of_the_largest_f_is_what_conditions_say_and_the_program_enforces() {
    let guide = std::fs::read_to_string(root().join("docs/plan-a-deployment.md")).unwrap();
    let rows: Vec<Vec<String>> = guide
        .lines()
        .filter(|line| line.starts_with('|') && line.matches('|').count() == 11)
        .map(|line| line.split('|').skip(1).take(10).map(|cell| cell.trim().into()).collect())
        .collect();
    let (header, rows) = (&rows[0], &rows[2..]);
    assert_eq!(rows.len(), CONDITIONS.len());
    let accepts = |(n, f): (usize, usize), lines: &[&str]| {
        let text = format!(
            "population = {{ n = {n}, f = {f} }}\ntask = {{ name = \"quadratic\" }}\n\
             algorithm = {{ name = \"monna\" }}\nrun = {{ rounds = 1, seeds = [1] }}\n{}\n",
            lines.join("\n")
        );
        let (path, overrides) = (Path::new("table.toml"), Overrides::default());
        Experiment::parse(&text, path, &overrides, &Registries::ALL).is_ok()
    };
    for (index, (row, holds)) in rows.iter().zip(CONDITIONS).enumerate() {
        for (n, shown) in header.iter().zip(row).skip(2) {
            let (n, shown): (usize, usize) = (n.parse().unwrap(), shown.parse().unwrap());
            let largest = (0..n).filter(|f| holds(n as f64, *f as f64)).max().unwrap();
            assert_eq!(shown, largest, "{row:?}, n = {n}");
            for (_, lines) in ENFORCED.iter().filter(|(row, _)| *row == index) {
                assert!(accepts((n, shown), lines) || shown == 0, "{lines:?}: n {n}, f {shown}");
                assert!(!accepts((n, shown + 1), lines), "{lines:?}: n {n}, f {}", shown + 1);
            }
        }
    }
}
