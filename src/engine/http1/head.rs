//! Head of a request: request line and header fields (RFC 9112 2 to 5).
//!
//! The head is parsed once its terminating CR LF CR LF has arrived. Before that, the complete lines
//! of an incomplete head are checked, so that a malformed one is refused without waiting for its
//! end. The result does not depend on how the network cuts the bytes.
//!
//! Parsing is strict: httparse finds the field lines, but accepts a bare LF as a line ending, so the
//! endings are checked here. A folded line, or white space before a colon, is an error (RFC 9112 5.1
//! and 5.2).

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version, header};
use memchr::{memchr, memmem, memrchr};

use super::authority::Authority;
use super::request_line::{self, RequestLine, Schemes};
use crate::message::{Request, RequestHead};
use crate::refusal::{BadRequest, Refusal};

/// Parsed head.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) method: Method,
    pub(super) target: Uri,
    pub(super) version: Version,
    pub(super) headers: HeaderMap,
}

impl<'a> From<&'a Head> for RequestHead<'a> {
    fn from(head: &'a Head) -> RequestHead<'a> {
        let Head { method, target, headers, .. } = head;
        RequestHead { method, target, headers }
    }
}

impl From<Request> for Head {
    fn from(request: Request) -> Head {
        let Request { method, target, version, headers, .. } = request;
        Head { method, target, version, headers }
    }
}

/// Limits of a head, and the schemes of its connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct HeadLimits {
    /// `max_header_bytes`.
    pub(super) bytes: usize,
    /// `max_headers`.
    pub(super) fields: usize,
    pub(super) schemes: Schemes,
}

/// Finder of the head at the front of an input that grows. It stores its position, so that a head
/// that arrives byte by byte is searched once.
#[derive(Debug, Default)]
pub(super) struct HeadReader {
    /// Number of bytes that were searched for the terminator.
    searched: usize,
    /// Number of bytes in empty lines before the head.
    skipped: usize,
}

impl HeadReader {
    /// Splits the head off the front of `input`; `None` if it is incomplete.
    pub(super) fn read(
        &mut self,
        input: &mut BytesMut,
        limits: HeadLimits,
    ) -> Result<Option<Head>, Refusal> {
        self.skip_empty_lines(input);
        if self.skipped > limits.bytes {
            return Err(Refusal::HeadTooLarge);
        }
        let window = &input[..input.len().min(limits.bytes)];
        // The terminator may begin in the bytes that were searched before.
        let from = self.searched.saturating_sub(3).min(window.len());
        if let Some(found) = memmem::find(&window[from..], b"\r\n\r\n") {
            let head = input.split_to(from + found + 4).freeze();
            *self = HeadReader::default();
            return parse(&head, limits).map(Some);
        }
        // Only complete lines are checked: the result for a part would depend on the cut.
        let unchecked = self.searched.min(window.len());
        if let Some(at) = memrchr(b'\n', &window[unchecked..]) {
            check_lines(&Bytes::copy_from_slice(&window[..=unchecked + at]), limits)?;
        }
        self.searched = window.len();
        if input.len() < limits.bytes {
            return Ok(None);
        }
        match memchr(b'\n', window) {
            Some(_) => Err(Refusal::HeadTooLarge),
            None => Err(request_line::refuse_endless(window)),
        }
    }

    /// Skips empty lines before a request line (RFC 9112 2.2). They count against the head's limit,
    /// so that a client cannot send them without end.
    fn skip_empty_lines(&mut self, input: &mut BytesMut) {
        while input.starts_with(b"\r\n") {
            input.advance(2);
            self.skipped += 2;
            self.searched = 0;
        }
    }
}

