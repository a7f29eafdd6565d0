//! Help, conventions of output, exit codes.
use clap::Command;

use crate::program::{Scratch, small};

fn commands() -> Vec<Command> {
    let mut all = vec![phalanx::command::command()];
    all.extend(all[0].get_subcommands().cloned().collect::<Vec<_>>());
    all
}

#[test]
fn every_command_and_argument_has_help_and_every_command_has_three_examples() {
    phalanx::command::command().debug_assert();
    for command in commands() {
        let name = command.get_name().to_owned();
        let about = command.get_about().unwrap_or_else(|| panic!("{name}")).to_string();
        assert!(!about.ends_with('.') && about.starts_with(char::is_uppercase), "{about}");
        let after = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let examples = after.split("Examples:\n").nth(1).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(examples.lines().count(), 3, "{name}: {after}");
        assert!(examples.lines().all(|line| line.starts_with("  phalanx ")), "{name}");
        for argument in command.get_arguments() {
            let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
            let id = argument.get_id();
            assert!(!help.is_empty() && !help.ends_with('.'), "{name} {id}: {help}");
        }
    }
}

#[test]
fn help_goes_to_stdout_and_misuse_to_stderr() {
    let scratch = Scratch::new();
    let said = scratch.phalanx(&["run", "--help"]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    assert!(said.out.starts_with("Run an experiment and summarise it"));
    let said = scratch.phalanx(&[]);
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""));
    assert!(said.err.contains("NO_COLOR"));
    let said = scratch.phalanx(&["--version"]);
    assert!(said.out.starts_with("phalanx 0."), "{}", said.out);
    let said = scratch.phalanx(&["run"]);
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""));
}

#[test]
fn stdout_holds_results_only_and_json_is_json() {
    let scratch = Scratch::new();
    scratch.write("a.toml", &small(5));
    let said = scratch.phalanx(&["run", "a.toml", "--json", "-q"]);
    assert_eq!((said.code, said.err.as_str()), (Some(0), ""));
    let lists = ["rules", "mixings", "attacks", "algorithms", "tasks"];
    let mut outputs = vec![said.out];
    for kind in lists {
        outputs.push(scratch.phalanx(&["list", kind, "--json"]).out);
    }
    outputs.push(scratch.phalanx(&["explain", "monna", "--json"]).out);
    outputs.push(scratch.phalanx(&["check", "a.toml", "--json"]).out);
    outputs.push(scratch.phalanx(&["data", "--json"]).out);
    outputs.push(scratch.phalanx(&["report", "a", "--json"]).out);
    for line in outputs.iter().flat_map(|output| output.lines()) {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        assert!(value.is_object(), "{line}");
    }
}

#[test]
fn colour_is_only_where_it_is_wanted() {
    let scratch = Scratch::new();
    let coloured = |args: &[&str], no_color: &str| {
        let mut command = scratch.command(args);
        let output = command.env("NO_COLOR", no_color).output().unwrap();
        output.stdout.contains(&0x1b)
    };
    assert!(!coloured(&["explain", "monna"], ""), "not into a pipe");
    assert!(coloured(&["explain", "monna", "--color", "always"], ""));
    assert!(coloured(&["explain", "monna", "--color", "always"], "1"), "the option is nearer");
    assert!(!coloured(&["explain", "monna", "--color", "never"], ""));
}

#[test]
fn expectations_decide_the_exit_code() {
    let scratch = Scratch::new();
    let expect = |bound: &str| small(5) + &format!("expect = {{ \"loss.mean\" = {bound} }}\n");
    scratch.write("met.toml", &expect("{ min = 0, max = 1e9 }"));
    scratch.write("missed.toml", &expect("{ max = -1 }"));
    scratch.write("absent.toml", &expect("{ min = 0 }").replace("loss.mean", "beauty.mean"));
    let said = scratch.phalanx(&["run", "met.toml"]);
    assert_eq!(said.code, Some(0), "{}", said.err);
    assert!(said.out.contains("\nmet  monna  loss.mean at least 0 "), "{}", said.out);
    let said = scratch.phalanx(&["run", "missed.toml"]);
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(said.out.contains("\nmissed  monna  loss.mean at most -1 "), "{}", said.out);
    let said = scratch.phalanx(&["run", "absent.toml"]);
    assert_eq!((said.code, said.out.as_str()), (Some(2), ""), "{}", said.err);
    assert!(said.err.contains("known: `distance`, `excess`, `loss`"), "{}", said.err);
}

#[test]
fn a_run_that_cannot_finish_says_why_and_how_to_replay_it() {
    let scratch = Scratch::new();
    // Everybody waits for all, and the Byzantine node is silent.
    let text = small(5).replace("\"gaussian\"", "\"silence\"") + "exchange = { wait = \"all\" }\n";
    scratch.write("a.toml", &text);
    let said = scratch.phalanx(&["run", "a.toml"]);
    assert_eq!(said.code, Some(1), "{}", said.err);
    assert!(
        said.err.contains("warning: monna seed 1: 6 honest nodes wait for vectors that never come"),
        "{}",
        said.err
    );
    assert!(said.err.contains("replay: phalanx run a.toml --arm monna --seed 1 --force"));
}

#[cfg(unix)]
#[test]
fn a_closed_pipe_is_success_and_a_full_one_is_not() {
    let scratch = Scratch::new();
    let program = env!("CARGO_BIN_EXE_phalanx");
    let shell = |script: &str| {
        let mut command = std::process::Command::new("bash");
        let command = command.args(["-c", script]).current_dir(scratch.path());
        crate::program::said(command.output().unwrap())
    };
    let said = shell(&format!("{program} completions zsh | true; echo ${{PIPESTATUS[0]}}"));
    assert_eq!(said.out, "0\n", "{}", said.err);
    if std::path::Path::new("/dev/full").exists() {
        let said = shell(&format!("{program} data > /dev/full"));
        assert_eq!(said.code, Some(2));
        assert_eq!(said.err, "error: cannot write results: no space left on device: stdout\n");
    }
}

#[test]
fn list_and_explain_know_every_entry() {
    use phalanx::experiment::{Kind, Registries};
    let scratch = Scratch::new();
    for kind in Kind::ALL {
        let listed = scratch.phalanx(&["list", &format!("{}s", kind.word())]).out;
        for entry in Registries::ALL.list(kind) {
            assert!(listed.contains(entry.name), "{}", entry.name);
            let name = format!("{}/{}", kind.word(), entry.name);
            let said = scratch.phalanx(&["explain", &name]);
            assert_eq!(said.code, Some(0), "{}", said.err);
            assert!(said.out.contains("formula"), "{}", said.out);
            for param in entry.params {
                assert!(said.out.contains(param.name), "{} {}", entry.name, param.name);
                assert!(!param.summary.is_empty(), "{name}: {} has no summary", param.name);
            }
            assert!(said.out.lines().all(|line| line.chars().count() <= 100), "{}", said.out);
        }
    }
}
