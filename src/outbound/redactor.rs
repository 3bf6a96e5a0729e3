//! Redacts secrets from every text that quotes a server's responses. A server may echo the request in an error page,
//! in its reason for a refusal or in a value.
//!
//! Secrets are matched anywhere, also inside a word: matching whole words only would leave `key_s3cret`.
//! A very short secret, such as the `1` of `?days=1`, would then match unrelated text, so secrets of fewer
//! than [`MIN_BYTES`] bytes are not redacted.

use crate::order;

/// Fewest bytes of a secret that is redacted. A shorter one can be guessed, and occurs in texts by chance.
const MIN_BYTES: usize = 4;

/// Marker at the end of a text that was shortened. A note may quote such a text and continue behind it.
pub(crate) const CUT: char = '…';

const REDACTED: &str = "[secret]";

/// Secrets of the requests to a server. It has no `Debug`, so that they cannot be logged by accident.
#[derive(Default)]
pub(crate) struct Redactor(Vec<String>);

impl Redactor {
    /// Returns a redactor of these secrets.
    pub(crate) fn of<'a>(secrets: impl IntoIterator<Item = &'a str>) -> Redactor {
        Redactor::of_forms(secrets.into_iter().flat_map(forms).collect())
    }

    fn of_forms(mut forms: Vec<String>) -> Redactor {
        forms.retain(|form| form.len() >= MIN_BYTES);
        // Longest first: a secret that is part of another must not leave the rest of the other.
        order::sort_by(&mut forms, |a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        forms.dedup();
        Redactor(forms)
    }

    /// Redacts the secrets in a text, and the beginning of a secret before each [`CUT`].
    pub(crate) fn redact(&self, mut text: String) -> String {
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