/// Checks the complete lines of an incomplete head.
fn check_lines(lines: &Bytes, limits: HeadLimits) -> Result<(), Refusal> {
    let (_, fields) = parse_request_line(lines, limits.schemes)?;
    with_fields(limits.fields, |room| {
        match httparse::parse_headers(&fields, room).map_err(refusal_of)? {
            httparse::Status::Partial => Ok(()),
            // Terminated with a bare LF, as the window contains no CR LF CR LF.
            httparse::Status::Complete(_) => Err(BadRequest::LineEnding.into()),
        }
    })
}

/// Parses a complete head, which contains CR LF CR LF at its end only.
fn parse(head: &Bytes, limits: HeadLimits) -> Result<Head, Refusal> {
    let (line, section) = parse_request_line(head, limits.schemes)?;
    with_fields(limits.fields, |room| {
        let fields = match httparse::parse_headers(&section, room).map_err(refusal_of)? {
            httparse::Status::Complete((length, fields)) if length == section.len() => fields,
            _ => return Err(BadRequest::LineEnding.into()),
        };
        if memchr::memchr_iter(b'\n', &section).any(|at| at == 0 || section[at - 1] != b'\r') {
            return Err(BadRequest::LineEnding.into());
        }
        let RequestLine { method, target, version, authority } = line;
        let mut headers = HeaderMap::with_capacity(fields.len());
        for field in fields {
            let name =
                HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| BadRequest::FieldName)?;
            let value = HeaderValue::from_maybe_shared(section.slice_ref(field.value))
                .map_err(|_| Refusal::BadRequest(BadRequest::FieldValue))?;
            headers.append(name, value);
        }
        check_host(version, &headers)?;
        if let Some(authority) = authority {
            headers.insert(header::HOST, authority);
        }
        Ok(Head { method, target, version, headers })
    })
}

/// Parses the first line of a head. Returns it with the bytes of the lines behind it.
fn parse_request_line(lines: &Bytes, schemes: Schemes) -> Result<(RequestLine, Bytes), Refusal> {
    let feed = memchr(b'\n', lines).ok_or(BadRequest::LineEnding)?;
    let line = match lines[..feed].strip_suffix(b"\r") {
        Some(line) => lines.slice_ref(line),
        None => return Err(BadRequest::LineEnding.into()),
    };
    Ok((RequestLine::parse(&line, schemes)?, lines.slice(feed + 1..)))
}

/// Calls `with` with room for `max_fields` fields: on the stack for the default limit and below.
fn with_fields<'head, T>(
    max_fields: usize,
    with: impl FnOnce(&mut [httparse::Header<'head>]) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    const ON_STACK: usize = 100;
    if max_fields <= ON_STACK {
        let mut fields: [httparse::Header<'head>; ON_STACK] = [httparse::EMPTY_HEADER; ON_STACK];
        with(&mut fields[..max_fields])
    } else {
        with(&mut vec![httparse::EMPTY_HEADER; max_fields])
    }
}

fn refusal_of(error: httparse::Error) -> Refusal {
    match error {
        httparse::Error::TooManyHeaders => Refusal::HeadTooLarge,
        httparse::Error::NewLine => Refusal::BadRequest(BadRequest::LineEnding),
        httparse::Error::HeaderValue => Refusal::BadRequest(BadRequest::FieldValue),
        // The others concern start lines, which httparse does not see, or field names.
        _ => Refusal::BadRequest(BadRequest::FieldName),
    }
}

/// Requires exactly one well-formed Host field in HTTP/1.1, and at most one in HTTP/1.0 (RFC 9112
/// 3.2). An empty one is valid: the target may have no authority.
fn check_host(version: Version, headers: &HeaderMap) -> Result<(), Refusal> {
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if version == Version::HTTP_10 => Ok(()),
        (None, _) => Err(BadRequest::MissingHost.into()),
        (Some(_), Some(_)) => Err(BadRequest::RepeatedHost.into()),
        (Some(host), None) if host.is_empty() => Ok(()),
        (Some(host), None) => match Authority::parse(host.as_bytes()) {
            Ok(_) => Ok(()),
            Err(_) => Err(BadRequest::Host.into()),
        },
    }
}
