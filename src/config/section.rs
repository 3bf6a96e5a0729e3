//! Reads a table of the file key by key.
//!
//! A faulty key is reported and reading continues, so that one run lists every error.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::path::Path;
use std::str::FromStr;

use toml_span::value::{Key, Table, ValueInner};
use toml_span::{Span, Value};

use super::reader::Reader;
use super::secret::Secret;
use super::simple_value::Scalar;
use crate::suggestion::nearest;

/// A value with its position in the file.
#[derive(Debug, Clone)]
pub(super) struct Spanned<T> {
    pub(super) value: T,
    pub(super) span: Span,
}

/// A table that is being read. Every key that is read becomes a known key; [`Section::finish`]
/// reports the others.
pub(super) struct Section<'reader, 'text> {
    reader: &'reader Reader<'reader>,
    /// Name in messages: `[server]`, `[[source]] "tank"`.
    title: String,
    span: Span,
    table: Table<'text>,
    /// Keys that were read, present or not.
    known: Vec<String>,
    /// Keys that were read and present.
    present: Vec<String>,
}

impl<'reader, 'text> Section<'reader, 'text> {
    pub(super) fn new(
        reader: &'reader Reader<'reader>,
        title: impl Into<String>,
        value: Value<'text>,
    ) -> Option<Section<'reader, 'text>> {
        let (title, span) = (title.into(), value.span);
        match into_inner(value) {
            ValueInner::Table(table) => {
                Some(Section { reader, title, span, table, known: Vec::new(), present: Vec::new() })
            }
            other => {
                reader.report(span, format!("{title} must be a table, not {}", type_name(&other)));
                None
            }
        }
    }

    /// Returns an empty section, for a table that the file omits.
    pub(super) fn absent(
        reader: &'reader Reader<'reader>,
        title: impl Into<String>,
    ) -> Section<'reader, 'text> {
        let span = Span::new(0, 0);
        Section {
            reader,
            title: title.into(),
            span,
            table: BTreeMap::new(),
            known: Vec::new(),
            present: Vec::new(),
        }
    }

    /// Returns the position of the table.
    pub(super) const fn own_span(&self) -> Span {
        self.span
    }

    /// Returns a variable of the environment.
    pub(super) fn environment(&self, name: &str) -> Option<String> {
        self.reader.variable(name)
    }

    pub(super) fn rename(&mut self, title: String) {
        self.title = title;
    }

    pub(super) fn report(&self, span: Span, message: impl fmt::Display) {
        self.reader.report(span, format!("{message} in {}", self.title));
    }

    /// Returns the keys in the order of the file, for tables whose keys the user chooses.
    pub(super) fn dynamic_keys(&self) -> Vec<Spanned<String>> {
        let mut keys: Vec<Spanned<String>> = self
            .table
            .keys()
            .map(|key| Spanned { value: key.name.to_string(), span: key.span })
            .collect();
        keys.sort_by_key(|key| key.span.start);
        keys
    }

    fn take(&mut self, key: &str) -> Option<(Key<'text>, Value<'text>)> {
        self.known.push(key.to_owned());
        let entry = self.table.remove_entry(key);
        if entry.is_some() {
            self.present.push(key.to_owned());
        }
        entry
    }

    /// Reports a required key that is absent. One that is present but faulty has been reported
    /// already.
    pub(super) fn require<T>(&self, key: &str, value: Option<T>) -> Option<T> {
        let file_key = format!("{key}_file");
        let is_present = self.present.iter().any(|present| present == key || *present == file_key);
        if value.is_none() && !is_present {
            self.report(self.span, format_args!("missing key \"{key}\""));
        }
        value
    }

    fn report_type(&self, key: &str, span: Span, expected: &str, found: &ValueInner<'_>) {
        let found = type_name(found);
        self.report(span, format_args!("\"{key}\" must be {expected}, not {found}"));
    }

