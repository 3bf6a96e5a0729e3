//! `hash-password`: what the configuration keeps of a password.

use std::io::{self, IsTerminal as _, Read as _};
use std::process::ExitCode;

use argh::FromArgs;

use super::{Failure, print};
use crate::access::{LONGEST_PASSWORD, PasswordHash, check_password};

/// Read a password from standard input, and print its hash for [[auth.user]]. On a terminal it is
/// asked for twice, and not shown.
#[derive(FromArgs)]
#[argh(subcommand, name = "hash-password")]
pub(super) struct HashPassword {}

impl HashPassword {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let password = if io::stdin().is_terminal() { ask()? } else { read()? };
        check_password(&password)?;
        let hash = PasswordHash::of(&password)?;
        Ok(print(&format!("{}\n", hash.expose())))
    }
}

fn ask() -> Result<String, Failure> {
    let ask = |prompt| {
        rpassword::prompt_password(prompt)
            .map_err(|error| format!("cannot ask for the password: {error}"))
    };
    let password = ask("Password: ")?;
    // What is wrong with it is told before it must be typed again.
    check_password(&password)?;
    if password == ask("Once more: ")? {
        Ok(password)
    } else {
        Err("the two are not the same".into())
    }
}

/// All of the input, without the end of its line.
fn read() -> Result<String, Failure> {
    // With room for a line's end, and for a byte that shows that there is too much.
    let most = LONGEST_PASSWORD as u64 + 3;
    let mut input = Vec::new();
    io::stdin()
        .lock()
        .take(most)
        .read_to_end(&mut input)
        .map_err(|error| format!("cannot read the password: {error}"))?;
    let text = String::from_utf8(input).map_err(|_| "the password is not UTF-8")?;
    let password = text.strip_suffix('\n').unwrap_or(&text);
    Ok(password.strip_suffix('\r').unwrap_or(password).to_owned())
}
