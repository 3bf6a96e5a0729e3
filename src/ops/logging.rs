//! The log: to standard error, one line an event, filtered by `RUST_LOG`; as text for people, or
//! as JSON for what collects logs.

use std::io::{self, Write};
use std::str::FromStr;

use env_logger::Env;
use env_logger::fmt::Formatter;
use jiff::Timestamp;
use log::kv::{self, Key, VisitSource, VisitValue};
use log::{LevelFilter, Record};
use serde_json::{Map, Number, Value};

use crate::text::{escape, escape_json};

/// At `trace` the HTTP client writes whole URLs, and their queries hold keys.
const URL_WRITERS: [&str; 2] = ["ureq", "ureq_proto"];

const VARIABLE: &str = "PUMPHOUSE_LOG_FORMAT";

/// How a line is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// `2026-01-31T17:20:00.123Z INFO  listening on …`, in colours on a terminal.
    #[default]
    Text,
    /// An object a line: `time`, `level`, `target`, `message`; of a request also `request_id`,
    /// `client`, `method`, `route`, `status` and `seconds`.
    Json,
}

/// A name of no format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no format of the log; it is \"text\" or \"json\"")]
pub struct FormatError(String);

impl FromStr for Format {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<Format, FormatError> {
        match text {
            "text" => Ok(Format::Text),
            "json" => Ok(Format::Json),
            _ => Err(FormatError(text.to_owned())),
        }
    }
}

/// Starts to log, in the format that is given, else that of `$PUMPHOUSE_LOG_FORMAT`, else as
/// text.
///
/// # Errors
/// The variable names no format.
pub fn start(given: Option<Format>) -> Result<(), FormatError> {
    let format = match (given, std::env::var(VARIABLE)) {
        (Some(format), _) => format,
        (None, Ok(name)) if !name.is_empty() => name.parse()?,
        (None, _) => Format::default(),
    };
    let mut builder = env_logger::Builder::from_env(Env::default().default_filter_or("info"));
    match format {
        Format::Text => builder.format(text),
        Format::Json => {
            builder.format(|out, record| out.write_all(&json(record, Timestamp::now())))
        }
    };
    for module in URL_WRITERS {
        builder.filter_module(module, LevelFilter::Info);
    }
    // Its calls give its errors back, too, and whoever made them tells of them at a bounded rate.
    builder.filter_module("tiny_http", LevelFilter::Off);
    // A second start, as in tests, changes nothing.
    if builder.try_init().is_ok() && format == Format::Json {
        // What collects lines of JSON cannot read the several lines of the standard one.
        std::panic::set_hook(Box::new(|panic| log::error!("{panic}")));
    }
    Ok(())
}

fn text(out: &mut Formatter, record: &Record<'_>) -> io::Result<()> {
    let style = out.default_level_style(record.level());
    writeln!(
        out,
        "{} {style}{:<5}{style:#} {}",
        told(Timestamp::now()),
        record.level(),
        lines(&record.args().to_string())
    )
}

/// Returns a message for the text log. Further lines are indented, so that no text within a message
/// passes for a line of the log, and hidden characters are escaped.
fn lines(message: &str) -> String {
    escape(message).replace('\n', "\n    ")
}

fn told(time: Timestamp) -> impl std::fmt::Display {
    time.strftime("%Y-%m-%dT%H:%M:%S%.3fZ")
}

fn json(record: &Record<'_>, now: Timestamp) -> Vec<u8> {
    let mut line = Line(Map::new());
    for (name, value) in [
        ("time", told(now).to_string()),
        ("level", record.level().as_str().to_ascii_lowercase()),
        ("target", record.target().to_owned()),
        ("message", record.args().to_string()),
    ] {
        line.0.insert(name.to_owned(), Value::String(value));
    }
    // Its visitor never fails.
    let _ = record.key_values().visit(&mut line);
    let text = Value::Object(line.0).to_string();
    let mut text = escape_json(&text).into_owned().into_bytes();
    text.push(b'\n');
    text
}

/// The members of a line.
struct Line(Map<String, Value>);

impl<'kvs> VisitSource<'kvs> for Line {
    fn visit_pair(&mut self, key: Key<'kvs>, value: kv::Value<'kvs>) -> Result<(), kv::Error> {
        let mut seen = Seen(Value::Null);
        value.visit(&mut seen)?;
        self.0.insert(key.to_string(), seen.0);
        Ok(())
    }
}

/// A value of the log as one of JSON: numbers as numbers, all else as text.
struct Seen(Value);

impl VisitValue<'_> for Seen {
    fn visit_any(&mut self, value: kv::Value<'_>) -> Result<(), kv::Error> {
        self.0 = Value::String(value.to_string());
        Ok(())
    }

    fn visit_u64(&mut self, value: u64) -> Result<(), kv::Error> {
        self.0 = Value::from(value);
        Ok(())
    }

    fn visit_i64(&mut self, value: i64) -> Result<(), kv::Error> {
        self.0 = Value::from(value);
        Ok(())
    }

    fn visit_f64(&mut self, value: f64) -> Result<(), kv::Error> {
        self.0 = Number::from_f64(value).map_or(Value::Null, Value::Number);
        Ok(())
    }

    fn visit_bool(&mut self, value: bool) -> Result<(), kv::Error> {
        self.0 = Value::Bool(value);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use log::Level;
    use serde_json::json;

    use super::*;

    #[test]
    fn formats_by_name() {
        assert_eq!("text".parse(), Ok(Format::Text));
        assert_eq!("json".parse(), Ok(Format::Json));
        let error = "JSON".parse::<Format>().unwrap_err().to_string();
        assert!(error.contains("\"JSON\"") && error.contains("\"json\""), "{error}");
    }

    #[test]
    fn text_message_with_controls_forges_no_line_and_reaches_no_terminal() {
        let message = "two\n2026-01-31T17:20:00.500Z INFO  forged \u{1b}[2J\u{9b}2J\u{202e}\r";
        let shown =
            "two\n    2026-01-31T17:20:00.500Z INFO  forged \\u{1b}[2J\\u{9b}2J\\u{202e}\\u{d}";
        assert_eq!(lines(message), shown);
    }

    #[test]
    fn a_line_of_json_is_one_line_whatever_it_says() {
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
            .args(format_args!("two\nlines \"quoted\" \u{1b}[31m\u{9b}\u{202e}"))
            .build();
        let line = String::from_utf8(json(&record, "2026-01-31T17:20:00.5Z".parse().unwrap()));
        let line = line.unwrap();
        assert_eq!(line.find('\n'), Some(line.len() - 1), "{line}");
        assert!(!line.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{line}");
        let expected = json!({
            "time": "2026-01-31T17:20:00.500Z", "level": "warn", "target": "here",
            "message": "two\nlines \"quoted\" \u{1b}[31m\u{9b}\u{202e}",
            "status": 200, "seconds": 0.25, "route": "/ping", "whole": true,
        });
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), expected);
    }
}
