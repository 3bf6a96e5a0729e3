//! The share page of a PTLevel tank sensor, `https://www.mypt.in/s/<share>`.
//!
//! The page has no API behind it, so it is parsed by an HTML tokenizer:
//! - `span.inchLevel`: the depth of the water, inches, `49.09`;
//! - `span.updated_on`: the age of the observation in words, `3 minutes, 20 seconds ago`;
//! - a script that mentions `ptlevel`: the vendor's percentage, `level: 85`, a whole number.
//!
//! The page changes about every 15 minutes, and has status 200 even if the sensor has stopped reporting, so
//! the age is essential: a page without both spans, or with an age that cannot be parsed, is an error. Level and
//! volume are computed from the depth and the configured size of the tank. The sensor is accurate to 6
//! gallons, so volumes are rounded to whole gallons and levels to tenths of a percent.

use std::sync::Arc;

use html5gum::emitters::default::DefaultEmitter;
use html5gum::{Token, Tokenizer};
use jiff::Timestamp;

use super::age::{self, Age};
use super::decode::{self, DecodeError};
use super::plausible::{Fields, Plausibility, judge};
use crate::board::{FieldName, Observed, Reading, Value};
use crate::config;
use crate::units::{Unit, round_to};

/// Largest difference between the vendor's level and ours, in percentage points. A larger one means that the
/// configured height is doubtful.
const LEVEL_TOLERANCE: f64 = 2.0;

/// Decodes a page.
///
/// # Errors
/// A span is missing, or the age cannot be parsed.
pub(super) fn decode(
    keys: &config::PtLevel,
    body: &[u8],
    fetched_at: Timestamp,
) -> Result<Reading, DecodeError> {
    if body.trim_ascii().is_empty() {
        return Err(DecodeError::new("the page is empty"));
    }
    let page = Page::read(body);
    let missing = |class: &str| DecodeError::new(format!("the page has no span.{class}"));
    let depth = page.depth.ok_or_else(|| missing(DEPTH))?;
    let age = page.age.ok_or_else(|| missing(AGE))?;
    let Age { age, resolution } = age::parse(&age)
        .ok_or_else(|| DecodeError::new(format!("the age in span.{AGE} cannot be parsed")))?;
    if fetched_at.checked_sub(age).is_err() {
        return Err(DecodeError::new("the age of the observation is out of range"));
    }
    Ok(Reading {
        observed: Observed::aged(fetched_at, age, resolution),
        values: values(keys, &depth, page.vendor_level),
    })
}

/// Returns the raw fields of a page.
pub(super) fn raw_fields(body: &[u8]) -> Vec<(String, String)> {
    let Page { depth, age, vendor_level } = Page::read(body);
    let spans = [(DEPTH, depth), (AGE, age)].into_iter();
    let spans = spans.filter_map(|(class, text)| Some((format!("span.{class}"), text?)));
    let vendor = vendor_level.map(|percent| ("script: level".to_owned(), percent.to_string()));
    spans.chain(vendor).collect()
}

/// Computes the values from the depth, or from the vendor's percentage if there is no depth.
fn values(keys: &config::PtLevel, depth: &str, vendor: Option<f64>) -> Vec<(FieldName, Value)> {
    let (depth, level, volume) = match usable_depth(depth) {
        Ok(inches) => {
            let full = inches / keys.height;
            let percent = full * 100.0;
            let level = Value {
                note: level_note(keys, inches, percent, vendor),
                ..Value::number(round_to(percent, 1), Unit::Percent)
            };
            (Value::number(inches, Unit::Inch), level, volume(keys, full))
        }
        Err(note) => {
            let depth = Value::missing(Some(Unit::Inch), note);
            match vendor {
                Some(percent) => {
                    let by_vendor = |value| Value {
                        note: Some("from the vendor's percentage, as there is no depth".into()),
                        ..value
                    };
                    let level = by_vendor(Value::number(percent, Unit::Percent));
                    (depth, level, by_vendor(volume(keys, percent / 100.0)))
                }
                None => {
                    let note = "the page shows neither depth nor percentage";
                    let missing = |unit| Value::missing(Some(unit), note);
                    (depth, missing(Unit::Percent), missing(Unit::UsGallon))
                }
            }
        }
    };
    vec![("level".into(), level), ("depth".into(), depth), ("volume".into(), volume)]
}

/// Returns the depth in inches, or the note for its absence.
fn usable_depth(text: &str) -> Result<f64, String> {
    let sent = decode::parse(text).and_then(|sent| decode::in_unit(sent, Some(Unit::Inch)));
    let inches = sent.map_err(|_| "the page shows no usable depth")?.number;
    match judge(Fields::Tank, "depth", inches, Some(Unit::Inch)) {
        Plausibility::Impossible(note) => Err(note),
        Plausibility::Plausible | Plausibility::Doubtful(_) => Ok(inches),
    }
}

