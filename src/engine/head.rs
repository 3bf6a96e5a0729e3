//! Request heads: where one ends, what it says, and which ones are refused.
//!
//! RFC 9112 sections 2 to 5, read strictly: a line ends with CR LF and nothing else, a
//! folded line or a space before a colon is an error, and so is anything that two parsers
//! could read in two ways.

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version, header};
use memchr::{memchr, memmem, memrchr};

use super::authority::Authority;
use super::message::{Request, RequestHead};
use super::refusal::Refusal;
use super::request_line::{self, RequestLine, Schemes};

/// The head of a request.
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

/// Limits of a head, and the schemes that its target may have.
#[derive(Debug, Clone, Copy)]
pub(super) struct HeadLimits {
    pub(super) bytes: usize,
    pub(super) fields: usize,
    pub(super) schemes: Schemes,
}

/// Finds heads at the front of a growing input. Remembers how far it has looked, so that
/// a head dripped byte by byte costs no more than its length.
#[derive(Debug, Default)]
pub(super) struct HeadReader {
    searched: usize,
    skipped: usize,
}

impl HeadReader {
    /// Takes the head off the front of `input` when it is whole; `None` when more is needed.
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
        // The terminator may straddle what was searched before.
        let from = self.searched.saturating_sub(3).min(window.len());
        if let Some(found) = memmem::find(&window[from..], b"\r\n\r\n") {
            let head = input.split_to(from + found + 4).freeze();
            *self = HeadReader::default();
            return parse(&head, limits).map(Some);
        }
        // Nothing is gained by waiting for the rest of what is already wrong. Only whole lines
        // are looked at, as what is said of half a line would depend on where it was cut.
        let news = self.searched.min(window.len());
        if let Some(at) = memrchr(b'\n', &window[news..]) {
            probe(&Bytes::copy_from_slice(&window[..=news + at]), limits)?;
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

    /// Empty lines before a request line are ignored (RFC 9112 2.2), but counted: they must
    /// not keep a worker reading.
    fn skip_empty_lines(&mut self, input: &mut BytesMut) {
        while input.starts_with(b"\r\n") {
            input.advance(2);
            self.skipped += 2;
            self.searched = 0;
        }
    }
}

/// Looks for errors in the whole lines of a head that is not whole.
fn probe(lines: &Bytes, limits: HeadLimits) -> Result<(), Refusal> {
    let (_, fields) = parse_request_line(lines, limits.schemes)?;
    with_fields(limits.fields, |room| {
        match httparse::parse_headers(&fields, room).map_err(refusal_of)? {
            httparse::Status::Partial => Ok(()),
            // Whole by bare line feeds, as there is no CR LF CR LF in the window.
            httparse::Status::Complete(_) => Err(BARE_LINE_FEED),
        }
    })
}

/// Parses a whole head, which ends with the only CR LF CR LF in it.
fn parse(head: &Bytes, limits: HeadLimits) -> Result<Head, Refusal> {
    let (line, section) = parse_request_line(head, limits.schemes)?;
    with_fields(limits.fields, |room| {
        let fields = match httparse::parse_headers(&section, room).map_err(refusal_of)? {
            httparse::Status::Complete((length, fields)) if length == section.len() => fields,
            _ => return Err(BARE_LINE_FEED),
        };
        if memchr::memchr_iter(b'\n', &section).any(|at| at == 0 || section[at - 1] != b'\r') {
            return Err(BARE_LINE_FEED);
        }
        let RequestLine { method, target, version, authority } = line;
        let mut headers = HeaderMap::with_capacity(fields.len());
        for field in fields {
            let name = HeaderName::from_bytes(field.name.as_bytes())
                .map_err(|_| Refusal::Malformed("A header field's name is not a token."))?;
            let value =
                HeaderValue::from_maybe_shared(section.slice_ref(field.value)).map_err(|_| {
                    Refusal::Malformed("A header field's value holds a control character.")
                })?;
            headers.append(name, value);
        }
        check_host(version, &headers)?;
        if let Some(authority) = authority {
            headers.insert(header::HOST, authority);
        }
        Ok(Head { method, target, version, headers })
    })
}

/// Parses the first line of a head, and returns it with the lines behind it.
fn parse_request_line(lines: &Bytes, schemes: Schemes) -> Result<(RequestLine, Bytes), Refusal> {
    let feed = memchr(b'\n', lines).ok_or(BARE_LINE_FEED)?;
    let line = match lines[..feed].strip_suffix(b"\r") {
        Some(line) => lines.slice_ref(line),
        None => return Err(BARE_LINE_FEED),
    };
    Ok((RequestLine::parse(&line, schemes)?, lines.slice(feed + 1..)))
}

const BARE_LINE_FEED: Refusal =
    Refusal::Malformed("Every line of the head must end with CR LF, and only there.");

/// Runs `with` on room for that many fields, on the stack where that is enough.
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
        httparse::Error::NewLine => BARE_LINE_FEED,
        httparse::Error::HeaderValue => Refusal::Malformed("A header field's value is malformed."),
        // The other errors are of request and status lines, which are not parsed by httparse.
        _ => Refusal::Malformed("A header field's name is malformed."),
    }
}

/// Exactly one well-formed Host in HTTP/1.1, at most one before (RFC 9112 3.2).
fn check_host(version: Version, headers: &HeaderMap) -> Result<(), Refusal> {
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if version == Version::HTTP_10 => Ok(()),
        (None, _) => Err(Refusal::Malformed("HTTP/1.1 requires a Host header field.")),
        (Some(_), Some(_)) => Err(Refusal::Malformed("There is more than one Host header field.")),
        (Some(host), None) if host.is_empty() => Ok(()),
        (Some(host), None) => match Authority::parse(host.as_bytes()) {
            Ok(_) => Ok(()),
            Err(_) => Err(Refusal::Malformed("The Host header field is malformed.")),
        },
    }
}
