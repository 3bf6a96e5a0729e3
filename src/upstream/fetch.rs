//! One HTTP exchange with an upstream, bounded in time and memory regardless of what the upstream sends.
//!
//! | bounded | by |
//! | --- | --- |
//! | total time: name, connection, TLS, head, body, redirects | the source's `timeout` |
//! | an address that does not respond | the race of addresses ([`outbound`]) |
//! | body, before and after decompression | [`MAX_BODY`] each |
//! | head | [`outbound::agent`] |
//! | redirects | [`MAX_REDIRECTS`], within the configured origin |
//! | threads | one for each source, for lookups ([`ThreadedResolver`]) |
//!
//! Proxies in the environment are ignored: a poll goes to the configured host. Connections are not reused,
//! since the next poll is minutes away.

use std::time::{Duration, Instant, SystemTime};

use ureq::http::header::{ACCEPT_ENCODING, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use ureq::http::{HeaderName, HeaderValue, StatusCode, Uri};
use ureq::{Agent, Body};

use super::charset;
use super::content_coding::{self, CodingError};
use super::redirect;
use super::retry_after;
use super::secrets::Secrets;
use super::validators::Validators;
use crate::board::{ErrorKind, PollError};
use crate::outbound::tls::ClientTls;
use crate::outbound::{self, Failure, ThreadedResolver};

/// Most bytes of a body, before and after decompression. Pages and JSON of sensors have a few dozen KiB.
pub(super) const MAX_BODY: u64 = 1024 * 1024;

/// Most bytes of an error response that are read for the upstream's reason.
const MAX_REASON: u64 = 4 * 1024;

/// Most redirects that are followed.
const MAX_REDIRECTS: u32 = 3;

type Response = ureq::http::Response<Body>;

/// A request to an upstream.
pub(super) struct Request {
    /// URL. Never logged: it may contain a credential.
    pub(super) url: String,
    /// Further header fields.
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// Error message for a redirect, if redirects must not be followed.
    pub(super) redirect: Option<&'static str>,
    /// True if the upstream may respond 304 to the validators of the last response.
    pub(super) conditional: bool,
    /// Extracts the upstream's reason from the body of an error response.
    pub(super) reason: fn(&[u8]) -> Option<String>,
    /// Secrets to redact from errors that quote the upstream.
    pub(super) secrets: Secrets,
}

/// A successful exchange.
#[derive(Debug)]
pub(super) enum Fetched {
    /// A whole body.
    Body {
        /// The body, decompressed and in UTF-8.
        body: Vec<u8>,
        /// Validators for the next request.
        validators: Validators,
    },
    /// 304: the response with these validators is still current.
    NotModified,
}

/// A failed exchange, with the time that the upstream asked us to wait.
#[derive(Debug)]
pub(super) struct FetchError {
    pub(super) error: PollError,
    pub(super) retry_after: Option<Duration>,
}

impl From<PollError> for FetchError {
    fn from(error: PollError) -> FetchError {
        FetchError { error, retry_after: None }
    }
}

/// HTTP client of one source.
#[derive(Debug)]
pub(super) struct Fetcher {
    agent: Agent,
    timeout: Duration,
}

impl Fetcher {
    pub(super) fn new(
        timeout: Duration,
        user_agent: &str,
        tls: ClientTls,
        resolver: ThreadedResolver,
    ) -> Fetcher {
        let agent = outbound::agent(timeout, user_agent, outbound::connector(tls), resolver);
        Fetcher { agent, timeout }
    }

    /// Sends the request, with the validators of the last response if there are any. The request's secrets
    /// are redacted from errors.
    pub(super) fn fetch(
        &self,
        request: &Request,
        validators: Option<&Validators>,
    ) -> Result<Fetched, FetchError> {
        self.follow(request, validators).map_err(|FetchError { error, retry_after }| FetchError {
            error: request.secrets.redact_error(error),
            retry_after,
        })
    }

    /// Sends the request, and follows redirects until one deadline for all of them.
    fn follow(
        &self,
        request: &Request,
        validators: Option<&Validators>,
    ) -> Result<Fetched, FetchError> {
        let deadline = Instant::now() + self.timeout;
        let validators =
            validators.filter(|validators| request.conditional && !validators.is_empty());
        let invalid_url =
            |_| PollError::new(ErrorKind::Http, "the URL cannot be parsed; check \"url\"");
        let mut uri: Uri = request.url.parse().map_err(invalid_url)?;
        for hop in 0..=MAX_REDIRECTS {
            let mut response = self.exchange(request, validators, &uri, hop, deadline)?;
            let status = response.status();
            match status {
                StatusCode::NOT_MODIFIED if validators.is_some() => {
                    return Ok(Fetched::NotModified);
                }
                _ if status.is_success() => {
                    let validators = Validators::of(response.headers(), SystemTime::now());
                    let body = self.read(&mut response, MAX_BODY)?;
                    return Ok(Fetched::Body { body, validators });
                }
                StatusCode::MOVED_PERMANENTLY
                | StatusCode::FOUND
                | StatusCode::SEE_OTHER
                | StatusCode::TEMPORARY_REDIRECT
                | StatusCode::PERMANENT_REDIRECT => {
                    if let Some(message) = request.redirect {
                        return Err(PollError::new(ErrorKind::Http, message).into());
                    }
                    let location = response.headers().get(LOCATION);
                    let location = location.and_then(|location| location.to_str().ok());
                    uri = redirect::target(&uri, location.unwrap_or_default())
                        .map_err(|error| PollError::new(ErrorKind::Http, error.to_string()))?;
                }
                _ => return Err(self.status_error(request, response)),
            }
        }
        let message = format!("more than {MAX_REDIRECTS} redirects");
        Err(PollError::new(ErrorKind::Http, message).into())
    }

    /// Sends one request and returns the head of its response, with the body still to be read.
    fn exchange(
        &self,
        request: &Request,
        validators: Option<&Validators>,
        uri: &Uri,
        hop: u32,
        deadline: Instant,
    ) -> Result<Response, PollError> {
        let mut builder = self.agent.get(uri).header(ACCEPT_ENCODING, content_coding::ACCEPTED);
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        if let Some(validators) = validators {
            builder = validators.add_to(builder);
        }
        if hop > 0 {
            // The agent's timeouts restart with each exchange; this one covers all of them.
            let remaining = deadline.saturating_duration_since(Instant::now());
            builder = builder.config().timeout_global(Some(remaining)).build();
        }
        builder.call().map_err(|error| self.exchange_error(error))
    }

    /// Reads and decompresses the body, with at most `limit` bytes in either form, and converts it to UTF-8.
    fn read(&self, response: &mut Response, limit: u64) -> Result<Vec<u8>, PollError> {
        let too_large = || self.exchange_error(ureq::Error::BodyExceedsLimit(limit));
        if response.body().content_length().is_some_and(|length| length > limit) {
            return Err(too_large());
        }
        let codings = content_coding::codings(response.headers());
        let codings =
            codings.map_err(|error| PollError::new(ErrorKind::Decode, error.to_string()))?;
        let body = response.body_mut().with_config().limit(limit).read_to_vec();
        let body = body.map_err(|error| self.exchange_error(error))?;
        let body = content_coding::decode(&codings, body, limit).map_err(|error| match error {
            CodingError::TooLarge => too_large(),
            error => PollError::new(ErrorKind::Decode, error.to_string()),
        })?;
        Ok(charset::to_utf8(body, response.headers().get(CONTENT_TYPE)))
    }

    fn exchange_error(&self, error: ureq::Error) -> PollError {
        Failure::new(error, self.timeout).into()
    }

    /// Returns the error for a status other than success.
    fn status_error(&self, request: &Request, mut response: Response) -> FetchError {
        let status = response.status();
        let retry_after = response
            .headers()
            .get(RETRY_AFTER)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| retry_after::parse(value, SystemTime::now()));
        let slow_down = status == StatusCode::TOO_MANY_REQUESTS
            || (status == StatusCode::SERVICE_UNAVAILABLE && retry_after.is_some());
        let kind = if slow_down { ErrorKind::RateLimited } else { ErrorKind::Http };
        let mut message = format!("the response was {status}");
        let reason = self.read(&mut response, MAX_REASON).ok();
        if let Some(reason) = reason.and_then(|body| (request.reason)(&body)) {
            message.push_str(": ");
            message.push_str(&reason);
        }
        FetchError { error: PollError::new(kind, message), retry_after }
    }
}
