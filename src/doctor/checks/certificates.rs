//! The certificates of the public listeners.

use crate::admin::scoreboard::report::{Certificate, Report as Scoreboard};
use crate::certificates::{CertificateProblem, EXPIRES_SOON_DAYS, NEW_CHAIN, listed};
use crate::doctor::finding::Finding;

const RENEW: &str =
    "renew the certificate: the server reads the renewed files within a minute, or at once on HUP";

pub(super) fn certificates(scoreboard: &Scoreboard) -> Vec<Finding> {
    let Some(default) = scoreboard.certificates.first() else {
        return vec![Finding::note("certificate", "none: the listeners speak plain HTTP")];
    };
    let mut findings: Vec<Finding> = scoreboard.certificates.iter().flat_map(of_one).collect();
    if let Some(error) = &default.error {
        let since = default.since.as_deref().unwrap_or("an unknown time");
        // One line for each file.
        findings.extend(error.lines().map(|error| {
            Finding::wrong(
                "certificate",
                format!("the latest files have not been loaded since {since}: {error}"),
                "correct the files; the server reads them again within check_every, or at once on HUP, \
                 and presents the certificates above until then",
            )
        }));
    }
    findings
}

/// Returns the findings about one certificate: its validity, then its other problems.
fn of_one(certificate: &Certificate) -> Vec<Finding> {
    let days = certificate.days_left;
    let names = match certificate.names.as_slice() {
        [] => "no name".to_owned(),
        names => listed(names),
    };
    let (whose, remedy) = match &certificate.expiring_issuer {
        Some(issuer) => (format!("{names}: its issuer \"{issuer}\""), NEW_CHAIN),
        None => (format!("{names}:"), RENEW),
    };
    let validity = match days {
        ..0 => {
            let detail = format!("{whose} expired on {}", certificate.not_after);
            Finding::wrong("certificate", detail, remedy)
        }
        _ if !certificate.valid && !certificate.not_before.is_empty() => Finding::wrong(
            "certificate",
            format!("{names}: not valid before {}", certificate.not_before),
            "correct the clock of this machine, or use the certificate before it",
        ),
        0..EXPIRES_SOON_DAYS => {
            Finding::wrong("certificate", format!("{whose} expires in {days} days"), remedy)
        }
        _ => Finding::well("certificate", format!("{names}: {days} days left")),
    };
    let problems = certificate.problems.iter().map(|it| {
        let CertificateProblem { problem, advice, refused } = it.clone();
        match refused {
            true => Finding::wrong("certificate", problem, advice),
            false => Finding::note("certificate", problem).advise(advice),
        }
    });
    std::iter::once(validity).chain(problems).collect()
}
