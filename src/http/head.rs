//! Request heads: where one ends, what it says, and which ones are refused.
//!
//! RFC 9112 sections 2 to 5, read strictly: a line ends with CR LF and nothing else, a
//! folded line or a space before a colon is an error, and so is anything that two parsers
//! could read in two ways.

use ::http::uri::Authority;
use ::http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, Version, header};
use bytes::{Buf, Bytes, BytesMut};
use memchr::{memmem, memrchr};

use super::message::{Refusal, Request, RequestHead};

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

/// How much a head may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct HeadLimits {
    pub(super) bytes: usize,
    pub(super) fields: usize,
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
            return parse(&head, limits.fields).map(Some);
        }
        // Nothing is gained by waiting for the rest of what is already wrong. Only whole lines
        // are looked at, as what is said of half a line would depend on where it was cut.
        let news = self.searched.min(window.len());
        if let Some(at) = memrchr(b'\n', &window[news..]) {
            probe(&window[..=news + at], limits.fields)?;
        }
        self.searched = window.len();
        if input.len() >= limits.bytes { Err(Refusal::HeadTooLarge) } else { Ok(None) }
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

/// Looks for errors in a head that is not whole.
fn probe(window: &[u8], max_fields: usize) -> Result<(), Refusal> {
    with_fields(max_fields, |fields| {
        let mut request = httparse::Request::new(fields);
        match request.parse(window).map_err(refusal_of)? {
            httparse::Status::Partial => Ok(()),
            // Whole by bare line feeds, as there is no CR LF CR LF in the window.
            httparse::Status::Complete(_) => Err(BARE_LINE_FEED),
        }
    })
}

/// Parses a whole head, which ends with the only CR LF CR LF in it.
fn parse(head: &Bytes, max_fields: usize) -> Result<Head, Refusal> {
    with_fields(max_fields, |fields| {
        let mut request = httparse::Request::new(fields);
        match request.parse(head).map_err(refusal_of)? {
            httparse::Status::Complete(length) if length == head.len() => {}
            _ => return Err(BARE_LINE_FEED),
        }
        if memchr::memchr_iter(b'\n', head).any(|at| at == 0 || head[at - 1] != b'\r') {
            return Err(BARE_LINE_FEED);
        }
        let method = request.method.unwrap_or_default();
        let method = Method::from_bytes(method.as_bytes())
            .map_err(|_| Refusal::Malformed("The method is not a token."))?;
        let target = head.slice_ref(request.path.unwrap_or_default().as_bytes());
        let target = target_of(&method, target)?;
        let version = match request.version {
            Some(0) => Version::HTTP_10,
            _ => Version::HTTP_11,
        };
        let mut headers = HeaderMap::with_capacity(request.headers.len());
        for field in request.headers.iter() {
            let name = HeaderName::from_bytes(field.name.as_bytes())
                .map_err(|_| Refusal::Malformed("A header field's name is not a token."))?;
            let value =
                HeaderValue::from_maybe_shared(head.slice_ref(field.value)).map_err(|_| {
                    Refusal::Malformed("A header field's value holds a control character.")
                })?;
            headers.append(name, value);
        }
        check_host(version, &headers)?;
        Ok(Head { method, target, version, headers })
    })
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
        httparse::Error::Version => Refusal::Version,
        httparse::Error::HeaderName => Refusal::Malformed("A header field's name is malformed."),
        httparse::Error::HeaderValue => Refusal::Malformed("A header field's value is malformed."),
        httparse::Error::NewLine => BARE_LINE_FEED,
        httparse::Error::Token | httparse::Error::Status => {
            Refusal::Malformed("The request line is malformed.")
        }
    }
}

/// Checks the form of the target (RFC 9112 3.2).
fn target_of(method: &Method, target: Bytes) -> Result<Uri, Refusal> {
    const MALFORMED: Refusal = Refusal::Malformed("The request target is malformed.");
    let asterisk = target.as_ref() == b"*";
    let origin_form = target.starts_with(b"/");
    let uri = Uri::from_maybe_shared(target).map_err(|_| MALFORMED)?;
    let well_formed = if *method == Method::CONNECT {
        uri.scheme().is_none() && uri.authority().is_some()
    } else if asterisk {
        *method == Method::OPTIONS
    } else {
        origin_form || uri.scheme().is_some()
    };
    if well_formed { Ok(uri) } else { Err(MALFORMED) }
}

/// Exactly one well-formed Host in HTTP/1.1, at most one before (RFC 9112 3.2).
fn check_host(version: Version, headers: &HeaderMap) -> Result<(), Refusal> {
    let mut hosts = headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if version == Version::HTTP_10 => Ok(()),
        (None, _) => Err(Refusal::Malformed("HTTP/1.1 requires a Host header field.")),
        (Some(_), Some(_)) => Err(Refusal::Malformed("There is more than one Host header field.")),
        (Some(host), None) if host.is_empty() => Ok(()),
        (Some(host), None) => match Authority::try_from(host.as_bytes()) {
            Ok(authority) if !authority.as_str().contains('@') => Ok(()),
            _ => Err(Refusal::Malformed("The Host header field is malformed.")),
        },
    }
}
