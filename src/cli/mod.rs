//! The command line: a file for each command.
//!
//! A command parses its arguments, turns them into the types that the rest of the program uses, and
//! calls one function. `main` maps the outcome to an exit code, and an error to a line on standard
//! error.

mod cert;
mod check;
mod demo;
mod doctor;
mod export;
mod hash_password;
mod history;
mod probe;
mod serve;
mod token;
mod watch;

use std::process::ExitCode;
use std::time::Duration;

use argh::FromArgs;

use crate::config::parse_duration;
use crate::logging;
use crate::text::escape;

/// A dashboard server for remote water systems that no slow upstream and no hostile client can
/// hang.
#[derive(FromArgs)]
struct Arguments {
    /// print the version and exit
    #[argh(switch, short = 'V')]
    version: bool,

    #[argh(subcommand)]
    command: Option<Command>,
}

#[derive(FromArgs)]
#[argh(subcommand)]
enum Command {
    Serve(serve::Serve),
    Demo(demo::Demo),
    Check(check::Check),
    Probe(probe::Probe),
    Doctor(doctor::Doctor),
    Watch(watch::Watch),
    Cert(cert::Cert),
    HashPassword(hash_password::HashPassword),
    Token(token::TokenCommand),
    Export(export::Export),
    History(history::HistoryCommand),
}

/// Error that ends a command. Its text is written to standard error.
type Failure = Box<dyn std::error::Error>;

/// Parses the arguments and runs the command that they name.
///
/// Returns exit code 0 if the command succeeded, else 1; wrong arguments are 1, too.
pub fn main() -> ExitCode {
    let _flush = logging::FlushOnDrop;
    let arguments: Arguments = argh::from_env();
    if arguments.version {
        return print(&format!("{} {}\n", env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION")));
    }
    let outcome = match arguments.command {
        Some(Command::Serve(command)) => command.run(),
        Some(Command::Demo(command)) => command.run(),
        Some(Command::Check(command)) => command.run(),
        Some(Command::Probe(command)) => command.run(),
        Some(Command::Doctor(command)) => command.run(),
        Some(Command::Watch(command)) => command.run(),
        Some(Command::Cert(command)) => command.run(),
        Some(Command::HashPassword(command)) => command.run(),
        Some(Command::Token(command)) => command.run(),
        Some(Command::Export(command)) => command.run(),
        Some(Command::History(command)) => command.run(),
        None => Err("no command given; `pumphouse-web --help` lists them".into()),
    };
    match outcome {
        Ok(code) => code,
        Err(failure) => {
            logging::print_failure(&failure);
            ExitCode::FAILURE
        }
    }
}

/// Parses an option that is a duration.
fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "not a duration such as 2s or 500ms".to_owned())
}

/// Parses an option that is a duration longer than zero.
fn positive_duration(text: &str) -> Result<Duration, String> {
    let duration = duration(text)?;
    if duration.is_zero() {
        Err("the duration must be longer than zero".to_owned())
    } else {
        Ok(duration)
    }
}

/// Writes to standard output, with hidden characters escaped: the text may contain any that come
/// from configurations, files and upstreams. A pipe that its reader has closed, as `head` does, is no
/// failure.
fn print(text: &str) -> ExitCode {
    use std::io::Write as _;
    match std::io::stdout().lock().write_all(escape(text).as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            eprintln!("pumphouse-web: cannot write: {error}");
            ExitCode::FAILURE
        }
        _ => ExitCode::SUCCESS,
    }
}
