//! One HTTP exchange with an upstream, bounded in time and memory regardless of what the upstream sends.
//!
//! | bounded | by |
//! | --- | --- |
//! | total time: name, connection, TLS, head, body, redirects | the source's `timeout` |
//! | an address that does not respond | the race of addresses ([`outbound`]) |
//! | body, before and after decompression | [`MAX_BODY`] each |
//! | head | [`outbound::agent`] |
//! | redirects | [`MAX_REDIRECTS`], within the configured origin |
//! | threads | one for each host whose lookup is in flight ([`ThreadedResolver`]) |
//! | memory while the upstream hangs | a few KiB, beside the thread's stack: the buffers grow with the response |
//!
//! Proxies in the environment are ignored unless the source says `proxy = "env"`: a poll goes to the configured
//! host. Connections are not reused, since the next poll is minutes away.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use ureq::http::header::{ACCEPT_ENCODING, AUTHORIZATION, CONTENT_TYPE, LOCATION, RETRY_AFTER};
use ureq::http::{HeaderName, HeaderValue, StatusCode, Uri};
use ureq::{Agent, Body, Proxy, RequestBuilder};

use super::charset;
use super::content_coding::{self, CodingError};
use super::digest::{Challenge, DigestError};
use super::redirect;
use super::secrets::Secrets;
use super::validators::Validators;
use crate::board::{ErrorKind, PollError};
use crate::config::{Login, Method, Site};
use crate::outbound::tls::ClientTls;
use crate::outbound::{self, Failure, ThreadedResolver, retry_after};
use crate::wall_clock;

/// Most bytes of a body, before and after decompression. Pages and JSON of sensors have a few dozen KiB.
pub(super) const MAX_BODY: u64 = 1024 * 1024;

/// Most bytes of an error response that are read for the upstream's reason.
const MAX_REASON: u64 = 4 * 1024;

/// Most redirects that are followed.
const MAX_REDIRECTS: u32 = 3;

/// Reason of a 407, which a proxy sends.
const PROXY_LOGIN: &str = "give a name and password, or others, in the URL of the proxy";

/// Returns the `User-Agent` of requests to upstreams, with the site's contact if it has one.
pub(crate) fn user_agent(site: &Site) -> String {
    let product = concat!("pumphouse-web/", env!("CARGO_PKG_VERSION"));
    match &site.contact {
        Some(contact) => format!("{product} ({contact})"),
        None => product.to_owned(),
    }
}

type Response = ureq::http::Response<Body>;

/// A request to an upstream.
pub(super) struct Request {
    /// Method.
    pub(super) method: Method,
    /// URL. Never logged: it may contain a credential.
    pub(super) url: String,
    /// Further header fields.
    pub(super) headers: Vec<(HeaderName, HeaderValue)>,
    /// Body, if the request has one.
    pub(super) body: Option<Vec<u8>>,
    /// Name and password for the upstream's challenges, if it is to get a digest of them.
    pub(super) digest: Option<Login>,
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
    /// Latest challenge of the upstream for a digest, which a request has answered.
    challenge: RefCell<Option<Challenge>>,
}

/// One request of several that redirects lead to.
struct Step<'a> {
    uri: Uri,
    method: Method,
    /// True until a redirect changes the method to GET.
    has_body: bool,
    validators: Option<&'a Validators>,
    deadline: Instant,
}

impl Fetcher {
    pub(super) fn new(
        timeout: Duration,
        user_agent: &str,
        tls: ClientTls,
        proxy: Option<Proxy>,
        resolver: ThreadedResolver,
    ) -> Fetcher {
        let agent = outbound::agent(timeout, user_agent, proxy, outbound::connector(tls), resolver);
        Fetcher { agent, timeout, challenge: RefCell::default() }
    }

    /// Answers this challenge of an earlier response first, so that a digest needs one exchange.
    pub(super) fn with_challenge(self, challenge: Option<Challenge>) -> Fetcher {
        Fetcher { challenge: challenge.into(), ..self }
    }

