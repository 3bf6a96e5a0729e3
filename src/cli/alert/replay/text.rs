//! A replay as a text for people.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::super::columns::{self, GAP};
use crate::alert::measured;
use crate::alert::replay::{Extent, FLAP, Replay, ReplayedAlert, ReplayedIncident};
use crate::config::{AlertRule, SourceSelection, written_duration};
use crate::format::local_time;
use crate::text::clean;

/// Incidents of an alert that are listed.
const MAX_LISTED: usize = 50;

/// Sources that a line lists.
const MAX_SOURCES: usize = 5;

const HEADER: [&str; 5] = ["FIRED", "VALUE", "ENDED", "LASTED", "SOURCE"];

/// Returns the text of a replay of the latest `days`.
pub(super) fn render(replay: &Replay, days: u32, is_all: bool, zone: &TimeZone) -> String {
    let of_alert = |alert: &ReplayedAlert| one(alert, replay, days, is_all, zone);
    let texts: Vec<String> = replay.alerts.iter().map(of_alert).collect();
    texts.join("\n")
}

fn one(alert: &ReplayedAlert, replay: &Replay, days: u32, is_all: bool, zone: &TimeZone) -> String {
    let mut text = heading(alert);
    if let Some(reason) = alert.unreplayable {
        line(&mut text, &format!("cannot be replayed: {reason}"));
        return text;
    }
    let has_rows = alert.extents.iter().any(|extent| !extent.is_empty());
    if !has_rows {
        line(&mut text, &format!("cannot be replayed: {}", missing(alert, days)));
        return text;
    }
    line(&mut text, &summary(alert, replay, days));
    for note in notes(alert, replay, zone) {
        line(&mut text, &note);
    }
    let skipped = match is_all {
        true => 0,
        false => alert.incidents.len().saturating_sub(MAX_LISTED),
    };
    if skipped > 0 {
        line(&mut text, &format!("the latest {MAX_LISTED} are listed; --all lists them all"));
    }
    text.push_str(&table(&alert.incidents[skipped..], replay, zone));
    text
}

/// Returns the line that names the alert: `tank_low: tank.volume below 300 gal for 10m (critical)`.
fn heading(alert: &ReplayedAlert) -> String {
    let of = |sources: &SourceSelection| match sources {
        SourceSelection::One(name) => name.to_string(),
        SourceSelection::Group(group) => format!("{group}/*"),
        SourceSelection::All => "*".to_owned(),
    };
    let subject = match &alert.alert.rule {
        AlertRule::Field { sources, field, .. } => format!("{}.{field} ", of(sources)),
        AlertRule::Source { sources, .. } => format!("{} ", of(sources)),
        AlertRule::Server(_) => String::new(),
    };
    let mut text = format!("{}: {subject}{}", alert.alert.name, alert.condition);
    if !alert.alert.hold.is_zero() {
        text += &format!(" for {}", written_duration(alert.alert.hold));
    }
    if let Some(between) = alert.alert.between {
        text += &format!(" between {between}");
    }
    clean(&format!("{text} ({})", alert.alert.severity.as_str())).into_owned() + "\n"
}

fn line(text: &mut String, line: &str) {
    // Writing to a string does not fail.
    let _ = writeln!(text, "{GAP}{}", clean(line));
}

fn summary(alert: &ReplayedAlert, replay: &Replay, days: u32) -> String {
    let summary = alert.summary(replay.from, replay.to);
    let days = counted(days as usize, "day");
    if summary.count == 0 {
        return format!("no incidents in {days}");
    }
    let flap = written_duration(Duration::try_from(FLAP).unwrap_or_default());
    format!(
        "{} in {days}, {} in all, longest {}; flaps: {} (ended within {flap})",
        counted(summary.count, "incident"),
        length(summary.firing),
        length(summary.longest),
        summary.flaps,
    )
}

/// Returns the reason why there is nothing to replay.
fn missing(alert: &ReplayedAlert, days: u32) -> String {
    let AlertRule::Field { field, .. } = &alert.alert.rule else {
        return "no source is selected".to_owned();
    };
    let names: Vec<&Extent> = alert.extents.iter().collect();
    let fields = listed(&names, &format!(".{field}"));
    format!("no value of {fields} was recorded in the latest {}", counted(days as usize, "day"))
}

/// Returns remarks on what was recorded.
fn notes(alert: &ReplayedAlert, replay: &Replay, zone: &TimeZone) -> Vec<String> {
    let mut notes = Vec::new();
    let latest =
        |time: fn(&Extent) -> Option<Timestamp>| alert.extents.iter().filter_map(time).max();
    if let Some(at) = latest(|extent| extent.quarters_before) {
        let at = local_time(at.as_second(), zone);
        notes.push(format!("from quarters of an hour, marked ~, before {at}"));
    }
    if let Some(at) = latest(|extent| extent.days_before) {
        let from = local_time(replay.from.as_second(), zone);
        let at = local_time(at.as_second(), zone);
        notes.push(format!("not replayed from {from} to {at}: only days are recorded"));
    }
    let empty: Vec<&Extent> = alert.extents.iter().filter(|extent| extent.is_empty()).collect();
    if !empty.is_empty() {
        notes.push(format!("without recorded values: {}", listed(&empty, "")));
    }
    for extent in &alert.extents {
        if let Some(fault) = extent.fault {
            notes.push(format!("cannot be applied to {}: {fault}", extent.source));
        }
    }
    notes
}

/// Returns names of sources in a line, the first few of many.
fn listed(extents: &[&Extent], suffix: &str) -> String {
    let names = extents.iter().take(MAX_SOURCES);
    let names: Vec<String> = names.map(|extent| format!("{}{suffix}", extent.source)).collect();
    match extents.len().saturating_sub(MAX_SOURCES) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}

fn table(incidents: &[ReplayedIncident], replay: &Replay, zone: &TimeZone) -> String {
    if incidents.is_empty() {
        return String::new();
    }
    let rows = incidents.iter().map(|incident| row(incident, replay, zone).into()).collect();
    columns::table(GAP, &HEADER, rows)
}

fn row(incident: &ReplayedIncident, replay: &Replay, zone: &TimeZone) -> [String; HEADER.len()] {
    let time = |at: Timestamp| local_time(at.as_second(), zone);
    let mark = if incident.is_from_quarters { "~" } else { "" };
    let ended = incident.ended.map_or_else(|| "still firing".to_owned(), |ended| time(ended.at));
    let end = incident.ended.map_or(replay.to, |ended| ended.at);
    [
        format!("{mark}{}", time(incident.fired_at)),
        clean(&measured(&incident.at_fire).unwrap_or_else(|| "-".to_owned())).into_owned(),
        ended,
        length(end.duration_since(incident.fired_at)),
        clean(&incident.source).into_owned(),
    ]
}

/// Returns a number with its noun.
fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// Returns a length of time in its two largest units: `3 h 20 min`, `2 d 4 h`, `45 s`.
pub(super) fn length(length: SignedDuration) -> String {
    const UNITS: [(i64, &str); 4] = [(86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")];
    let seconds = length.as_secs();
    let Some(first) = UNITS.iter().position(|(size, _)| seconds >= *size) else {
        return "0 s".to_owned();
    };
    let (size, unit) = UNITS[first];
    let next = UNITS.get(first + 1).map(|(next, unit)| (seconds % size / next, unit));
    match next {
        Some((rest @ 1.., next)) => format!("{} {unit} {rest} {next}", seconds / size),
        _ => format!("{} {unit}", seconds / size),
    }
}
