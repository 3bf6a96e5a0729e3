//! Describes rules, channels and the heartbeat, without secrets.

use std::fmt::{self, Write as _};
use std::time::Duration;

use http::Uri;

use crate::config::{
    Alert, AlertRule, Channel, ChannelKind, Config, FieldCondition, Heartbeat, Secret,
    SmtpSecurity, SourceCondition, SourceSelection, written_duration,
};

/// Writes a line for each rule and channel.
pub(super) fn write(text: &mut String, config: &Config) -> fmt::Result {
    if !config.alerts.is_empty() || !config.channels.is_empty() {
        writeln!(text)?;
    }
    config.alerts.iter().try_for_each(|alert| alert_line(text, alert, config))?;
    config.channels.iter().try_for_each(|channel| channel_lines(text, channel))?;
    config.heartbeat.iter().try_for_each(|heartbeat| heartbeat_line(text, heartbeat))
}

fn alert_line(text: &mut String, alert: &Alert, config: &Config) -> fmt::Result {
    let Alert { name, severity, hold, between, notify, repeat, quiet, .. } = alert;
    write!(text, "alert {name}: {}", rule(&alert.rule))?;
    if !hold.is_zero() {
        write!(text, " for {}", written_duration(*hold))?;
    }
    if let Some(between) = between {
        write!(text, ", between {between}")?;
    }
    write!(text, "; {}", severity.as_str())?;
    match notify.as_deref() {
        _ if config.channels.is_empty() => {}
        None => write!(text, ", to every channel")?,
        Some([]) => write!(text, ", to no channel")?,
        Some(names) => write!(text, ", to {}", names.join(", "))?,
    }
    if !repeat.is_empty() {
        let times: Vec<String> = repeat.iter().map(|time| written_duration(*time)).collect();
        write!(text, ", repeated after {}", times.join(", "))?;
    }
    if let Some(quiet) = quiet {
        write!(text, ", quiet {quiet}")?;
    }
    writeln!(text)
}

fn rule(rule: &AlertRule) -> String {
    match rule {
        AlertRule::Field { sources, field, condition } => {
            format!("{} {}", subject(sources, Some(field)), of_field(condition))
        }
        AlertRule::Source { sources, condition } => {
            let sources = subject(sources, None);
            match condition {
                SourceCondition::Stale => format!("{sources} stale"),
                SourceCondition::Failing { over } => {
                    format!("{sources} failing for {}", written_duration(*over))
                }
            }
        }
        AlertRule::Server(_) => "a rule of the server itself".to_owned(),
    }
}

fn subject(sources: &SourceSelection, field: Option<&str>) -> String {
    match (sources, field) {
        (SourceSelection::One(name), Some(field)) => format!("{name}.{field}"),
        (SourceSelection::One(name), None) => format!("source {name}"),
        (SourceSelection::Group(group), Some(field)) => format!("{field} of the group {group}"),
        (SourceSelection::Group(group), None) => format!("a source of the group {group}"),
        (SourceSelection::All, Some(field)) => format!("{field} of any source"),
        (SourceSelection::All, None) => "any source".to_owned(),
    }
}

fn of_field(condition: &FieldCondition) -> String {
    let time = |time: &Duration| written_duration(*time);
    let cleared = |clear: &Option<_>| {
        clear.map_or_else(String::new, |clear: crate::config::Limit| format!(" (clear {clear})"))
    };
    match condition {
        FieldCondition::Below { threshold, clear } => {
            format!("below {threshold}{}", cleared(clear))
        }
        FieldCondition::Above { threshold, clear } => {
            format!("above {threshold}{}", cleared(clear))
        }
        FieldCondition::Outside { low, high, clear } => {
            let clear = clear.map(|(from, to)| format!(" (clear {from} to {to})"));
            format!("outside {low} to {high}{}", clear.unwrap_or_default())
        }
        FieldCondition::Equals(value) => format!("equals {value}"),
        FieldCondition::NotEquals(value) => format!("does not equal {value}"),
        FieldCondition::Falls { by, within, clear } => {
            format!("falls by {by} within {}{}", time(within), cleared(clear))
        }
        FieldCondition::Rises { by, within, clear } => {
            format!("rises by {by} within {}{}", time(within), cleared(clear))
        }
        FieldCondition::NoRise { by, within } => {
            format!("does not rise by {by} within {}", time(within))
        }
        FieldCondition::Flat { over } => format!("flat for {}", time(over)),
        FieldCondition::EmptyWithin { within } => format!("empty within {}", time(within)),
    }
}

fn channel_lines(text: &mut String, channel: &Channel) -> fmt::Result {
    let Channel { name, timeout, group_wait, max_per_hour, .. } = channel;
    writeln!(text, "channel {name}: {}", destination(channel))?;
    writeln!(
        text,
        "  a delivery takes at most {}; messages due within {} are one; at most {max_per_hour} an hour",
        written_duration(*timeout),
        written_duration(*group_wait),
    )
}

