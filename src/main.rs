//! Parses the arguments, calls the command, maps its outcome to an exit code.
#![forbid(unsafe_code)]

use std::process::ExitCode;

/// Returns freed memory to the system within seconds: see `.cargo/config.toml`.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    pumphouse_web::cli::main()
}
