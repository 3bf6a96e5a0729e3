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

use argh::{EarlyExit, FromArgs};

use self::outcome::{Failure, print};
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
/// Returns exit code 0 if the command succeeded, 2 for wrong arguments, else the code of the failure.
pub fn main() -> ExitCode {
    let _flush = logging::FlushOnDrop;
    let arguments: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let arguments = match Arguments::from_args(&[env!("CARGO_PKG_NAME")], &arguments) {
        Ok(arguments) => arguments,
        Err(EarlyExit { output, status: Ok(()) }) => return print(&output),
        Err(EarlyExit { output, .. }) => {
            let failure = Failure::usage(output.trim_end());
            logging::print_failure(&failure);
            return failure.exit_code();
        }
    };
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
        None => Err(Failure::usage("no command given; `pumphouse-web --help` lists them")),
    };
    match outcome {
        Ok(code) => code,
        Err(failure) => {
            logging::print_failure(&failure);
            failure.exit_code()
        }
    }
}
