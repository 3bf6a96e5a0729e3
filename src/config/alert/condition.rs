//! The condition of a rule, and the keys that belong to it.

use std::cmp::Ordering;
use std::time::Duration;

use strum::{IntoStaticStr, VariantArray};
use toml_span::Span;

use super::super::scalar::written_duration;
use super::super::section::{Section, Spanned};
use super::super::source_field_types::tank_of;
use super::equality::scalar;
use super::plant::{Plant, Watched};
use super::subject::WrittenSubject;
use super::written_limit::{Measure, Pair, amount, limit, order, pair};
use super::{AlertRule, FieldCondition, Limit, SourceCondition, SourceSelection};
use crate::order;

/// Key of a condition. A rule has one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub(super) enum ConditionKey {
    Below,
    Above,
    Outside,
    Equals,
    NotEquals,
    Falls,
    Rises,
    NoRise,
    Flat,
    EmptyWithin,
    Stale,
    Failing,
}

/// Keys that belong to some conditions.
const OF_CONDITIONS: [(&str, &[ConditionKey]); 2] = [
    ("within", &[ConditionKey::Falls, ConditionKey::Rises, ConditionKey::NoRise]),
    (
        "clear",
        &[
            ConditionKey::Below,
            ConditionKey::Above,
            ConditionKey::Outside,
            ConditionKey::Falls,
            ConditionKey::Rises,
        ],
    ),
];

impl ConditionKey {
    pub(super) fn as_str(self) -> &'static str {
        self.into()
    }

    const fn is_of_source(self) -> bool {
        matches!(self, ConditionKey::Stale | ConditionKey::Failing)
    }
}

/// Returns the keys of conditions in a section that has not been read, in the order of the file.
pub(super) fn present(section: &Section<'_, '_>) -> Vec<(ConditionKey, Span)> {
    let found = |key: &ConditionKey| Some((*key, section.span_of(key.as_str())?));
    let mut present: Vec<(ConditionKey, Span)> =
        ConditionKey::VARIANTS.iter().filter_map(found).collect();
    order::sort_by_key(&mut present, |(_, span)| span.start);
    present
}

/// Notes all keys of conditions as known, and drops those that have not been read.
pub(super) fn drop_all(section: &mut Section<'_, '_>) {
    let others = OF_CONDITIONS.iter().map(|(key, _)| *key);
    let keys = ConditionKey::VARIANTS.iter().map(|key| key.as_str()).chain(others);
    for key in keys {
        if !section.knows(key) {
            drop(section.take(key));
        }
    }
}

/// Returns names of keys as a text for people.
fn listed(keys: impl IntoIterator<Item = ConditionKey>, last: &str) -> String {
    let mut names: Vec<String> =
        keys.into_iter().map(|key| format!("\"{}\"", key.as_str())).collect();
    match names.pop() {
        Some(end) if !names.is_empty() => format!("{} {last} {end}", names.join(", ")),
        end => end.unwrap_or_default(),
    }
}

/// Reads what a rule of the file watches, and its condition, of those that are `present`. Without any,
/// [`report_missing`] reports it.
pub(super) fn read(
    section: &mut Section<'_, '_>,
    present: &[(ConditionKey, Span)],
    plant: &Plant<'_>,
) -> Option<AlertRule> {
    let subject = WrittenSubject::read(section);
    let rule = match present {
        [] => None,
        [(key, _)] => {
            check_companions(section, *key);
            match key.is_of_source() {
                true => of_source(section, *key, subject, plant),
                false => of_field(section, *key, subject, plant),
            }
        }
        [.., (_, span)] => {
            let keys = listed(present.iter().map(|(key, _)| *key), "and");
            let message = format_args!(
                "{keys} exclude each other: a rule has one condition; write an [[alert]] for each"
            );
            section.report(*span, message);
            None
        }
    };
    drop_all(section);
    rule
}

/// Reports that a rule has no condition. All of its known keys have been read.
pub(super) fn report_missing(section: &Section<'_, '_>) {
    // The end of the table reports a condition that is misspelt.
    if ConditionKey::VARIANTS.iter().any(|key| section.misspells(key.as_str())) {
        return;
    }
    let keys = listed(ConditionKey::VARIANTS.iter().copied(), "or");
    section.report(section.own_span(), format_args!("no condition; write one of {keys}"));
}

