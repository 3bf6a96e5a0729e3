//! `/api/v1/history`: the recorded series of one field.
//!
//! A window without `step=` has a few thousand points at most: it is collected, compressed and sent
//! with an entity tag. A window with a step may have any number of points: it is streamed, and the
//! history is read as the client takes the bytes.

use std::task::Poll;

use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderValue, Method};

use super::answer::Answer;
use super::content::{CachePolicy, Representation};
use super::context::{Context, RouteRequest};
use super::freshness::Freshness;
use super::history_problem::{unavailable, unrecorded};
use super::history_query;
use super::negotiate::{self, Coding};
use super::problem::Problem;
use super::query::Pairs;
use super::rendered::RenderedBuilder;
use super::series::{Format, SeriesBody};
use crate::engine::{Body, Response};
use crate::history::{HistoryError, ReaderWait, Step, Window};

/// Most single observations that a request joins to steps.
///
/// This is a month of one observation every five seconds, and less than half a second of work. More
/// would keep the requests of other clients waiting for a permit. Quarters of an hour and days are
/// joined already.
pub(super) const MAX_JOINED: i64 = 500_000;

/// Answers `GET /api/v1/history`.
pub(super) fn history(context: &Context, request: &RouteRequest<'_>) -> Result<Answer, Problem> {
    let pairs = Pairs::of(&request.http.target)?;
    let (window, format) = history_query::parse(pairs, context.history.zone(), request.now)?;
    if !context.history.is_enabled() {
        return Err(unavailable(&HistoryError::Off));
    }
    let wait = ReaderWait::default();
    Ok(Answer::unfinished(move |context, request| open(context, request, window, format, wait)))
}

/// Opens the window, and begins to send or to collect its points.
fn open(
    context: &Context,
    request: &RouteRequest<'_>,
    window: Window,
    format: Format,
    mut wait: ReaderWait,
) -> Result<Answer, Problem> {
    let found = context.history.poll_points(&window, &mut wait);
    let Poll::Ready(found) = found.map_err(|error| unavailable(&error))? else {
        return Ok(Answer::unfinished(move |context, request| {
            open(context, request, window, format, wait)
        }));
    };
    let points = found.ok_or_else(|| {
        let snapshot = context.snapshot();
        unrecorded(snapshot.sources.get(&window.source), &window.source, &window.field)
    })?;
    check_cost(points.observations())?;
    let mut series = SeriesBody::new(points, format, &context.history);
    if window.step == Step::Auto {
        let is_compressed = negotiate::coding(request.headers()) == Coding::Gzip;
        let rendering = RenderedBuilder::new(format.media_type(), is_compressed);
        return Collection { window, format, series, rendering }.collect(context, request);
    }
    // The first piece is read before the head is sent, so that an unreadable history becomes a 503.
    // A HEAD has no use for it.
    if request.http.method != Method::HEAD {
        series.gather().map_err(|error| unavailable(&error))?;
    }
    let mut response = Response::new(Body::Stream(Box::new(series)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Some(disposition) = disposition(&window, format) {
        headers.insert(CONTENT_DISPOSITION, disposition);
    }
    Ok(Answer::ready(response))
}

/// A series that is held as a whole.
struct Collection {
    window: Window,
    format: Format,
    series: SeriesBody,
    rendering: RenderedBuilder,
}

impl Collection {
    /// Does one piece of the work.
    fn collect(mut self, context: &Context, request: &RouteRequest<'_>) -> Result<Answer, Problem> {
        self.series.gather().map_err(|error| unavailable(&error))?;
        let (bytes, has_ended) = self.series.take();
        self.rendering.push(&bytes);
        if !has_ended {
            return Ok(Answer::unfinished(move |context, request| self.collect(context, request)));
        }
        Ok(Answer::ready(Representation {
            rendered: self.rendering.finish(),
            policy: policy(context, request, &self.window.source),
            disposition: disposition(&self.window, self.format),
        }))
    }
}

/// Returns the name of the file that a browser makes of a format other than JSON.
fn disposition(window: &Window, format: Format) -> Option<HeaderValue> {
    if format == Format::Json {
        return None;
    }
    let (Window { source, field, .. }, suffix) = (window, format.suffix());
    // Names are letters, digits and underscores, so this is always a header value.
    HeaderValue::try_from(format!("attachment; filename=\"{source}.{field}.{suffix}\"")).ok()
}

/// Rejects a window whose points join more observations than a request may.
fn check_cost(observations: i64) -> Result<(), Problem> {
    if observations <= MAX_JOINED {
        return Ok(());
    }
    Err(Problem::bad_request(format!(
        "This step joins about {observations} single observations, and a request joins at most \
         {MAX_JOINED}: request a shorter window, a step that is a multiple of 15m, or step=raw."
    )))
}

/// Returns the caching headers of a series: it cannot grow before the source's next poll.
fn policy(context: &Context, request: &RouteRequest<'_>, source: &str) -> CachePolicy {
    let snapshot = context.snapshot();
    let source = snapshot.sources.get(source);
    Freshness::assess(source, request.now).cache_policy().without_dates()
}

#[cfg(test)]
mod tests;
