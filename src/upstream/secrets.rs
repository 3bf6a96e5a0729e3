//! Redacts the secrets of a source from every text that quotes its responses. An upstream may echo the request
//! in an error page, in its reason for a refusal or in a value.

use std::sync::Arc;

use crate::board::{Datum, PollError, Reading};
use crate::config::Source;
use crate::outbound::Redactor;

pub(super) use crate::outbound::CUT;

/// Secrets of one source. It has no `Debug`, so that they cannot be logged by accident.
#[derive(Default)]
pub(super) struct Secrets(Redactor);

impl Secrets {
    pub(super) fn of(source: &Source) -> Secrets {
        Secrets(Redactor::of(source.secrets().iter().map(|secret| secret.expose())))
    }

    /// Redacts the secrets in a text, and the beginning of a secret before each [`CUT`].
    pub(super) fn redact(&self, text: String) -> String {
        self.0.redact(text)
    }

    pub(super) fn redact_error(&self, error: PollError) -> PollError {
        PollError { message: self.redact(error.message), ..error }
    }

    pub(super) fn redact_reading(&self, mut reading: Reading) -> Reading {
        let redact = |text: &mut Arc<str>| *text = self.redact(text.to_string()).into();
        for (_, value) in &mut reading.values {
            if let Some(Datum::Text(text)) = &mut value.datum {
                redact(text);
            }
            value.note.as_mut().map(redact);
        }
        reading
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::{ErrorKind, Observed, Value};
    use crate::config;
    use crate::units::Unit;

    fn secrets() -> Secrets {
        let config = r#"
            [[source]]
            name = "a"
            kind = "json"
            url = "http://h/data?days=1&key=s3%2Fcret&long=s3cretkeyandmore"
            [source.basic]
            username = "me"
            password = "s3cret\"Password"
            [source.headers]
            x-key = "Token s3cretkey"
            [source.values.v]
            pointer = "/v"
        "#;
        let source = config::parse("p".as_ref(), config, &|_| None).unwrap().sources.remove(0);
        Secrets::of(&source)
    }

    #[test]
    fn secrets_are_redacted_in_every_form() {
        let secrets = secrets();
        for (text, redacted) in [
            ("level 1 of 11", "level 1 of 11"),
            ("bad key s3%2Fcret, s3/cret", "bad key [secret], [secret]"),
            (r#"{"key":"s3\/cret"}"#, r#"{"key":"[secret]"}"#),
            (r#"{"p":"s3cret\"Password"}"#, r#"{"p":"[secret]"}"#),
            // printf 'me:s3cret"Password' | base64
            ("Basic bWU6czNjcmV0IlBhc3N3b3Jk", "Basic [secret]"),
            ("x_s3cretkey1, Token s3cretkey", "x_[secret]1, [secret]"),
            ("s3cretkeyandmore", "[secret]"),
            ("cut in the middle of s3cretkeyan…", "cut in the middle of [secret]…"),
            (
                "sent as \"s3cretkeyan…\", which is no number",
                "sent as \"[secret]…\", which is no number",
            ),
            ("s3cretk…; s3cretkeya…", "[secret]…; [secret]…"),
            // The beginning of one secret and the end of the beginning of another.
            ("to s3cretkeyandmo…", "to [secret]…"),
            ("cut in the middle of s3cretk", "cut in the middle of s3cretk"),
            ("", ""),
        ] {
            assert_eq!(secrets.redact(text.to_owned()), redacted);
        }
    }

    #[test]
    fn readings_and_errors_are_redacted() {
        let secrets = secrets();
        let note =
            |text: &str| Value { note: Some(text.into()), ..Value::number(1.0, Unit::Percent) };
        let of = |values: [Value; 3]| Reading {
            observed: Observed::absolute(jiff::Timestamp::UNIX_EPOCH),
            values: values.map(|value| ("v".into(), value)).into(),
        };
        let echoed = [Value::text("key s3cretkey"), note("for s3cretkey"), note("for all")];
        let clean = [Value::text("key [secret]"), note("for [secret]"), note("for all")];
        assert_eq!(secrets.redact_reading(of(echoed)), of(clean));
        let error = PollError::new(ErrorKind::Http, "refused: s3cretkey");
        assert_eq!(secrets.redact_error(error).message, "refused: [secret]");
    }
}
