//! Mistaken configurations by subject: the file, and the lines that `check` prints about it.

mod keys;
mod listeners;
mod paths;
mod placeholders;
mod secrets;
mod sources;
mod syntax;
mod tables;
mod values;

use super::Mistake;

/// Returns all of them. Each file is followed by `[auth]` and `open = true`, unless it has accounts.
pub(super) fn configurations() -> impl Iterator<Item = &'static Mistake> {
    [
        syntax::SYNTAX,
        tables::TABLES,
        keys::KEYS,
        values::VALUES,
        sources::SOURCES,
        listeners::LISTENERS,
        secrets::SECRETS,
        paths::PATHS,
        placeholders::PLACEHOLDERS,
    ]
    .into_iter()
    .flatten()
}
