//! Replies of a mail server (RFC 5321 4.2), of bounded size.

use std::fmt;

/// Longest line of a reply, bytes. RFC 5321 4.5.3.1.5 allows 512.
const MAX_LINE: usize = 2048;

/// Most lines of a reply.
const MAX_LINES: usize = 100;

/// Most characters of a reply that are shown.
const MAX_SHOWN: usize = 200;

/// Reply to a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    /// Code of three digits.
    pub(super) code: u16,
    /// Text of each line.
    pub(super) lines: Vec<String>,
}

/// Bytes of a server are no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum ReplyError {
    /// A line is too long.
    #[error("the server sent a line of more than {MAX_LINE} bytes")]
    LongLine,
    /// There are too many lines.
    #[error("the server sent a reply of more than {MAX_LINES} lines")]
    ManyLines,
    /// A line has no code, or another one than the line before it.
    #[error("the server sent something else than a reply of SMTP")]
    Malformed,
}

impl Reply {
    /// Returns true for a failure that may pass.
    pub(super) fn is_transient(&self) -> bool {
        (400..500).contains(&self.code)
    }

    /// Returns true if a reply that rejects a mail is about its size (5.3.4) or its form (5.6), which no later attempt
    /// changes. Others are about the sender, the recipient, their quotas or a policy (RFC 3463 3). Without an enhanced
    /// status code, the code alone decides (RFC 5321 4.2.3).
    pub(super) fn is_about_content(&self) -> bool {
        match self.enhanced_code() {
            Some(code) => code == "5.3.4" || code.starts_with("5.6."),
            None => matches!(self.code, 552 | 554),
        }
    }

    /// Returns the enhanced status code (RFC 3463), with which the text begins.
    fn enhanced_code(&self) -> Option<&str> {
        let first = self.lines.first()?;
        first.split(' ').next().filter(|word| is_enhanced_code(word))
    }
}

/// Shows the code and the text in one line. An enhanced status code is the begin of the text.
impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Each line of a reply repeats the enhanced status code (RFC 2034 4).
        let first = self.lines.first().map_or("", String::as_str);
        let code = self.enhanced_code();
        let rest = self.lines.iter().skip(1).map(|line| {
            let rest = code.and_then(|code| line.strip_prefix(code));
            rest.unwrap_or(line).trim()
        });
        let text = std::iter::once(first).chain(rest).collect::<Vec<_>>().join(" ");
        let text = crate::text::one_line(text.as_bytes(), MAX_SHOWN);
        match text.is_empty() {
            true => write!(f, "{}", self.code),
            false => write!(f, "{} {text}", self.code),
        }
    }
}

