//! The sources that rules watch, and their fields.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::super::history::History;
use toml_span::Span;

use super::super::kind::FieldType;
use super::super::section::Section;
use super::super::source::Source;
use super::super::source_field_types::field_type;
use super::SourceSelection;
use crate::order;
use crate::suggestion::nearest;
use crate::units::Unit;

/// Number of names that an error lists.
const MAX_LISTED: usize = 20;

/// Sources of the file, and the retention of their observations.
pub(in crate::config) struct Plant<'a> {
    sources: &'a [Arc<Source>],
    by_name: BTreeMap<&'a str, &'a Source>,
    /// False if a source has an error: names and fields may be missing, so that unknown ones are no errors.
    is_valid: bool,
    /// Retention of single observations; `None`: for ever, or there is no history.
    pub(super) keep_raw: Option<Duration>,
}

impl<'a> Plant<'a> {
    /// Returns the plant of these sources, of which all were read if it `is_valid`.
    pub(in crate::config) fn new(
        sources: &'a [Arc<Source>],
        is_valid: bool,
        history: Option<&History>,
    ) -> Plant<'a> {
        let by_name = order::gathered(sources.iter().map(|source| (&*source.name, &**source)));
        let keep_raw = history.and_then(|history| history.keep_raw);
        Plant { sources, by_name, is_valid, keep_raw }
    }

    /// Returns false if a source has an error.
    pub(super) const fn is_valid(&self) -> bool {
        self.is_valid
    }

    /// Returns the first source.
    pub(super) fn first(&self) -> Option<&'a Source> {
        self.sources.first().map(|source| &**source)
    }

    /// Returns the selected sources.
    pub(super) fn selected<'s>(
        &'s self,
        selection: &'s SourceSelection,
    ) -> impl Iterator<Item = &'a Source> + use<'a, 's> {
        // One is looked up: a fleet of thousands may have a rule for each source.
        let (one, all) = match selection {
            SourceSelection::One(name) => (self.by_name.get(&**name).copied(), &[][..]),
            _ => (None, self.sources),
        };
        let is_selected =
            |source: &&Arc<Source>| selection.selects(&source.name, source.group.as_deref());
        one.into_iter().chain(all.iter().filter(is_selected).map(|source| &**source))
    }

    /// Returns the advice for a name that no source has.
    pub(super) fn advice_on_source(&self, written: &str) -> String {
        advice(written, self.by_name.keys().copied())
    }

    /// Returns the advice for a group that no source is in.
    pub(super) fn advice_on_group(&self, written: &str) -> String {
        let mut groups: Vec<&str> = Vec::new();
        for group in self.sources.iter().filter_map(|source| source.group.as_deref()) {
            let ends = group.match_indices('/').map(|(at, _)| at).chain([group.len()]);
            groups.extend(ends.map(|end| &group[..end]));
        }
        order::sort(&mut groups);
        groups.dedup();
        if groups.is_empty() {
            return "no source has a \"group\"".to_owned();
        }
        advice(written, groups.iter().copied())
    }
}

/// Returns the nearest name, or all of them if they are few. A fleet has thousands.
pub(super) fn advice<'n>(written: &str, known: impl Iterator<Item = &'n str> + Clone) -> String {
    if let Some(near) = nearest(written, known.clone()) {
        return format!("did you mean \"{near}\"?");
    }
    let listed: Vec<&str> = known.clone().take(MAX_LISTED).collect();
    match known.count() {
        0 => "there is none".to_owned(),
        count if count > MAX_LISTED => format!("known are {}, …", listed.join(", ")),
        _ => format!("known are {}", listed.join(", ")),
    }
}

/// Watched values that a condition cannot be applied to, with the first of their sources.
pub(super) enum Misfit<'a> {
    /// It can be applied to all.
    None,
    /// It can be applied to others.
    Some { source: &'a Source, found: FieldType, count: usize },
    /// It can be applied to none.
    All { source: &'a Source, found: FieldType },
}

/// The values that a rule watches: a field of the selected sources that have it.
pub(super) struct Watched<'a, 'p> {
    pub(super) plant: &'p Plant<'a>,
    pub(super) sources: SourceSelection,
    pub(super) field: Arc<str>,
}

impl<'a> Watched<'a, '_> {
    /// Returns the sources that have the field, with its type.
    pub(super) fn types(&self) -> impl Iterator<Item = (&'a Source, FieldType)> {
        let selected = self.plant.selected(&self.sources);
        selected.filter_map(|source| Some((source, field_type(source, &self.field)?)))
    }

    /// Returns the values that a condition cannot be applied to, by their types.
    pub(super) fn misfit(&self, fits: &dyn Fn(FieldType) -> bool) -> Misfit<'a> {
        let (mut first, mut count, mut is_of_all) = (None, 0, true);
        for (source, found) in self.types() {
            if fits(found) {
                is_of_all = false;
            } else {
                first.get_or_insert((source, found));
                count += 1;
            }
        }
        match first {
            None => Misfit::None,
            Some((source, found)) if is_of_all => Misfit::All { source, found },
            Some((source, found)) => Misfit::Some { source, found, count },
        }
    }

    /// Warns of a condition that cannot be applied to some of the values.
    pub(super) fn warn_of_misfit(
        &self,
        section: &Section<'_, '_>,
        span: Span,
        key: &str,
        (source, found): (&Source, FieldType),
        count: usize,
    ) {
        let is = match found {
            FieldType::Text => "is a text".to_owned(),
            FieldType::Number(Some(Unit::Bool)) => "is true or false".to_owned(),
            _ => found.unit().map_or("has no unit".to_owned(), |unit| format!("is in {unit}")),
        };
        let more = match count {
            0 | 1 => String::new(),
            2 => ", nor to that of one other source".to_owned(),
            count => format!(", nor to those of {} other sources", count - 1),
        };
        let field = format!("{}.{}", source.name, self.field);
        section.warn(
            span,
            format_args!(
                "\"{key}\" cannot be compared with {field}, which {is}: the rule is not applied to it{more}; write a \
                 rule for each quantity"
            ),
        );
    }

    /// Returns the unit of the values, if it is a label with this text.
    pub(super) fn label(&self, text: &str) -> Option<Unit> {
        let labels = self.types().filter_map(|(_, found)| found.unit());
        labels.into_iter().find(|unit| matches!(unit, Unit::Label(_)) && unit.as_str() == text)
    }
}
