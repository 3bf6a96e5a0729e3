//! The command line: a file for each command.
//!
//! ```text
//! words ─► command_line: checks them, suggests ─► argh: converts values ─► command ─► exit code
//!               │                                                             │
//!               └── the table of commands ── manual: --help, man page, completions
//! ```
//!
//! A command parses its arguments, turns them into the types that the rest of the program uses, and
//! calls the module that does the work. [`main`] maps the outcome to an exit code, and writes an error
//! to standard error. Neither a closed nor a full standard output or standard error ends the program
//! by a panic.

mod alert;
mod cert;
mod check;
mod command_line;
mod demo;
mod doctor;
mod export;
mod hash_password;
mod history;
mod init;
mod manual;
mod options;
mod outcome;
mod probe;
mod reference;
mod serve;
mod token;
mod watch;

use std::process::ExitCode;

use argh::{ArgsInfo, CommandInfoWithArgs, FromArgs};

use self::command_line::{Misuse, Request};
use self::manual::help;
use self::outcome::{Failure, print, remark};
use crate::kernel::file_size;
use crate::logging;
use crate::supervisor::serve_options::ServeOptions;

/// A dashboard server for remote water systems that no slow upstream and no hostile client can
/// hang.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    example = "See what it does, without a configuration or a network\n$ {command_name} demo",
    example = "Make a first configuration\n$ {command_name} init",
    example = "Check a configuration, and poll each source once\n$ {command_name} check --poll",
    example = "Find out what is wrong with a running server\n$ {command_name} doctor",
    error_code(0, "done, or stopped by a signal"),
    error_code(1, "wrong configuration, or what was asked about is not well"),
    error_code(2, "wrong command line; nothing was done"),
    error_code(70, "the watchdog ended a server that could not serve any more"),
    error_code(
        75,
        "the start failed by a cause that may pass, such as a port in use; start again"
    ),
    error_code(130, "ended by a second signal")
)]
struct Arguments {
    /// print the version
    #[argh(switch, short = 'V')]
    #[allow(dead_code, reason = "the version is printed before the rest is read")]
    version: bool,

    #[argh(subcommand)]
    command: Command,
}

#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand)]
enum Command {
    Init(init::Init),
    Serve(serve::Serve),
    Demo(demo::Demo),
    Check(check::Check),
    Probe(probe::Probe),
    Doctor(doctor::Doctor),
    Watch(watch::Watch),
    Alert(alert::AlertCommand),
    Cert(cert::Cert),
    HashPassword(hash_password::HashPassword),
    Token(token::TokenCommand),
    Export(export::Export),
    History(history::HistoryCommand),
    Completions(reference::Completions),
    Man(reference::Man),
    Version(reference::Version),
}

/// Reads the command line and runs the command that it names.
///
/// Returns exit code 0 if the command succeeded, 2 for a wrong command line, else the code of the
/// failure.
pub fn main() -> ExitCode {
    let _flush = logging::FlushOnDrop;
    // Without the handler, only a write beyond that limit ends the program.
    let _ = file_size::report_as_error();
    let table = Arguments::get_args_info();
    let mut path = Vec::new();
    match run(&table, &mut path) {
        Ok(code) => code,
        Err(failure) if failure.is_usage() => {
            let command = manual::find(&table, &path).name();
            logging::print_failure(&format!("{failure}\nsee `{command} --help`"));
            failure.exit_code()
        }
        Err(failure) => {
            logging::print_failure(&failure);
            failure.exit_code()
        }
    }
}

