//! Formats a record as one line of text or JSON.

use std::fmt::{self, Write as _};
use std::str::FromStr;

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;
use log::kv::{self, Key, VisitSource, VisitValue};
use log::{Level, Record};
use serde_json::{Map, Number, Value};

use super::capped::Capped;
use super::caps::Caps;
use crate::text::{escape_json, escape_line};
use crate::timestamp::Rfc3339Millis;
use crate::wall_clock;

/// Target of the lines of the log itself.
const OWN_TARGET: &str = module_path!();

/// Form in which a line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// `2026-01-31T17:20:00.123Z INFO  listening on …`, with the level coloured on a terminal.
    #[default]
    Text,
    /// One object a line, with `time`, `level`, `target` and `message`. The line of a request also has
    /// `request_id`, `client`, `method`, `route`, `status` and `seconds`.
    Json,
}

/// Error of parsing a [`Format`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a log format; expected \"text\" or \"json\"")]
pub struct FormatError(String);

impl FromStr for Format {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<Format, FormatError> {
        match text.to_ascii_lowercase().as_str() {
            "text" => Ok(Format::Text),
            "json" => Ok(Format::Json),
            _ => Err(FormatError(text.to_owned())),
        }
    }
}

/// Form and colours of every line.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    pub(super) format: Format,
    /// True if levels of text are coloured.
    pub(super) colours: bool,
}

impl Layout {
    /// Formats a record as a line that ends with a newline and holds no other.
    pub(super) fn line(self, record: &Record<'_>, time: Timestamp) -> String {
        match self.format {
            Format::Text => self.text(record, time),
            Format::Json => json(record, time),
        }
    }

    /// Formats a line of the log itself.
    pub(super) fn note(self, level: Level, message: fmt::Arguments<'_>) -> String {
        let record = Record::builder().level(level).target(OWN_TARGET).args(message).build();
        self.line(&record, wall_clock::of_machine())
    }

    fn text(self, record: &Record<'_>, time: Timestamp) -> String {
        let message = message(record);
        let message = escape_line(&message);
        let style = if self.colours { level_style(record.level()) } else { Style::new() };
        let mut line = String::with_capacity(message.len() + 48);
        // Writing to a String cannot fail.
        let _ = writeln!(
            line,
            "{} {style}{:<5}{style:#} {message}",
            Rfc3339Millis(time),
            record.level()
        );
        line
    }
}

/// Formats the message within the cap of its target.
fn message(record: &Record<'_>) -> String {
    let caps = Caps::of(record.target(), record.level());
    let mut message = Capped::new(caps.max_bytes);
    // Fails only if the `Display` of a value fails; the text so far is kept.
    let _ = message.write_fmt(*record.args());
    message.into_text()
}

fn level_style(level: Level) -> Style {
    match level {
        Level::Trace => AnsiColor::Cyan.on_default(),
        Level::Debug => AnsiColor::Blue.on_default(),
        Level::Info => AnsiColor::Green.on_default(),
        Level::Warn => AnsiColor::Yellow.on_default(),
        Level::Error => AnsiColor::Red.on_default().bold(),
    }
}

fn json(record: &Record<'_>, time: Timestamp) -> String {
    let max_bytes = Caps::of(record.target(), record.level()).max_bytes;
    let mut line = Line { members: Map::new(), max_bytes };
    for (name, value) in [
        ("time", Rfc3339Millis(time).to_string()),
        ("level", record.level().as_str().to_ascii_lowercase()),
        ("target", record.target().to_owned()),
        ("message", message(record)),
    ] {
        line.members.insert(name.to_owned(), Value::String(value));
    }
    // The visitor never fails.
    let _ = record.key_values().visit(&mut line);
    let mut text = escape_json(&Value::Object(line.members).to_string()).into_owned();
    text.push('\n');
    text
}

/// Members of a JSON line.
struct Line {
    members: Map<String, Value>,
    /// Longest text of a member, bytes.
    max_bytes: usize,
}

/// Most members of a record beside the four of every line.
const MAX_MEMBERS: usize = 16;

impl<'kvs> VisitSource<'kvs> for Line {
    fn visit_pair(&mut self, key: Key<'kvs>, value: kv::Value<'kvs>) -> Result<(), kv::Error> {
        if self.members.len() >= 4 + MAX_MEMBERS {
            return Ok(());
        }
        let mut member = Member { value: Value::Null, max_bytes: self.max_bytes };
        value.visit(&mut member)?;
        self.members.insert(key.to_string(), member.value);
        Ok(())
    }
}

/// Converts a value of a record to JSON: numbers and booleans keep their type, others become text.
struct Member {
    value: Value,
    max_bytes: usize,
}

