//! One poll outside of any schedule, told in full: what `check --poll` shows.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value as Json;

use super::answer::{self, NotUnderstood};
use super::fetch::{Answer, Fetcher, Validators};
use super::rate_limit::Paces;
use super::secrets::Secrets;
use super::{kind, ptlevel};
use crate::board::{PollError, Reading};
use crate::config::{Kind, Source};
use crate::outbound::{ThreadedResolver, tls};

/// Raw fields told at most.
const MOST_FIELDS: usize = 100;

/// What a poll brought.
#[derive(Debug)]
pub struct Trial {
    /// From the request to the whole answer, or to giving up.
    pub took: Duration,
    /// Bytes of the answer, and its fields as they were sent: where, and what. No secrets.
    pub sent: Option<(usize, Vec<(String, String)>)>,
    /// What was made of it, in the units in which it is told; with the time by our clock.
    pub reading: Result<(Reading, Timestamp), PollError>,
    /// How an answer begins that was not understood.
    pub excerpt: Option<String>,
}

/// Polls each source once, one after the other and within the rate limits.
pub fn poll_all(sources: &[Source], user_agent: &str, mut tell: impl FnMut(&Source, Trial)) {
    let system = tls::system();
    for (source, pace) in sources.iter().zip(Paces::default().of(sources)) {
        if let Some(pace) = pace {
            let now = Instant::now();
            std::thread::sleep(pace.take(now).saturating_duration_since(now));
        }
        let tls = match &source.ca_certs {
            Some(own) => tls::trusting(own.iter().map(AsRef::as_ref)),
            None => system.clone(),
        };
        let resolver = ThreadedResolver::system(&source.name);
        tell(source, poll(source, &Fetcher::new(source.timeout, user_agent, tls, resolver)));
    }
}

fn poll(source: &Source, fetcher: &Fetcher) -> Trial {
    let begun = Instant::now();
    let request = kind::request(&source.kind, &source.units);
    let answer = fetcher.fetch(&request, &Validators::default());
    let (took, at) = (begun.elapsed(), Timestamp::now());
    let body = match answer {
        Ok(Answer::Body { body, .. }) => body,
        // Without validators nothing was asked that a 304 could answer.
        Ok(Answer::NotModified) => Vec::new(),
        Err(error) => return Trial { took, sent: None, reading: Err(error.error), excerpt: None },
    };
    let sent = Some((body.len(), raw_fields(&source.kind, &request.secrets, &body)));
    match answer::read(source, &request.secrets, &body, at) {
        Ok(reading) => Trial { took, sent, reading: Ok((reading, at)), excerpt: None },
        Err(NotUnderstood { error, excerpt }) => {
            Trial { took, sent, reading: Err(error), excerpt: Some(excerpt) }
        }
    }
}

/// The fields of an answer as they were sent; of JSON each with its pointer.
fn raw_fields(kind: &Kind, secrets: &Secrets, body: &[u8]) -> Vec<(String, String)> {
    let mut fields = match kind {
        Kind::PtLevel(_) => ptlevel::raw_fields(body),
        _ => {
            let mut fields = Vec::new();
            if let Ok(document) = serde_json::from_slice::<Json>(body) {
                flatten(&document, String::new(), &mut fields);
            }
            fields
        }
    };
    fields.truncate(MOST_FIELDS);
    for text in fields.iter_mut().flat_map(|(place, text)| [place, text]) {
        *text = secrets.strike_out(std::mem::take(text));
    }
    fields
}

/// Every number, text and truth in the document, by its pointer (RFC 6901).
fn flatten(json: &Json, pointer: String, fields: &mut Vec<(String, String)>) {
    match json {
        _ if fields.len() >= MOST_FIELDS => {}
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
        scalar => fields.push((pointer, scalar.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_lead_back_to_what_they_name() {
        let body = r#"{"a":{"b":[1,"x",null]},"x/y":true,"m~n":2.50,"e":{}}"#;
        let document: Json = serde_json::from_str(body).unwrap();
        let mut fields = Vec::new();
        flatten(&document, String::new(), &mut fields);
        assert_eq!(fields.len(), 5);
        for (pointer, text) in fields {
            assert_eq!(document.pointer(&pointer).unwrap().to_string(), text);
        }
    }
}
