//! The command line: a file for each command.
//!
//! A command parses its arguments, turns them into the types that the rest of the program uses, and
//! calls the module that does the work. [`main`] maps the outcome to an exit code, and writes an error
//! to standard error.

mod cert;
mod check;
mod demo;
mod doctor;
mod export;
mod hash_password;
mod history;
mod options;
mod outcome;
mod probe;
mod serve;
mod token;
mod watch;

use std::process::ExitCode;

use argh::FromArgs;

use self::outcome::print;
use crate::logging;

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
