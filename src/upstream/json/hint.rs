//! Hints on positions that lead to another value when a list gets longer or shorter, and on numbers that may be
//! read in two ways.

use serde_json::Value as Json;

use super::super::decode;
use super::select::select;
use crate::config::{self, ValueType};

/// Names of members that identify an element of a list, the most specific first.
const NAMES: [&str; 8] = ["id", "uid", "serial", "mac", "key", "name", "sensor", "channel"];

/// Returns a hint for each value whose pointer counts the elements of a list that can be named instead, and for
/// each whose comma may be a decimal one.
pub(in crate::upstream) fn hints(keys: &config::Json, document: &Json) -> Vec<String> {
    let comma = |value: &config::JsonValue| {
        let is_number = value.value_type == ValueType::Number && value.map.is_none();
        let sent = select(&value.place, document).ok().filter(|_| is_number)?.as_str()?;
        decode::is_ambiguous(sent).then(|| {
            let (name, sent) = (&value.name, decode::sent_as(sent, ""));
            format!(
                "{name}: {sent}: a comma before three digits separates thousands; if it is a decimal comma \
                 here, let the upstream send a point"
            )
        })
    };
    let hint = |value: &config::JsonValue| {
        let pointer = match (&value.place.list, &value.place.pointers[..]) {
            (None, [pointer]) => pointer,
            _ => return None,
        };
        let (list, index, rest) = counted(pointer, document)?;
        let elements = document.pointer(list)?.as_array()?;
        let (name, id) = identity(elements, index)?;
        Some(format!(
            "{}: {pointer:?} is another value once an element before it appears or is lost; name the \
             element: list = {list:?}, where = {{ {name} = {id} }}, pointer = {rest:?}",
            value.name
        ))
    };
    keys.values.iter().flat_map(|value| [hint(value), comma(value)]).flatten().collect()
}

/// Splits a pointer at its first index: the pointer to the list, the index, and the pointer behind it.
fn counted<'a>(pointer: &'a str, document: &Json) -> Option<(&'a str, usize, &'a str)> {
    let slashes = pointer.match_indices('/').map(|(at, _)| at);
    slashes.into_iter().find_map(|slash| {
        let list = &pointer[..slash];
        let end = pointer[slash + 1..].find('/').map_or(pointer.len(), |at| slash + 1 + at);
        let index = pointer[slash + 1..end].parse().ok()?;
        document.pointer(list)?.is_array().then_some((list, index, &pointer[end..]))
    })
}

/// Returns the member that distinguishes an element of a list from all others, with its value.
fn identity(elements: &[Json], index: usize) -> Option<(&'static str, &Json)> {
    let element = elements.get(index).filter(|_| elements.len() > 1)?;
    NAMES.into_iter().find_map(|name| {
        let id = element.get(name).filter(|id| id.is_string() || id.is_number())?;
        let is_unique = elements.iter().filter(|other| other.get(name) == Some(id)).count() == 1;
        is_unique.then_some((name, id))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Kind;

    #[test]
    fn element_that_can_be_named_is_hinted_at() {
        let document = serde_json::json!({
            "list": [{"id": "0x02", "val": 1}, {"id": "0x17", "val": 2}],
            "same": [{"id": 1, "name": "a", "v": 1}, {"id": 1, "name": "b", "v": 2}],
            "one": [{"id": 1, "v": 1}],
            "numbers": [1, 2],
            "object": {"0": {"id": 1}, "1": {"id": 2}}
        });
        for (lines, hint) in [
            (
                "pointer = \"/list/1/val\"",
                Some(r#"list = "/list", where = { id = "0x17" }, pointer = "/val""#),
            ),
            (
                "pointer = \"/same/1/v\"",
                Some(r#"list = "/same", where = { name = "b" }, pointer = "/v""#),
            ),
            ("pointer = \"/one/0/v\"", None),
            ("pointer = \"/list/7/val\"", None),
            ("pointer = \"/numbers/1\"", None),
            ("pointer = \"/object/1/id\"", None),
            ("pointer = \"/val\"\nlist = \"/list\"\nwhere = { id = \"0x17\" }", None),
        ] {
            let text = format!(
                "[[source]]\nname = \"s\"\nkind = \"json\"\nurl = \"http://h/\"\n\
                 [source.values.x]\n{lines}\n"
            );
            let config = config::parse("p".as_ref(), &text, &|_| None).unwrap();
            let Kind::Json(keys) = &config.sources[0].kind else { panic!() };
            let hints = hints(keys, &document);
            assert_eq!(hints.len(), usize::from(hint.is_some()), "{lines}: {hints:?}");
            assert!(hint.is_none_or(|hint| hints[0].ends_with(hint)), "{lines}: {hints:?}");
        }
    }

    #[test]
    fn comma_that_may_be_a_decimal_one_is_hinted_at() {
        for (lines, sent, is_hinted) in [
            ("unit = \"m\"", "1,002", true),
            ("unit = \"m\"", "-12,500 m", true),
            ("unit = \"m\"", "0,985", false),
            ("unit = \"m\"", "12,50", false),
            ("unit = \"m\"", "1,002.5", false),
            ("unit = \"m\"", "1 185,125", false),
            ("unit = \"m\"", "1,185,000", false),
            ("unit = \"m\"", "1.002", false),
            ("type = \"text\"", "1,002", false),
        ] {
            let text = format!(
                "[[source]]\nname = \"s\"\nkind = \"json\"\nurl = \"http://h/\"\n\
                 [source.values.x]\npointer = \"/v\"\n{lines}\n"
            );
            let config = config::parse("p".as_ref(), &text, &|_| None).unwrap();
            let Kind::Json(keys) = &config.sources[0].kind else { panic!() };
            let hints = hints(keys, &serde_json::json!({ "v": sent }));
            assert_eq!(hints.len(), usize::from(is_hinted), "{sent}: {hints:?}");
        }
    }
}
