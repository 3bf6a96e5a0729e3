//! `field`, `source` and `group` of a rule: what it watches.

use std::sync::Arc;

use toml_span::Span;

use super::super::name::is_name;
use super::super::section::{Section, Spanned};
use super::super::source_field_types::field_type;
use super::SourceSelection;
use super::plant::{Plant, Watched};
use crate::suggestion::advice;

/// The keys as they are written.
pub(super) struct WrittenSubject {
    field: Option<Spanned<String>>,
    source: Option<Spanned<String>>,
    group: Option<Spanned<String>>,
    /// False if one of them is no text.
    is_valid: bool,
}

impl WrittenSubject {
    /// Reads the keys.
    pub(super) fn read(section: &mut Section<'_, '_>) -> WrittenSubject {
        let problems = section.problem_count();
        WrittenSubject {
            field: section.string("field"),
            source: section.string("source"),
            group: section.string("group"),
            is_valid: section.problem_count() == problems,
        }
    }

    /// Returns the position of the first key that is present, with its name.
    pub(super) fn first(&self) -> Option<(&'static str, Span)> {
        let keys = [("field", &self.field), ("source", &self.source), ("group", &self.group)];
        keys.into_iter().find_map(|(key, at)| Some((key, at.as_ref()?.span)))
    }

    /// Returns the field that a rule on values watches. `condition` is the key of the condition.
    pub(super) fn watched<'a, 'p>(
        self,
        section: &Section<'_, '_>,
        condition: &str,
        plant: &'p Plant<'a>,
    ) -> Option<Watched<'a, 'p>> {
        if !self.is_valid {
            return None;
        }
        let Some(Spanned { value, span }) = &self.field else {
            let (span, example) = match self.first() {
                Some((_, span)) => (span, "field = \"volume\""),
                None => (section.own_span(), "field = \"tank.volume\""),
            };
            let message = format_args!(
                "\"{condition}\" is a condition on a field, and \"field\" is missing; write {example}"
            );
            section.report(span, message);
            return None;
        };
        let (sources, field) = match value.split_once('.') {
            Some((source, field)) => {
                if let Some(Spanned { span, .. }) = self.source.as_ref().or(self.group.as_ref()) {
                    let key = if self.source.is_some() { "source" } else { "group" };
                    let message = format_args!(
                        "\"{key}\" and the source in \"field\" exclude each other; write field = \"{field}\""
                    );
                    section.report(*span, message);
                    return None;
                }
                let source = Spanned { value: source.to_owned(), span: *span };
                (of_name(section, "field", &source, plant), field)
            }
            None => (self.sources(section, plant, Some(value), *span), value.as_str()),
        };
        if !is_name(field) {
            let message = format_args!(
                "\"field\": \"{value}\" must be SOURCE.FIELD, such as \"tank.volume\" or \"*.volume\", or the \
                 name of a field"
            );
            section.report(*span, message);
            return None;
        }
        let watched = Watched { plant, sources: sources?, field: field.into() };
        is_known(section, &watched, *span).then_some(watched)
    }

    /// Returns the sources that a rule on sources watches. `condition` is the key of the condition.
    pub(super) fn source_only(
        self,
        section: &Section<'_, '_>,
        condition: &str,
        plant: &Plant<'_>,
    ) -> Option<SourceSelection> {
        if !self.is_valid {
            return None;
        }
        if let Some(Spanned { value, span }) = &self.field {
            let source = match value.split_once('.') {
                Some((source, _)) if self.source.is_none() => source,
                _ => "tank",
            };
            let advice = match self.source.is_some() || self.group.is_some() {
                true => "delete \"field\"".to_owned(),
                false => format!("write source = \"{source}\""),
            };
            let message = format_args!(
                "\"{condition}\" is a condition on a source, which \"field\" does not belong to; {advice}"
            );
            section.report(*span, message);
            return None;
        }
        let message = || {
            let message = format_args!(
                "\"{condition}\" is a condition on a source, and \"source\" or \"group\" is missing; write \
                 source = \"tank\", or source = \"*\" for all"
            );
            section.report(section.own_span(), message);
        };
        if self.source.is_none() && self.group.is_none() {
            message();
            return None;
        }
        self.sources(section, plant, None, section.own_span())
    }

    /// Returns the sources that `source` or `group` names. `field` has no source of its own.
    fn sources(
        &self,
        section: &Section<'_, '_>,
        plant: &Plant<'_>,
        field: Option<&str>,
        span: Span,
    ) -> Option<SourceSelection> {
        match (&self.source, &self.group) {
            (Some(_), Some(Spanned { span, .. })) => {
                section.report(*span, "\"source\" and \"group\" exclude each other");
                None
            }
            (Some(source), None) => of_name(section, "source", source, plant),
            (None, Some(group)) => of_group(section, group, plant),
            (None, None) => {
                let field = field.unwrap_or_default();
                let example = plant.first().map_or("tank", |source| &*source.name);
                let message = format_args!(
                    "\"field\": \"{field}\" names no source; write \"{example}.{field}\", or \"*.{field}\" \
                     for all sources"
                );
                section.report(span, message);
                None
            }
        }
    }
}

/// Returns the source of a name, or all of them for `*`.
fn of_name(
    section: &Section<'_, '_>,
    key: &str,
    Spanned { value, span }: &Spanned<String>,
    plant: &Plant<'_>,
) -> Option<SourceSelection> {
    if value == "*" {
        return Some(SourceSelection::All);
    }
    let selection = SourceSelection::One(Arc::from(value.as_str()));
    if plant.is_valid() && plant.selected(&selection).next().is_none() {
        let advice = plant.advice_on_source(value);
        section.report(*span, format_args!("\"{key}\": \"{value}\" is no source; {advice}"));
        return None;
    }
    Some(selection)
}

fn of_group(
    section: &Section<'_, '_>,
    Spanned { value, span }: &Spanned<String>,
    plant: &Plant<'_>,
) -> Option<SourceSelection> {
    let selection = SourceSelection::Group(Arc::from(value.as_str()));
    if plant.is_valid() && plant.selected(&selection).next().is_none() {
        let advice = plant.advice_on_group(value);
        section.report(*span, format_args!("\"group\": no source is in \"{value}\"; {advice}"));
        return None;
    }
    Some(selection)
}

/// Reports a field that no selected source can have.
fn is_known(section: &Section<'_, '_>, watched: &Watched<'_, '_>, span: Span) -> bool {
    let Watched { plant, sources, field } = watched;
    if !plant.is_valid() || watched.types().next().is_some() {
        return true;
    }
    let mut selected = plant.selected(sources);
    let Some(source) = selected.next() else { return true };
    debug_assert!(field_type(source, field).is_none());
    let of_trends = super::super::trends::fields(&source.trends);
    let of_kind = source.kind.fields();
    let known = of_kind.iter().copied().chain(of_trends.iter().map(String::as_str));
    let advice = advice(field, known);
    let message = match selected.next() {
        None => {
            let (name, kind) = (&source.name, source.kind.as_str());
            format!(
                "\"field\": \"{field}\" is no field of the source \"{name}\" of the kind \"{kind}\"; {advice}"
            )
        }
        Some(_) => {
            format!("\"field\": \"{field}\" is a field of none of the selected sources; {advice}")
        }
    };
    section.report(span, message);
    false
}
