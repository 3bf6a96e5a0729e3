//! Classification of a probe: healthy, unresponsive, or misconfigured.
//!
//! A restart cures a server that is silent, refuses connections, breaks off, sends garbage or reports
//! itself unwell. It cures neither a certificate, nor a name, nor a clock, nor an address that was given
//! wrongly. These are faults that raise an alarm, whose text names the cause and the remedy.

use jiff::Timestamp;

use super::alarm::AlarmKind;
use super::plan::{OwnCertificate, Plan};
use super::probed::{Probed, Way};
use crate::certificates::listed;
use crate::kernel::clock::MIN_TIME;
use crate::outbound::{Cause, Failure, FailureKind, Response, TlsFault};
use crate::text::one_line;
use crate::timestamp::Rfc3339;

/// Longest text of a response in a message, characters.
const MAX_REASON: usize = 400;

/// Beginning of the remedy for an address that this machine does not have or reach, in the words of the server.
pub(super) const LATE_ADDRESS: &str =
    "if this one comes by DHCP, Wi-Fi or IPv6 there is nothing to do, else correct";

/// Verdict on one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It answered with success.
    Healthy,
    /// The server does not answer, or reports itself unwell: a restart may cure that.
    Unresponsive,
    /// The server answers, or would, but not to this probe: a restart cures nothing.
    Misconfigured {
        /// Kind of the alarm to raise.
        kind: AlarmKind,
        /// True if the server has answered, which shows that it is alive.
        answered: bool,
    },
    /// This process could not probe, so nothing is known about the server.
    NotProbed,
}

/// Outcome of the probe of one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Address that was probed.
    pub target: String,
    /// Verdict.
    pub verdict: Verdict,
    /// One line for people: the target and its status, or what is wrong and what helps.
    pub text: String,
}

impl Outcome {
    /// Returns the kind of the alarm to raise.
    pub(super) fn kind(&self) -> Option<AlarmKind> {
        match self.verdict {
            Verdict::Misconfigured { kind, .. } => Some(kind),
            Verdict::Healthy | Verdict::Unresponsive | Verdict::NotProbed => None,
        }
    }
}

/// Classifies the response to a probe, or its failure.
pub(super) fn classify(
    probed: &Probed,
    plan: &Plan,
    result: &Result<Response, Failure>,
    now: Timestamp,
) -> Outcome {
    let target = probed.to_string();
    let (verdict, text) = match result {
        Ok(response) => of_response(probed, plan, response),
        Err(failure) => of_failure(probed, plan, failure, now),
    };
    let separator = if text.starts_with("answered ") { "" } else { ":" };
    Outcome { verdict, text: format!("{target}{separator} {text}"), target }
}

fn answered(kind: AlarmKind) -> Verdict {
    Verdict::Misconfigured { kind, answered: true }
}

fn of_response(probed: &Probed, plan: &Plan, response: &Response) -> (Verdict, String) {
    let status = response.status;
    let host = probed.host().unwrap_or_default();
    let (kind, remedy) = match status {
        200..300 => return (Verdict::Healthy, format!("answered {status}")),
        300..400 => {
            let location = response.location.as_deref().unwrap_or("nowhere");
            let location = location.split(['?', '#']).next().unwrap_or_default();
            let to = one_line(location.as_bytes(), MAX_REASON);
            let text = format!(
                "answered {status}, a redirect to {to}: probe the address to which it leads, \
                 or a page that is not redirected"
            );
            return (answered(AlarmKind::Redirect), text);
        }
        401 | 403 => (
            AlarmKind::Forbidden,
            "it demands an account, which a probe has not: probe /healthz, and have a proxy in \
             front let it pass"
                .to_owned(),
        ),
        404 | 410 => (
            AlarmKind::NotFound,
            "there is no such page: another server has the address, or the path is wrong; \
             /healthz exists on every pumphouse-web"
                .to_owned(),
        ),
        421 => (
            AlarmKind::Misdirected,
            match (&probed.way, &plan.file) {
                (Way::Listener { .. }, Some(file)) => format!(
                    "the server does not answer for {host}: it has not loaded \"names\" of {}: send HUP to it, \
                 and read its log",
                    file.display()
                ),
                _ => format!(
                    "the server does not answer for {host}: add it to \"names\" in [server], or probe \
                 by a name that is listed there"
                ),
            },
        ),
        400..500 => (AlarmKind::Rejected, "it rejects the probe: check its address".to_owned()),
        _ => {
            let reason = one_line(&response.body, MAX_REASON);
            let separator = if reason.is_empty() { "" } else { ": " };
            return (Verdict::Unresponsive, format!("answered {status}{separator}{reason}"));
        }
    };
    (answered(kind), format!("answered {status}: {remedy}"))
}

