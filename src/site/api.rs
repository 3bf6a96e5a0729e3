//! `/api/v1/status` and `/api/v1/sources`.

use std::collections::HashSet;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use serde::Serialize;

use crate::board::{self, Rendered, Snapshot, SourceView};
use crate::engine::Response;

use super::Site;
use super::deliver::{JSON, PLAIN, deliver};
use super::freshness::{overtaken, policy, require, state_at};
use super::json::Named;
use super::problem::Problem;
use super::query::{Field, Parameter, Query, Syntax};
use super::render::render_for;
use super::routes::Ask;
use super::shell;

/// Every source. The whole of it is the snapshot's own bytes; only what is narrowed,
/// or has turned stale since the publication, is rendered here.
pub(super) fn status(site: &Site, ask: &Ask<'_>) -> Result<Response, Problem> {
    const UNDERSTOOD: [Parameter; 3] = [Parameter::Fields, Parameter::Format, Parameter::MaxAge];
    let query = Query::parse(&ask.request.target, &UNDERSTOOD)?;
    let snapshot = (site.snapshots)();
    let asked = &ask.request.headers;
    let settings = site.settings();
    let service = &settings.service;
    if is_of_snapshot(&snapshot, &query, ask) {
        if let Some(max_age) = query.max_age {
            require(snapshot.sources.iter(), max_age, ask.now)?;
        }
        let policy = policy(snapshot.sources.iter(), ask.now);
        if query.syntax == Syntax::Json {
            return deliver(asked, &snapshot.status, policy);
        }
        let render = || Ok(Rendered::new(PLAIN, shell::status(service, &snapshot.sources)?));
        return deliver(asked, &site.shell_status.of(&snapshot, render)?, policy);
    }
    let sources = selected(&snapshot.sources, &query, ask)?;
    let rendered = match query.syntax {
        Syntax::Json => render_for(asked, JSON, board::status(service, &sources).into()),
        Syntax::Shell => render_for(asked, PLAIN, shell::status(service, &sources)?.into()),
    };
    deliver(asked, &rendered, policy(sources.iter(), ask.now))
}

/// Returns true if the answer is the same for all requests until the next snapshot.
fn is_of_snapshot(snapshot: &Snapshot, query: &Query, ask: &Ask<'_>) -> bool {
    query.fields.is_none() && !snapshot.sources.iter().any(|it| overtaken(it, ask.now))
}

/// A body rendered from the latest snapshot, shared by all requests until the next one.
#[derive(Default)]
pub(super) struct OfSnapshot(ArcSwapOption<(u64, Rendered)>);

impl OfSnapshot {
    fn of(
        &self,
        snapshot: &Snapshot,
        render: impl FnOnce() -> Result<Rendered, Problem>,
    ) -> Result<Rendered, Problem> {
        match &*self.0.load() {
            Some(kept) if kept.0 == snapshot.version => Ok(kept.1.clone()),
            _ => {
                let rendered = render()?;
                self.0.store(Some(Arc::new((snapshot.version, rendered.clone()))));
                Ok(rendered)
            }
        }
    }
}

/// What the routes understand that tell of sources as JSON only.
const NARROWED: [Parameter; 2] = [Parameter::Fields, Parameter::MaxAge];

/// Every source, as a list.
pub(super) fn sources(site: &Site, ask: &Ask<'_>) -> Result<Response, Problem> {
    let query = Query::parse(&ask.request.target, &NARROWED)?;
    let snapshot = (site.snapshots)();
    let sources = selected(&snapshot.sources, &query, ask)?;
    let named = || sources.iter().map(Named::new).collect::<Vec<_>>();
    let rendered = if is_of_snapshot(&snapshot, &query, ask) {
        site.source_list.of(&snapshot, || Ok(Rendered::new(JSON, json(&named()))))?
    } else {
        rendered_json(ask, &named())
    };
    deliver(&ask.request.headers, &rendered, policy(sources.iter(), ask.now))
}

/// One source.
pub(super) fn source(site: &Site, ask: &Ask<'_>) -> Result<Response, Problem> {
    let query = Query::parse(&ask.request.target, &NARROWED)?;
    let snapshot = (site.snapshots)();
    let view = find(&snapshot.sources, ask.parameter)
        .ok_or_else(|| Problem::not_found("There is no source of that name."))?;
    // A query that names fields names at least one, and of this source only: one is left.
    let sources = selected(std::slice::from_ref(view), &query, ask)?;
    let rendered = rendered_json(ask, &sources.first().map(Named::new));
    deliver(&ask.request.headers, &rendered, policy(sources.iter(), ask.now))
}

/// The source of that name.
pub(super) fn find<'a>(sources: &'a [SourceView], name: &str) -> Option<&'a SourceView> {
    sources.iter().find(|source| *source.name == *name)
}

/// JSON for one request, ended by a newline for those who read it in a terminal.
pub(super) fn rendered_json(ask: &Ask<'_>, value: &impl Serialize) -> Rendered {
    render_for(&ask.request.headers, JSON, Bytes::from(json(value)))
}

fn json(value: &impl Serialize) -> Vec<u8> {
    let mut json =
        serde_json::to_vec(value).expect("names, texts and finite numbers are always JSON");
    json.push(b'\n');
    json
}

/// What the query leaves of the sources, as they stand now, once they have passed its gate.
fn selected(
    views: &[SourceView],
    query: &Query,
    ask: &Ask<'_>,
) -> Result<Vec<SourceView>, Problem> {
    let mut sources = match &query.fields {
        None => views.to_vec(),
        Some(fields) => narrowed(views, fields)?,
    };
    if let Some(max_age) = query.max_age {
        require(sources.iter(), max_age, ask.now)?;
    }
    for source in &mut sources {
        source.state = state_at(source, ask.now);
    }
    Ok(sources)
}

fn narrowed(views: &[SourceView], fields: &[Field]) -> Result<Vec<SourceView>, Problem> {
    for Field { source, field } in fields {
        let known = find(views, source).is_some_and(|view| has(view, field));
        if !known {
            return Err(Problem::bad_request(format!("There is no field {source}.{field} here.")));
        }
    }
    let of_source: HashSet<&str> = fields.iter().map(|field| &*field.source).collect();
    let all: HashSet<(&str, &str)> =
        fields.iter().map(|field| (&*field.source, &*field.field)).collect();
    let mut narrow: Vec<SourceView> =
        views.iter().filter(|view| of_source.contains(&*view.name)).cloned().collect();
    for view in &mut narrow {
        let source = &*view.name;
        let wanted = |name: &str| all.contains(&(source, name));
        if let Some(reading) = &mut view.reading {
            reading.values.retain(|(name, _)| wanted(name));
            reading.derived.retain(|(name, _)| wanted(name));
        }
    }
    Ok(narrow)
}

/// Whether a source has that field. As long as it waits for its first answer nobody
/// knows its fields, so any may be asked for.
fn has(view: &SourceView, field: &str) -> bool {
    view.reading.is_none() || view.value(field).is_some()
}
