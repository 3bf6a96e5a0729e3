//! Parses the arguments, calls the command, maps its outcome to an exit code.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    pumphouse_web::cli::main()
}
