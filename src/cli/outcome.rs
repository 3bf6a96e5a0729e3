//! The outcome of a command: text on standard output with an exit code, or an error.

use std::io::{self, ErrorKind, Write as _};
use std::process::ExitCode;

use crate::text::escape;

/// Error that ends a command. Its text is written to standard error.
pub(super) type Failure = Box<dyn std::error::Error>;

/// Writes to standard output, with hidden characters escaped: the text may contain any that come
/// from configurations, files and upstreams. A pipe that its reader has closed, as `head` does, is no
/// failure.
pub(super) fn print(text: &str) -> ExitCode {
    match io::stdout().lock().write_all(escape(text).as_bytes()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            eprintln!("pumphouse-web: cannot write: {error}");
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}
