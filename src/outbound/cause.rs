//! Cause of a failed exchange, by what has to be mended: the server, the TLS of either side, the lookup of
//! the name, the way to the server, or this process.
//!
//! A restart of the server cures the first two only.

use std::io;

use jiff::Timestamp;
use rustix::io::Errno;
use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError};

use super::connect_error::ConnectError;
use super::proxy::ProxyError;
use super::resolve::ResolveError;
use super::trust_error::is_untrusted;

/// Cause of a failed exchange.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// The server, as far as this side can see: it is silent, breaks off, or sends no HTTP.
    Server,
    /// No process listens at the address.
    Refused,
    /// This process had no thread, descriptor or memory for the exchange, which says nothing about the
    /// server.
    LocalShortage,
    /// The host name could not be looked up.
    Lookup,
    /// There is no socket at the path.
    NoSocket,
    /// This user may not connect to the address.
    Permission,
    /// This machine has no route to the address.
    Route,
    /// The response is larger than this client reads.
    TooLarge,
    /// The request cannot be made of the address.
    Request,
    /// The TLS handshake failed, although the server answers.
    Tls(TlsFault),
}

/// Reason why a server that answers fails the TLS handshake.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsFault {
    /// The certificate has expired.
    Expired {
        /// End of its validity.
        not_after: Option<Timestamp>,
    },
    /// The certificate is not valid yet.
    NotYetValid {
        /// Start of its validity.
        not_before: Option<Timestamp>,
    },
    /// The certificate is for other names.
    OtherName {
        /// Names and addresses that it is for.
        names: Vec<String>,
    },
    /// No trusted authority has signed the certificate.
    Untrusted,
    /// The certificate cannot be used for another reason.
    Invalid,
    /// The two sides have no version, cipher suite or name in common, or the server demands a certificate.
    Refused,
}

impl Cause {
    /// Returns the cause of a client's error.
    pub(super) fn of(error: &ureq::Error) -> Cause {
        use ureq::Error;
        match error {
            Error::Io(error) => Cause::of_io(error),
            Error::HostNotFound => Cause::Lookup,
            Error::Rustls(error) => Cause::of_tls(error),
            Error::Tls(_) => Cause::Tls(TlsFault::Refused),
            Error::BodyExceedsLimit(_) => Cause::TooLarge,
            Error::BadUri(_) | Error::Http(_) | Error::RequireHttpsOnly(_) => Cause::Request,
            Error::Other(other) => {
                match (other.downcast_ref::<ResolveError>(), other.downcast_ref::<ConnectError>()) {
                    (Some(error), _) => Cause::of_lookup(error),
                    (_, Some(error)) => Cause::of_attempts(error),
                    _ => match other.downcast_ref::<ProxyError>() {
                        Some(ProxyError::Unreachable(error)) => Cause::of(error),
                        _ => Cause::Server,
                    },
                }
            }
            _ => Cause::Server,
        }
    }

    fn of_lookup(error: &ResolveError) -> Cause {
        match error {
            ResolveError::NoThread(_) => Cause::LocalShortage,
            ResolveError::Failed(error) if is_shortage(error) => Cause::LocalShortage,
            ResolveError::NoHost => Cause::Request,
            _ => Cause::Lookup,
        }
    }

    /// Returns the cause of attempts that all failed. The server is to blame if an attempt reached it, or
    /// got no answer.
    fn of_attempts(error: &ConnectError) -> Cause {
        let causes: Vec<Cause> = error.failures().iter().map(Cause::of_io).collect();
        if causes.contains(&Cause::LocalShortage) {
            return Cause::LocalShortage;
        }
        match causes.first() {
            _ if error.timed_out() || causes.contains(&Cause::Server) => Cause::Server,
            _ if causes.contains(&Cause::Refused) => Cause::Refused,
            Some(first) => first.clone(),
            None => Cause::Server,
        }
    }

