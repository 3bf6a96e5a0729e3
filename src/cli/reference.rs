//! `version`, `completions` and `man`: what the program says about itself.

use std::process::ExitCode;

use argh::{ArgsInfo, CommandInfoWithArgs, FromArgs};

use super::manual::completions::{self, Shell};
use super::manual::{Command, PROGRAM, man};
use super::outcome::print;

/// Print the version.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "version", example = "In a report of a fault\n$ {command_name}")]
pub(super) struct Version {}

/// Print a script that completes commands, options and values in a shell.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "completions",
    example = "For this session of bash\n$ source <({command_name} bash)",
    example = "For every session of fish\n\
               $ {command_name} fish > ~/.config/fish/completions/pumphouse-web.fish",
    note = "`make install` and the Debian package install them for all three shells."
)]
pub(super) struct Completions {
    /// the shell
    #[argh(positional, arg_name = "bash|zsh|fish")]
    shell: Shell,
}

/// Print the man page, which has all of this help.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "man",
    example = "Read it without installing it\n$ {command_name} | man -l -"
)]
pub(super) struct Man {}

impl Version {
    pub(super) fn run(self) -> ExitCode {
        print_version()
    }
}

/// Prints the name of the program and its version.
pub(super) fn print_version() -> ExitCode {
    print(&format!("{PROGRAM} {}\n", env!("CARGO_PKG_VERSION")))
}

impl Completions {
    pub(super) fn run(self, table: &CommandInfoWithArgs) -> ExitCode {
        print(&completions::render(self.shell, &Command::program(table)))
    }
}

impl Man {
    pub(super) fn run(self, table: &CommandInfoWithArgs) -> ExitCode {
        print(&man::render(&Command::program(table)))
    }
}
