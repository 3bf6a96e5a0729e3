//! Excerpt of a response that could not be decoded, for the log.

use super::secrets::{CUT, Secrets};
use crate::text::clean;

/// Most characters of an excerpt.
const LENGTH: usize = 160;

/// Returns the beginning of a body as one quoted line of printable characters. The source's secrets are
/// redacted, since an upstream may echo the request.
pub(super) fn of(body: &[u8], secrets: &Secrets) -> String {
    // Longer than the excerpt, since runs of spaces are collapsed below.
    let start = &body[..body.len().min(16 * LENGTH)];
    let mut text = String::from_utf8_lossy(start).into_owned();
    if start.len() < body.len() {
        text.push(CUT);
    }
    let text = secrets.redact(text);
    let text = clean(&text);
    // U+FFFD stands for bytes that are not UTF-8 and for hidden characters.
    let is_space = |c: char| c.is_whitespace() || c == '\u{fffd}';
    let words = text.split(is_space).filter(|word| !word.is_empty());
    let line = words.collect::<Vec<_>>().join(" ");
    let mut shown: String = line.chars().take(LENGTH).collect();
    if shown.len() < line.len() {
        shown.push(CUT);
    }
    format!("{shown:?}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    #[test]
    fn excerpt_is_one_line_without_secrets() {
        let config = r#"
            [[source]]
            name = "a"
            kind = "ambient"
            api_key = "s3cretkey"
            application_key = "s3cretapp"
        "#;
        let source = config::parse("p".as_ref(), config, &|_| None).unwrap().sources.remove(0);
        let secrets = Secrets::of(&source);
        for (body, shown) in [
            (&b"<html>\n <h1>Down\x1b[31m</h1>"[..], r#""<html> <h1>Down [31m</h1>""#),
            ("a\u{9b}31m\u{202e}b".as_bytes(), r#""a 31m b""#),
            (b"", r#""""#),
            (b"no such key s3cretkey, or s3cretapp", r#""no such key [secret], or [secret]""#),
            (b"\xff\xfe", r#""""#),
        ] {
            assert_eq!(of(body, &secrets), shown);
        }
        let long = of("é".repeat(500).as_bytes(), &secrets);
        assert_eq!(long.chars().count(), LENGTH + 3);
        // The byte limit cuts the secret, and collapsing the spaces brings its beginning into the excerpt.
        let cut = [&b" ".repeat(16 * LENGTH - 6)[..], b"s3cretkey"].concat();
        assert_eq!(of(&cut, &secrets), r#""[secret]…""#);
    }
}
