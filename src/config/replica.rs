//! `[server] replica`: the name of this replica among those that share a store.

use std::fmt;
use std::sync::Arc;

use super::reader::Reader;
use super::section::{Section, Spanned};
use super::store::ReadStore;
use crate::kernel::host_name::host_name;

/// Most bytes of a name: those of a host's label (RFC 1035 2.3.4). It is a key of tables and a label of metrics.
const MAX_BYTES: usize = 63;

/// Name of a replica whose host has none. It is used without a store only, where no other replica exists.
const UNNAMED: &str = "pumphouse";

/// Name of a replica among those that share a store: `[A-Za-z0-9._-]{1,63}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Replica(Arc<str>);

impl Replica {
    /// Returns the name of a replica whose configuration has none: that of the host, with other characters replaced
    /// by dashes.
    pub fn of_host() -> Replica {
        Replica(resembling(&host_name()).map_or_else(|| UNNAMED.into(), Arc::from))
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the name, shared.
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }
}

impl fmt::Display for Replica {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Returns true for a valid name: `[A-Za-z0-9._-]{1,63}`.
fn is_valid(name: &str) -> bool {
    (1..=MAX_BYTES).contains(&name.len()) && name.chars().all(is_plain)
}

const fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-')
}

/// Returns a valid name that resembles a text, if there is one.
fn resembling(text: &str) -> Option<String> {
    let replaced = text.trim().chars().map(|c| if is_plain(c) { c } else { '-' });
    // All of them are ASCII.
    let name: String = replaced.take(MAX_BYTES).collect();
    let name = name.trim_matches('-');
    (!name.is_empty()).then(|| name.to_owned())
}

/// Reads `replica`.
pub(super) fn read(section: &mut Section<'_, '_>) -> Option<Replica> {
    let Spanned { value, span } = section.string("replica")?;
    if is_valid(&value) {
        return Some(Replica(value.into()));
    }
    let advice = resembling(&value).unwrap_or_else(|| "a".to_owned());
    let message = format_args!(
        "\"replica\" must have 1 to {MAX_BYTES} letters, digits, dots, underscores and dashes; write \
         replica = \"{advice}\""
    );
    section.report(span, message);
    None
}

/// Returns the name of this replica, that of the host unless it was read. Two replicas of one name would take each
/// other's place, so with a store a name that many hosts share is an error.
pub(super) fn of(
    reader: &Reader<'_>,
    read: Option<Replica>,
    store: Option<&ReadStore>,
    warnings: &mut Vec<String>,
) -> Replica {
    match (&read, store) {
        (None, Some(store)) => {
            let error = ambiguous(&host_name());
            error.into_iter().for_each(|error| reader.report(store.span, error));
        }
        (Some(_), None) => {
            warnings.push("\"replica\" in [server] has no effect without [store]".to_owned());
        }
        _ => {}
    }
    read.unwrap_or_else(Replica::of_host)
}

/// Returns the error for a host's name that does not distinguish replicas.
fn ambiguous(host: &str) -> Option<String> {
    let is_common = matches!(host, "" | "(none)" | "localhost" | "localhost.localdomain");
    is_common.then(|| {
        format!(
            "without \"replica\" in [server], the host's name \"{host}\" would name this replica, and others \
             may have the same; write replica = \"a\" in [server]"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggested_name_is_valid() {
        for (text, expected) in [
            ("pump a", Some("pump-a")),
            ("pump.lan", Some("pump.lan")),
            ("bru\u{308}nnen", Some("bru-nnen")),
            ("-a-", Some("a")),
            ("", None),
            ("\"", None),
            (&"x".repeat(64), Some(&*"x".repeat(63))),
        ] {
            let name = resembling(text);
            assert_eq!(name.as_deref(), expected, "{text}");
            assert!(name.is_none_or(|name| is_valid(&name)), "{text}");
        }
    }

    #[test]
    fn common_name_of_hosts_names_no_replica() {
        for (host, expected) in [("", true), ("localhost", true), ("pump-1", false)] {
            assert_eq!(ambiguous(host).is_some(), expected, "{host}");
        }
    }
}