/// Reports keys that belong to other conditions.
fn check_companions(section: &Section<'_, '_>, condition: ConditionKey) {
    for (key, conditions) in OF_CONDITIONS {
        let Some(span) = section.span_of(key) else { continue };
        if !conditions.contains(&condition) {
            let owners = listed(conditions.iter().copied(), "and");
            let own = condition.as_str();
            section.report(
                span,
                format_args!("\"{key}\" belongs to {owners}, and \"{own}\" has none; delete it"),
            );
        }
    }
}

fn of_source(
    section: &mut Section<'_, '_>,
    key: ConditionKey,
    subject: WrittenSubject,
    plant: &Plant<'_>,
) -> Option<AlertRule> {
    let condition = match key {
        ConditionKey::Stale => {
            let at = section.boolean("stale");
            if let Some(Spanned { value: false, span }) = at {
                section.report(
                    span,
                    "\"stale\" must be true; for a rule that is off, write enabled = false",
                );
                return None;
            }
            at.map(|_| SourceCondition::Stale)
        }
        _ => section.duration(key.as_str()).map(|at| SourceCondition::Failing { over: at.value }),
    };
    let sources = subject.source_only(section, key.as_str(), plant);
    Some(AlertRule::Source { sources: sources?, condition: condition? })
}

fn of_field(
    section: &mut Section<'_, '_>,
    key: ConditionKey,
    subject: WrittenSubject,
    plant: &Plant<'_>,
) -> Option<AlertRule> {
    let watched = subject.watched(section, key.as_str(), plant);
    let is_watched = watched.is_some();
    // The condition is read also if its subject has an error.
    let watched = watched.unwrap_or_else(|| Watched {
        plant,
        sources: SourceSelection::One("".into()),
        field: "".into(),
    });
    let condition = condition_of(section, key, &watched)?;
    let Watched { sources, field, .. } = watched;
    is_watched.then_some(AlertRule::Field { sources, field, condition })
}

fn condition_of(
    section: &mut Section<'_, '_>,
    key: ConditionKey,
    watched: &Watched<'_, '_>,
) -> Option<FieldCondition> {
    let name = key.as_str();
    match key {
        ConditionKey::Below => {
            let threshold = limit(section, name, watched);
            let clear = clear(section, name, Measure::Level, threshold.as_ref(), watched);
            Some(FieldCondition::Below { threshold: threshold?.value, clear: clear? })
        }
        ConditionKey::Above => {
            let threshold = limit(section, name, watched);
            let clear = clear(section, name, Measure::Level, threshold.as_ref(), watched);
            Some(FieldCondition::Above { threshold: threshold?.value, clear: clear? })
        }
        ConditionKey::Outside => outside(section, watched),
        ConditionKey::Equals => scalar(section, name, watched).map(FieldCondition::Equals),
        ConditionKey::NotEquals => scalar(section, name, watched).map(FieldCondition::NotEquals),
        ConditionKey::Falls | ConditionKey::Rises => {
            let by = amount(section, name, watched);
            let within = window(section, "within", watched);
            let within = section.require("within", within);
            let clear = clear(section, name, Measure::Amount, by.as_ref(), watched);
            let (by, within, clear) = (by?.value, within?, clear?);
            Some(match key {
                ConditionKey::Falls => FieldCondition::Falls { by, within, clear },
                _ => FieldCondition::Rises { by, within, clear },
            })
        }
        ConditionKey::NoRise => {
            let by = amount(section, name, watched);
            let within = window(section, "within", watched);
            let within = section.require("within", within);
            Some(FieldCondition::NoRise { by: by?.value, within: within? })
        }
        ConditionKey::Flat => {
            window(section, name, watched).map(|over| FieldCondition::Flat { over })
        }
        ConditionKey::EmptyWithin => empty_within(section, watched),
        ConditionKey::Stale | ConditionKey::Failing => None,
    }
}

