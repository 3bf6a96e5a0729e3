//! The channel of a configuration.

use super::context::ChannelContext;
use super::delivery::Deliver;
use super::exec::Exec;
use super::phone::{self, Phone};
use super::smtp::Mailer;
use super::webhook::{HomeAssistant, Webhook};
use crate::config::{Channel, ChannelKind};

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
