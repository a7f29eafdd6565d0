//! Tells the program which commit and compiler it was built from, where that can be known.
#![expect(clippy::disallowed_methods, reason = "cargo speaks through the environment")]
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if let Some(head) = output("git", &["rev-parse", "--git-path", "logs/HEAD"]) {
        println!("cargo:rerun-if-changed={head}");
    }
    let mut version = std::env::var("CARGO_PKG_VERSION").unwrap_or_default();
    if let Some(commit) = output("git", &["rev-parse", "--short=12", "HEAD"]) {
        println!("cargo:rustc-env=PHALANX_COMMIT={commit}");
        version.push_str(&format!(" {commit}"));
    }
    // What `--version` says and what a checkpoint remembers of its writer.
    println!("cargo:rustc-env=PHALANX_VERSION={version}");
    let compiler = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
    let toolchain = output(&compiler, &["--version"]).unwrap_or_else(|| "unknown".into());
    println!("cargo:rustc-env=PHALANX_TOOLCHAIN={toolchain}");
}

fn output(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}
