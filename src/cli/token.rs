//! `token`: tokens for scripts.

use std::process::ExitCode;

use argh::FromArgs;

use super::{Failure, print};
use crate::access::{LONGEST_NAME, Scope, Scopes, TokenHash, generate_token, is_account_name};
use crate::text::clean;

/// Make tokens for scripts.
#[derive(FromArgs)]
#[argh(subcommand, name = "token")]
pub(super) struct TokenCommand {
    #[argh(subcommand)]
    action: Action,
}

#[derive(FromArgs)]
#[argh(subcommand)]
enum Action {
    New(New),
}

/// Print a new token, once, and the section for the configuration, which keeps its SHA-256 only.
#[derive(FromArgs)]
#[argh(subcommand, name = "new")]
struct New {
    /// what to call it (default: script)
    #[argh(option, default = "\"script\".to_owned()")]
    name: String,

    /// what its bearer may do: read, poll or admin; may be repeated (default: read)
    #[argh(option)]
    scope: Vec<Scope>,
}

impl TokenCommand {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let Action::New(New { name, scope }) = self.action;
        // The printed TOML must be what the configuration reads, without an escape of our own.
        if !is_account_name(&name) || clean(&name) != name {
            return Err(format!(
                "--name must have 1 to {LONGEST_NAME} bytes, no colon and no control or invisible \
                 character"
            )
            .into());
        }
        let scopes = if scope.is_empty() { Scopes::default() } else { Scopes::new(scope) };
        let token = generate_token()?;
        eprintln!(
            "The first line is the token, which is not shown again: give it to the script, as in\n\
             curl -H \"Authorization: Bearer $TOKEN\". The rest belongs into the configuration.\n"
        );
        let scopes = scopes.to_string().replace(", ", "\", \"");
        Ok(print(&format!(
            "{token}\n\n[[auth.token]]\nname = \"{name}\"\nsha256 = \"{}\"\nscopes = [\"{scopes}\"]\n",
            TokenHash::of(&token).expose(),
            name = name.replace('\\', "\\\\").replace('"', "\\\""),
        )))
    }
}
