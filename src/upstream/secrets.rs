//! A source's secrets, struck out of all that is told of its answers: a service may echo what
//! it was asked, in an error page, in its own reason for a refusal or in a value.
//!
//! They are looked for wherever they stand, also within a word, as nobody knows what an upstream
//! puts around them. That is safe only for texts that do not turn up by chance: what has fewer
//! than [`LEAST`] bytes stays. The other rule that would spare the `1` of `?days=1`, to look at
//! whole words only, would let `key_s3cret` pass, and still spoil each lone 1.

use std::sync::Arc;

use crate::board::{Datum, PollError, Reading};
use crate::config::Kind;

/// Bytes of a secret at least. Shorter ones can be guessed, and stand in texts by chance.
const LEAST: usize = 4;

/// Stands at the end of a text of which more was there.
pub(super) const CUT: char = '…';

const STRUCK_OUT: &str = "[secret]";

/// What must not be shown of one source. Not to be printed itself.
#[derive(Default)]
pub(super) struct Secrets(Vec<String>);

impl Secrets {
    pub(super) fn of(kind: &Kind) -> Secrets {
        let mut forms: Vec<String> =
            kind.secrets().iter().flat_map(|secret| forms(secret.expose())).collect();
        forms.retain(|form| form.len() >= LEAST);
        // A secret that is part of another must not leave the rest of it behind.
        forms.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        forms.dedup();
        Secrets(forms)
    }

    /// The text without them; nor with the beginning of one where it was [`CUT`].
    pub(super) fn strike_out(&self, mut text: String) -> String {
        // Of what was cut first, as the beginning of one may be the whole of another.
        if let Some(whole) = text.strip_suffix(CUT)
            && let Some(rest) = self.0.iter().find_map(|secret| without_begun(whole, secret))
        {
            text = format!("{rest}{STRUCK_OUT}{CUT}");
        }
        for secret in &self.0 {
            if text.contains(secret) {
                text = text.replace(secret, STRUCK_OUT);
            }
        }
        text
    }

    pub(super) fn strike_out_of_error(&self, error: PollError) -> PollError {
        PollError { message: self.strike_out(error.message), ..error }
    }

    pub(super) fn strike_out_of_reading(&self, mut reading: Reading) -> Reading {
        let clean = |text: &mut Arc<str>| *text = self.strike_out(text.to_string()).into();
        for (_, value) in &mut reading.values {
            if let Some(Datum::Text(text)) = &mut value.datum {
                clean(text);
            }
            value.note.as_mut().map(clean);
        }
        reading
    }
}

/// How a secret may be written in an answer: as it is, and in JSON with and without the
/// slashes that some programs escape.
fn forms(secret: &str) -> [String; 3] {
    let json = serde_json::Value::from(secret).to_string();
    let json = json[1..json.len() - 1].to_owned();
    [secret.to_owned(), json.replace('/', r"\/"), json]
}

/// The text without the beginning of the secret that it ends with.
fn without_begun<'a>(text: &'a str, secret: &str) -> Option<&'a str> {
    let lengths = (LEAST..secret.len()).rev().filter(|length| secret.is_char_boundary(*length));
    lengths.map(|length| &secret[..length]).find_map(|begun| text.strip_suffix(begun))
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
        Secrets::of(&source.kind)
    }

    #[test]
    fn secrets_are_struck_out_in_every_form() {
        let secrets = secrets();
        for (text, told) in [
            ("level 1 of 11", "level 1 of 11"),
            ("bad key s3%2Fcret, s3/cret", "bad key [secret], [secret]"),
            (r#"{"key":"s3\/cret"}"#, r#"{"key":"[secret]"}"#),
            (r#"{"p":"s3cret\"Password"}"#, r#"{"p":"[secret]"}"#),
            // printf 'me:s3cret"Password' | base64
            ("Basic bWU6czNjcmV0IlBhc3N3b3Jk", "Basic [secret]"),
            ("x_s3cretkey1, Token s3cretkey", "x_[secret]1, [secret]"),
            ("s3cretkeyandmore", "[secret]"),
            ("cut in the middle of s3cretkeyan…", "cut in the middle of [secret]…"),
            ("cut in the middle of s3cretk", "cut in the middle of s3cretk"),
            ("", ""),
        ] {
            assert_eq!(secrets.strike_out(text.to_owned()), told);
        }
    }

    #[test]
    fn readings_and_errors_are_told_without_them() {
        let secrets = secrets();
        let note =
            |text: &str| Value { note: Some(text.into()), ..Value::number(1.0, Unit::Percent) };
        let of = |values: [Value; 3]| Reading {
            observed: Observed { at: jiff::Timestamp::UNIX_EPOCH, inferred: false },
            values: values.map(|value| ("v".into(), value)).into(),
        };
        let echoed = [Value::text("key s3cretkey"), note("for s3cretkey"), note("for all")];
        let clean = [Value::text("key [secret]"), note("for [secret]"), note("for all")];
        assert_eq!(secrets.strike_out_of_reading(of(echoed)), of(clean));
        let error = PollError::new(ErrorKind::Http, "refused: s3cretkey");
        assert_eq!(secrets.strike_out_of_error(error).message, "refused: [secret]");
    }
}
