//! Positions in a response: JSON pointers, and elements of lists that are selected by their members.

use std::fmt;

use super::super::super::section::{Section, Spanned};
use super::super::super::simple_value::Scalar;

/// Position in a response.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonPlace {
    /// The list in one element of which the pointers begin; `None`: they begin at the document.
    pub list: Option<JsonList>,
    /// JSON pointers (RFC 6901). The first that leads to anything but null is used.
    pub pointers: Vec<String>,
}

/// One element of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct JsonList {
    /// JSON pointer to the list: an array, or an object whose members are the elements.
    pub pointer: String,
    /// The element.
    pub element: ListElement,
}

/// Selection of an element of a list.
#[derive(Debug, Clone, PartialEq)]
pub enum ListElement {
    /// `last = true`: the last one of an array.
    Last,
    /// `where = { … }`: the only one that meets all conditions.
    Where(Vec<Condition>),
}

/// Condition on an element of a list: one of its members has this value.
#[derive(Debug, Clone, PartialEq)]
pub struct Condition {
    /// Name of the member, or a JSON pointer from the element, as configured.
    pub member: String,
    /// JSON pointer from the element to the member.
    pub pointer: String,
    /// Value that the member must have. Texts are compared exactly, numbers by their size.
    pub value: Scalar,
}

impl JsonPlace {
    /// Returns the position at a pointer from the document.
    pub fn at(pointer: &str) -> JsonPlace {
        JsonPlace { list: None, pointers: vec![pointer.to_owned()] }
    }
}

/// Formats the position for people: `"/val" of the element of "/list" with id = "0x03"`.
impl fmt::Display for JsonPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, pointer) in self.pointers.iter().enumerate() {
            let or = if index > 0 { " or " } else { "" };
            write!(f, "{or}{pointer:?}")?;
        }
        match &self.list {
            Some(JsonList { pointer, element: ListElement::Last }) => {
                write!(f, " of the last element of {pointer:?}")
            }
            Some(JsonList { pointer, element: ListElement::Where(conditions) }) => {
                write!(f, " of the element of {pointer:?} with {}", Conditions(conditions))
            }
            None => Ok(()),
        }
    }
}

/// Formats conditions as `id = "0x03" and channel = 1`.
pub struct Conditions<'a>(pub &'a [Condition]);

impl fmt::Display for Conditions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Condition { member, value, .. }) in self.0.iter().enumerate() {
            let and = if index > 0 { " and " } else { "" };
            write!(f, "{and}{member} = {value}")?;
        }
        Ok(())
    }
}

/// Reads `pointer`, and `list` with `where` or `last`.
pub(super) fn place(section: &mut Section<'_, '_>) -> Option<JsonPlace> {
    let pointers = section.string_or_strings("pointer");
    let pointers = section.require("pointer", pointers);
    let list = list(section);
    let pointers = pointers?;
    if pointers.is_empty() {
        let span = section.own_span();
        section.report(span, "\"pointer\" must name at least one position");
        return None;
    }
    let count = pointers.len();
    let pointers: Vec<String> = pointers
        .into_iter()
        .filter_map(|pointer| pointer_of(section, "pointer", pointer))
        .collect();
    (pointers.len() == count).then_some(JsonPlace { list: list.ok()?, pointers })
}

/// A key of the list is faulty, and has been reported.
struct Faulty;

fn list(section: &mut Section<'_, '_>) -> Result<Option<JsonList>, Faulty> {
    let where_at = section.span_of("where");
    let last_at = section.span_of("last");
    let list_at = section.span_of("list");
    let list = section.string("list").and_then(|list| pointer_of(section, "list", list));
    let conditions = section.section("where", "\"where\"".to_owned()).map(conditions);
    let last = section.boolean("last").is_some_and(|at| at.value);
    let Some(list_at) = list_at else {
        return match where_at.map(|at| (at, "where")).or(last_at.map(|at| (at, "last"))) {
            None => Ok(None),
            Some((span, key)) => {
                section.report(
                    span,
                    format_args!(
                        "\"{key}\" selects an element of \"list\", which is missing; add \
                         list = \"/…\", the pointer to the list"
                    ),
                );
                Err(Faulty)
            }
        };
    };
    let element = match (conditions, last) {
        (Some(_), true) => {
            let span = last_at.unwrap_or(list_at);
            section.report(span, "\"where\" and \"last\" exclude each other");
            return Err(Faulty);
        }
        (Some(conditions), false) => ListElement::Where(conditions.ok_or(Faulty)?),
        (None, true) => ListElement::Last,
        (None, false) => {
            section.report(
                list_at,
                "\"list\" needs the element to read; write where = { id = \"…\" }, or last = true",
            );
            return Err(Faulty);
        }
    };
    Ok(Some(JsonList { pointer: list.ok_or(Faulty)?, element }))
}

/// Reads `where`. A key that begins with a slash is a pointer; any other is the name of a member.
fn conditions(mut section: Section<'_, '_>) -> Option<Vec<Condition>> {
    let keys = section.dynamic_keys();
    if keys.is_empty() {
        let span = section.own_span();
        section.report(span, "at least one member such as id = \"0x03\" is missing");
    }
    let count = keys.len();
    let mut conditions = Vec::new();
    for Spanned { value: member, .. } in keys {
        let Some(Spanned { value, .. }) = section.scalar(&member) else { continue };
        let pointer = match member.starts_with('/') {
            true => member.clone(),
            false => format!("/{}", member.replace('~', "~0").replace('/', "~1")),
        };
        conditions.push(Condition { member, pointer, value });
    }
    section.finish();
    (!conditions.is_empty() && conditions.len() == count).then_some(conditions)
}

/// Checks a JSON pointer (RFC 6901): empty, or beginning with a slash.
fn pointer_of(
    section: &Section<'_, '_>,
    key: &str,
    Spanned { value, span }: Spanned<String>,
) -> Option<String> {
    if value.is_empty() || value.starts_with('/') {
        return Some(value);
    }
    section.report(
        span,
        format_args!("\"{key}\" must be a JSON pointer (RFC 6901) such as \"/a/b/0\""),
    );
    None
}
