//! The type of a value, and the fixed meanings of what an upstream sends for it.

use std::sync::Arc;

use strum::{EnumString, IntoStaticStr, VariantNames};
use toml_span::Span;

use super::super::super::section::{Section, Spanned};
use super::super::super::simple_value::Scalar;

/// Type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ValueType {
    /// As the upstream sends it: a JSON number, or a string that is a plain decimal number, is a number;
    /// any other string, `true` and `false` are texts.
    #[default]
    AsSent,
    /// A number.
    Number,
    /// A text.
    Text,
    /// True (1) or false (0).
    Bool,
}

/// Type that `type` names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, EnumString, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
enum NamedType {
    Number,
    Text,
    Bool,
}

/// `map`: what the upstream may send, with the value that each stands for.
#[derive(Debug, Clone, PartialEq)]
pub struct ValueMap(Vec<(String, Mapped)>);

/// Value of an entry of a [`ValueMap`].
#[derive(Debug, Clone, PartialEq)]
pub enum Mapped {
    /// A number; true is 1, and false is 0.
    Number(f64),
    /// A text.
    Text(Arc<str>),
}

impl ValueMap {
    /// Returns the value for a text that the upstream sent: of an entry with the same name, or else of one
    /// whose name differs in case only.
    pub fn get(&self, sent: &str) -> Option<&Mapped> {
        let exact = self.0.iter().find(|(name, _)| name == sent);
        let sent = sent.trim().to_lowercase();
        exact
            .or_else(|| self.0.iter().find(|(name, _)| name.trim().to_lowercase() == sent))
            .map(|(_, mapped)| mapped)
    }

    /// Returns its entries, in the order of the file.
    pub fn entries(&self) -> &[(String, Mapped)] {
        &self.0
    }
}

/// Keys of a value from which its type follows.
pub(super) struct Evidence {
    /// Keys that have a meaning for numbers only, with their positions.
    pub(super) numeric: Vec<(&'static str, Span)>,
    /// True if the unit is `bool`.
    pub(super) unit_is_bool: bool,
}

/// Keys of numbers that a boolean may have, too.
const KEYS_OF_BOOLEANS: [&str; 3] = ["unit", "filter", "over_time"];

/// Keys that compute a number from the one that was sent.
const COMPUTING_KEYS: [&str; 3] = ["scale", "offset", "invert_from"];

/// Reads `type` and `map`, and determines the type of the value.
pub(super) fn read(
    section: &mut Section<'_, '_>,
    evidence: &Evidence,
) -> Option<(ValueType, Option<ValueMap>)> {
    let type_at = section.span_of("type");
    let named = section.choice::<NamedType>("type").map(|at| at.value);
    let map_at = section.span_of("map");
    let map = section.section("map", "\"map\"".to_owned()).map(read_map);
    if (type_at.is_some() && named.is_none()) || matches!(map, Some(None)) {
        return None;
    }
    let map = map.flatten();
    let value_type = match (named, &map) {
        (Some(NamedType::Number), _) => ValueType::Number,
        (Some(NamedType::Text), _) => ValueType::Text,
        (Some(NamedType::Bool), _) => ValueType::Bool,
        (None, Some(map)) if map.is_of(MapType::Texts) => ValueType::Text,
        (None, Some(map)) if map.is_of(MapType::Booleans) => ValueType::Bool,
        (None, _) if evidence.unit_is_bool => ValueType::Bool,
        (None, None) if evidence.numeric.is_empty() => ValueType::AsSent,
        (None, _) => ValueType::Number,
    };
    let mut is_valid = true;
    let mut reject = |span: Span, reason: String| {
        section.report(span, reason);
        is_valid = false;
    };
    for &(key, span) in &evidence.numeric {
        match value_type {
            ValueType::Text => {
                reject(span, format!("\"{key}\" is for numbers, and the value is a text"));
            }
            ValueType::Bool if key == "unit" && !evidence.unit_is_bool => {
                reject(span, "\"unit\" must be \"bool\" for a value that is true or false".into());
            }
            ValueType::Bool if !KEYS_OF_BOOLEANS.contains(&key) => {
                reject(span, format!("\"{key}\" is for numbers, and the value is true or false"));
            }
            ValueType::Number if map.is_some() && COMPUTING_KEYS.contains(&key) => {
                let reason = "\"map\" gives the value itself, so that nothing is left to compute";
                reject(span, format!("\"{key}\" has no effect: {reason}"));
            }
            _ => {}
        }
    }
    if let (Some(map), Some(span)) = (&map, map_at) {
        match value_type {
            ValueType::Text if !map.is_of(MapType::Texts) => {
                reject(span, "\"map\" must give texts for a value that is a text".into());
            }
            ValueType::Number if map.is_of(MapType::Texts) => {
                reject(span, "\"map\" must give numbers for a value that is a number".into());
            }
            ValueType::Bool if !map.is_of(MapType::Truths) => {
                let reason = "\"map\" must give true or false for a value that is true or false";
                reject(span, reason.into());
            }
            _ => {}
        }
    }
    is_valid.then_some((value_type, map.map(|map| map.map)))
}

/// A map, and the types of its values as written.
struct TypedMap {
    map: ValueMap,
    values: Vec<Scalar>,
}

#[derive(Clone, Copy)]
enum MapType {
    Texts,
    Booleans,
    /// Booleans, or the numbers 0 and 1.
    Truths,
}

impl TypedMap {
    fn is_of(&self, map_type: MapType) -> bool {
        self.values.iter().all(|value| match (map_type, value) {
            (MapType::Texts, Scalar::Text(_)) => true,
            (MapType::Booleans | MapType::Truths, Scalar::Bool(_)) => true,
            (MapType::Truths, Scalar::Integer(number)) => matches!(number, 0 | 1),
            (MapType::Truths, Scalar::Number(number)) => *number == 0.0 || *number == 1.0,
            _ => false,
        })
    }
}

/// Reads `map`.
fn read_map(mut section: Section<'_, '_>) -> Option<TypedMap> {
    let keys = section.dynamic_keys();
    let count = keys.len();
    let (mut entries, mut values) = (Vec::new(), Vec::new());
    for Spanned { value: name, .. } in keys {
        let Some(Spanned { value, .. }) = section.scalar(&name) else { continue };
        let mapped = match &value {
            // Exact below 2^53; larger values are rejected as impossible anyway.
            Scalar::Integer(number) => Mapped::Number(*number as f64),
            Scalar::Number(number) => Mapped::Number(*number),
            Scalar::Bool(truth) => Mapped::Number(f64::from(u8::from(*truth))),
            Scalar::Text(text) => Mapped::Text(text.as_str().into()),
        };
        entries.push((name, mapped));
        values.push(value);
    }
    let is_text = |value: &Scalar| matches!(value, Scalar::Text(_));
    let is_mixed = values.iter().any(is_text) && !values.iter().all(is_text);
    if count == 0 || is_mixed {
        let span = section.own_span();
        section.report(span, "entries such as { on = 1, off = 0 }, all of one type, are needed");
    }
    section.finish();
    let is_valid = count > 0 && values.len() == count && !is_mixed;
    is_valid.then_some(TypedMap { map: ValueMap(entries), values })
}
