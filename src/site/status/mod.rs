//! `/api/v1/status`, `/api/v1/sources` and `/api/v1/sources/{source}`: the current readings.
//!
//! Most requests want every source, and share one body ([`assembly`]). A request that selects some sources or
//! fields gets a body of its own ([`selection`], [`rendering`]). So does one for every source while the latest
//! snapshot is behind the clock: it states for each source what holds at the moment of the request.
//!
//! Work of more than a few milliseconds is done in slices under a permit of the lane of scripts.

mod assembly;
mod blocks;
mod form;
mod rendering;
mod selection;

use std::ops::ControlFlow::{Break, Continue};

use self::assembly::{Assembled, Assembly, Builder, Waiting, Wanted};
use self::blocks::Blocks;
use self::form::{Form, Named};
use self::rendering::{Rendering, ShellStatus};
use self::selection::Selection;
use super::answer::Answer;
use super::content::{CachePolicy, Content, Representation, render_json_for};
use super::context::{Context, RouteRequest};
use super::freshness::{Freshness, is_behind};
use super::negotiate::{self, Coding};
use super::problem::Problem;
use super::query::{Parameter, Query, Syntax};
use super::rendered::Rendered;
use super::sources::unknown_source;
use crate::board::SourceView;

/// Bodies with all sources, which requests share.
pub(super) struct SharedBodies {
    status: Assembly<Blocks>,
    list: Assembly<Blocks>,
    shell: Assembly<ShellStatus>,
}

impl Default for SharedBodies {
    fn default() -> SharedBodies {
        SharedBodies {
            status: Assembly::new(Blocks::new(Form::Status)),
            list: Assembly::new(Blocks::new(Form::List)),
            shell: Assembly::new(ShellStatus::default()),
        }
    }
}

/// Answers `GET /api/v1/status`: every source, as an object.
pub(super) fn status(context: &Context, request: &RouteRequest<'_>) -> Result<Answer, Problem> {
    const PARAMETERS: [Parameter; 7] = [
        Parameter::Fields,
        Parameter::Format,
        Parameter::MaxAge,
        Parameter::Group,
        Parameter::State,
        Parameter::Limit,
        Parameter::Cursor,
    ];
    let query = Query::parse(&request.http.target, &PARAMETERS)?;
    match query.syntax {
        Syntax::Json => answer(context, request, query, Form::Status, |bodies| &bodies.status),
        Syntax::Shell => answer(context, request, query, Form::Status, |bodies| &bodies.shell),
    }
}

/// Answers `GET /api/v1/sources`: every source, as a list.
pub(super) fn sources(context: &Context, request: &RouteRequest<'_>) -> Result<Answer, Problem> {
    const PARAMETERS: [Parameter; 6] = [
        Parameter::Fields,
        Parameter::MaxAge,
        Parameter::Group,
        Parameter::State,
        Parameter::Limit,
        Parameter::Cursor,
    ];
    let query = Query::parse(&request.http.target, &PARAMETERS)?;
    answer(context, request, query, Form::List, |bodies| &bodies.list)
}

/// Answers `GET /api/v1/sources/{source}`: one source.
pub(super) fn source(context: &Context, request: &RouteRequest<'_>) -> Result<Content, Problem> {
    const PARAMETERS: [Parameter; 2] = [Parameter::Fields, Parameter::MaxAge];
    let query = Query::parse(&request.http.target, &PARAMETERS)?;
    let snapshot = context.snapshot();
    let source = snapshot.sources.get(request.parameter).ok_or_else(unknown_source)?;
    // A query that names fields names at least one, and of this source only: one is left.
    let selected = selection::one(source, &query, request.now)?;
    let freshness = assess([&selected], &query, request)?;
    let rendered = render_json_for(request.headers(), &Named::new(&selected));
    Ok(Representation::new(rendered, freshness.cache_policy()).into())
}

/// Body that all requests of a route share.
type SharedBody<B> = fn(&SharedBodies) -> &Assembly<B>;

fn answer<B: Builder + Send + 'static>(
    context: &Context,
    request: &RouteRequest<'_>,
    query: Query,
    form: Form,
    shared: SharedBody<B>,
) -> Result<Answer, Problem> {
    let snapshot = context.snapshot();
    let is_of_all = query.fields.is_none() && query.page.is_none();
    if !is_of_all || is_behind(&snapshot, request.now) {
        return select(context, request, &query, form);
    }
    let wanted = Wanted { snapshot: &snapshot, is_compressed: is_compressed(request) };
    let assembly = shared(&context.bodies);
    match assembly.latest(wanted).map(Ok).or_else(|| assembly.try_advance(wanted)) {
        Some(assembled) => respond(context, request, &query, form, &*assembled?),
        None => Ok(wait(query, form, shared, assembly.wait())),
    }
}

/// Returns the work that is left until the body is complete. Another request may do some of it.
fn wait<B: Builder + Send + 'static>(
    query: Query,
    form: Form,
    shared: SharedBody<B>,
    waiting: Waiting,
) -> Answer {
    Answer::unfinished(move |context, request| {
        let snapshot = context.snapshot();
        let wanted = Wanted { snapshot: &snapshot, is_compressed: is_compressed(request) };
        match shared(&context.bodies).advance(wanted, &waiting) {
            Some(assembled) => respond(context, request, &query, form, &*assembled?),
            None => Ok(wait(query, form, shared, waiting)),
        }
    })
}

/// Answers with a shared body.
fn respond(
    context: &Context,
    request: &RouteRequest<'_>,
    query: &Query,
    form: Form,
    assembled: &Assembled,
) -> Result<Answer, Problem> {
    let Assembled { rendered, times, .. } = assembled;
    match query.max_age {
        // The latest snapshot may be newer than the body, and names the sources that are too old.
        Some(max_age) if !times.are_within(max_age, request.now) => {
            select(context, request, query, form)
        }
        _ => Ok(content(rendered.clone(), times.cache_policy(request.now))),
    }
}

/// Answers with a body for this request alone.
fn select(
    context: &Context,
    request: &RouteRequest<'_>,
    query: &Query,
    form: Form,
) -> Result<Answer, Problem> {
    let snapshot = context.snapshot();
    let Selection { sources, next } = Selection::of(&snapshot, query, request.now)?;
    let policy = assess(sources.iter().map(|source| &**source), query, request)?.cache_policy();
    let (service, is_compressed) = (&snapshot.service, is_compressed(request));
    let is_page = query.page.is_some();
    let rendering = match query.syntax {
        Syntax::Shell => Rendering::shell(service, sources, is_page.then_some(next), is_compressed),
        Syntax::Json => {
            let form = if is_page { form.page() } else { form };
            Rendering::json(form, service, sources, next, is_compressed)
        }
    };
    render(rendering, policy)
}

/// Renders a slice, and leaves the others for later turns.
fn render(rendering: Rendering, policy: CachePolicy) -> Result<Answer, Problem> {
    match rendering.advance() {
        Break(rendered) => Ok(content(rendered?, policy)),
        Continue(rendering) => Ok(Answer::unfinished(move |_, _| render(rendering, policy))),
    }
}

fn content(rendered: Rendered, policy: CachePolicy) -> Answer {
    Answer::ready(Representation::new(rendered, policy))
}

fn is_compressed(request: &RouteRequest<'_>) -> bool {
    negotiate::coding(request.headers()) == Coding::Gzip
}

/// Assesses sources, or the values of them that the query selects, and rejects the request if one is older than
/// its `max_age=`.
fn assess<'a>(
    sources: impl IntoIterator<Item = &'a SourceView>,
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