fn is_enhanced_code(word: &str) -> bool {
    let parts: Vec<&str> = word.split('.').collect();
    let is_number = |part: &&str| {
        (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    parts.len() == 3 && parts.iter().all(is_number)
}

/// Assembles replies from what is received.
#[derive(Debug, Default)]
pub(super) struct Replies {
    received: Vec<u8>,
    lines: Vec<String>,
    code: Option<u16>,
}

impl Replies {
    /// Adds what was received.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.received.extend_from_slice(bytes);
    }

    /// Returns true if nothing was received beyond the last reply.
    pub(super) fn is_empty(&self) -> bool {
        self.received.is_empty() && self.lines.is_empty()
    }

    /// Returns the next reply, or `None` before its last line was received.
    pub(super) fn next(&mut self) -> Result<Option<Reply>, ReplyError> {
        while let Some(end) = self.received.iter().position(|byte| *byte == b'\n') {
            if end > MAX_LINE {
                return Err(ReplyError::LongLine);
            }
            let line: Vec<u8> = self.received.drain(..=end).collect();
            let line = line.strip_suffix(b"\n").unwrap_or(&line);
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if self.add(line)? {
                let code = self.code.take().ok_or(ReplyError::Malformed)?;
                return Ok(Some(Reply { code, lines: std::mem::take(&mut self.lines) }));
            }
        }
        if self.received.len() > MAX_LINE { Err(ReplyError::LongLine) } else { Ok(None) }
    }

    /// Adds a line. Returns true if it is the last one of its reply.
    fn add(&mut self, line: &[u8]) -> Result<bool, ReplyError> {
        let (code, rest) = line.split_at_checked(3).ok_or(ReplyError::Malformed)?;
        let is_code = matches!(code[0], b'2'..=b'5') && code.iter().all(u8::is_ascii_digit);
        if !is_code {
            return Err(ReplyError::Malformed);
        }
        let code = code.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
        let (is_last, text) = match rest.split_first() {
            None => (true, rest),
            Some((b' ', text)) => (true, text),
            Some((b'-', text)) => (false, text),
            Some(_) => return Err(ReplyError::Malformed),
        };
        if self.code.is_some_and(|earlier| earlier != code) {
            return Err(ReplyError::Malformed);
        }
        if self.lines.len() == MAX_LINES {
            return Err(ReplyError::ManyLines);
        }
        self.code = Some(code);
        self.lines.push(String::from_utf8_lossy(text).into_owned());
        Ok(is_last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(bytes: &[u8]) -> Result<Option<String>, ReplyError> {
        let mut replies = Replies::default();
        // Byte by byte, as a server that drips sends it.
        for byte in bytes {
            replies.push(&[*byte]);
            if let Some(reply) = replies.next()? {
                return Ok(Some(reply.to_string()));
            }
        }
        Ok(None)
    }

    #[test]
    fn reply_is_assembled_from_its_lines() {
        for (bytes, expected) in [
            (&b"220 mail.test\r\n"[..], Ok(Some("220 mail.test"))),
            (b"250\r\n", Ok(Some("250"))),
            (b"250 ok\n", Ok(Some("250 ok"))),
            (
                b"250-mail.test\r\n250-SIZE 1\r\n250 AUTH PLAIN\r\n",
                Ok(Some("250 mail.test SIZE 1 AUTH PLAIN")),
            ),
            (b"550-5.7.1 You may\r\n550 5.7.1 not\r\n", Ok(Some("550 5.7.1 You may not"))),
            (b"250-mail.test\r\n250-SI", Ok(None)),
            (b"250-a\r\n251 b\r\n", Err(ReplyError::Malformed)),
            (b"HTTP/1.1 400 Bad Request\r\n", Err(ReplyError::Malformed)),
            (b"150 x\r\n", Err(ReplyError::Malformed)),
            (b"2500 x\r\n", Err(ReplyError::Malformed)),
            (b"\r\n", Err(ReplyError::Malformed)),
            (b"550 \x1b[31mno\xff\r\n", Ok(Some("550  [31mno\u{fffd}"))),
        ] {
            assert_eq!(parsed(bytes), expected.map(|reply| reply.map(str::to_owned)), "{bytes:?}");
        }
    }

    #[test]
    fn endless_line_and_endless_reply_are_refused() {
        assert_eq!(parsed(&[b'2'; MAX_LINE + 10]), Err(ReplyError::LongLine));
        assert_eq!(parsed(&b"250-x\r\n".repeat(MAX_LINES + 1)), Err(ReplyError::ManyLines));
        let mut replies = Replies::default();
        replies.push(&[&b"250 "[..], &[b'x'; MAX_LINE], b"\r\n"].concat());
        assert_eq!(replies.next(), Err(ReplyError::LongLine));
    }

    #[test]
    fn bytes_behind_a_reply_are_noticed() {
        let mut replies = Replies::default();
        replies.push(b"220 go ahead\r\n250-x");
        assert!(replies.next().unwrap().is_some());
        assert!(!replies.is_empty());
        assert_eq!(replies.next(), Ok(None));
        assert!(!replies.is_empty());
    }
}