    pub(super) fn string(&mut self, key: &str) -> Option<Spanned<String>> {
        let (_, value) = self.take(key)?;
        self.string_in(key, "a string", value)
    }

    pub(super) fn strings(&mut self, key: &str) -> Option<Vec<Spanned<String>>> {
        let (_, value) = self.take(key)?;
        let span = value.span;
        let ValueInner::Array(items) = into_inner(value) else {
            self.report(span, format_args!("\"{key}\" must be an array of strings"));
            return None;
        };
        let items = items.into_iter().map(|item| self.string_in(key, "an array of strings", item));
        Some(items.flatten().collect())
    }

    /// Reads a string or an array of strings.
    pub(super) fn string_or_strings(&mut self, key: &str) -> Option<Vec<Spanned<String>>> {
        let (_, value) = self.take(key)?;
        let span = value.span;
        let items = match into_inner(value) {
            ValueInner::Array(items) => items,
            single => vec![Value::with_span(single, span)],
        };
        let expected = "a string or an array of strings";
        let items = items.into_iter().map(|item| self.string_in(key, expected, item));
        Some(items.flatten().collect())
    }

    fn string_in(&self, key: &str, expected: &str, item: Value<'_>) -> Option<Spanned<String>> {
        let span = item.span;
        match into_inner(item) {
            ValueInner::String(text) => {
                self.reader.expand(span, &text).map(|value| Spanned { value, span })
            }
            other => {
                self.report_type(key, span, expected, &other);
                None
            }
        }
    }

    /// Reads a string, a finite number, or true or false.
    pub(super) fn scalar(&mut self, key: &str) -> Option<Spanned<Scalar>> {
        let (_, value) = self.take(key)?;
        let span = value.span;
        let value = match into_inner(value) {
            ValueInner::String(text) => Scalar::Text(self.reader.expand(span, &text)?),
            ValueInner::Integer(number) => Scalar::Integer(number),
            ValueInner::Float(number) if number.is_finite() => Scalar::Number(number),
            ValueInner::Boolean(truth) => Scalar::Bool(truth),
            other => {
                self.report_type(key, span, "a string, a number, true or false", &other);
                return None;
            }
        };
        Some(Spanned { value, span })
    }

    /// Reads a string and parses it. The message names the key and the error of the parser.
    pub(super) fn parsed<T>(&mut self, key: &str) -> Option<Spanned<T>>
    where
        T: FromStr<Err: fmt::Display>,
    {
        let Spanned { value, span } = self.string(key)?;
        match value.parse() {
            Ok(value) => Some(Spanned { value, span }),
            Err(error) => {
                self.report(span, format_args!("\"{key}\": {error}"));
                None
            }
        }
    }

    pub(super) fn number(&mut self, key: &str) -> Option<Spanned<f64>> {
        let (_, value) = self.take(key)?;
        let span = value.span;
        match into_inner(value) {
            // Exact: configured quantities are far below 2^53.
            ValueInner::Integer(number) => Some(Spanned { value: number as f64, span }),
            ValueInner::Float(number) if number.is_finite() => {
                Some(Spanned { value: number, span })
            }
            other => {
                self.report_type(key, span, "a number", &other);
                None
            }
        }
    }

    pub(super) fn number_within(&mut self, key: &str, range: RangeInclusive<f64>) -> Option<f64> {
        let Spanned { value, span } = self.number(key)?;
        if range.contains(&value) {
            return Some(value);
        }
        let (min, max) = (range.start(), range.end());
        self.report(span, format_args!("\"{key}\" must be between {min} and {max}"));
        None
    }

    pub(super) fn positive(&mut self, key: &str) -> Option<f64> {
        let Spanned { value, span } = self.number(key)?;
        if value > 0.0 {
            return Some(value);
        }
        self.report(span, format_args!("\"{key}\" must be greater than 0"));
        None
    }

