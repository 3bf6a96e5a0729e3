//! Settings and clients that all channels share.

use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::access::SiteUrl;
use crate::alert::AlertsHandle;
use crate::alert::text::TextContext;
use crate::config::Channel;
use crate::outbound::ThreadedResolver;
use crate::outbound::tls::{ClientTls, trusting_ca_file};

/// Handle to the alerts, which start after the channels that carry their messages.
pub type LateAlerts = Arc<OnceLock<AlertsHandle>>;

/// Settings and clients that all channels share. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ChannelContext {
    /// Title of the site.
    pub site_title: Arc<str>,
    /// Public address of the site, for links.
    pub site_url: Option<SiteUrl>,
    /// Zone of times.
    pub zone: TimeZone,
    /// TLS of channels without a `ca_file`.
    pub(crate) tls: ClientTls,
    /// Resolver of host names.
    pub(crate) resolver: ThreadedResolver,
    /// User-Agent of requests.
    pub user_agent: Arc<str>,
    /// The alerts, for receivers that want all incidents of a group.
    pub alerts: LateAlerts,
}

impl ChannelContext {
    /// Returns what texts depend on.
    pub(super) fn text(&self, now: Timestamp) -> TextContext<'_> {
        TextContext { now, zone: &self.zone, site_url: self.site_url.as_ref() }
    }

    /// Returns the TLS settings of a channel.
    pub(super) fn tls_of(&self, channel: &Channel) -> ClientTls {
        match &channel.ca_certs {
            Some(certificates) => trusting_ca_file(certificates),
            None => self.tls.clone(),
        }
    }
}