    fn of_io(error: &io::Error) -> Cause {
        // rustls reports a failed handshake through the stream that it works on.
        if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
            return Cause::of_tls(tls);
        }
        if is_shortage(error) {
            return Cause::LocalShortage;
        }
        match Errno::from_io_error(error) {
            Some(Errno::CONNREFUSED) => Cause::Refused,
            Some(Errno::NOENT | Errno::NOTDIR) => Cause::NoSocket,
            Some(Errno::ACCESS | Errno::PERM) => Cause::Permission,
            Some(
                Errno::NETUNREACH
                | Errno::HOSTUNREACH
                | Errno::NETDOWN
                | Errno::ADDRNOTAVAIL
                | Errno::AFNOSUPPORT,
            ) => Cause::Route,
            _ => Cause::Server,
        }
    }

    fn of_tls(error: &rustls::Error) -> Cause {
        use rustls::Error;
        match error {
            Error::InvalidCertificate(error) => Cause::Tls(TlsFault::of(error)),
            Error::PeerIncompatible(_)
            | Error::NoCertificatesPresented
            | Error::UnsupportedNameType
            | Error::NoApplicationProtocol => Cause::Tls(TlsFault::Refused),
            Error::AlertReceived(alert) if is_refusal(*alert) => Cause::Tls(TlsFault::Refused),
            // Another protocol, a record that is broken, or a defect of the server.
            _ => Cause::Server,
        }
    }
}

/// Returns true for an alert by which a server that works refuses this client (RFC 8446 6.2).
fn is_refusal(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::HandshakeFailure
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::ProtocolVersion
            | AlertDescription::InsufficientSecurity
            | AlertDescription::UnrecognisedName
            | AlertDescription::CertificateRequired
            | AlertDescription::NoApplicationProtocol
    )
}

impl TlsFault {
    fn of(error: &CertificateError) -> TlsFault {
        match error {
            CertificateError::Expired => TlsFault::Expired { not_after: None },
            CertificateError::ExpiredContext { not_after, .. } => {
                TlsFault::Expired { not_after: timestamp(*not_after) }
            }
            CertificateError::NotValidYet => TlsFault::NotYetValid { not_before: None },
            CertificateError::NotValidYetContext { not_before, .. } => {
                TlsFault::NotYetValid { not_before: timestamp(*not_before) }
            }
            CertificateError::NotValidForName => TlsFault::OtherName { names: Vec::new() },
            CertificateError::NotValidForNameContext { presented, .. } => TlsFault::OtherName {
                names: presented.iter().filter_map(|name| bare_name(name)).collect(),
            },
            error if is_untrusted(error) => TlsFault::Untrusted,
            _ => TlsFault::Invalid,
        }
    }
}

/// Returns the name in rustls's form of it, `DnsName("a.example")` or `IpAddress(192.0.2.7)`.
fn bare_name(presented: &str) -> Option<String> {
    let dns = presented.strip_prefix("DnsName(\"").and_then(|name| name.strip_suffix("\")"));
    let address = || presented.strip_prefix("IpAddress(")?.strip_suffix(')');
    dns.or_else(address).map(|name| crate::text::clean(name).into_owned())
}

fn timestamp(time: UnixTime) -> Option<Timestamp> {
    Timestamp::from_second(i64::try_from(time.as_secs()).ok()?).ok()
}

