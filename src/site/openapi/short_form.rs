//! Short forms in the data of the document, which name components where OpenAPI has references.
//!
//! | member | short form | in the document |
//! | --- | --- | --- |
//! | `schema` | `"Status"` | a reference to the schema |
//! | `parameters` | `["limit"]` | references to the parameters |
//! | `headers` | `["Vary"]` | each name with a reference to the header |
//! | of `headers` or `responses` | `"NotFound"` | a reference to the header or response |
//! | `examples` of a parameter | `[1, 1000]` | each value under a name made of it |
//!
//! Schemas have no short forms: members of theirs may have any name.

use serde_json::{Map, Value as Json};

/// Expands the short forms in paths, or in components that are no schemas.
pub(super) fn expand(json: &mut Json) {
    match json {
        Json::Array(items) => items.iter_mut().for_each(expand),
        Json::Object(members) => {
            members.iter_mut().for_each(|(key, member)| expand_member(key, member));
        }
        _ => {}
    }
}

fn expand_member(key: &str, member: &mut Json) {
    match (key, &mut *member) {
        // Any JSON.
        ("example" | "value", _) => {}
        ("schema", Json::String(_)) => refer("schemas", member),
        ("parameters", Json::Array(names)) => {
            names.iter_mut().for_each(|name| refer("parameters", name));
        }
        ("headers", Json::Array(names)) => {
            let header = |name: &Json| Some((name.as_str()?.to_owned(), name.clone()));
            *member = names.iter().filter_map(header).collect::<Map<String, Json>>().into();
            expand_member(key, member);
        }
        ("headers" | "responses", Json::Object(members)) => {
            for member in members.values_mut() {
                refer(key, member);
                expand(member);
            }
        }
        ("examples", Json::Array(values)) => *member = named_examples(values),
        _ => expand(member),
    }
}

/// Replaces the name of a component by a reference to it.
fn refer(kind: &str, json: &mut Json) {
    if let Json::String(name) = json {
        let reference = format!("#/components/{kind}/{name}");
        *json = object([("$ref".to_owned(), reference.into())]);
    }
}

/// Returns the values as `examples` of a parameter.
fn named_examples(values: &[Json]) -> Json {
    let named = |value: &Json| {
        let key = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        // A key has letters, digits, dots, hyphens and underscores only (OpenAPI 4.8.7.1).
        let key = key.replace(|sign: char| !sign.is_ascii_alphanumeric() && sign != '.', "_");
        (key, object([("value".to_owned(), value.clone())]))
    };
    object(values.iter().map(named))
}

fn object(members: impl IntoIterator<Item = (String, Json)>) -> Json {
    members.into_iter().collect::<Map<String, Json>>().into()
}
