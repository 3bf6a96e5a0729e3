//! `/api/v1/status`, `/api/v1/sources` and `/api/v1/sources/{source}`: the current readings.

use std::borrow::Cow;
use std::collections::HashSet;

use serde::Serialize;

use super::content::{Content, Representation, json, render_for, render_json_for};
use super::context::{Context, RouteRequest};
use super::freshness::Freshness;
use super::media_type::{JSON, PLAIN};
use super::problem::Problem;
use super::query::{Field, Parameter, Query, Syntax};
use super::shell;
use super::sources::{find, unknown_source};
use crate::board::{self, Rendered, SourceView};

/// Parameters of the routes that return sources as JSON only.
const PARAMETERS: [Parameter; 2] = [Parameter::Fields, Parameter::MaxAge];

/// Answers `GET /api/v1/status`: every source.
///
/// The whole status is the snapshot's own bytes. Only a status that is narrowed by `fields=`, or
/// in which a source has turned stale since the snapshot, is rendered here.
pub(super) fn status(context: &Context, request: &RouteRequest<'_>) -> Result<Content, Problem> {
    const PARAMETERS: [Parameter; 3] = [Parameter::Fields, Parameter::Format, Parameter::MaxAge];
    let query = Query::parse(&request.http.target, &PARAMETERS)?;
    let snapshot = context.snapshot();
    let service = &snapshot.service;
    let selected = selected(&snapshot.sources, &query)?;
    let freshness = assess(&selected, &query, request)?;
    let rendered = match (is_snapshot(&query, &freshness), query.syntax) {
        (true, Syntax::Json) => snapshot.status.clone(),
        (true, Syntax::Shell) => context.shell_status.get_or_render(&snapshot, || {
            Ok(Rendered::new(PLAIN, shell::status(service, &snapshot.sources)?))
        })?,
        (false, Syntax::Json) => {
            render_for(request.headers(), JSON, board::status(service, &freshness.current()))
        }
        (false, Syntax::Shell) => {
            render_for(request.headers(), PLAIN, shell::status(service, &freshness.current())?)
        }
    };
    Ok(Representation::new(rendered, freshness.cache_policy()).into())
}

/// Answers `GET /api/v1/sources`: every source, as a list.
pub(super) fn sources(context: &Context, request: &RouteRequest<'_>) -> Result<Content, Problem> {
    let query = Query::parse(&request.http.target, &PARAMETERS)?;
    let snapshot = context.snapshot();
    let selected = selected(&snapshot.sources, &query)?;
    let freshness = assess(&selected, &query, request)?;
    let rendered = if is_snapshot(&query, &freshness) {
        context.source_list.get_or_render(&snapshot, || {
            let list: Vec<Named<'_>> = snapshot.sources.iter().map(Named::new).collect();
            Ok(Rendered::new(JSON, json(&list)))
        })?
    } else {
        let current = freshness.current();
        let list: Vec<Named<'_>> = current.iter().map(Named::new).collect();
        render_json_for(request.headers(), &list)
    };
    Ok(Representation::new(rendered, freshness.cache_policy()).into())
}

/// Answers `GET /api/v1/sources/{source}`: one source.
pub(super) fn source(context: &Context, request: &RouteRequest<'_>) -> Result<Content, Problem> {
    let query = Query::parse(&request.http.target, &PARAMETERS)?;
    let snapshot = context.snapshot();
    let source = find(&snapshot.sources, request.parameter).ok_or_else(unknown_source)?;
    // A query that names fields names at least one, and of this source only: one is left.
    let selected = selected(std::slice::from_ref(source), &query)?;
    let freshness = assess(&selected, &query, request)?;
    let current = freshness.current();
    let rendered = render_json_for(request.headers(), &current.first().map(Named::new));
    Ok(Representation::new(rendered, freshness.cache_policy()).into())
}

/// A source with its name as a member, where no key names it.
#[derive(Serialize)]
struct Named<'a> {
    name: &'a str,
    #[serde(flatten)]
    source: &'a SourceView,
}

impl<'a> Named<'a> {
    fn new(source: &'a SourceView) -> Named<'a> {
        Named { name: &source.name, source }
    }
}

/// Assesses the sources, or the values that the query selects, and rejects the request if one is older than its
/// `max_age=`.
fn assess<'a>(
    sources: &'a [SourceView],
    query: &Query,
    request: &RouteRequest<'_>,
) -> Result<Freshness<'a>, Problem> {
    let freshness = match query.fields {
        None => Freshness::assess(sources, request.now),
        Some(_) => Freshness::assess_selected(sources, request.now),
    };
    match query.max_age {
        Some(max_age) => freshness.require_max_age(max_age).map(|()| freshness),
        None => Ok(freshness),
    }
}

/// Returns true if the body is the same for all requests until the next snapshot.
fn is_snapshot(query: &Query, freshness: &Freshness<'_>) -> bool {
    query.fields.is_none() && !freshness.stale_since_publish()
}

/// Returns the sources and fields that the query selects.
fn selected<'a>(
    sources: &'a [SourceView],
    query: &Query,
) -> Result<Cow<'a, [SourceView]>, Problem> {
    match &query.fields {
        None => Ok(Cow::Borrowed(sources)),
        Some(fields) => narrowed(sources, fields).map(Cow::Owned),
    }
}

fn narrowed(sources: &[SourceView], fields: &[Field]) -> Result<Vec<SourceView>, Problem> {
    for Field { source, field } in fields {
        let is_known = find(sources, source).is_some_and(|source| has(source, field));
        if !is_known {
            return Err(Problem::bad_request(format!("There is no field {source}.{field} here.")));
        }
    }
    let names: HashSet<&str> = fields.iter().map(|field| &*field.source).collect();
    let all: HashSet<(&str, &str)> =
        fields.iter().map(|field| (&*field.source, &*field.field)).collect();
    let mut narrowed: Vec<SourceView> =
        sources.iter().filter(|source| names.contains(&*source.name)).cloned().collect();
    for source in &mut narrowed {
        let name = &*source.name;
        let is_selected = |field: &str| all.contains(&(name, field));
        if let Some(reading) = &mut source.reading {
            reading.values.retain(|(field, _)| is_selected(field));
            reading.derived.retain(|(field, _)| is_selected(field));
        }
    }
    Ok(narrowed)
}

/// Returns true if the source has that field, or may have it: the fields of a source that has not
/// answered yet are unknown.
fn has(source: &SourceView, field: &str) -> bool {
    source.reading.is_none() || source.value(field).is_some()
}
