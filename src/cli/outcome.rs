//! The outcome of a command: text on standard output with an exit code, or a failure that carries its
//! exit code.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind, Write as _};
use std::process::ExitCode;

use crate::logging;
use crate::server::{SetupErrors, StartError};
use crate::text::escape;

/// Exit code of a command that failed, or that found something wrong.
const FAILED: u8 = 1;

/// Exit code of a command line that names no command, or that a command cannot follow.
const USAGE: u8 = 2;

/// Exit code of a failure that passes by itself, so that a supervisor starts the command again:
/// `EX_TEMPFAIL` of sysexits.h.
const TEMPORARY: u8 = 75;

/// Error that ends a command. Its text is written to standard error, and its code is the exit code.
///
/// Any error becomes a failure by `?`, with exit code 1.
#[derive(Debug)]
pub(super) struct Failure {
    error: Box<dyn Error>,
    code: u8,
}

impl Failure {
    /// Returns the failure of a command line: unknown, missing or contradicting arguments.
    pub(super) fn usage(error: impl Into<Box<dyn Error>>) -> Failure {
        Failure { error: error.into(), code: USAGE }
    }

    /// Returns a failure that passes by itself.
    pub(super) fn temporary(error: impl Into<Box<dyn Error>>) -> Failure {
        Failure { error: error.into(), code: TEMPORARY }
    }

    /// Returns the failure of a log that does not start: a thread may be available later, and an
    /// unknown format stays unknown.
    pub(super) fn of_log(error: logging::StartError) -> Failure {
        match error {
            logging::StartError::Thread(_) => Failure::temporary(error),
            logging::StartError::Format(_) => error.into(),
        }
    }

    /// Returns the failure of a server that does not start.
    pub(super) fn of_start(error: StartError) -> Failure {
        if error.is_passing() { Failure::temporary(error) } else { error.into() }
    }

    /// Returns the failure of a setup that cannot be used.
    pub(super) fn of_setup(errors: SetupErrors) -> Failure {
        if errors.is_usage() {
            Failure::usage(errors)
        } else if errors.is_passing() {
            Failure::temporary(errors)
        } else {
            errors.into()
        }
    }

    /// Returns true for the failure of a command line.
    pub(super) fn is_usage(&self) -> bool {
        self.code == USAGE
    }

    /// Returns the exit code of the process.
    pub(super) fn exit_code(&self) -> ExitCode {
        ExitCode::from(self.code)
    }
}

impl<E: Into<Box<dyn Error>>> From<E> for Failure {
    fn from(error: E) -> Failure {
        Failure { error: error.into(), code: FAILED }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

/// Writes to standard output, with hidden characters escaped: the text may contain any that come
/// from configurations, files and upstreams. A pipe that its reader has closed, as `head` does, is no
/// failure.
pub(super) fn print(text: &str) -> ExitCode {
    match write_output(escape(text).as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            logging::print_failure(&failure);
            failure.exit_code()
        }
    }
}

/// Standard output of a command that writes several texts. One message about a full disk is enough, so
/// nothing is written after a failure.
pub(super) struct Printer(ExitCode);

impl Printer {
    pub(super) fn new() -> Printer {
        Printer(ExitCode::SUCCESS)
    }

    /// Writes a text as [`print`] does.
    pub(super) fn show(&mut self, text: &str) {
        if self.0 == ExitCode::SUCCESS {
            self.0 = print(text);
        }
    }

    /// Returns the exit code of the texts.
    pub(super) fn exit_code(&self) -> ExitCode {
        self.0
    }
}

/// Writes to standard output. A pipe that its reader has closed is no failure.
fn write_output(bytes: &[u8]) -> Result<(), Failure> {
    let mut output = io::stdout().lock();
    // Standard output is buffered by lines, and its destructor ignores errors.
    match output.write_all(bytes).and_then(|()| output.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(format!("cannot write to standard output: {error}").into())
        }
        _ => Ok(()),
    }
}

/// Writes a remark on the output to standard error. Nothing depends on it, so a failure is ignored.
pub(super) fn remark(text: &str) {
    let _ = io::stderr().lock().write_all(escape(text).as_bytes());
}