fn is_shortage(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::OtherError;
    use rustls::pki_types::ServerName;

    use super::*;

    fn io(errno: Errno) -> io::Error {
        io::Error::from(errno)
    }

    fn other(error: impl std::error::Error + Send + Sync + 'static) -> ureq::Error {
        ureq::Error::Other(Box::new(error))
    }

    #[test]
    fn error_for_want_of_a_local_resource_is_a_local_shortage() {
        let resolve = |error: ResolveError| other(error);
        let proxy = |error: ureq::Error| other(ProxyError::Unreachable(error));
        for error in [
            resolve(ResolveError::NoThread(io(Errno::AGAIN).into())),
            resolve(ResolveError::Failed(io(Errno::MFILE).into())),
            ureq::Error::Io(io(Errno::MFILE)),
            ureq::Error::Io(io(Errno::NFILE)),
            proxy(ureq::Error::Io(io(Errno::MFILE))),
            proxy(resolve(ResolveError::NoThread(io(Errno::AGAIN).into()))),
        ] {
            assert_eq!(Cause::of(&error), Cause::LocalShortage, "{error:?}");
        }
        for (error, cause) in [
            (proxy(ureq::Error::Io(io(Errno::CONNREFUSED))), Cause::Refused),
            (other(ProxyError::Closed), Cause::Server),
            (resolve(ResolveError::Unanswered), Cause::Lookup),
            (resolve(ResolveError::Panicked), Cause::Lookup),
            (resolve(ResolveError::NoAddress), Cause::Lookup),
            (resolve(ResolveError::Failed(io::Error::other("no such name").into())), Cause::Lookup),
            (resolve(ResolveError::NoHost), Cause::Request),
            (ureq::Error::HostNotFound, Cause::Lookup),
            (ureq::Error::Io(io(Errno::CONNREFUSED)), Cause::Refused),
            (ureq::Error::Io(io(Errno::AGAIN)), Cause::Server),
            (ureq::Error::Io(io(Errno::NOENT)), Cause::NoSocket),
            (ureq::Error::Io(io(Errno::ACCESS)), Cause::Permission),
            (ureq::Error::BodyExceedsLimit(9), Cause::TooLarge),
        ] {
            assert_eq!(Cause::of(&error), cause, "{error:?}");
        }
    }

    #[test]
    fn attempts_blame_the_server_unless_none_could_reach_it() {
        let race = |errors: &[Errno], timed_out| ConnectError {
            addresses: errors.len() + usize::from(timed_out),
            failures: errors.iter().map(|errno| io(*errno)).collect(),
            unanswered: usize::from(timed_out),
            untried: 0,
            timed_out,
        };
        for (errors, timed_out, cause) in [
            (&[Errno::CONNREFUSED][..], false, Cause::Refused),
            (&[Errno::NETUNREACH], false, Cause::Route),
            (&[Errno::ADDRNOTAVAIL, Errno::HOSTUNREACH], false, Cause::Route),
            (&[Errno::NETUNREACH, Errno::CONNREFUSED], false, Cause::Refused),
            (&[Errno::NETUNREACH], true, Cause::Server),
            (&[], true, Cause::Server),
            (&[Errno::ACCESS], false, Cause::Permission),
            (&[Errno::NETUNREACH, Errno::MFILE], false, Cause::LocalShortage),
        ] {
            assert_eq!(Cause::of(&other(race(errors, timed_out))), cause, "{errors:?}");
        }
    }

    #[test]
    fn failed_handshake_is_a_fault_of_the_certificate_the_parameters_or_the_server() {
        use rustls::Error;
        let time =
            |seconds: u64| UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        let at = |seconds| Some(Timestamp::from_second(seconds).unwrap());
        let name = CertificateError::NotValidForNameContext {
            expected: ServerName::try_from("localhost").unwrap(),
            presented: vec!["DnsName(\"a.example\")".into(), "IpAddress(192.0.2.7)".into()],
        };
        let expired = CertificateError::ExpiredContext { time: time(9), not_after: time(7) };
        let early = CertificateError::NotValidYetContext { time: time(9), not_before: time(11) };
        let ca = CertificateError::Other(OtherError(Arc::new(webpki::Error::CaUsedAsEndEntity)));
        for (error, cause) in [
            (expired.into(), Cause::Tls(TlsFault::Expired { not_after: at(7) })),
            (early.into(), Cause::Tls(TlsFault::NotYetValid { not_before: at(11) })),
            (
                name.into(),
                Cause::Tls(TlsFault::OtherName {
                    names: vec!["a.example".to_owned(), "192.0.2.7".to_owned()],
                }),
            ),
            (CertificateError::UnknownIssuer.into(), Cause::Tls(TlsFault::Untrusted)),
            (CertificateError::BadSignature.into(), Cause::Tls(TlsFault::Untrusted)),
            (ca.into(), Cause::Tls(TlsFault::Untrusted)),
            (CertificateError::BadEncoding.into(), Cause::Tls(TlsFault::Invalid)),
            (CertificateError::Revoked.into(), Cause::Tls(TlsFault::Invalid)),
            (
                Error::AlertReceived(AlertDescription::HandshakeFailure),
                Cause::Tls(TlsFault::Refused),
            ),
            (
                Error::AlertReceived(AlertDescription::UnrecognisedName),
                Cause::Tls(TlsFault::Refused),
            ),
            (Error::AlertReceived(AlertDescription::InternalError), Cause::Server),
            (Error::InvalidMessage(rustls::InvalidMessage::InvalidContentType), Cause::Server),
            (Error::DecryptError, Cause::Server),
        ] {
            let wrapped = io::Error::new(io::ErrorKind::InvalidData, error.clone());
            assert_eq!(Cause::of(&ureq::Error::Io(wrapped)), cause, "{error:?}");
            assert_eq!(Cause::of(&ureq::Error::Rustls(error)), cause);
        }
    }
}
