//! The channel of a configuration.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::delivery::Deliver;
use super::exec::Exec;
use super::phone::{self, Phone};
use super::smtp::Mailer;
use super::webhook::{HomeAssistant, Webhook};
use crate::access::SiteUrl;
use crate::alert::text::TextContext;
use crate::config::{Channel, ChannelKind};
use crate::outbound::ThreadedResolver;
use crate::outbound::tls::{ClientTls, trusting_or_pinning};

/// What all channels share. It is cheap to clone.
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
}

impl ChannelContext {
    /// Returns what texts depend on.
    pub(super) fn text(&self, now: Timestamp) -> TextContext<'_> {
        TextContext { now, zone: &self.zone, site_url: self.site_url.as_ref() }
    }

    /// Returns the TLS settings of a channel.
    pub(super) fn tls_of(&self, channel: &Channel) -> ClientTls {
        match &channel.ca_certs {
            Some(certificates) => trusting_or_pinning(certificates),
            None => self.tls.clone(),
        }
    }
}

/// Returns the channel of a configuration.
pub fn channel(config: &Channel, context: &ChannelContext) -> Box<dyn Deliver> {
    match &config.kind {
        ChannelKind::Ntfy(ntfy) => Box::new(Phone::new(phone::Ntfy::new(ntfy), config, context)),
        ChannelKind::Pushover(pushover) => {
            Box::new(Phone::new(phone::Pushover::new(pushover), config, context))
        }
        ChannelKind::Telegram(telegram) => {
            Box::new(Phone::new(phone::Telegram::new(telegram), config, context))
        }
        ChannelKind::Discord(url) => {
            Box::new(Phone::new(phone::Discord::new(url), config, context))
        }
        ChannelKind::Slack(url) => Box::new(Phone::new(phone::Slack::new(url), config, context)),
        ChannelKind::HomeAssistant(url) => Box::new(HomeAssistant::new(url, config, context)),
        ChannelKind::Webhook(webhook) => Box::new(Webhook::new(webhook, config, context)),
        ChannelKind::Smtp(smtp) => Box::new(Mailer::new(smtp, config, context)),
        ChannelKind::Exec(command) => Box::new(Exec::new(command, context)),
    }
}
