//! The last complete line of newline-delimited JSON, one document a line.

use serde_json::Value as Json;

use super::super::decode::{self, DecodeError};

/// Parses the last line that is not blank. If it has no line feed and is not JSON, it is still being written,
/// and the line before it is the last complete one.
pub(super) fn last_line(body: &[u8]) -> Result<Json, DecodeError> {
    let lines = body.rsplit(|byte| *byte == b'\n');
    let mut lines = lines.filter(|line| !line.trim_ascii().is_empty());
    let last = decode::json(lines.next().unwrap_or_default());
    let is_terminated = body[body.trim_ascii_end().len()..].contains(&b'\n');
    match (last, lines.next()) {
        (Err(_), Some(before)) if !is_terminated => decode::json(before),
        (last, _) => last,
    }
    .map_err(|error| DecodeError::new(format!("in the last line, {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn last_complete_line_is_read() {
        for (body, read) in [
            ("{\"a\":1}\n{\"a\":2}\n", Some("{\"a\":2}")),
            ("{\"a\":1}\r\n{\"a\":2}\r\n\r\n", Some("{\"a\":2}")),
            ("{\"a\":1}\n{\"a\":2}", Some("{\"a\":2}")),
            // The last line is being written.
            ("{\"a\":1}\n{\"a\":2", Some("{\"a\":1}")),
            ("{\"a\":1}\n{", Some("{\"a\":1}")),
            ("{\"a\":NaN}\n", Some("{\"a\":null}")),
            ("{\"a\":1}", Some("{\"a\":1}")),
            ("{\"a\":1}\n<html>\n", None),
            ("<html>\n{\"a\":", None),
            ("{\"a\":", None),
            ("", None),
            ("\n\n", None),
        ] {
            let last = last_line(body.as_bytes()).ok().map(|json| json.to_string());
            assert_eq!(last.as_deref(), read, "{body:?}");
        }
    }
}
