//! `token`: creates access tokens for scripts.

use std::process::ExitCode;

use argh::{ArgsInfo, FromArgs};
use strum::VariantNames as _;

use super::outcome::{Failure, print, remark};
use crate::access::{MAX_NAME_BYTES, Scope, Scopes, TokenHash, generate_token, is_account_name};
use crate::text::clean;

/// Create access tokens for scripts.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "token")]
pub(super) struct TokenCommand {
    #[argh(subcommand)]
    action: Action,
}

#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand)]
enum Action {
    New(New),
}

/// Print a new token, and the configuration section with its SHA-256. The token is stored nowhere.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "new",
    example = "For a script that reads values\n$ {command_name} --name cron",
    example = "For a script that also requests polls\n\
               $ {command_name} --name refresh --scope read --scope poll"
)]
struct New {
    /// name of the token (default: script)
    #[argh(option, arg_name = "NAME", default = "\"script\".to_owned()")]
    name: String,

    /// what the token allows; may be repeated (default: read)
    #[argh(option, arg_name = "read|poll|alert|admin", from_str_fn(scope))]
    scope: Vec<Scope>,
}

impl TokenCommand {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let Action::New(New { name, scope }) = self.action;
        // The printed TOML must be read back as the same name, with no escapes but those below.
        if !is_account_name(&name) || clean(&name) != name {
            return Err(Failure::usage(format!(
                "--name must have 1 to {MAX_NAME_BYTES} bytes, no colon and no control or invisible \
                 character"
            )));
        }
        let scopes = if scope.is_empty() { Scopes::default() } else { Scopes::new(scope) };
        let token = generate_token()?;
        remark(
            "The first line is the token, which is not stored: give it to the script, as in\n\
             curl -H \"Authorization: Bearer $TOKEN\". Add the rest to the configuration.\n\n",
        );
        let scopes = scopes.to_string().replace(", ", "\", \"");
        Ok(print(&format!(
            "{token}\n\n[[auth.token]]\nname = \"{name}\"\nsha256 = \"{}\"\nscopes = [\"{scopes}\"]\n",
            TokenHash::of(&token).expose(),
            name = name.replace('\\', "\\\\").replace('"', "\\\""),
        )))
    }
}

/// Parses the name of a scope.
fn scope(text: &str) -> Result<Scope, String> {
    text.parse().map_err(|_| format!("no scope; expected {}", Scope::VARIANTS.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_names_every_scope() {
        let flags = New::get_args_info().flags;
        let scope = flags.iter().find(|flag| flag.long == "--scope").unwrap();
        let arg_name = Scope::VARIANTS.join("|");
        assert_eq!(scope.kind, argh::FlagInfoKind::Option { arg_name: &arg_name });
    }
}
