//! Completions of commands, options and values for shells.
//!
//! Each script walks over the words of the line to find the command, as `/history/check`, and offers
//! the names below it, its options, and the values of the option before the cursor: files, folders,
//! or one of a few words.

mod bash;
mod fish;
mod words;
mod zsh;

use std::str::FromStr;

use super::command::Command;

/// A shell that completions can be written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shell {
    Bash,
    Zsh,
    Fish,
}

impl FromStr for Shell {
    type Err = String;

    fn from_str(name: &str) -> Result<Shell, String> {
        match name {
            "bash" => Ok(Shell::Bash),
            "zsh" => Ok(Shell::Zsh),
            "fish" => Ok(Shell::Fish),
            _ => Err("no completions for this shell; expected bash, zsh or fish".to_owned()),
        }
    }
}

/// Returns the script for a shell.
pub(crate) fn render(shell: Shell, program: &Command<'_>) -> String {
    match shell {
        Shell::Bash => bash::render(program),
        Shell::Zsh => zsh::render(program),
        Shell::Fish => fish::render(program),
    }
}
