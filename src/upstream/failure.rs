//! What a failure of the HTTP client means, in the kinds that the API tells.
//!
//! Messages are for the public: they never hold an address beyond a host name,
//! since a path or a query may be a credential.

use std::io;
use std::time::Duration;

use rustix::io::Errno;

use super::resolve::ResolveError;
use crate::board::{ErrorKind, PollError};
use crate::outbound::ConnectError;

/// Returns true if the exchange failed for want of threads, descriptors or memory here. It says nothing
/// about the server then.
pub(crate) fn is_own_shortage(error: &ureq::Error) -> bool {
    match error {
        ureq::Error::Io(error) => is_shortage(error),
        ureq::Error::Other(other) => {
            match (other.downcast_ref::<ResolveError>(), other.downcast_ref::<ConnectError>()) {
                (Some(ResolveError::NoThread(_)), _) => true,
                (Some(ResolveError::Failed(error)), _) => is_shortage(error),
                (_, Some(error)) => error.failures().iter().any(is_shortage),
                _ => false,
            }
        }
        _ => false,
    }
}

fn is_shortage(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM))
}

/// The kind and the message of a client's error in an exchange with that total bound.
pub(crate) fn of(error: ureq::Error, timeout: Duration) -> PollError {
    use ureq::Error;
    let (kind, message) = match error {
        Error::Timeout(_) => (ErrorKind::Timeout, late(timeout)),
        Error::HostNotFound => (ErrorKind::Dns, "the host name has no address".to_owned()),
        Error::Other(other) => match other.downcast::<ResolveError>() {
            Ok(error) => (ErrorKind::Dns, error.to_string()),
            Err(other) => match other.downcast::<ConnectError>() {
                Ok(error) if error.timed_out() => {
                    (ErrorKind::Timeout, format!("{}: {error}", late(timeout)))
                }
                Ok(error) => (ErrorKind::Connect, error.to_string()),
                Err(_) => (ErrorKind::Connect, "the connection failed".to_owned()),
            },
        },
        Error::Io(error) => return of_io(error, timeout),
        Error::ConnectionFailed | Error::BodyStalled => {
            (ErrorKind::Connect, "the connection failed".to_owned())
        }
        Error::Rustls(error) => (ErrorKind::Tls, error.to_string()),
        Error::Tls(message) => (ErrorKind::Tls, message.to_owned()),
        Error::TlsRequired => (ErrorKind::Tls, "the connection is not encrypted".to_owned()),
        Error::BodyExceedsLimit(limit) => {
            (ErrorKind::TooLarge, format!("the body is larger than {} KiB", limit / 1024))
        }
        Error::LargeResponseHeader(_, limit) => {
            (ErrorKind::TooLarge, format!("the head is larger than {} KiB", limit / 1024))
        }
        Error::Protocol(_) => (ErrorKind::Http, "the answer breaks the HTTP protocol".to_owned()),
        // The rest is about the request, whose address must not be shown.
        _ => (ErrorKind::Http, "the request cannot be made".to_owned()),
    };
    PollError::new(kind, message)
}

fn of_io(error: io::Error, timeout: Duration) -> PollError {
    if matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock) {
        return PollError::new(ErrorKind::Timeout, late(timeout));
    }
    // rustls reports a refused handshake through the stream that it works on.
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(tls) => PollError::new(ErrorKind::Tls, tls.to_string()),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            PollError::new(ErrorKind::Connect, "the connection was closed early")
        }
        None => PollError::new(ErrorKind::Connect, error.to_string()),
    }
}

fn late(timeout: Duration) -> String {
    format!("no complete answer within {} s", timeout.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shortage_of_this_process_is_told_apart_from_failures_of_the_server() {
        let resolve = |error: ResolveError| ureq::Error::Other(Box::new(error));
        let of = |errno: Errno| io::Error::from(errno);
        for (error, expected) in [
            (resolve(ResolveError::NoThread(of(Errno::AGAIN))), true),
            (resolve(ResolveError::Failed(of(Errno::MFILE))), true),
            (ureq::Error::Io(of(Errno::MFILE)), true),
            (ureq::Error::Io(of(Errno::NFILE)), true),
            (resolve(ResolveError::Unanswered), false),
            (resolve(ResolveError::Failed(io::Error::other("no such name"))), false),
            (ureq::Error::Io(of(Errno::CONNREFUSED)), false),
            (ureq::Error::Io(of(Errno::AGAIN)), false),
            (ureq::Error::HostNotFound, false),
        ] {
            assert_eq!(is_own_shortage(&error), expected, "{error:?}");
        }
    }

    #[test]
    fn every_failure_has_its_kind_and_shows_no_address() {
        let secret = "https://host.test/s/secret?token=secret";
        let tls = rustls::Error::InvalidCertificate(rustls::CertificateError::Expired);
        let io = |kind: io::ErrorKind| ureq::Error::Io(kind.into());
        for (error, kind) in [
            (ureq::Error::Timeout(ureq::Timeout::Global), ErrorKind::Timeout),
            (io(io::ErrorKind::TimedOut), ErrorKind::Timeout),
            (io(io::ErrorKind::ConnectionRefused), ErrorKind::Connect),
            (io(io::ErrorKind::ConnectionReset), ErrorKind::Connect),
            (io(io::ErrorKind::UnexpectedEof), ErrorKind::Connect),
            (ureq::Error::ConnectionFailed, ErrorKind::Connect),
            (ureq::Error::HostNotFound, ErrorKind::Dns),
            (ureq::Error::Other(Box::new(ResolveError::Busy)), ErrorKind::Dns),
            (ureq::Error::Other("else".into()), ErrorKind::Connect),
            (ureq::Error::Rustls(tls.clone()), ErrorKind::Tls),
            (ureq::Error::Io(io::Error::new(io::ErrorKind::InvalidData, tls)), ErrorKind::Tls),
            (ureq::Error::BodyExceedsLimit(1024), ErrorKind::TooLarge),
            (ureq::Error::LargeResponseHeader(9, 1), ErrorKind::TooLarge),
            (ureq::Error::BadUri(secret.into()), ErrorKind::Http),
            (ureq::Error::RequireHttpsOnly(secret.into()), ErrorKind::Http),
        ] {
            let name = format!("{error:?}");
            let failure = of(error, Duration::from_millis(1500));
            assert_eq!(failure.kind, kind, "{name}");
            assert!(!failure.message.contains("secret"), "{name}");
            assert!(!failure.message.is_empty(), "{name}");
        }
        assert_eq!(late(Duration::from_millis(1500)), "no complete answer within 1.5 s");
    }
}
