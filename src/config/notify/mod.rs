//! `[[notify]]`: channels that carry the messages of alerts.

mod endpoint;
mod exec;
mod push;
mod read;
mod secrets;
mod smtp;
mod webhook;

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use rustls::pki_types::CertificateDer;

use super::alert::Template;
use super::kind::Login;
use super::secret::Secret;

pub(super) use endpoint::capability;
pub(super) use read::{ReadChannels, read};
pub(super) use secrets::of_capability;

/// A channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Channel {
    /// Unique name, `[a-z][a-z0-9_]*`.
    pub name: Arc<str>,
    /// Service that takes its messages, with the keys that it needs.
    pub kind: ChannelKind,
    /// `timeout`: total time of one delivery. By default longer for mail.
    pub timeout: Duration,
    /// `group_wait`: messages that become due within this time of the first one are sent as one.
    pub group_wait: Duration,
    /// `max_per_hour`: most messages in any hour. Further ones wait, and are sent as one. With critical alerts that fire
    /// then, there are as many again.
    pub max_per_hour: u32,
    /// `ca_file`: certificates by which the server is trusted in place of the system's authorities.
    pub ca_certs: Option<Arc<[CertificateDer<'static>]>>,
}

/// Service of a channel.
#[derive(Debug, Clone, PartialEq)]
pub enum ChannelKind {
    /// ntfy (<https://docs.ntfy.sh/publish/#publish-as-json>).
    Ntfy(Ntfy),
    /// Any HTTP endpoint; by default, the body is that of Alertmanager's webhook, version 4.
    Webhook(Webhook),
    /// Mail.
    Smtp(Smtp),
    /// Pushover (<https://pushover.net/api>).
    Pushover(Pushover),
    /// Telegram (<https://core.telegram.org/bots/api#sendmessage>).
    Telegram(Telegram),
    /// Discord (<https://discord.com/developers/docs/resources/webhook#execute-webhook>). The URL is a capability.
    Discord(Secret),
    /// Slack (<https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>). The URL is a capability.
    Slack(Secret),
    /// Home Assistant (<https://www.home-assistant.io/docs/automation/trigger/#webhook-trigger>). The URL is a
    /// capability.
    HomeAssistant(Secret),
    /// A command, which gets the message as JSON on standard input.
    Exec(Vec<String>),
}

/// `kind = "ntfy"`
#[derive(Debug, Clone, PartialEq)]
pub struct Ntfy {
    /// Root of the server: `https://ntfy.sh`. Messages are sent there, as JSON.
    pub url: Secret,
    /// Topic, which on a public server is a password.
    pub topic: Secret,
    /// Access token.
    pub token: Option<Secret>,
}

/// `kind = "webhook"`
#[derive(Debug, Clone, PartialEq)]
pub struct Webhook {
    /// URL, which may contain a secret.
    pub url: Secret,
    /// `[notify.headers]`.
    pub headers: Vec<(HeaderName, Secret)>,
    /// `template`: body in place of Alertmanager's; each placeholder is escaped as within a JSON string if the media
    /// type is that of JSON.
    pub template: Option<Template>,
    /// Media type of the body that the template makes: the configured one, or else that of the template.
    pub content_type: Option<HeaderValue>,
}

/// `kind = "smtp"`
#[derive(Debug, Clone, PartialEq)]
pub struct Smtp {
    /// Host of the server.
    pub host: String,
    /// Port of the server.
    pub port: u16,
    /// Protection of the connection.
    pub security: SmtpSecurity,
    /// Name and password, which are sent over TLS only.
    pub login: Option<Login>,
    /// Sender's address.
    pub from: String,
    /// Recipients' addresses, at least one.
    pub to: Vec<String>,
}

/// Protection of the connection to a mail server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpSecurity {
    /// `smtps://`: TLS from the first byte (RFC 8314 3.3).
    ImplicitTls,
    /// `smtp://`: STARTTLS, without which nothing is sent (RFC 3207).
    StartTls,
    /// `smtp://` to a loopback address, to a mail server on this machine: without TLS, unless `ca_file` names its
    /// certificate and it offers STARTTLS. Such a server's own certificate is most often one that the system does not
    /// trust.
    Loopback,
}

/// `kind = "pushover"`
#[derive(Debug, Clone, PartialEq)]
pub struct Pushover {
    /// Root of the API; by default `https://api.pushover.net`.
    pub url: Secret,
    /// Token of the application.
    pub token: Secret,
    /// Key of the user or group.
    pub user: Secret,
}

/// `kind = "telegram"`
#[derive(Debug, Clone, PartialEq)]
pub struct Telegram {
    /// Root of the API; by default `https://api.telegram.org`.
    pub url: Secret,
    /// Token of the bot.
    pub token: Secret,
    /// Chat: its number, or the name of a channel.
    pub chat: Secret,
}

impl Channel {
    /// Returns true if it verifies a server by the system's certificate authorities.
    pub fn trusts_system(&self) -> bool {
        self.ca_certs.is_none() && !matches!(self.kind, ChannelKind::Exec(_))
    }
}

impl ChannelKind {
    /// Returns its name in the configuration.
    pub const fn as_str(&self) -> &'static str {
        match self {
            ChannelKind::Ntfy(_) => "ntfy",
            ChannelKind::Webhook(_) => "webhook",
            ChannelKind::Smtp(_) => "smtp",
            ChannelKind::Pushover(_) => "pushover",
            ChannelKind::Telegram(_) => "telegram",
            ChannelKind::Discord(_) => "discord",
            ChannelKind::Slack(_) => "slack",
            ChannelKind::HomeAssistant(_) => "home-assistant",
            ChannelKind::Exec(_) => "exec",
        }
    }
}