/// Runs the command line. Sets `path` to the names of the command, as far as they are known.
fn run(table: &CommandInfoWithArgs, path: &mut Vec<String>) -> Result<ExitCode, Failure> {
    let words = std::env::args_os().skip(1).map(|word| {
        word.into_string()
            .map_err(|word| Failure::usage(format!("{} is not UTF-8", word.to_string_lossy())))
    });
    let words: Vec<String> = words.collect::<Result<_, _>>()?;
    if words.is_empty() {
        remark(&help::render(&manual::Command::program(table)));
        return Err(Failure::usage("no command given"));
    }
    let words = match command_line::read(table, &words) {
        Ok(Request::Help(path)) => {
            return Ok(print(&help::render(&manual::find(table, &path))));
        }
        Ok(Request::Version) => return Ok(reference::print_version()),
        Ok(Request::Run(words)) => words,
        Err(Misuse { path: known, message }) => {
            *path = known;
            return Err(Failure::usage(message));
        }
    };
    path.clone_from(&words.path);
    let Arguments { command, .. } = Arguments::from_args(&[manual::PROGRAM], &words.for_argh())
        .map_err(|exit| Failure::usage(words.translate(&exit.output)))?;
    match command {
        Command::Init(command) => command.run(),
        Command::Serve(command) => command.run(),
        Command::Demo(command) => command.run(),
        Command::Check(command) => command.run(),
        Command::Probe(command) => command.run(),
        Command::Doctor(command) => command.run(),
        Command::Watch(command) => command.run(),
        Command::Alert(command) => command.run(),
        Command::Cert(command) => command.run(),
        Command::HashPassword(command) => command.run(),
        Command::Token(command) => command.run(),
        Command::Export(command) => command.run(),
        Command::History(command) => command.run(),
        Command::Completions(command) => Ok(command.run(table)),
        Command::Man(command) => Ok(command.run(table)),
        Command::Version(command) => Ok(command.run()),
    }
}

/// Reads the words of another process of this program; `None` unless they are those of `serve`.
fn serve_options(words: &[String]) -> Option<ServeOptions> {
    let Request::Run(words) = command_line::read(&Arguments::get_args_info(), words).ok()? else {
        return None;
    };
    match Arguments::from_args(&[manual::PROGRAM], &words.for_argh()).ok()?.command {
        Command::Serve(serve) => Some(serve.options()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::ListenAddr;

    #[test]
    fn options_of_serve_are_read_from_its_command_line_and_from_no_other() {
        let listen = |addresses: &[&str]| -> Vec<ListenAddr> {
            addresses.iter().map(|address| address.parse().unwrap()).collect()
        };
        let (none, one) = (listen(&[]), listen(&["127.0.0.1:1"]));
        let two = listen(&["127.0.0.1:1", "unix:/p.sock"]);
        for (command_line, expected) in [
            ("/usr/bin/pumphouse-web serve", Some((none.clone(), false))),
            ("pumphouse-web serve /srv/p.toml --no-tls", Some((none.clone(), true))),
            ("pumphouse-web serve --listen 127.0.0.1:1 p.toml", Some((one.clone(), false))),
            ("pumphouse-web serve --listen=127.0.0.1:1", Some((one.clone(), false))),
            ("pumphouse-web serve --listen 127.0.0.1:1 --listen unix:/p.sock", Some((two, false))),
            ("pumphouse-web serve --config=--no-tls", Some((none.clone(), false))),
            ("pumphouse-web serve --config /srv/p.toml --no-tls", Some((none.clone(), true))),
            (
                "./pumphouse-web serve --admin-listen unix:/a.sock --log-format json",
                Some((none, false)),
            ),
            ("pumphouse-web serve /srv/a\u{a0}tank.toml --listen=127.0.0.1:1", Some((one, false))),
            // No server runs with these: each is a mistake.
            ("pumphouse-web serve --config --no-tls", None),
            ("pumphouse-web serve --listen", None),
            ("pumphouse-web serve --listen nowhere", None),
            ("pumphouse-web serve a.toml --config b.toml --listen", None),
            ("pumphouse-web help serve", None),
            ("pumphouse-web serve --help", None),
            ("pumphouse-web demo", None),
            ("pumphouse-web check", None),
            ("/usr/bin/env A=b pumphouse-web serve", None),
            ("pumphouse-web", None),
            ("/bin/sh -c pumphouse-web serve", None),
            ("", None),
        ] {
            let mut bytes = command_line.replace(' ', "\0").into_bytes();
            bytes.push(0);
            let expected = expected.map(|(listen, no_tls)| ServeOptions { listen, no_tls });
            let options = ServeOptions::of_command_line(&bytes, serve_options);
            assert_eq!(options, expected, "{command_line}");
        }
    }
}