fn of_failure(
    probed: &Probed,
    plan: &Plan,
    failure: &Failure,
    now: Timestamp,
) -> (Verdict, String) {
    let not_reached = |kind| Verdict::Misconfigured { kind, answered: false };
    let (verdict, remedy) = match &failure.cause {
        // A server that was not started yet, or has ended, has no socket.
        Cause::Server | Cause::Refused | Cause::NoSocket => {
            return (Verdict::Unresponsive, failure.to_string());
        }
        Cause::LocalShortage => {
            let text = format!("not probed, as this process lacks a resource: {failure}");
            return (Verdict::NotProbed, text);
        }
        Cause::Tls(fault) => {
            let (kind, text) = of_tls(probed, plan, fault, failure, now);
            return (answered(kind), text);
        }
        Cause::Lookup => (
            not_reached(AlarmKind::NameLookup),
            "correct the host of the address, or the name service of this machine",
        ),
        Cause::Permission => (
            not_reached(AlarmKind::Permission),
            "run this command as a user who may connect, such as that of the server",
        ),
        Cause::Route => {
            let text =
                format!("{failure}; {LATE_ADDRESS} the address, or the network of this machine");
            return (not_reached(AlarmKind::Route), text);
        }
        Cause::TooLarge => {
            (answered(AlarmKind::Rejected), "probe a page with a short response, such as /healthz")
        }
        Cause::Request => (not_reached(AlarmKind::Rejected), "correct the address"),
    };
    (verdict, format!("{failure}; {remedy}"))
}

fn of_tls(
    probed: &Probed,
    plan: &Plan,
    fault: &TlsFault,
    failure: &Failure,
    now: Timestamp,
) -> (AlarmKind, String) {
    let shown = Rfc3339(now);
    let is_clock_unset = now.as_second() < MIN_TIME;
    let date = |at: &Option<Timestamp>| match at {
        Some(at) => Rfc3339(*at).to_string(),
        None => "another day".to_owned(),
    };
    match fault {
        TlsFault::Expired { .. } | TlsFault::NotYetValid { .. } if is_clock_unset => (
            AlarmKind::Clock,
            format!(
                "the clock of this machine shows {shown}, so no certificate can be verified: set \
                 it, by NTP if possible"
            ),
        ),
        TlsFault::Expired { not_after } => {
            let text = format!(
                "the certificate expired on {}, and the clock of this machine shows {shown}: {}",
                date(not_after),
                renewal(probed, plan, now)
            );
            (AlarmKind::CertificateExpired, text)
        }
        TlsFault::NotYetValid { not_before } => {
            let text = format!(
                "the certificate is valid from {}, and the clock of this machine shows {shown}: \
                 set the clock if that is wrong, else make a new certificate",
                date(not_before)
            );
            (AlarmKind::CertificateNotYetValid, text)
        }
        TlsFault::OtherName { names } => (AlarmKind::CertificateName, other_name(probed, names)),
        TlsFault::Untrusted => (AlarmKind::CertificateUntrusted, untrusted(probed, plan)),
        TlsFault::Invalid => {
            let text =
                format!("the certificate cannot be used: {}; make a new one", reason(failure));
            (AlarmKind::CertificateInvalid, text)
        }
        TlsFault::Refused => {
            let text = format!(
                "the TLS handshake is refused: {}; check that the host of the address is a name \
                 of the server, and that the server allows TLS 1.2 or 1.3 without a certificate \
                 of the client",
                reason(failure)
            );
            (AlarmKind::Tls, text)
        }
    }
}

