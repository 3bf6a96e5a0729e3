//! Mistaken configurations by subject: the file, and the lines that `check` prints about it.

/// A source of JSON with further keys, which begin in line 5.
macro_rules! json_source {
    ($keys:literal) => {
        concat!(
            "[[source]]\nname = \"pump\"\nkind = \"json\"\nurl = \"http://10.0.0.5/status\"\n",
            $keys,
            "\n[source.values.on]\npointer = \"/on\"\n"
        )
    };
}

/// A tank with further keys, which begin in line 7.
macro_rules! tank_source {
    ($keys:literal) => {
        concat!(
            "[[source]]\nname = \"tank\"\nkind = \"ptlevel\"\nurl = \"https://www.mypt.in/s/a1b2c3\"\n",
            "height = 58\ncapacity = 1400\n",
            $keys,
            "\n"
        )
    };
}

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