impl VisitValue<'_> for Member {
    fn visit_any(&mut self, value: kv::Value<'_>) -> Result<(), kv::Error> {
        let mut text = Capped::new(self.max_bytes);
        let _ = write!(text, "{value}");
        self.value = Value::String(text.into_text());
        Ok(())
    }

    fn visit_u64(&mut self, value: u64) -> Result<(), kv::Error> {
        self.value = Value::from(value);
        Ok(())
    }

    fn visit_i64(&mut self, value: i64) -> Result<(), kv::Error> {
        self.value = Value::from(value);
        Ok(())
    }

    fn visit_f64(&mut self, value: f64) -> Result<(), kv::Error> {
        self.value = Number::from_f64(value).map_or(Value::Null, Value::Number);
        Ok(())
    }

    fn visit_bool(&mut self, value: bool) -> Result<(), kv::Error> {
        self.value = Value::Bool(value);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::caps::{MAX_DEPENDENCY_MESSAGE_BYTES, MAX_OWN_MESSAGE_BYTES};
    use super::*;

    const TEXT: Layout = Layout { format: Format::Text, colours: false };
    const JSON: Layout = Layout { format: Format::Json, colours: false };

    fn time() -> Timestamp {
        "2026-01-31T17:20:00.5Z".parse().unwrap()
    }

    #[test]
    fn format_is_parsed_from_its_name() {
        assert_eq!("text".parse(), Ok(Format::Text));
        assert_eq!("json".parse(), Ok(Format::Json));
        assert_eq!("JSON".parse(), Ok(Format::Json));
        let error = "yaml".parse::<Format>().unwrap_err().to_string();
        assert!(error.contains("\"yaml\"") && error.contains("\"json\""), "{error}");
    }

    #[test]
    fn json_line_with_control_characters_is_one_line() {
        let values: &[(&str, kv::Value<'_>)] = &[
            ("status", 200_u16.into()),
            ("seconds", 0.25.into()),
            ("route", "/ping".into()),
            ("whole", true.into()),
        ];
        let record = Record::builder()
            .level(Level::Warn)
            .target("here")
            .key_values(&values)
            .args(format_args!("two\nlines \"quoted\" \u{1b}[31m \u{9b}31m \u{202e} ½"))
            .build();
        let line = JSON.line(&record, time());
        assert_eq!(line.find('\n'), Some(line.len() - 1), "{line}");
        assert!(!line.trim_end().contains(crate::text::is_hidden), "{line}");
        let expected = json!({
            "time": "2026-01-31T17:20:00.500Z", "level": "warn", "target": "here",
            "message": "two\nlines \"quoted\" \u{1b}[31m \u{9b}31m \u{202e} ½",
            "status": 200, "seconds": 0.25, "route": "/ping", "whole": true,
        });
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), expected);
    }

    #[test]
    fn text_line_cannot_be_forged_by_its_message() {
        let record = Record::builder()
            .level(Level::Warn)
            .target("pumphouse_web::site")
            .args(format_args!("a\r\n2026-01-31T17:20:00.500Z ERROR forged \u{1b}[2J"))
            .build();
        let forged = "2026-01-31T17:20:00.500Z ERROR forged";
        assert_eq!(
            TEXT.line(&record, time()),
            format!("2026-01-31T17:20:00.500Z WARN  a\\u{{d}}\\n{forged} \\u{{1b}}[2J\n")
        );
        let coloured = Layout { colours: true, ..TEXT }.line(&record, time());
        assert!(coloured.contains(" \u{1b}[33mWARN \u{1b}[0m a"), "{coloured:?}");
    }

    #[test]
    fn line_with_a_long_message_is_cut_at_the_cap_of_its_crate() {
        let long = "\u{1}".repeat(60_000);
        for (target, cap) in [
            ("rustls::msgs::handshake", MAX_DEPENDENCY_MESSAGE_BYTES),
            ("pumphouse_web::site", MAX_OWN_MESSAGE_BYTES),
        ] {
            for layout in [TEXT, JSON] {
                let line = layout.line(
                    &Record::builder()
                        .level(Level::Warn)
                        .target(target)
                        .args(format_args!("name {long}"))
                        .build(),
                    time(),
                );
                assert!(line.len() < cap * 5 / 4 + 200, "{}", line.len());
                assert!(line.contains(" bytes cut]"), "{line}");
            }
        }
    }

    #[test]
    fn json_line_with_many_long_members_is_bounded() {
        let long = "x".repeat(5000);
        let values: Vec<(String, &str)> =
            (0..100).map(|number| (format!("key{number}"), &*long)).collect();
        let record = Record::builder().target("dependency").key_values(&values).build();
        let line = JSON.line(&record, time());
        assert!(line.len() < (MAX_MEMBERS + 1) * 1200, "{}", line.len());
    }
}
