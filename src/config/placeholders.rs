//! Finds values that were copied from an example and not edited.

use std::borrow::Cow;

use memchr::memmem;
use toml_span::value::{Table, ValueInner};
use toml_span::{Span, Value};

use super::reader::Reader;

/// Values of the examples that stand for those of the user, by key.
const EXAMPLES: [(&str, &str); 5] = [
    ("device", "200"),
    ("mac", "00:0E:C6:20:0F:7B"),
    ("url", "http://127.0.0.1:8080/pump.json"),
    ("proxy", "http://proxy.lan:3128"),
    ("group", "my-key"),
];

/// Domains that cannot be registered (RFC 2606, RFC 6761).
const RESERVED_DOMAINS: [&str; 4] = [".example", "example.com", "example.net", "example.org"];

/// Networks for documents (RFC 5737, RFC 3849).
const DOCUMENTATION_NETWORKS: [&str; 4] = ["192.0.2.", "198.51.100.", "203.0.113.", "2001:db8:"];

/// Warns of each value that an example has left to the user. A warning repeats no value that may be a secret.
pub(super) fn warn(reader: &Reader<'_>, root: &Value<'_>) {
    let mut found = Vec::new();
    if let ValueInner::Table(table) = root.as_ref() {
        in_table(table, &mut found);
    }
    for (span, message) in found {
        reader.warn(span, message);
    }
}

fn in_table(table: &Table<'_>, found: &mut Vec<(Span, String)>) {
    for (key, value) in table {
        in_value(&key.name, value, table, found);
    }
}

fn in_value(key: &str, value: &Value<'_>, table: &Table<'_>, found: &mut Vec<(Span, String)>) {
    let text = match value.as_ref() {
        ValueInner::Table(table) => return in_table(table, found),
        ValueInner::Array(items) => {
            return items.iter().for_each(|item| in_value(key, item, table, found));
        }
        ValueInner::String(text) => Cow::Borrowed(&**text),
        ValueInner::Integer(number) => Cow::Owned(number.to_string()),
        ValueInner::Float(number) => Cow::Owned(number.to_string()),
        ValueInner::Boolean(_) => return,
    };
    if let Some(what) = placeholder(key, &text, table) {
        found.push((value.span, format!("\"{key}\" still has {what}; replace it by your own")));
    }
}

/// Describes the placeholder in a value.
fn placeholder(key: &str, text: &str, table: &Table<'_>) -> Option<String> {
    // Texts for people.
    if matches!(key, "title" | "unit_label" | "message" | "template") {
        return None;
    }
    let contains = |part: &str| memmem::find(text.as_bytes(), part.as_bytes()).is_some();
    if contains("your-share") {
        return Some("\"your-share\" of the example".to_owned());
    }
    if contains("your-") || contains("YOUR_") || contains("…") {
        return Some("a placeholder of the example".to_owned());
    }
    if is_of_example(key, text, table) {
        return Some(format!("the example's value {text}"));
    }
    // Other keys may contain any text.
    if !matches!(
        key,
        "url"
            | "contact"
            | "names"
            | "cors_origins"
            | "listen"
            | "trusted_proxies"
            | "proxy"
            | "from"
            | "to"
    ) {
        return None;
    }
    let host = host(text);
    let is_reserved = RESERVED_DOMAINS.iter().any(|domain| match host.strip_suffix(domain) {
        Some(before) => domain.starts_with('.') || before.is_empty() || before.ends_with('.'),
        None => false,
    });
    if is_reserved {
        return Some(format!("the example's host {host}"));
    }
    let is_documentation = DOCUMENTATION_NETWORKS.iter().any(|network| host.starts_with(network));
    is_documentation.then(|| format!("the example's address {host}"))
}

/// Returns true if a value is that of an example. A pair of values is, if both are.
fn is_of_example(key: &str, text: &str, table: &Table<'_>) -> bool {
    let has = |key: &str, value: &str| {
        table.get(key).is_some_and(|found| match found.as_ref() {
            ValueInner::String(text) => text == value,
            ValueInner::Float(number) => number.to_string() == value,
            _ => false,
        })
    };
    match key {
        "latitude" | "longitude" => {
            // Reported once, at the first of both.
            key == "latitude" && has("latitude", "37.24") && has("longitude", "-122.14")
        }
        // A station that exists.
        "station" => text == "KSFO" && has("title", "Airport weather"),
        _ => EXAMPLES.contains(&(key, text)),
    }
}

/// Returns the host of a URL, of an address with a port, or of a mail address.
fn host(text: &str) -> String {
    let rest = text.split_once("://").map_or(text, |(_, rest)| rest);
    let rest = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let rest = rest.rsplit('@').next().unwrap_or(rest);
    let host = match rest.strip_prefix('[') {
        Some(address) => address.split(']').next().unwrap_or(address),
        None if rest.matches(':').count() > 1 => rest,
        None => rest.split(':').next().unwrap_or(rest),
    };
    host.to_ascii_lowercase()
}
