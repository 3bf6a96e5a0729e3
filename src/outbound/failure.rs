//! Failures of the HTTP client, by kind, with a message that is fit for the public.
//!
//! A message never holds an address beyond a host name, since a path or a query may be a credential.

use std::io;
use std::time::Duration;

use super::cause::Cause;
use super::connect_error::ConnectError;
use super::proxy::ProxyError;
use super::resolve::ResolveError;
use super::tls::UntrustedIssuer;
use crate::text::clean;

/// Kind of a failed exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::Display)]
#[strum(serialize_all = "snake_case")]
pub enum FailureKind {
    /// The total deadline passed.
    Timeout,
    /// The host name could not be resolved.
    Dns,
    /// No connection could be made, or it broke.
    Connect,
    /// The TLS handshake failed, or the certificate was rejected.
    Tls,
    /// The response breaks the HTTP protocol, or the request cannot be made.
    Http,
    /// The head or the body of the response exceeded its cap.
    TooLarge,
}

/// Failed exchange. The message is one line for people and holds no secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {message}")]
pub struct Failure {
    /// Kind of the failure.
    pub kind: FailureKind,
    /// One line for people.
    pub message: String,
    /// Fault to mend.
    pub cause: Cause,
}

impl Failure {
    /// Converts an error of the client in an exchange with that total bound.
    pub(crate) fn new(error: ureq::Error, timeout: Duration) -> Failure {
        let cause = Cause::of(&error);
        let (kind, message) = describe(error, timeout);
        // A peer's text in it is cleaned of hidden characters.
        Failure { kind, message: clean(&message).into_owned(), cause }
    }
}

/// Returns the kind and the message of an error.
fn describe(error: ureq::Error, timeout: Duration) -> (FailureKind, String) {
    use ureq::Error;
    match error {
        Error::Timeout(_) => (FailureKind::Timeout, timeout_message(timeout)),
        Error::HostNotFound => (FailureKind::Dns, "the host name has no address".to_owned()),
        Error::Other(other) => match other.downcast::<ResolveError>() {
            Ok(error) => (FailureKind::Dns, error.to_string()),
            Err(other) => match other.downcast::<ConnectError>() {
                Ok(error) if error.timed_out() => {
                    (FailureKind::Timeout, format!("{}: {error}", timeout_message(timeout)))
                }
                Ok(error) => (FailureKind::Connect, error.to_string()),
                Err(other) => match other.downcast::<ProxyError>() {
                    Ok(error) => describe_proxy(*error, timeout),
                    Err(other) => match other.downcast::<UntrustedIssuer>() {
                        Ok(error) => (FailureKind::Tls, error.to_string()),
                        Err(_) => (FailureKind::Connect, "the connection failed".to_owned()),
                    },
                },
            },
        },
        Error::Io(error) => describe_io(error, timeout),
        Error::ConnectionFailed | Error::BodyStalled => {
            (FailureKind::Connect, "the connection failed".to_owned())
        }
        Error::Rustls(error) => (FailureKind::Tls, error.to_string()),
        Error::Tls(message) => (FailureKind::Tls, message.to_owned()),
        Error::TlsRequired => (FailureKind::Tls, "the connection is not encrypted".to_owned()),
        Error::BodyExceedsLimit(limit) => {
            (FailureKind::TooLarge, format!("the body is larger than {} KiB", limit / 1024))
        }
        Error::LargeResponseHeader(_, limit) => {
            (FailureKind::TooLarge, format!("the head is larger than {} KiB", limit / 1024))
        }
        Error::Protocol(_) => {
            (FailureKind::Http, "the response violates the HTTP protocol".to_owned())
        }
        // The rest is about the request, whose address must not be shown.
        _ => (FailureKind::Http, "the request cannot be made".to_owned()),
    }
}

fn describe_proxy(error: ProxyError, timeout: Duration) -> (FailureKind, String) {
    match error {
        ProxyError::Unreachable(error) => {
            let (kind, message) = describe(error, timeout);
            (kind, format!("the proxy cannot be reached: {message}"))
        }
        error => (FailureKind::Connect, error.to_string()),
    }
}

fn describe_io(error: io::Error, timeout: Duration) -> (FailureKind, String) {
    if matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock) {
        return (FailureKind::Timeout, timeout_message(timeout));
    }
    // rustls reports a failed handshake through the stream that it works on.
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(tls) => (FailureKind::Tls, tls.to_string()),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            (FailureKind::Connect, "the connection was closed early".to_owned())
        }
        None => (FailureKind::Connect, error.to_string()),
    }
}

fn timeout_message(timeout: Duration) -> String {
    format!("no complete response within {} s", timeout.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_has_its_kind_and_a_message_without_an_address() {
        let secret = "https://host.test/s/secret?token=secret";
        let tls = rustls::Error::InvalidCertificate(rustls::CertificateError::Expired);
        let io = |kind: io::ErrorKind| ureq::Error::Io(kind.into());
        for (error, kind) in [
            (ureq::Error::Timeout(ureq::Timeout::Global), FailureKind::Timeout),
            (io(io::ErrorKind::TimedOut), FailureKind::Timeout),
            (io(io::ErrorKind::ConnectionRefused), FailureKind::Connect),
            (io(io::ErrorKind::ConnectionReset), FailureKind::Connect),
            (io(io::ErrorKind::UnexpectedEof), FailureKind::Connect),
            (ureq::Error::ConnectionFailed, FailureKind::Connect),
            (ureq::Error::HostNotFound, FailureKind::Dns),
            (ureq::Error::Other(Box::new(ResolveError::Panicked)), FailureKind::Dns),
            (ureq::Error::Other("else".into()), FailureKind::Connect),
            (ureq::Error::Rustls(tls.clone()), FailureKind::Tls),
            (ureq::Error::Io(io::Error::new(io::ErrorKind::InvalidData, tls)), FailureKind::Tls),
            (ureq::Error::BodyExceedsLimit(1024), FailureKind::TooLarge),
            (ureq::Error::LargeResponseHeader(9, 1), FailureKind::TooLarge),
            (ureq::Error::BadUri(secret.into()), FailureKind::Http),
            (ureq::Error::RequireHttpsOnly(secret.into()), FailureKind::Http),
        ] {
            let name = format!("{error:?}");
            let failure = Failure::new(error, Duration::from_millis(1500));
            assert_eq!(failure.kind, kind, "{name}");
            assert!(!failure.message.contains("secret"), "{name}");
            assert!(!failure.message.is_empty(), "{name}");
        }
        assert_eq!(
            timeout_message(Duration::from_millis(1500)),
            "no complete response within 1.5 s"
        );
    }
}