fn volume(keys: &config::PtLevel, full: f64) -> Value {
    Value::number(round_to(full * keys.capacity, 0), Unit::UsGallon)
}

/// Returns a note if the computed level is doubtful.
fn level_note(
    keys: &config::PtLevel,
    inches: f64,
    percent: f64,
    vendor: Option<f64>,
) -> Option<Arc<str>> {
    if inches > keys.height {
        return Some(format!("deeper than the configured height of {} in", keys.height).into());
    }
    let vendor = vendor.filter(|vendor| (vendor - percent).abs() > LEVEL_TOLERANCE)?;
    Some(format!("the vendor shows {vendor} %; check the configured height").into())
}

/// Class of the span with the depth.
const DEPTH: &str = "inchLevel";

/// Class of the span with the age.
const AGE: &str = "updated_on";

/// Texts of interest in a page; of several, the first.
#[derive(Debug, Default, PartialEq)]
struct Page {
    depth: Option<String>,
    age: Option<String>,
    vendor_level: Option<f64>,
}

/// Element that the tokenizer is inside of.
enum Element {
    Other,
    Script(String),
    /// One of the two spans, with `nested` spans open inside it.
    Span {
        class: &'static str,
        nested: usize,
        text: String,
    },
}

impl Page {
    fn read(body: &[u8]) -> Page {
        // Scripts contain `<` that begins no tag; with this switch the tokenizer reads them as raw text.
        let mut emitter = DefaultEmitter::default();
        emitter.naively_switch_states(true);
        let mut page = Page::default();
        let mut element = Element::Other;
        for token in Tokenizer::new_with_emitter(body, emitter) {
            let Ok(token) = token;
            element = page.step(element, token);
        }
        page
    }

    fn step(&mut self, element: Element, token: Token) -> Element {
        match (element, token) {
            (Element::Other, Token::StartTag(tag)) => match &tag.name[..] {
                b"script" => Element::Script(String::new()),
                b"span" => {
                    let classes = tag.attributes.get(&b"class"[..]);
                    match classes.and_then(|classes| wanted_class(&classes.value)) {
                        Some(class) => Element::Span { class, nested: 0, text: String::new() },
                        None => Element::Other,
                    }
                }
                _ => Element::Other,
            },
            (Element::Script(text), Token::String(more)) => Element::Script(text + &lossy(&more)),
            (Element::Script(text), Token::EndTag(_)) => {
                self.vendor_level = self.vendor_level.or_else(|| vendor_level(&text));
                Element::Other
            }
            (Element::Span { class, nested, text }, Token::String(more)) => {
                Element::Span { class, nested, text: text + &lossy(&more) }
            }
            (Element::Span { class, nested, text }, Token::StartTag(tag))
                if &tag.name[..] == b"span" =>
            {
                Element::Span { class, nested: nested + 1, text }
            }
            (Element::Span { class, nested, text }, Token::EndTag(tag))
                if &tag.name[..] == b"span" =>
            {
                match nested.checked_sub(1) {
                    Some(nested) => Element::Span { class, nested, text },
                    None => {
                        let slot = if class == DEPTH { &mut self.depth } else { &mut self.age };
                        slot.get_or_insert_with(|| text.trim().to_owned());
                        Element::Other
                    }
                }
            }
            (element, _) => element,
        }
    }
}

/// Returns the class of the depth or the age span if the attribute has it.
fn wanted_class(classes: &[u8]) -> Option<&'static str> {
    [DEPTH, AGE].into_iter().find(|wanted| {
        classes.split(u8::is_ascii_whitespace).any(|class| class == wanted.as_bytes())
    })
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Returns the number after `level:` in a script that mentions `ptlevel`, if it is a percentage.
fn vendor_level(script: &str) -> Option<f64> {
    if !script.to_ascii_lowercase().contains("ptlevel") {
        return None;
    }
    script.match_indices("level").find_map(|(at, word)| {
        let part_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '$' | '-');
        if script[..at].ends_with(part_of_name) {
            return None;
        }
        let rest = script[at + word.len()..].trim_start_matches(['"', '\'']).trim_start();
        let rest = rest.strip_prefix(':')?.trim_start().trim_start_matches(['"', '\'']);
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        decode::decimal(&rest[..end]).filter(|percent| (0.0..=100.0).contains(percent))
    })
}

#[cfg(test)]
mod tests;
