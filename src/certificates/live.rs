//! Certificates that can be replaced while connections use them.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use jiff::Timestamp;
use rustls::ServerConfig;

use super::info::CertificateInfo;
use super::load::Certificates;
use super::renewal::{Renewal, RenewalFailure};
use super::validity::Validity;
use crate::engine::tls::{LiveIdentities, TlsError, live_server_config};
use crate::timestamp::Rfc3339;
use crate::wall_clock;

/// Number of days before the expiry of a certificate from which warnings are logged.
pub const EXPIRES_SOON_DAYS: i64 = 14;

/// Certificates that the public listeners present.
#[derive(Debug)]
pub struct LiveCertificates {
    identities: Arc<LiveIdentities>,
    info: ArcSwap<Vec<CertificateInfo>>,
    loaded: Mutex<Certificates>,
    pub(super) renewal: Renewal,
}

impl LiveCertificates {
    /// Creates the certificates in use, initially `certificates`.
    pub fn new(certificates: Certificates) -> Arc<LiveCertificates> {
        Arc::new(LiveCertificates {
            identities: LiveIdentities::new(certificates.identities.clone()),
            info: ArcSwap::from_pointee(certificates.infos.clone()),
            loaded: Mutex::new(certificates),
            renewal: Renewal::default(),
        })
    }

    /// Returns the TLS configuration of a listener, which always presents the latest certificates.
    ///
    /// # Errors
    /// The system returned no random numbers for the keys of session tickets.
    pub fn server_config(&self) -> Result<Arc<ServerConfig>, TlsError> {
        live_server_config(Arc::clone(&self.identities))
    }

    /// Returns the names and validity of the certificates in use, the default one first.
    pub fn info(&self) -> Arc<Vec<CertificateInfo>> {
        self.info.load_full()
    }

    /// Replaces the certificates, and clears a failure to renew them. Returns false if `latest` equals those
    /// in use. Its problems are stored in any case: the mode of a key and the expected names change while the
    /// contents of the files stay.
    pub fn replace(&self, latest: Certificates) -> bool {
        self.renewal.record_success();
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        self.info.store(Arc::new(latest.infos.clone()));
        if loaded.same_as(&latest) {
            return false;
        }
        self.identities.replace(latest.identities.clone());
        *loaded = latest;
        true
    }

    /// Records that the files could not be loaded, such as by a reload.
    pub fn record_failure(&self, error: String) {
        self.renewal.record_failure(error, wall_clock::now());
    }

    /// Returns the reason why renewed certificates are not in use, and since when it holds.
    pub fn renewal_failure(&self) -> Option<RenewalFailure> {
        self.renewal.failure()
    }

    /// Returns the number of whole days until the first certificate expires, if that is fewer than
    /// [`EXPIRES_SOON_DAYS`]; negative once it has expired.
    pub fn expires_soon(&self, now: Timestamp) -> Option<i64> {
        let info = self.info.load();
        let soonest = info.iter().map(|certificate| certificate.days_left(now)).min();
        soonest.filter(|days| *days < EXPIRES_SOON_DAYS)
    }

    /// Logs the certificates that expire soon, have expired or are not valid yet.
    pub fn warn_of_expiry(&self, now: Timestamp) {
        for certificate in &*self.info() {
            let (names, days) = (certificate.label(), certificate.days_left(now));
            let Validity { start, end, .. } = &certificate.validity;
            let (holder, remedy) = (end.holder(&names), end.remedy());
            if now < start.at {
                log::error!(
                    "the {} is not valid before {}, so clients refuse it; correct the clock of this machine, or \
                     use the certificate before it",
                    start.holder(&names),
                    Rfc3339(start.at)
                );
            } else if days < 0 {
                log::error!("the {holder} has expired, so clients refuse it; {remedy}");
            } else if days < EXPIRES_SOON_DAYS {
                log::warn!("the {holder} expires in {days} days; {remedy}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::self_signed::self_signed;

    #[test]
    fn days_of_the_first_expiry_are_reported_within_the_warning_period() {
        let generated = self_signed(&["a.example".to_owned()]).unwrap();
        let mut certificates =
            Certificates::from_pem(&generated.cert_pem, &generated.key_pem).unwrap();
        let later = certificates.infos[0].clone();
        let days = |days: i64| jiff::SignedDuration::from_hours(24 * days);
        let mut sooner = later.clone();
        sooner.validity.end.at = later.validity.end.at - days(30);
        certificates.infos.push(sooner.clone());
        let live = LiveCertificates::new(certificates);
        for (days_left, expected) in [(14, None), (13, Some(13)), (0, Some(0)), (-2, Some(-2))] {
            assert_eq!(live.expires_soon(sooner.validity.end.at - days(days_left)), expected);
        }
    }
}
