//! Reads `[[alert]]`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::super::name::read_unique_name;
use super::super::notify::ReadChannels;
use super::super::section::Section;
use super::common::Common;
use super::plant::Plant;
use super::server_rules::{self, Override};
use super::{Alert, AlertRule, ServerCondition, condition};

/// Maximum number of rules of a file. A rule over many sources is one.
const MAX_ALERTS: usize = 1_000;

/// An `[[alert]]` that was read.
enum Read {
    Rule(Alert),
    Override(Override),
    /// It is off, or has an error.
    Nothing,
}

/// Reads all rules, and adds the server's own if there is a channel. Settings that are valid but probably unintended
/// are added to `warnings`.
pub(in crate::config) fn read(
    sections: Vec<Section<'_, '_>>,
    plant: &Plant<'_>,
    channels: &ReadChannels,
    warnings: &mut Vec<String>,
) -> Vec<Arc<Alert>> {
    let count = sections.len();
    let mut lines: BTreeMap<String, usize> = BTreeMap::new();
    let (mut alerts, mut overrides) = (Vec::new(), Vec::new());
    for (index, mut section) in sections.into_iter().enumerate() {
        if index >= MAX_ALERTS {
            let message = format_args!(
                "{count} rules are too many; at most {MAX_ALERTS} are allowed. A rule with source = \"*\" or a \
                 \"group\" watches many sources"
            );
            section.report(section.own_span(), message);
            break;
        }
        let name = read_unique_name(&mut section, "[[alert]]", &mut lines);
        match read_one(section, name, plant, channels) {
            Read::Rule(alert) => alerts.push(alert),
            Read::Override(settings) => overrides.push(settings),
            Read::Nothing => {}
        }
    }
    warnings.extend(idle_channels(&alerts, channels));
    if channels.names.is_empty() {
        warnings.extend(no_channel(&alerts, &overrides));
    } else {
        alerts.extend(server_rules::rules(overrides));
    }
    alerts.into_iter().map(Arc::new).collect()
}

fn read_one(
    mut section: Section<'_, '_>,
    name: Option<String>,
    plant: &Plant<'_>,
    channels: &ReadChannels,
) -> Read {
    let server: Option<ServerCondition> = name.as_deref().and_then(|name| name.parse().ok());
    if let Some(condition) = server {
        let is_valid = server_rules::check(&mut section, condition.as_str());
        let settings = Common::read(&mut section, &channels.names);
        section.finish();
        return match is_valid {
            true => Read::Override(Override { condition, settings }),
            false => Read::Nothing,
        };
    }
    let present = condition::present(&section);
    let rule = condition::read(&mut section, &present, plant);
    let settings = Common::read(&mut section, &channels.names);
    if present.is_empty() {
        condition::report_missing(&section);
    }
    section.finish();
    match (name, rule) {
        (Some(name), Some(rule)) if settings.enabled => Read::Rule(alert(&name, rule, settings)),
        _ => Read::Nothing,
    }
}

fn alert(name: &str, rule: AlertRule, settings: Common) -> Alert {
    Alert {
        name: name.into(),
        rule,
        hold: settings.hold.unwrap_or(Duration::ZERO),
        between: settings.between,
        severity: settings.severity.unwrap_or_default(),
        notify: settings.notify,
        repeat: settings.repeat,
        message: settings.message,
        quiet: settings.quiet,
    }
}

/// Returns a warning for each channel that no rule of the file names, if all of them name channels.
fn idle_channels(alerts: &[Alert], channels: &ReadChannels) -> Vec<String> {
    let named: Option<Vec<&Arc<str>>> = alerts
        .iter()
        .map(|alert| alert.notify.as_ref())
        .collect::<Option<Vec<_>>>()
        .map(|lists| lists.into_iter().flatten().collect());
    let Some(named) = named.filter(|named| !named.is_empty()) else { return Vec::new() };
    let idle = channels.names.iter().filter(|name| !named.iter().any(|other| ***other == ***name));
    idle.map(|name| {
        format!(
            "[[notify]] \"{name}\": no [[alert]] names it in \"notify\", so it gets the server's own alerts only"
        )
    })
    .collect()
}

/// Returns a warning if there are alerts and no channel.
fn no_channel(alerts: &[Alert], overrides: &[Override]) -> Option<String> {
    match (alerts, overrides) {
        ([], []) => None,
        ([], [first, ..]) => Some(format!(
            "[[alert]] \"{}\" has no effect: the server's own rules exist once there is a [[notify]]",
            first.condition.as_str()
        )),
        _ => Some("there is no [[notify]], so alerts are shown on the page only".to_owned()),
    }
}
