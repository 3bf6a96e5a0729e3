//! Selects a value of a response by its configured position.

use serde_json::{Number, Value as Json};

use super::super::decode::Note;
use crate::config::{Condition, Conditions, JsonList, JsonPlace, ListElement, Scalar};

/// Returns what is at a position and not null, or the note for its absence.
pub(super) fn select<'a>(place: &JsonPlace, document: &'a Json) -> Result<&'a Json, Note> {
    let base = match &place.list {
        None => document,
        Some(list) => element(list, document)?,
    };
    let mut absence = "missing from the response";
    for pointer in &place.pointers {
        match base.pointer(pointer) {
            Some(Json::Null) => absence = "sent as null",
            Some(found) => return Ok(found),
            None => {}
        }
    }
    Err(absence.into())
}

/// Returns true if the document has the position, even if null is there or no element of its list is meant.
/// A document that has none of the configured positions is another document.
pub(super) fn is_present(place: &JsonPlace, document: &Json) -> bool {
    match &place.list {
        None => place.pointers.iter().any(|pointer| document.pointer(pointer).is_some()),
        Some(list) => {
            document.pointer(&list.pointer).is_some_and(|list| list.is_array() || list.is_object())
        }
    }
}

fn element<'a>(list: &JsonList, document: &'a Json) -> Result<&'a Json, Note> {
    let JsonList { pointer, element } = list;
    let found = document.pointer(pointer).ok_or("its list is missing from the response")?;
    match (element, found) {
        (ListElement::Last, Json::Array(elements)) => {
            elements.last().ok_or_else(|| "its list is empty".into())
        }
        (ListElement::Where(conditions), Json::Array(elements)) => {
            only(conditions, || elements.iter())
        }
        (ListElement::Where(conditions), Json::Object(members)) => {
            only(conditions, || members.values())
        }
        _ => Err("its list was not sent as a list".into()),
    }
}

/// Returns the only element that meets all conditions. With two, either may be meant.
fn only<'a, I: Iterator<Item = &'a Json>>(
    conditions: &[Condition],
    elements: impl Fn() -> I,
) -> Result<&'a Json, Note> {
    let mut matching =
        elements().filter(|element| conditions.iter().all(|one| meets(element, one)));
    match (matching.next(), matching.count()) {
        (Some(element), 0) => Ok(element),
        (None, _) => {
            let confused = elements().find_map(|element| confused_type(element, conditions));
            let hint = confused.unwrap_or_default();
            Err(format!("no element of its list has {}{hint}", Conditions(conditions)).into())
        }
        (Some(_), others) => {
            let count = others + 1;
            Err(format!("{count} elements of its list have {}", Conditions(conditions)).into())
        }
    }
}

fn meets(element: &Json, condition: &Condition) -> bool {
    match (element.pointer(&condition.pointer), &condition.value) {
        (Some(Json::String(sent)), Scalar::Text(text)) => sent == text,
        (Some(Json::Number(sent)), Scalar::Integer(number)) => match is_integer(sent) {
            true => sent.as_i64() == Some(*number),
            false => sent.as_f64() == Some(*number as f64),
        },
        (Some(Json::Number(sent)), Scalar::Number(number)) => sent.as_f64() == Some(*number),
        (Some(Json::Bool(sent)), Scalar::Bool(truth)) => sent == truth,
        _ => false,
    }
}

/// Returns true if a number is written without a fraction and an exponent.
fn is_integer(sent: &Number) -> bool {
    sent.as_i64().is_some() || sent.as_u64().is_some()
}

