//! Polls a source once and outside the schedule, for `check --poll`. The fetcher and the decoders are those
//! of the pollers, so a result here is the result that the server will get.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value as Json;

use super::decode;
use super::fetch::{Fetched, Fetcher};
use super::interpret::{DecodeFailure, interpret};
use super::json::Settling;
use super::secrets::Secrets;
use super::{json, kind, ptlevel};
use crate::board::{PollError, Reading};
use crate::config::{Kind, Source};
use crate::wall_clock;

/// Most raw fields reported of a response.
const MAX_FIELDS: usize = 100;

/// Result of one poll.
#[derive(Debug)]
pub struct SinglePoll {
    /// Time from the request to the complete response or the failure.
    pub duration: Duration,
    /// The response, if there was one.
    pub response: Option<RawResponse>,
    /// Reading in the configured units, with the time of the response.
    pub reading: Result<(Reading, Timestamp), PollError>,
    /// Beginning of a response that could not be decoded.
    pub excerpt: Option<String>,
    /// Hints on the configuration that this response gives, without secrets.
    pub hints: Vec<String>,
}

/// A response before it is decoded.
#[derive(Debug)]
pub struct RawResponse {
    /// Number of bytes of the body.
    pub bytes: usize,
    /// Its fields.
    pub fields: RawFields,
}

/// Fields of a response as they were sent, without secrets.
#[derive(Debug, Default)]
pub struct RawFields {
    /// Position and text of the first fields.
    pub first: Vec<(String, String)>,
    /// Number of fields behind those.
    pub more: usize,
}

impl RawFields {
    fn push(&mut self, place: String, text: impl FnOnce() -> String) {
        match self.first.len() < MAX_FIELDS {
            true => self.first.push((place, text())),
            false => self.more += 1,
        }
    }
}

/// Polls a source once.
pub(super) fn poll(source: &Source, fetcher: &Fetcher) -> SinglePoll {
    let started = Instant::now();
    let request = kind::request(source);
    let fetched = fetcher.fetch(&request, None);
    let (duration, at) = (started.elapsed(), wall_clock::now());
    let body = match fetched {
        Ok(Fetched::Body { body, .. }) => body,
        // Unreachable: no validators are sent, so `fetch` reports a 304 as an error.
        Ok(Fetched::NotModified) => Vec::new(),
        Err(error) => {
            return SinglePoll {
                duration,
                response: None,
                reading: Err(error.error),
                excerpt: None,
                hints: Vec::new(),
            };
        }
    };
    let fields = raw_fields(&source.kind, &request.secrets, &body);
    let response = Some(RawResponse { bytes: body.len(), fields });
    let (reading, excerpt) =
        match interpret(source, &request.secrets, &mut Settling::default(), &body, at) {
            Ok(reading) => (Ok((reading, at)), None),
            Err(DecodeFailure { error, excerpt }) => (Err(error), Some(excerpt)),
        };
    let hints = hints(&source.kind, &request.secrets, &body);
    SinglePoll { duration, response, reading, excerpt, hints }
}

fn hints(kind: &Kind, secrets: &Secrets, body: &[u8]) -> Vec<String> {
    let Kind::Json(keys) = kind else { return Vec::new() };
    let hints = json::document(keys, body).map(|document| json::hints(keys, &document));
    hints.into_iter().flatten().map(|hint| secrets.redact(hint)).collect()
}

/// Returns the raw fields of a response, each with its position: a pointer in JSON, a span or script in HTML.
fn raw_fields(kind: &Kind, secrets: &Secrets, body: &[u8]) -> RawFields {
    let mut fields = RawFields::default();
    let document = match kind {
        Kind::PtLevel(_) => {
            ptlevel::raw_fields(body)
                .into_iter()
                .for_each(|(place, text)| fields.push(place, || text));
            None
        }
        Kind::Json(keys) => json::document(keys, body).ok(),
        _ => decode::json(body).ok(),
    };
    if let Some(document) = document {
        flatten(&document, String::new(), &mut fields);
    }
    for text in fields.first.iter_mut().flat_map(|(place, text)| [place, text]) {
        *text = secrets.redact(std::mem::take(text));
    }
    fields
}

/// Collects every number, text, boolean and null of a document with its pointer (RFC 6901).
fn flatten(json: &Json, pointer: String, fields: &mut RawFields) {
    match json {
        Json::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                flatten(item, format!("{pointer}/{index}"), fields);
            }
        }
        Json::Object(members) => {
            for (name, member) in members {
                let name = name.replace('~', "~0").replace('/', "~1");
                flatten(member, format!("{pointer}/{name}"), fields);
            }
        }
        scalar => fields.push(pointer, || scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_of_raw_fields_resolve_to_them() {
        let body = r#"{"a":{"b":[1,"x",null]},"x/y":true,"m~n":2.50,"e":{}}"#;
        let document: Json = serde_json::from_str(body).unwrap();
        let mut fields = RawFields::default();
        flatten(&document, String::new(), &mut fields);
        assert_eq!((fields.first.len(), fields.more), (5, 0));
        for (pointer, text) in fields.first {
            assert_eq!(document.pointer(&pointer).unwrap().to_string(), text);
        }
    }

    #[test]
    fn fields_beyond_the_first_are_counted() {
        let document = serde_json::json!({ "a": vec![1; 80], "b": vec!["x"; 80] });
        let mut fields = RawFields::default();
        flatten(&document, String::new(), &mut fields);
        assert_eq!((fields.first.len(), fields.more), (MAX_FIELDS, 60));
    }
}