/// Returns the remedy for an expired certificate.
fn renewal(probed: &Probed, plan: &Plan, now: Timestamp) -> String {
    let renewed = plan.own.iter().find(|own| own.validity.end.at > now);
    match (&probed.way, renewed) {
        (Way::Listener { .. }, Some(OwnCertificate { file, validity })) => format!(
            "{} is valid until {}, but the server has not loaded it: send HUP to the server and read its \
             log",
            file.display(),
            Rfc3339(validity.end.at)
        ),
        _ => "renew it, a self-signed one by `pumphouse-web cert --renew`; if it is that of an issuer, use the full \
              chain that the authority offers now. The server loads renewed files within a minute"
            .to_owned(),
    }
}

fn untrusted(probed: &Probed, plan: &Plan) -> String {
    match (&probed.way, plan.own.first()) {
        (Way::Listener { .. }, Some(own)) => format!(
            "the server presents another certificate than {}, and no authority of the system has signed \
             it: send HUP to the server if the file was renewed, else check whether another program has \
             the port",
            own.file.display()
        ),
        _ => "no trusted authority has signed the certificate: give that of the server, or its \
              authority's, by --ca FILE"
            .to_owned(),
    }
}

/// Returns the message of a failure, without the words with which rustls begins it.
fn reason(failure: &Failure) -> &str {
    debug_assert_eq!(failure.kind, FailureKind::Tls);
    failure.message.strip_prefix("invalid peer certificate: ").unwrap_or(&failure.message)
}

/// Returns `the certificate is for pumphouse.example, not localhost: …`.
fn other_name(probed: &Probed, names: &[String]) -> String {
    let host = probed.host().unwrap_or_default();
    let listed = listed(names);
    let make = format!("make a certificate with --name {}", host.trim_matches(['[', ']']));
    let by_name = names.iter().find(|name| !name.starts_with('*'));
    match (names, by_name.and_then(|name| probed.url_by(name))) {
        ([], _) => format!("the certificate is for no host at all, so not for {host}: {make}"),
        (_, Some(url)) => {
            format!("the certificate is for {listed}, not {host}: probe {url} or {make}")
        }
        (_, None) => format!("the certificate is for {listed}, not {host}: {make}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbound::tls;

    fn localhost() -> Probed {
        let target = "https://localhost:6443".parse().unwrap();
        let resolver = crate::outbound::ThreadedResolver::system();
        Probed { target, way: Way::Url(resolver), tls: tls::trusting(&[]) }
    }

    #[test]
    fn names_of_a_certificate_beyond_the_first_eight_are_counted() {
        let names = |count| -> Vec<String> { (0..count).map(|n| format!("*.h{n}")).collect() };
        for (count, expected) in [
            (8, "*.h6, *.h7, not localhost"),
            (9, "*.h6, *.h7 and 1 more, not localhost"),
            (100, "*.h6, *.h7 and 92 more, not localhost"),
        ] {
            let text = other_name(&localhost(), &names(count));
            assert!(text.contains(expected), "{text}");
        }
    }

    #[test]
    fn certificate_cannot_be_verified_by_a_clock_that_was_never_set() {
        let probed = localhost();
        let early = TlsFault::NotYetValid { not_before: Some(Timestamp::now()) };
        let expired = TlsFault::Expired { not_after: None };
        for (fault, now, expected) in [
            (&early, 12, AlarmKind::Clock),
            (&expired, 12, AlarmKind::Clock),
            (&early, MIN_TIME, AlarmKind::CertificateNotYetValid),
            (&expired, MIN_TIME, AlarmKind::CertificateExpired),
        ] {
            let failure = Failure {
                kind: FailureKind::Tls,
                message: "bad".to_owned(),
                cause: Cause::Tls(fault.clone()),
            };
            let now = Timestamp::from_second(now).unwrap();
            let outcome = classify(&probed, &Plan::default(), &Err(failure), now);
            assert_eq!(outcome.verdict, answered(expected), "{}", outcome.text);
            assert!(outcome.text.contains(&Rfc3339(now).to_string()), "{}", outcome.text);
        }
    }
}
