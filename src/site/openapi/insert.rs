//! Placeholders in the data of the document, and their values.
//!
//! `{"$insert": "units"}` is replaced by the value of that name: a constant of the code
//! (`constants.rs`), or a part of the document (`document/parts.json`, `document/examples.json`),
//! which may have placeholders, too. Members beside `$insert` are added to the value, which is an
//! object then, or replace those of the same name. In a text, `${max_joined}` is replaced by a
//! constant.
//!
//! A placeholder that cannot be replaced stays as it is, and fails a test.

use serde_json::{Map, Value as Json};

use super::constants::constants;
use super::data::{PARTS, joined};

/// Member with the name of the value to insert.
pub(super) const INSERT: &str = "$insert";

/// The values that can be inserted, by name.
pub(super) struct Inserts(pub(super) Map<String, Json>);

impl Inserts {
    /// Returns the parts of the document, and the constants with the address of the server.
    pub(super) fn new(server: &str) -> Inserts {
        let mut values = joined(&PARTS);
        values.extend(constants(server).into_iter().map(|(name, value)| (name.to_owned(), value)));
        Inserts(values)
    }

    /// Returns `json` with its placeholders replaced.
    pub(super) fn fill(&self, json: Json) -> Json {
        match json {
            Json::String(text) if text.contains("${") => self.fill_text(&text).into(),
            Json::Array(items) => items.into_iter().map(|item| self.fill(item)).collect(),
            Json::Object(members) => self.fill_object(members),
            other => other,
        }
    }

    fn fill_object(&self, mut members: Map<String, Json>) -> Json {
        let name = members.remove(INSERT);
        let mut members: Map<String, Json> =
            members.into_iter().map(|(key, member)| (key, self.fill(member))).collect();
        let Some(name) = name else { return members.into() };
        let value = name.as_str().and_then(|name| self.0.get(name)).cloned();
        match value.map(|value| self.fill(value)) {
            Some(Json::Object(mut value)) => {
                value.extend(members);
                value.into()
            }
            Some(value) if members.is_empty() => value,
            _ => {
                members.insert(INSERT.to_owned(), name);
                members.into()
            }
        }
    }

    fn fill_text(&self, text: &str) -> String {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, placeholder)) = rest.split_once("${")
            && let Some((name, after)) = placeholder.split_once('}')
            && let Some(value) = self.0.get(name)
        {
            filled.push_str(before);
            match value {
                Json::String(value) => filled.push_str(value),
                value => filled.push_str(&value.to_string()),
            }
            rest = after;
        }
        filled.push_str(rest);
        filled
    }
}