/// Returns a hint if an element meets all conditions but for a number that is a text there, or a text that is a
/// number.
fn confused_type(element: &Json, conditions: &[Condition]) -> Option<String> {
    let sent = |condition: &Condition| element.pointer(&condition.pointer);
    let is_confused = |condition: &Condition| match (sent(condition), &condition.value) {
        (Some(Json::String(sent)), Scalar::Integer(_) | Scalar::Number(_)) => {
            *sent == condition.value.to_string()
        }
        (Some(Json::Number(sent)), Scalar::Text(text)) => {
            text.parse::<f64>().ok().is_some_and(|number| sent.as_f64() == Some(number))
        }
        _ => false,
    };
    let (confused, others): (Vec<&Condition>, _) =
        conditions.iter().partition(|one| is_confused(one));
    let only_it = others.iter().all(|one| meets(element, one));
    let member = sent(confused.first().filter(|_| only_it)?)?;
    Some(match member {
        Json::String(_) => format!("; there is {member}, a text: quote it"),
        _ => format!("; there is {member}, a number: do not quote it"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(list: Option<(&str, ListElement)>, pointers: &[&str]) -> JsonPlace {
        let list = list.map(|(pointer, element)| JsonList { pointer: pointer.into(), element });
        JsonPlace { list, pointers: pointers.iter().map(|pointer| (*pointer).to_owned()).collect() }
    }

    fn with(conditions: &[(&str, Scalar)]) -> ListElement {
        let condition = |(member, value): &(&str, Scalar)| Condition {
            member: (*member).to_owned(),
            pointer: format!("/{member}"),
            value: value.clone(),
        };
        ListElement::Where(conditions.iter().map(condition).collect())
    }

    fn text(text: &str) -> Scalar {
        Scalar::Text(text.to_owned())
    }

    #[test]
    fn first_alternative_that_is_not_null_is_selected() {
        let document = serde_json::json!({"a": null, "b": 0, "c": 2, "t": ""});
        for (pointers, selected) in [
            (&["/a", "/b"][..], Ok("0")),
            (&["/x", "/c", "/b"], Ok("2")),
            (&["/t", "/c"], Ok("\"\"")),
            (&["/a"], Err("sent as null")),
            (&["/a", "/x"], Err("sent as null")),
            (&["/x", "/y"], Err("missing from the response")),
        ] {
            let found = select(&place(None, pointers), &document).map(ToString::to_string);
            let expected = selected.map(str::to_owned).map_err(Note::from);
            assert_eq!(found, expected, "{pointers:?}");
        }
    }

    #[test]
    fn element_of_a_list_is_selected_by_its_members() {
        let document = serde_json::json!({
            "list": [
                {"id": "0x02", "ch": 1, "val": "56.7"},
                {"id": "3", "ch": 1, "val": "56.8"},
                {"id": 3, "ch": 2, "on": true, "val": "21.2"},
                {"id": "twice", "ch": 1, "val": 1},
                {"id": "twice", "ch": 2.0, "val": 2},
                7
            ],
            "object": {"x": {"id": "a", "val": 5}, "y": {"id": "b", "val": null}},
            "empty": [],
            "numbers": [1, 2, 3],
            "text": "no list"
        });
        let last = || ListElement::Last;
        let number = Scalar::Number;
        for (list, element, pointer, selected) in [
            ("/list", with(&[("id", text("0x02"))]), "/val", Ok("\"56.7\"")),
            ("/list", with(&[("id", text("3"))]), "/val", Ok("\"56.8\"")),
            ("/list", with(&[("id", number(3.0))]), "/val", Ok("\"21.2\"")),
            ("/list", with(&[("on", Scalar::Bool(true))]), "/ch", Ok("2")),
            ("/list", with(&[("id", text("twice")), ("ch", number(2.0))]), "/val", Ok("2")),
            (
                "/list",
                with(&[("id", text("0x03"))]),
                "/val",
                Err("no element of its list has id = \"0x03\""),
            ),
            (
                "/list",
                with(&[("id", text("twice"))]),
                "/val",
                Err("2 elements of its list have id = \"twice\""),
            ),
            ("/list", with(&[("id", text("0x02"))]), "/x", Err("missing from the response")),
            ("/object", with(&[("id", text("a"))]), "/val", Ok("5")),
            ("/object", with(&[("id", text("b"))]), "/val", Err("sent as null")),
            ("/object", last(), "", Err("its list was not sent as a list")),
            ("/empty", last(), "", Err("its list is empty")),
            ("/empty", with(&[("id", number(1.0))]), "", Err("no element of its list has id = 1")),
            ("/numbers", last(), "", Ok("3")),
            ("/list", last(), "", Ok("7")),
            ("/text", last(), "", Err("its list was not sent as a list")),
            ("/gone", last(), "", Err("its list is missing from the response")),
        ] {
            let place = place(Some((list, element)), &[pointer]);
            let found = select(&place, &document).map(ToString::to_string);
            let expected = selected.map(str::to_owned).map_err(Note::from);
            assert_eq!(found, expected, "{place}");
        }
    }
}