/// Reads `clear` of a single limit. Returns `None` if it has an error, and `Some(None)` if it is absent.
fn clear(
    section: &mut Section<'_, '_>,
    condition: &str,
    measure: Measure,
    threshold: Option<&Spanned<Limit>>,
    watched: &Watched<'_, '_>,
) -> Option<Option<Limit>> {
    let is_present = section.span_of("clear").is_some();
    let read = match measure {
        Measure::Level => limit(section, "clear", watched),
        Measure::Amount => amount(section, "clear", watched),
    };
    let Some(Spanned { value: clear, span }) = read else {
        return (!is_present).then_some(None);
    };
    let Some(Spanned { value: threshold, .. }) = threshold else { return Some(Some(clear)) };
    let (wrong, side) = match condition {
        "below" => (Ordering::Less, "least"),
        _ => (Ordering::Greater, "most"),
    };
    if order(measure, clear, *threshold, watched) == Some(wrong) {
        let message = format_args!(
            "\"clear\" must be at {side} \"{condition}\", {threshold}; it is {clear}: the alert ends when it is \
             reached"
        );
        section.report(span, message);
        return None;
    }
    Some(Some(clear))
}

fn outside(section: &mut Section<'_, '_>, watched: &Watched<'_, '_>) -> Option<FieldCondition> {
    let has_clear = section.span_of("clear").is_some();
    let limits = pair(section, "outside", watched);
    let clear = pair(section, "clear", watched);
    let is_greater =
        |one, other| order(Measure::Level, one, other, watched) == Some(Ordering::Greater);
    let Spanned { value: (low, high), span } = limits?;
    // Equal limits have nothing between them.
    if order(Measure::Level, low, high, watched).is_some_and(Ordering::is_ge) {
        let limits = Pair(low, high);
        let message = format_args!(
            "the first limit of \"outside\" must be less than the second; they are {limits}"
        );
        section.report(span, message);
        return None;
    }
    let clear = match clear {
        Some(Spanned { value: (from, to), span }) => {
            if is_greater(low, from) || is_greater(from, to) || is_greater(to, high) {
                let (limits, clear) = (Pair(low, high), Pair(from, to));
                let message = format_args!(
                    "\"clear\" must be within \"outside\", {limits}; it is {clear}: the alert ends between \
                     these"
                );
                section.report(span, message);
                return None;
            }
            Some((from, to))
        }
        None if has_clear => return None,
        None => None,
    };
    Some(FieldCondition::Outside { low, high, clear })
}

/// Reads the time of which a rule needs the observations.
fn window(section: &mut Section<'_, '_>, key: &str, watched: &Watched<'_, '_>) -> Option<Duration> {
    let Spanned { value: window, span } = section.duration(key)?;
    let written = written_duration(window);
    if let Some(keep_raw) = watched.plant.keep_raw.filter(|keep_raw| window > *keep_raw) {
        let keep_raw = written_duration(keep_raw);
        section.warn(
            span,
            format_args!(
                "\"{key}\" is {written}, which is longer than observations are kept, \"keep_raw\" in [history], \
                 {keep_raw}; make that longer, or this shorter"
            ),
        );
    }
    let rare = watched.types().find(|(source, _)| window < source.interval);
    if let Some((source, _)) = rare {
        let (name, interval) = (&source.name, written_duration(source.interval));
        section.warn(
            span,
            format_args!(
                "\"{key}\" is {written}, which is shorter than the interval of the source \"{name}\", {interval}, \
                 so it rarely has two observations; make it longer"
            ),
        );
    }
    Some(window)
}

fn empty_within(
    section: &mut Section<'_, '_>,
    watched: &Watched<'_, '_>,
) -> Option<FieldCondition> {
    let key_span = section.span_of("empty_within").unwrap_or_default();
    let within = section.duration("empty_within")?.value;
    let has_field = |field: &str| *field == *watched.field;
    let mut first = None;
    for (source, _) in watched.types() {
        let tank = tank_of(source);
        if tank.is_some_and(|tank| tank.fields.iter().any(|field| has_field(field))) {
            return Some(FieldCondition::EmptyWithin { within });
        }
        first.get_or_insert((source, tank));
    }
    // Without such a source, there is another error.
    let (source, tank) = match first {
        Some(first) => first,
        None => return Some(FieldCondition::EmptyWithin { within }),
    };
    let (name, field) = (&source.name, &watched.field);
    let message = match tank {
        Some(tank) => {
            let content = &tank.fields[0];
            format!(
                "\"empty_within\" is for the content of a tank, and that of \"{name}\" is \"{content}\"; write \
                 field = \"{name}.{content}\""
            )
        }
        None => format!(
            "\"empty_within\" needs a trend of a tank, which \"{name}\" does not have; write \
             [source.trends.{field}] with tank = true in that source"
        ),
    };
    section.report(key_span, message);
    None
}
