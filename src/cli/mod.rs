//! One file a command.

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
mod trial;
mod watch;

use std::process::ExitCode;
use std::time::Duration;

use argh::FromArgs;

use crate::config::parse_duration;
use crate::logging;
use crate::server::Failure;
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

/// Parses the arguments and runs the command that they name.
///
/// Exit codes: 0 when all went well, 1 when it did not.
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
        None => Err("name a command; `pumphouse-web --help` lists them".into()),
    };
    match outcome {
        Ok(code) => code,
        Err(failure) => {
            logging::print_failure(&failure);
            ExitCode::FAILURE
        }
    }
}

/// An option that is a duration.
fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "not a duration such as 2s or 500ms".to_owned())
}

/// Writes to standard output, with hidden characters escaped: configurations, files and upstreams
/// may have put any into the text. A reader that has gone, as in `| head`, is no failure.
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
