//! Redacts the secrets of a source from every text that quotes its responses. An upstream may echo the request
//! in an error page, in its reason for a refusal or in a value.
//!
//! Secrets are matched anywhere, also inside a word: matching whole words only would leave `key_s3cret`.
//! A very short secret, such as the `1` of `?days=1`, would then match unrelated text, so secrets of fewer
//! than [`MIN_BYTES`] bytes are not redacted.

use std::sync::Arc;

use crate::board::{Datum, PollError, Reading};
use crate::config::Source;

/// Fewest bytes of a secret that is redacted. A shorter one can be guessed, and occurs in texts by chance.
const MIN_BYTES: usize = 4;

/// Marker at the end of a text that was shortened. A note may quote such a text and continue behind it.
pub(super) const CUT: char = '…';

const REDACTED: &str = "[secret]";

/// Secrets of one source. It has no `Debug`, so that they cannot be logged by accident.
#[derive(Default)]
pub(super) struct Secrets(Vec<String>);

impl Secrets {
    pub(super) fn of(source: &Source) -> Secrets {
        let mut forms: Vec<String> =
            source.secrets().iter().flat_map(|secret| forms(secret.expose())).collect();
        forms.retain(|form| form.len() >= MIN_BYTES);
        // Longest first: a secret that is part of another must not leave the rest of the other.
        forms.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        forms.dedup();
        Secrets(forms)
    }

    /// Redacts the secrets in a text, and the beginning of a secret before each [`CUT`].
    pub(super) fn redact(&self, mut text: String) -> String {
        // Before whole secrets are replaced, since the beginning of one may be all of another.
        if text.contains(CUT) {
            text = self.redact_cut(&text);
        }
        for secret in &self.0 {
            if text.contains(secret) {
                text = text.replace(secret, REDACTED);
            }
        }
        text
    }

    /// Redacts the beginning of a secret before each [`CUT`], the longest that any secret has there.
    fn redact_cut(&self, text: &str) -> String {
        let mut parts = text.split(CUT);
        let last = parts.next_back().unwrap_or_default();
        let mut redacted = String::new();
        for part in parts {
            let rests = self.0.iter().filter_map(|secret| without_partial(part, secret));
            match rests.min_by_key(|rest| rest.len()) {
                Some(rest) => redacted.extend([rest, REDACTED]),
                None => redacted.push_str(part),
            }
            redacted.push(CUT);
        }
        redacted + last
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

/// Returns the forms that a secret may have in a response: plain, and as a JSON string with and without
/// escaped slashes.
fn forms(secret: &str) -> [String; 3] {
    let json = serde_json::Value::from(secret).to_string();
    let json = json[1..json.len() - 1].to_owned();
    [secret.to_owned(), json.replace('/', r"\/"), json]
}

/// Removes the beginning of a secret from the end of a text; `None` if the text does not end with one.
fn without_partial<'a>(text: &'a str, secret: &str) -> Option<&'a str> {
    let lengths = (MIN_BYTES..secret.len()).rev().filter(|length| secret.is_char_boundary(*length));
    lengths.map(|length| &secret[..length]).find_map(|partial| text.strip_suffix(partial))
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
