//! The certificates of the public listeners.

use crate::admin::scoreboard::report::Report as Scoreboard;
use crate::certificates::EXPIRES_SOON_DAYS;
use crate::doctor::finding::Finding;

const RENEW: &str =
    "renew the certificate: the server reads the renewed files within a minute, or at once on HUP";

pub(super) fn certificates(scoreboard: &Scoreboard) -> Vec<Finding> {
    if scoreboard.certificates.is_empty() {
        return vec![Finding::note("certificate", "none: the listeners speak plain HTTP")];
    }
    let findings = scoreboard.certificates.iter().map(|certificate| {
        let (names, days) = (certificate.names.join(", "), certificate.days_left);
        match days {
            ..0 => {
                let detail = format!("{names}: expired on {}", certificate.not_after);
                Finding::wrong("certificate", detail, RENEW)
            }
            0..EXPIRES_SOON_DAYS => {
                Finding::wrong("certificate", format!("{names}: expires in {days} days"), RENEW)
            }
            _ => Finding::well("certificate", format!("{names}: {days} days left")),
        }
    });
    findings.collect()
}
