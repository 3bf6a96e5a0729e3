//! Reads `[[notify]]`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::super::ca_file::CaFiles;
use super::super::name::read_unique_name;
use super::super::section::{Section, Spanned};
use super::endpoint::{capability, is_plain};
use super::{Channel, ChannelKind, exec, push, smtp, webhook};
use crate::suggestion::advice;

/// Maximum number of channels of a file. Each has a thread.
const MAX_CHANNELS: usize = 100;

const TIMEOUT: Duration = Duration::from_secs(30);
/// A server may scan a mail before it replies. Without its reply, the mail is sent again, so RFC 5321 4.5.3.2.6 gives it
/// ten minutes.
const MAIL_TIMEOUT: Duration = Duration::from_secs(2 * 60);
const MIN_TIMEOUT: Duration = Duration::from_secs(1);
const MAX_TIMEOUT: Duration = Duration::from_secs(5 * 60);
const GROUP_WAIT: Duration = Duration::from_secs(30);
const MAX_GROUP_WAIT: Duration = Duration::from_secs(10 * 60);
const MAX_PER_HOUR: usize = 60;
const LIMIT_PER_HOUR: usize = 3600;

/// Names of all kinds.
const NAMES: [&str; 9] = [
    "ntfy",
    "webhook",
    "smtp",
    "pushover",
    "telegram",
    "discord",
    "slack",
    "home-assistant",
    "exec",
];

/// Channels that were read.
pub(in crate::config) struct ReadChannels {
    /// Names of all channels, also of those with errors.
    pub(in crate::config) names: Vec<String>,
    /// Channels without errors.
    pub(in crate::config) channels: Vec<Arc<Channel>>,
}

/// Reads all channels. Settings that are valid but probably unintended are added to `warnings`.
pub(in crate::config) fn read(
    sections: Vec<Section<'_, '_>>,
    warnings: &mut Vec<String>,
) -> ReadChannels {
    let count = sections.len();
    let ca_files = CaFiles::default();
    let mut lines: BTreeMap<String, usize> = BTreeMap::new();
    let (mut names, mut channels) = (Vec::new(), Vec::new());
    for (index, mut section) in sections.into_iter().enumerate() {
        if index >= MAX_CHANNELS {
            let message =
                format_args!("{count} channels are too many; at most {MAX_CHANNELS} are allowed");
            section.report(section.own_span(), message);
            break;
        }
        let name = read_unique_name(&mut section, "[[notify]]", &mut lines);
        names.extend(name.clone());
        let channel = read_one(section, name, &ca_files);
        warnings.extend(channel.as_ref().and_then(plain_warning));
        channels.extend(channel.map(Arc::new));
    }
    ReadChannels { names, channels }
}

fn read_one(
    mut section: Section<'_, '_>,
    name: Option<String>,
    ca_files: &CaFiles,
) -> Option<Channel> {
    let written = section.string("kind");
    let is_mail = written.as_ref().is_some_and(|at| at.value == "smtp");
    let default = if is_mail { MAIL_TIMEOUT } else { TIMEOUT };
    let timeout = section.duration_within("timeout", default, MIN_TIMEOUT..=MAX_TIMEOUT);
    let group_wait =
        section.duration_within("group_wait", GROUP_WAIT, Duration::ZERO..=MAX_GROUP_WAIT);
    let max_per_hour = section.integer("max_per_hour", MAX_PER_HOUR, LIMIT_PER_HOUR);
    let ca_file = section.span_of("ca_file");
    let ca_certs = ca_files.read(&mut section);
    let written = section.require("kind", written);
    let kind = written.as_ref().and_then(|at| kind(&mut section, at));
    if let (Some(ChannelKind::Exec(_)), Some(span)) = (&kind, ca_file) {
        section.report(span, "\"ca_file\" is for channels on a network; delete it");
    }
    // Without a kind, the set of valid keys is unknown.
    match written.is_some_and(|at| NAMES.contains(&at.value.as_str())) {
        true => section.finish(),
        false => section.finish_in_part(),
    }
    Some(Channel {
        name: name?.into(),
        kind: kind?,
        timeout,
        group_wait,
        // It is at most 3600.
        max_per_hour: u32::try_from(max_per_hour).unwrap_or(u32::MAX),
        ca_certs,
    })
}

/// Reads the keys of a kind.
fn kind(
    section: &mut Section<'_, '_>,
    Spanned { value, span }: &Spanned<String>,
) -> Option<ChannelKind> {
    match value.as_str() {
        "ntfy" => push::ntfy(section).map(ChannelKind::Ntfy),
        "webhook" => webhook::read(section).map(ChannelKind::Webhook),
        "smtp" => smtp::read(section).map(ChannelKind::Smtp),
        "pushover" => push::pushover(section).map(ChannelKind::Pushover),
        "telegram" => push::telegram(section).map(ChannelKind::Telegram),
        "discord" => capability(section).map(ChannelKind::Discord),
        "slack" => capability(section).map(ChannelKind::Slack),
        "home-assistant" => capability(section).map(ChannelKind::HomeAssistant),
        "exec" => exec::read(section).map(ChannelKind::Exec),
        other => {
            let advice = advice(other, NAMES.into_iter());
            section.report(*span, format_args!("\"kind\": \"{other}\" is unknown; {advice}"));
            None
        }
    }
}

/// Returns a warning if the secrets of a public service are sent in clear.
fn plain_warning(channel: &Channel) -> Option<String> {
    let url = match &channel.kind {
        ChannelKind::Discord(url) | ChannelKind::Slack(url) => url,
        ChannelKind::Pushover(keys) => &keys.url,
        ChannelKind::Telegram(keys) => &keys.url,
        ChannelKind::Ntfy(keys) if keys.token.is_some() => &keys.url,
        _ => return None,
    };
    is_plain(url).then(|| {
        format!(
            "[[notify]] \"{}\": \"url\" is http://, so its secrets are sent in clear; write https://",
            channel.name
        )
    })
}
