//! Converts a response body into a reading: decodes it, rejects what cannot be true, converts units, redacts
//! secrets.

use jiff::Timestamp;

use super::conversion::convert;
use super::json::{self, Received, Settling};
use super::secrets::Secrets;
use super::{excerpt, kind, plausible};
use crate::board::{ErrorKind, PollError, Reading};
use crate::config::{Kind, Source};

/// A response that cannot be decoded.
#[derive(Debug)]
pub(super) struct DecodeFailure {
    pub(super) error: PollError,
    /// Beginning of the response, for the log.
    pub(super) excerpt: String,
}

/// Converts a body that was complete at `at` into a reading. `settling` is the state of the source between its
/// polls.
///
/// # Errors
/// The decoder of the source's kind rejects the body, or a required value is missing or impossible.
pub(super) fn interpret(
    source: &Source,
    secrets: &Secrets,
    settling: &mut Settling,
    body: &[u8],
    at: Timestamp,
) -> Result<Reading, DecodeFailure> {
    let decoded = kind::decode(&source.kind, body, at);
    let settled = decoded.and_then(|reading| {
        let plausible = plausible::check(&source.kind, reading);
        let Kind::Json(keys) = &source.kind else { return Ok(plausible) };
        // Before a step can make a value null: it is there, and only awaits its confirmation.
        json::check_required(keys, &plausible)?;
        let received = Received { at, stale_after: source.stale_after };
        Ok(settling.settle(keys, plausible, received))
    });
    match settled {
        Ok(reading) => Ok(secrets.redact_reading(convert(&source.units, reading))),
        Err(error) => Err(DecodeFailure {
            error: secrets.redact_error(PollError::new(ErrorKind::Decode, error.to_string())),
            excerpt: excerpt::of(body, secrets),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    #[test]
    fn required_value_that_cannot_be_true_fails_the_poll() {
        let text = "[[source]]\nname = \"s\"\nkind = \"json\"\nurl = \"http://h/\"\n\
            [source.values.x]\npointer = \"/x\"\nunit = \"degC\"\nrequired = true\nmax_step = 1\n";
        let source = config::parse("p".as_ref(), text, &|_| None).unwrap().sources.remove(0);
        let mut settling = Settling::default();
        let mut read = |body: &str| {
            let at = Timestamp::UNIX_EPOCH;
            interpret(&source, &Secrets::default(), &mut settling, body.as_bytes(), at)
        };
        let error = read(r#"{"x":-9999}"#).unwrap_err().error;
        let message = "the required value \"x\" is missing: -9999 degC stands for no measurement";
        assert_eq!(error.message, message);
        assert!(read(r#"{"x":1}"#).is_ok());
        // It is there, and shown when it is confirmed.
        let stepped = read(r#"{"x":9}"#).unwrap();
        assert!(stepped.values[0].1.datum.is_none());
    }

    #[test]
    fn secret_that_is_longer_than_a_quotation_is_in_no_note_and_no_error() {
        const KEY: &str = "7f3a9c1e5b8d2f4a6c0e9b7d5f3a1c8e2b4d6f8a0c1e3b5d7f9a2c4e6b8d0f1a";
        let config = |lines: &str| {
            let text = format!(
                "[[source]]\nname = \"s\"\nkind = \"json\"\nurl = \"http://h/\"\nbearer = \"{KEY}\"\n{lines}"
            );
            config::parse("p".as_ref(), &text, &|_| None).unwrap().sources.remove(0)
        };
        let value = |lines: &str| format!("[source.values.x]\npointer = \"/x\"\n{lines}");
        let bodies = [
            format!(r#"{{"x":"{KEY}"}}"#),
            format!(r#"{{"x":"key {KEY} is unknown"}}"#),
            format!(r#"{{"x":"the token of the request was {KEY}"}}"#),
        ];
        for lines in [
            value("unit = \"%\"\n"),
            value("unit = \"%\"\nrequired = true\n"),
            value("type = \"text\"\n"),
            value("type = \"bool\"\n"),
            value("map = { on = 1 }\n"),
            value("observed_at = { pointer = \"/x\", format = \"rfc3339\" }\n"),
            value(
                "observed_at = { pointer = \"/x\", format = \"%Y-%m-%d %H\", timezone = \"UTC\" }\n",
            ),
            format!("observed_at = {{ pointer = \"/x\", format = \"http\" }}\n{}", value("")),
            format!("observed_at = {{ pointer = \"/x\", format = \"age\" }}\n{}", value("")),
        ] {
            let source = config(&lines);
            let secrets = Secrets::of(&source);
            for body in &bodies {
                let at = Timestamp::UNIX_EPOCH;
                let result =
                    interpret(&source, &secrets, &mut Settling::default(), body.as_bytes(), at);
                let shown = format!("{result:?}");
                assert!(shown.contains("[secret]"), "{lines}: {shown}");
                assert!(!shown.contains(&KEY[..4]), "{lines}: {shown}");
            }
        }
    }
}
