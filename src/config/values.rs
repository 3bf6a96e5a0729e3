//! Reads the values of simple keys: strings, numbers, true and false.

use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;

use toml_span::value::ValueInner;
use toml_span::{Span, Value};

use super::section::{Section, Spanned, into_inner};
use super::simple_value::Scalar;

impl Section<'_, '_> {
    /// Reports a value of a wrong type, with the correction if the value says what was meant.
    pub(super) fn report_type(
        &self,
        key: &str,
        span: Span,
        expected: &str,
        found: &ValueInner<'_>,
    ) {
        let hint = correction(key, expected, found);
        let found = type_name(found);
        self.report(span, format_args!("\"{key}\" must be {expected}, not {found}{hint}"));
    }

    pub(super) fn string(&mut self, key: &str) -> Option<Spanned<String>> {
        self.text(key, "a string")
    }

    /// Reads a string. `expected` describes it for the error of another type.
    pub(super) fn text(&mut self, key: &str, expected: &str) -> Option<Spanned<String>> {
        let (_, value) = self.take(key)?;
        self.string_in(key, expected, value)
    }

    /// Reads a string as it is written, with its variables of the environment.
    pub(super) fn raw_string(&mut self, key: &str) -> Option<Spanned<String>> {
        let (_, value) = self.take(key)?;
        let span = value.span;
        match into_inner(value) {
            ValueInner::String(text) => Some(Spanned { value: text.into_owned(), span }),
            other => {
                self.report_type(key, span, "a string", &other);
                None
            }
        }
    }

    pub(super) fn strings(&mut self, key: &str) -> Option<Vec<Spanned<String>>> {
        const EXPECTED: &str = "an array of strings";
        let (_, value) = self.take(key)?;
        let span = value.span;
        match into_inner(value) {
            ValueInner::Array(items) => {
                let items = items.into_iter().map(|item| self.string_in(key, EXPECTED, item));
                Some(items.flatten().collect())
            }
            other => {
                self.report_type(key, span, EXPECTED, &other);
                None
            }
        }
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
                self.expand(span, &text).map(|value| Spanned { value, span })
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
            ValueInner::String(text) => Scalar::Text(self.expand(span, &text)?),
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
        self.report(span, format_args!("\"{key}\" must be between {min} and {max}; it is {value}"));
        None
    }

    pub(super) fn positive(&mut self, key: &str) -> Option<f64> {
        let Spanned { value, span } = self.number(key)?;
        if value > 0.0 {
            return Some(value);
        }
        self.report(span, format_args!("\"{key}\" must be greater than 0; it is {value}"));
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
                _ => self.report(
                    span,
                    format_args!("\"{key}\" must be between 1 and {max}; it is {number}"),
                ),
            },
            other => self.report_type(key, span, "a whole number", &other),
        }
        default
    }
}

/// Returns what to write in place of a value of another type, if that is clear.
fn correction(key: &str, expected: &str, found: &ValueInner<'_>) -> String {
    match found {
        ValueInner::Integer(number) if expected.contains("duration") => {
            format!("; write {key} = \"{number}s\" for seconds")
        }
        ValueInner::Integer(number) if expected.contains("size") => {
            format!("; write {key} = \"{number}B\" for bytes")
        }
        ValueInner::String(text) if expected.contains("array") && text.len() < 40 => {
            format!("; write {key} = [\"{text}\"]")
        }
        ValueInner::String(text) => match &*text.to_ascii_lowercase() {
            truth @ ("true" | "false") if expected == "true or false" => {
                format!("; write {key} = {truth}")
            }
            number if expected.ends_with("number") => {
                let number = toml_number(number, expected.contains("whole"));
                number.map_or_else(String::new, |number| format!("; write {key} = {number}"))
            }
            _ => String::new(),
        },
        _ => String::new(),
    }
}

/// Returns the number that a text holds, as TOML writes it; `None` if TOML has no such number.
fn toml_number(text: &str, is_whole: bool) -> Option<String> {
    let number = match is_whole {
        true => text.parse::<i64>().ok()?.to_string(),
        false => {
            text.parse::<f64>().ok().filter(|number| number.is_finite()).map(|_| text.to_owned())?
        }
    };
    toml_span::parse(&format!("n = {number}")).is_ok().then_some(number)
}

fn type_name(value: &ValueInner<'_>) -> Cow<'static, str> {
    match value {
        ValueInner::String(_) => "a string".into(),
        ValueInner::Integer(_) => "a whole number".into(),
        // TOML has them; no quantity is one of them.
        ValueInner::Float(number) if number.is_nan() => "nan".into(),
        ValueInner::Float(number) if number.is_infinite() => number.to_string().into(),
        ValueInner::Float(_) => "a number".into(),
        ValueInner::Boolean(_) => "true or false".into(),
        ValueInner::Array(_) => "an array".into(),
        ValueInner::Table(_) => "a table".into(),
    }
}
