//! Size line of a chunk: `chunk-size [ chunk-ext ]` (RFC 9112 7.1 and 7.1.1).

use memchr::memchr;

use crate::refusal::{BadRequest, Refusal};

/// Parsed size line. Extensions are checked and dropped: none has a meaning to this server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ChunkLine {
    pub(super) size: usize,
    /// Number of bytes beyond the digits that the size needs: leading zeros and extensions.
    pub(super) overhead: usize,
}

impl ChunkLine {
    /// Parses a line without its ending. The size consists of hexadecimal digits only: lenient number
    /// parsers also accept a sign, a space or `0x`.
    pub(super) fn parse(line: &[u8]) -> Result<ChunkLine, Refusal> {
        let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let (digits, extensions) = line.split_at(digits);
        if digits.is_empty() {
            return Err(BadRequest::ChunkSize.into());
        }
        check_extensions(extensions)?;
        let zeros = digits.iter().take_while(|digit| **digit == b'0').count();
        let significant = &digits[zeros..];
        if significant.len() > 2 * size_of::<usize>() {
            return Err(Refusal::BodyTooLarge);
        }
        let value = |digit: &u8| (*digit as char).to_digit(16).unwrap_or(0) as usize;
        let size = significant.iter().fold(0, |size, digit| (size << 4) | value(digit));
        // The only zero of the last chunk is its size.
        let needed = significant.len().max(1);
        Ok(ChunkLine { size, overhead: line.len() - needed })
    }
}

/// Parses `*( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )` (RFC 9112 7.1.1).
fn check_extensions(mut rest: &[u8]) -> Result<(), Refusal> {
    while !rest.is_empty() {
        let name = skip_space(rest).strip_prefix(b";").ok_or(BadRequest::ChunkExtension)?;
        rest = skip_token(skip_space(name))?;
        if let Some(value) = skip_space(rest).strip_prefix(b"=") {
            let value = skip_space(value);
            rest = match value.strip_prefix(b"\"") {
                Some(quoted) => skip_quoted(quoted)?,
                None => skip_token(value)?,
            };
        }
    }
    Ok(())
}

/// Skips `*( SP / HTAB )`.
fn skip_space(text: &[u8]) -> &[u8] {
    let spaces = text.iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    &text[spaces..]
}

/// Skips `token` (RFC 9110 5.6.2).
fn skip_token(text: &[u8]) -> Result<&[u8], Refusal> {
    let is_token =
        |byte: &&u8| byte.is_ascii_alphanumeric() || memchr(**byte, b"!#$%&'*+-.^_`|~").is_some();
    match text.iter().take_while(is_token).count() {
        0 => Err(BadRequest::ChunkExtension.into()),
        length => Ok(&text[length..]),
    }
}

/// Skips the rest of a `quoted-string` behind its opening quote (RFC 9110 5.6.4).
fn skip_quoted(mut rest: &[u8]) -> Result<&[u8], Refusal> {
    let is_text = |byte: u8| byte == b'\t' || (byte >= b' ' && byte != 0x7f);
    loop {
        rest = match rest {
            [b'"', rest @ ..] => return Ok(rest),
            [b'\\', quoted, rest @ ..] if is_text(*quoted) => rest,
            [byte, rest @ ..] if *byte != b'\\' && is_text(*byte) => rest,
            _ => return Err(BadRequest::ChunkExtension.into()),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_lines_of_the_grammar_are_parsed() {
        for (line, size, overhead) in [
            (&b"0"[..], 0, 0),
            (b"000", 0, 2),
            (b"5", 5, 0),
            (b"00aF", 0xaf, 2),
            (b"FFFFFFFFFFFFFFFF", usize::MAX, 0),
            (b"3;a", 3, 2),
            (b"3;a=b", 3, 4),
            (b"3 ;a=b", 3, 5),
            (b"3\t; a \t= b", 3, 9),
            (b"3;a;b=c ;d", 3, 9),
            (b"3;a=\"\"", 3, 5),
            (b"3;a=\"; =\\\"\\\\\t\xe9\"", 3, 14),
            (b"3;a=\"b\" ; c", 3, 10),
            (b"3;!#$%&'*+-.^_`|~=1", 3, 18),
        ] {
            let shown = String::from_utf8_lossy(line);
            assert_eq!(ChunkLine::parse(line), Ok(ChunkLine { size, overhead }), "{shown}");
        }
    }

    #[test]
    fn size_lines_beyond_the_grammar_are_refused() {
        for line in [&b""[..], b" 5", b"+5", b"-5", b";a", b"g", b"\t5", b"\"5\"", b"\xb5"] {
            let shown = String::from_utf8_lossy(line);
            assert_eq!(ChunkLine::parse(line), Err(BadRequest::ChunkSize.into()), "{shown}");
        }
        for line in [
            &b"3 "[..],
            b"3\t",
            b"0x3",
            b"3_0",
            b"3,a",
            b"3 a",
            b"3;",
            b"3 ; ",
            b"3;;a",
            b"3;a ",
            b"3;a=b ",
            b"3;a;",
            b"3;=b",
            b"3;a=",
            b"3;a==b",
            b"3;a=b=c",
            b"3;a b",
            b"3;a\0",
            b"3;\x7f",
            b"3;a\xe9",
            b"3;a=\xe9",
            b"3;a=b\x01",
            b"3;a:b",
            b"3;\"a\"",
            b"3;a=\"",
            b"3;a=\"b",
            b"3;a=\"b\\",
            b"3;a=\"b\\\"",
            b"3;a=\"b\"c",
            b"3;a=\"\0\"",
            b"3;a=\"\x7f\"",
            b"3;a=\"\\\0\"",
            b"3;a='b c'",
        ] {
            let shown = String::from_utf8_lossy(line);
            assert_eq!(ChunkLine::parse(line), Err(BadRequest::ChunkExtension.into()), "{shown}");
        }
        assert_eq!(ChunkLine::parse(b"10000000000000000"), Err(Refusal::BodyTooLarge));
        assert!(ChunkLine::parse(&[b'0'; 200]).is_ok());
    }
}