    /// Returns the challenge for the next poll.
    pub(super) fn into_challenge(self) -> Option<Challenge> {
        self.challenge.into_inner()
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
        let mut step = Step {
            uri: request.url.parse().map_err(invalid_url)?,
            method: request.method,
            has_body: true,
            validators,
            deadline,
        };
        for _ in 0..=MAX_REDIRECTS {
            let mut response = self.authenticated(request, &step)?;
            let status = response.status();
            match status {
                StatusCode::NOT_MODIFIED if validators.is_some() => {
                    return Ok(Fetched::NotModified);
                }
                _ if status.is_success() => {
                    let validators = Validators::of(response.headers(), wall_clock::system_time());
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
                    step.uri = redirect::target(&step.uri, location.unwrap_or_default())
                        .map_err(|error| PollError::new(ErrorKind::Http, error.to_string()))?;
                    if redirect::becomes_get(status, step.method) {
                        (step.method, step.has_body) = (Method::Get, false);
                    }
                }
                _ => return Err(self.status_error(request, response)),
            }
        }
        let message = format!("more than {MAX_REDIRECTS} redirects");
        Err(PollError::new(ErrorKind::Http, message).into())
    }

    /// Sends one request, and once more with a digest if the upstream asks for one.
    ///
    /// The challenge is kept for the next request. After a refusal it is not: the next request begins
    /// without a digest, so that a wrong password is tried once a poll.
    fn authenticated(&self, request: &Request, step: &Step<'_>) -> Result<Response, PollError> {
        let Some(login) = &request.digest else { return self.exchange(request, step, None) };
        let digest_error = |error: DigestError| PollError::new(ErrorKind::Http, error.to_string());
        let mut challenge = self.challenge.take();
        let digest = |challenge: &mut Challenge| {
            challenge.respond(login, step.method.as_str(), &step.uri).map_err(digest_error)
        };
        let first = challenge.as_mut().map(digest).transpose()?;
        let mut response = self.exchange(request, step, first)?;
        if response.status() == StatusCode::UNAUTHORIZED {
            let Some(mut new) = Challenge::of(response.headers()).map_err(digest_error)? else {
                return Ok(response);
            };
            // Closes its connection: a device may serve one at a time.
            drop(response);
            response = self.exchange(request, step, Some(digest(&mut new)?))?;
            challenge = Some(new);
        }
        if response.status() != StatusCode::UNAUTHORIZED {
            self.challenge.replace(challenge);
        }
        Ok(response)
    }

    /// Sends one request and returns the head of its response, with the body still to be read.
    fn exchange(
        &self,
        request: &Request,
        step: &Step<'_>,
        authorization: Option<HeaderValue>,
    ) -> Result<Response, PollError> {
        let (agent, uri) = (&self.agent, &step.uri);
        let body = request.body.as_deref().filter(|_| step.has_body);
        let sent = match (step.method, body) {
            (Method::Get, None) => prepare(agent.get(uri), request, step, authorization).call(),
            (Method::Get, Some(body)) => {
                prepare(agent.get(uri), request, step, authorization).force_send_body().send(body)
            }
            (Method::Post, body) => prepare(agent.post(uri), request, step, authorization)
                .send(body.unwrap_or_default()),
            (Method::Put, body) => {
                prepare(agent.put(uri), request, step, authorization).send(body.unwrap_or_default())
            }
        };
        sent.map_err(|error| self.exchange_error(error))
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
            .and_then(|value| retry_after::parse(value, wall_clock::system_time()));
        let slow_down = status == StatusCode::TOO_MANY_REQUESTS
            || (status == StatusCode::SERVICE_UNAVAILABLE && retry_after.is_some());
        let kind = if slow_down { ErrorKind::RateLimited } else { ErrorKind::Http };
        let mut message = format!("the response was {status}");
        let reason = match status {
            // The body is a page of the proxy.
            StatusCode::PROXY_AUTHENTICATION_REQUIRED => Some(PROXY_LOGIN.to_owned()),
            _ => self.read(&mut response, MAX_REASON).ok().and_then(|body| (request.reason)(&body)),
        };
        if let Some(reason) = reason {
            message.push_str(": ");
            message.push_str(&reason);
        }
        FetchError { error: PollError::new(kind, message), retry_after }
    }
}

/// Adds to a request what does not depend on its method.
fn prepare<T>(
    mut builder: RequestBuilder<T>,
    request: &Request,
    step: &Step<'_>,
    authorization: Option<HeaderValue>,
) -> RequestBuilder<T> {
    builder = builder.header(ACCEPT_ENCODING, content_coding::ACCEPTED);
    for (name, value) in &request.headers {
        if step.has_body || *name != CONTENT_TYPE {
            builder = builder.header(name, value);
        }
    }
    if let Some(authorization) = authorization {
        builder = builder.header(AUTHORIZATION, authorization);
    }
    if let Some(validators) = step.validators {
        builder = validators.add_to(builder);
    }
    // The agent's timeouts begin anew with each exchange; this one covers all of them.
    let remaining = step.deadline.saturating_duration_since(Instant::now());
    builder.config().timeout_global(Some(remaining)).build()
}