/// Describes where a channel sends its messages.
fn destination(channel: &Channel) -> String {
    let name = channel.kind.as_str();
    match &channel.kind {
        ChannelKind::Ntfy(keys) => format!("{name} at {}", server(&keys.url)),
        ChannelKind::Webhook(keys) => {
            let body = if keys.template.is_some() { "its template" } else { "Alertmanager's JSON" };
            format!("{name} at {}, with {body}", server(&keys.url))
        }
        ChannelKind::Smtp(keys) => {
            let protection = match keys.security {
                SmtpSecurity::ImplicitTls => "with TLS",
                SmtpSecurity::StartTls => "with STARTTLS",
                SmtpSecurity::Loopback if channel.ca_certs.is_some() => "with STARTTLS if offered",
                SmtpSecurity::Loopback => "without TLS",
            };
            let to = keys.to.join(", ");
            format!("{name} by {}:{} {protection}, to {to}", keys.host, keys.port)
        }
        ChannelKind::Pushover(keys) => format!("{name} at {}", server(&keys.url)),
        ChannelKind::Telegram(keys) => format!("{name} at {}", server(&keys.url)),
        ChannelKind::Discord(url) | ChannelKind::Slack(url) | ChannelKind::HomeAssistant(url) => {
            format!("{name} at {}", server(url))
        }
        ChannelKind::Exec(command) => {
            let program = command.first().map_or("", String::as_str);
            let arguments = command.len().saturating_sub(1);
            format!("{name} {program}, with {arguments} arguments")
        }
    }
}

/// Returns the scheme, the host and the port of a URL: its path may be a secret.
fn server(url: &Secret) -> String {
    let url: Option<Uri> = url.expose().parse().ok();
    let parts = url.as_ref().and_then(|url| Some((url.scheme_str()?, url.authority()?)));
    parts.map_or_else(String::new, |(scheme, authority)| format!("{scheme}://{authority}"))
}

fn heartbeat_line(text: &mut String, heartbeat: &Heartbeat) -> fmt::Result {
    let Heartbeat { url, every, timeout } = heartbeat;
    writeln!(
        text,
        "heartbeat to {} every {}, with a timeout of {}",
        server(url),
        written_duration(*every),
        written_duration(*timeout)
    )
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::parse;

    #[test]
    fn rules_and_channels_are_described_without_secrets() {
        let config = parse(
            Path::new("p.toml"),
            r#"[[source]]
name = "tank"
kind = "ptlevel"
url = "https://h/s/x"
height = 58
capacity = 1400
[[alert]]
name = "low"
field = "tank.volume"
below = "300 gal"
clear = "350gal"
for = "10m"
between = "00:00-04:30"
severity = "critical"
notify = ["phone"]
repeat = ["15m", "1h"]
quiet = "22:00-07:00"
[[alert]]
name = "leak"
field = "*.volume"
falls = "40 gal"
within = "1h"
[[alert]]
name = "silent"
source = "tank"
failing = "30m"
notify = []
[[alert]]
name = "clock_wrong"
enabled = false
[[notify]]
name = "phone"
kind = "ntfy"
topic = "s3cret"
[[notify]]
name = "mail"
kind = "smtp"
url = "smtps://mail.example"
username = "me"
password = "s3cret"
from = "pump@example.org"
to = ["anna@example.org"]
[[notify]]
name = "relay"
kind = "smtp"
url = "smtp://localhost"
timeout = "45s"
from = "pump@example.org"
to = ["anna@example.org"]
[[notify]]
name = "chat"
kind = "slack"
url = "https://hooks.slack.com/services/T0/B0/s3cret"
[[notify]]
name = "script"
kind = "exec"
command = ["/bin/notify", "s3cret"]
group_wait = "0s"
[heartbeat]
url = "https://hc-ping.com/s3cret"
"#,
            &|_| None,
        )
        .unwrap();
        let mut text = String::new();
        write(&mut text, &config).unwrap();
        for line in [
            "alert low: tank.volume below 300 gal (clear 350 gal) for 10m, between 00:00-04:30; critical, \
             to phone, repeated after 15m, 1h, quiet 22:00-07:00",
            "alert leak: volume of any source falls by 40 gal within 1h; warning, to every channel",
            "alert silent: source tank failing for 30m; warning, to no channel",
            "alert disk_full: a rule of the server itself; critical, to every channel",
            "channel phone: ntfy at https://ntfy.sh",
            "channel mail: smtp by mail.example:465 with TLS, to anna@example.org",
            "  a delivery takes at most 2m; messages due within 30s are one; at most 60 an hour",
            "channel relay: smtp by localhost:25 without TLS, to anna@example.org",
            "  a delivery takes at most 45s; messages due within 30s are one; at most 60 an hour",
            "channel chat: slack at https://hooks.slack.com",
            "channel script: exec /bin/notify, with 1 arguments",
            "  a delivery takes at most 30s; messages due within 0s are one; at most 60 an hour",
            "heartbeat to https://hc-ping.com every 5m, with a timeout of 10s",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\nis not in\n{text}");
        }
        assert!(!text.contains("clock_wrong"), "{text}");
        assert!(!text.contains("s3cret"), "{text}");
    }
}
