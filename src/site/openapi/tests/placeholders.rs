//! Placeholders of the data: each has a value, and each value is used.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json, json};

use super::super::constants::constants;
use super::super::data::{
    DOCUMENT, HEADERS, OPERATIONS, PARAMETERS, PARTS, PATHS, RESPONSES, SCHEMAS, parsed,
};
use super::super::insert::{INSERT, Inserts};
use super::super::{Document, HERE};

/// Returns all files, by what they are joined to.
fn files() -> Vec<Vec<Map<String, Json>>> {
    let joined: [&[&str]; 8] =
        [&[DOCUMENT], &PARTS, &SCHEMAS, &PARAMETERS, &HEADERS, &RESPONSES, &PATHS, &[OPERATIONS]];
    joined.iter().map(|files| files.iter().copied().map(parsed).collect()).collect()
}

/// Collects the names in placeholders.
fn collect_names(json: &Json, into: &mut BTreeSet<String>) {
    match json {
        Json::String(text) => {
            let names = text.split("${").skip(1).map(|rest| rest.split('}').next().unwrap());
            into.extend(names.map(str::to_owned));
        }
        Json::Array(items) => items.iter().for_each(|item| collect_names(item, into)),
        Json::Object(members) => {
            into.extend(members.get(INSERT).map(|name| name.as_str().unwrap().to_owned()));
            members.values().for_each(|member| collect_names(member, into));
        }
        _ => {}
    }
}

#[test]
fn placeholders_of_the_data_are_the_values_that_can_be_inserted() {
    let mut used = BTreeSet::new();
    for members in files().into_iter().flatten() {
        collect_names(&members.into(), &mut used);
    }
    let values: BTreeSet<String> = Inserts::new(HERE).0.keys().cloned().collect();
    assert_eq!(used, values);
}

#[test]
fn document_has_no_placeholder() {
    let document = serde_json::to_string(&Document::new(HERE)).unwrap();
    for placeholder in [INSERT, "${"] {
        let rest = document.split_once(placeholder).map(|(_, rest)| rest);
        assert_eq!(rest, None, "{placeholder}");
    }
}

#[test]
fn name_of_the_data_is_in_one_file_only() {
    let mut names = files();
    let constants = constants(HERE).into_iter().map(|(name, value)| (name.to_owned(), value));
    names[1].push(constants.collect());
    for files in names {
        let all: Vec<String> =
            files.into_iter().flat_map(|file| file.into_iter()).map(|(name, _)| name).collect();
        let mut seen = BTreeSet::new();
        let twice: Vec<&String> = all.iter().filter(|name| !seen.insert(*name)).collect();
        assert_eq!(twice, Vec::<&String>::new());
    }
}

#[test]
fn placeholder_is_replaced_by_its_value() {
    let values = json!({
        "limit": 7,
        "word": "seven",
        "list": ["a", "b"],
        "name": {"type": "string", "maxLength": {"$insert": "limit"}},
    });
    let inserts = Inserts(values.as_object().unwrap().clone());
    for (data, filled) in [
        (json!({"$insert": "limit"}), json!(7)),
        (json!([{"$insert": "list"}]), json!([["a", "b"]])),
        (json!({"$insert": "name"}), json!({"type": "string", "maxLength": 7})),
        (
            json!({"$insert": "name", "type": "null", "also": {"$insert": "word"}}),
            json!({"type": "null", "maxLength": 7, "also": "seven"}),
        ),
        (json!("at most ${limit} of ${word}"), json!("at most 7 of seven")),
        (json!("{limit} $limit $"), json!("{limit} $limit $")),
        // Those without a value stay.
        (json!({"$insert": "other"}), json!({"$insert": "other"})),
        (json!({"$insert": "limit", "type": 1}), json!({"$insert": "limit", "type": 1})),
        (json!("${limit} and ${other}"), json!("7 and ${other}")),
        (json!("${limit"), json!("${limit")),
    ] {
        assert_eq!(inserts.fill(data.clone()), filled, "{data}");
    }
}
