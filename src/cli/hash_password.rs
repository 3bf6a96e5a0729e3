//! `hash-password`: hashes a password for the configuration.

use std::io::{self, IsTerminal as _, Read as _};
use std::process::ExitCode;

use argh::{ArgsInfo, FromArgs};

use super::outcome::{Failure, print};
use crate::access::{MAX_PASSWORD_BYTES, PasswordHash, check_password};
use crate::kernel::terminal::HiddenPrompt;

/// Read a password from standard input, and print its hash for [[auth.user]]. On a terminal the
/// password is requested twice and not shown.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "hash-password",
    example = "Prompt for a password\n$ {command_name}",
    example = "Read one from a file\n$ {command_name} < password.txt"
)]
pub(super) struct HashPassword {}

impl HashPassword {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let password = if io::stdin().is_terminal() { prompt()? } else { read()? };
        check_password(&password)?;
        let hash = PasswordHash::of(&password)?;
        Ok(print(&format!("{}\n", hash.expose())))
    }
}

fn prompt() -> Result<String, Failure> {
    let mut hidden = HiddenPrompt::default();
    let mut prompt = |text| {
        hidden
            .read(text)
            .map_err(|error| format!("cannot read the password from the terminal: {error}"))
    };
    let password = prompt("Password: ")?;
    // An invalid password is reported before it has to be repeated.
    check_password(&password)?;
    if password == prompt("Repeat the password: ")? {
        Ok(password)
    } else {
        Err("the passwords differ".into())
    }
}

/// Reads the whole input, without the end of its line.
fn read() -> Result<String, Failure> {
    // Room for the end of the line, and for one byte more, by which a longer input is recognized.
    let limit = MAX_PASSWORD_BYTES as u64 + 3;
    let mut input = Vec::new();
    io::stdin()
        .lock()
        .take(limit)
        .read_to_end(&mut input)
        .map_err(|error| format!("cannot read the password: {error}"))?;
    let text = String::from_utf8(input).map_err(|_| "the password is not UTF-8")?;
    let password = text.strip_suffix('\n').unwrap_or(&text);
    Ok(password.strip_suffix('\r').unwrap_or(password).to_owned())
}
