//! `/api/v1/status` and `/api/v1/sources`.

use bytes::Bytes;
use serde::Serialize;

use crate::board::{Rendered, SourceView};
use crate::http::Response;

use super::Site;
use super::deliver::deliver;
use super::freshness::{overtaken, policy, require};
use super::json::{ByName, ServiceInfo, Source, Status};
use super::problem::Problem;
use super::query::{Accepts, Field, Query};
use super::render::render_for;
use super::routes::Ask;

/// Every source. The whole of it is the snapshot's own bytes; only what is narrowed,
/// or has turned stale since the publication, is rendered here.
pub(super) fn status(site: &Site, ask: &Ask<'_>) -> Result<Response, Problem> {
    let query = Query::parse(&ask.request.target, Accepts::MaxAgeAndFields)?;
    let snapshot = (site.snapshots)();
    let asked = &ask.request.headers;
    if query.fields.is_none() && !snapshot.sources.iter().any(|it| overtaken(it, ask.now)) {
        if let Some(max_age) = query.max_age {
            require(snapshot.sources.iter(), max_age, ask.now)?;
        }
        return deliver(asked, &snapshot.status, policy(snapshot.sources.iter(), ask.now));
    }
    let sources = selected(&snapshot.sources, &query, ask, false)?;
    let service = ServiceInfo::started(site.settings.started_at);
    let views: Vec<&SourceView> = sources.iter().map(|source| source.view).collect();
    let rendered = rendered_json(ask, &Status { service, sources: ByName(sources) });
    deliver(asked, &rendered, policy(views.into_iter(), ask.now))
}

/// Every source, as a list.
pub(super) fn sources(site: &Site, ask: &Ask<'_>) -> Result<Response, Problem> {
    let query = Query::parse(&ask.request.target, Accepts::MaxAgeAndFields)?;
    let snapshot = (site.snapshots)();
    let sources = selected(&snapshot.sources, &query, ask, true)?;
    let views = sources.iter().map(|source| source.view);
    deliver(&ask.request.headers, &rendered_json(ask, &sources), policy(views, ask.now))
}

/// One source.
pub(super) fn source(site: &Site, ask: &Ask<'_>) -> Result<Response, Problem> {
    let query = Query::parse(&ask.request.target, Accepts::MaxAgeAndFields)?;
    let snapshot = (site.snapshots)();
    let view = find(&snapshot.sources, ask.parameter)
        .ok_or_else(|| Problem::not_found("There is no source of that name."))?;
    let alone = std::slice::from_ref(view);
    // A query that names fields names at least one, and of this source only: one is left.
    let source = selected(alone, &query, ask, true)?.pop();
    deliver(&ask.request.headers, &rendered_json(ask, &source), policy(alone.iter(), ask.now))
}

/// The source of that name.
pub(super) fn find<'a>(sources: &'a [SourceView], name: &str) -> Option<&'a SourceView> {
    sources.iter().find(|source| *source.name == *name)
}

/// JSON for one request.
pub(super) fn rendered_json(ask: &Ask<'_>, value: &impl Serialize) -> Rendered {
    let json = serde_json::to_vec(value).expect("names, texts and finite numbers are always JSON");
    render_for(&ask.request.headers, "application/json", Bytes::from(json))
}

/// What the query leaves of the sources, once they have passed its gate.
fn selected<'a>(
    views: &'a [SourceView],
    query: &Query,
    ask: &Ask<'_>,
    named: bool,
) -> Result<Vec<Source<'a>>, Problem> {
    let sources: Vec<Source<'a>> = match &query.fields {
        None => views.iter().map(|view| Source::whole(view, named, ask.now)).collect(),
        Some(fields) => narrowed(views, fields, ask, named)?,
    };
    if let Some(max_age) = query.max_age {
        require(sources.iter().map(|source| source.view), max_age, ask.now)?;
    }
    Ok(sources)
}

fn narrowed<'a>(
    views: &'a [SourceView],
    fields: &[Field],
    ask: &Ask<'_>,
    named: bool,
) -> Result<Vec<Source<'a>>, Problem> {
    for Field { source, field } in fields {
        let known = find(views, source).is_some_and(|view| has(view, field));
        if !known {
            return Err(Problem::bad_request(format!("There is no field {source}.{field} here.")));
        }
    }
    let narrow = |view: &'a SourceView| {
        let wanted = |name: &str| {
            fields.iter().any(|field| *field.source == *view.name && field.field == name)
        };
        let values = view.values().iter().filter(|(name, _)| wanted(name)).collect();
        let concerned = fields.iter().any(|field| *field.source == *view.name);
        concerned.then_some(Source { view, values, named, now: ask.now })
    };
    Ok(views.iter().filter_map(narrow).collect())
}

/// Whether a source has that field. As long as it waits for its first answer nobody
/// knows its fields, so any may be asked for.
fn has(view: &SourceView, field: &str) -> bool {
    view.reading.is_none() || view.values().iter().any(|(name, _)| **name == *field)
}
