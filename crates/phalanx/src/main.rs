//! `phalanx`: see the library of the same name.
use std::process::ExitCode;

fn main() -> ExitCode {
    phalanx::command::main(std::env::args_os())
}
