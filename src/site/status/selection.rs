//! The sources that a query selects: by fields, group and state, and one page of them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;

use crate::board::{Snapshot, SourceView, SourceViews};
use crate::site::freshness::{selected_state_at, state_at};
use crate::site::problem::Problem;
use crate::site::query::{Field, Page, Query};
use crate::site::source_filter::is_group;

/// Sources in the order of their names.
pub(super) struct Selection {
    /// The sources with their present states, and only the values that the query selects.
    pub(super) sources: Vec<Arc<SourceView>>,
    /// Cursor of the next page.
    pub(super) next: Option<Arc<str>>,
}

impl Selection {
    /// Selects sources at `now`.
    ///
    /// # Errors
    /// The query names a field or a group that does not exist.
    pub(super) fn of(
        snapshot: &Snapshot,
        query: &Query,
        now: Timestamp,
    ) -> Result<Selection, Problem> {
        let sources = &snapshot.sources;
        let fields =
            query.fields.as_deref().map(|fields| by_source(sources, fields)).transpose()?;
        let Page { filter, limit, cursor } = query.page.clone().unwrap_or_default();
        if let Some(group) = filter.group.as_deref().filter(|group| !is_group(sources, group)) {
            return Err(Problem::bad_request(format!("There is no group {group:?} here.")));
        }
        let matches = |source: &&Arc<SourceView>| {
            cursor.as_deref().is_none_or(|cursor| *source.name > *cursor)
                && filter.matches(source, now)
                && fields.as_ref().is_none_or(|fields| fields.contains_key(&*source.name))
        };
        let mut matching = sources.by_name().filter(matches);
        let limit = limit.unwrap_or(usize::MAX);
        let selected: Vec<&Arc<SourceView>> = matching.by_ref().take(limit).collect();
        let next = matching.next().and(selected.last()).map(|last| last.name.clone());
        let current = |source: &Arc<SourceView>| {
            let selected = fields.as_ref().and_then(|fields| fields.get(&*source.name));
            if state_at(source, now) == source.state && selected.is_none() {
                return Arc::clone(source);
            }
            Arc::new(current(source, selected, now))
        };
        Ok(Selection { sources: selected.into_iter().map(current).collect(), next })
    }
}

/// Returns one source with its present state, and only the values that the query selects.
///
/// # Errors
/// The query names a field that is not of this source.
pub(super) fn one(
    source: &SourceView,
    query: &Query,
    now: Timestamp,
) -> Result<SourceView, Problem> {
    let sources = std::iter::once(source.clone()).collect();
    let fields = query.fields.as_deref().map(|fields| by_source(&sources, fields)).transpose()?;
    let selected = fields.as_ref().and_then(|fields| fields.get(&*source.name));
    Ok(current(source, selected, now))
}

fn current(source: &SourceView, selected: Option<&HashSet<&str>>, now: Timestamp) -> SourceView {
    let mut view = SourceView { state: state_at(source, now), ..source.clone() };
    if let (Some(reading), Some(selected)) = (&mut view.reading, selected) {
        reading.values.retain(|(field, _)| selected.contains(&**field));
        reading.derived.retain(|(field, _)| selected.contains(&**field));
        view.state = selected_state_at(&view, now);
    }
    view
}

/// Returns the selected fields of each source.
fn by_source<'q>(
    sources: &SourceViews,
    fields: &'q [Field],
) -> Result<HashMap<&'q str, HashSet<&'q str>>, Problem> {
    let mut selected: HashMap<&str, HashSet<&str>> = HashMap::new();
    for Field { source, field } in fields {
        if !sources.get(source).is_some_and(|source| has(source, field)) {
            return Err(Problem::bad_request(format!("There is no field {source}.{field} here.")));
        }
        selected.entry(source).or_default().insert(field);
    }
    Ok(selected)
}

/// Returns true if the source has that field, or may have it: the fields of a source that has not
/// answered yet are unknown.
fn has(source: &SourceView, field: &str) -> bool {
    source.reading.is_none() || source.value(field).is_some()
}