    pub(super) fn boolean(&mut self, key: &str) -> Option<Spanned<bool>> {
        let (_, value) = self.take(key)?;
        let span = value.span;
        match into_inner(value) {
            ValueInner::Boolean(value) => Some(Spanned { value, span }),
            other => {
                self.report_type(key, span, "true or false", &other);
                None
            }
        }
    }

    pub(super) fn integer(&mut self, key: &str, default: usize, max: usize) -> usize {
        let Some((_, value)) = self.take(key) else { return default };
        let span = value.span;
        match into_inner(value) {
            ValueInner::Integer(number) => match usize::try_from(number) {
                Ok(number) if (1..=max).contains(&number) => return number,
                _ => self.report(span, format_args!("\"{key}\" must be between 1 and {max}")),
            },
            other => self.report_type(key, span, "a whole number", &other),
        }
        default
    }

    /// Reads a secret, given by `key` or in a separate file by `key_file`.
    pub(super) fn secret(&mut self, key: &str) -> Option<Secret> {
        let file_key = format!("{key}_file");
        match (self.string(key), self.string(&file_key)) {
            (Some(_), Some(Spanned { span, .. })) => {
                self.report(span, format_args!("\"{key}\" and \"{file_key}\" exclude each other"));
                None
            }
            (Some(Spanned { value, .. }), None) => Some(Secret::new(value)),
            (None, Some(Spanned { value, span })) => match Secret::from_file(Path::new(&value)) {
                Ok(secret) => Some(secret),
                Err(error) => {
                    self.report(span, format_args!("\"{file_key}\": cannot read {value}: {error}"));
                    None
                }
            },
            (None, None) => None,
        }
    }

    /// Returns true if a key of an earlier version is present. It has no effect any more.
    pub(super) fn retired(&mut self, key: &str) -> bool {
        // Not recorded as a known key, so that it is not suggested for a misspelt one.
        self.table.remove(key).is_some()
    }

    /// Reads a table inside this one.
    pub(super) fn section(&mut self, key: &str, title: String) -> Option<Section<'reader, 'text>> {
        let (_, value) = self.take(key)?;
        Section::new(self.reader, title, value)
    }

    /// Reads an array of tables, `[[key]]`.
    pub(super) fn sections(&mut self, key: &str) -> Vec<Section<'reader, 'text>> {
        let Some((_, value)) = self.take(key) else { return Vec::new() };
        let span = value.span;
        match into_inner(value) {
            ValueInner::Array(items) => items
                .into_iter()
                .filter_map(|item| Section::new(self.reader, format!("[[{key}]]"), item))
                .collect(),
            _ => {
                self.reader.report(span, format!("\"{key}\" must be written [[{key}]]"));
                Vec::new()
            }
        }
    }

    /// Returns true if a key was read and present.
    pub(super) fn was_present(&self, key: &str) -> bool {
        self.present.iter().any(|present| present == key)
    }

    /// Returns the position of a key that has not been read yet, if it is present.
    pub(super) fn span_of(&self, key: &str) -> Option<Span> {
        self.table.get_key_value(key).map(|(key, _)| key.span)
    }

    /// Reports the keys that were not read as unknown.
    pub(super) fn finish(self) {
        for key in self.table.keys() {
            let near = nearest(&key.name, self.known.iter().map(String::as_str));
            let hint = match near {
                Some(name) => format!("; did you mean \"{name}\"?"),
                None => format!("; known are {}", self.known.join(", ")),
            };
            let (name, title) = (&key.name, &self.title);
            self.reader.report(key.span, format!("unknown key \"{name}\" in {title}{hint}"));
        }
    }
}

fn into_inner(mut value: Value<'_>) -> ValueInner<'_> {
    value.take()
}

fn type_name(value: &ValueInner<'_>) -> &'static str {
    match value {
        ValueInner::String(_) => "a string",
        ValueInner::Integer(_) => "a whole number",
        ValueInner::Float(_) => "a number",
        ValueInner::Boolean(_) => "true or false",
        ValueInner::Array(_) => "an array",
        ValueInner::Table(_) => "a table",
    }
}
