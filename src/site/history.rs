//! `/api/v1/history` and `/api/v1/events`: what was.

use std::task::Poll;

use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use http::{HeaderValue, Method, StatusCode};
use jiff::Timestamp;
use serde::Serialize;

use crate::board::{Datum, Event, RenderedBuilder, SourceView};
use crate::engine::{Body, Response};
use crate::history::{
    DAY, EventScan, HistoryError, MIN_TIME, QUARTER, ReaderWait, Step, StoredEvent, Window,
    parse_step, parse_time,
};
use crate::timestamp::Rfc3339;

use super::Site;
use super::answer::Answer;
use super::api::{find, rendered_json};
use super::deliver::{Policy, deliver};
use super::freshness::policy;
use super::negotiate::{self, Coding};
use super::problem::Problem;
use super::query::{self, Pairs};
use super::routes::Ask;
use super::series::{Format, SeriesBody};

/// The window of a query that names none.
const USUAL: i64 = DAY;

/// Events in a page, unless another number is asked for.
pub(super) const EVENTS: usize = 50;

/// Events in a page at most.
pub(super) const MOST_EVENTS: usize = 500;

/// Number of single observations that a request joins to steps at most: a month of one every five
/// seconds, which is less than half a second of work. More would keep the requests of other clients
/// waiting for a permit. Quarters of an hour and days are joined already.
pub(super) const MOST_JOINED: i64 = 500_000;

/// A series.
pub(super) fn history(site: &Site, ask: &Ask<'_>) -> Result<Answer, Problem> {
    let (window, format) = asked_for(site, ask)?;
    if !site.history.is_enabled() {
        return Err(unavailable(&HistoryError::Off));
    }
    let wait = ReaderWait::default();
    Ok(Answer::unfinished(move |site, ask| open(site, ask, window, format, wait)))
}

/// Opens the window, and begins to send or to collect its points.
fn open(
    site: &Site,
    ask: &Ask<'_>,
    window: Window,
    format: Format,
    mut wait: ReaderWait,
) -> Result<Answer, Problem> {
    let found = site.history.poll_points(&window, &mut wait);
    let Poll::Ready(found) = found.map_err(|error| unavailable(&error))? else {
        return Ok(Answer::unfinished(move |site, ask| open(site, ask, window, format, wait)));
    };
    let points = found.ok_or_else(|| {
        let snapshot = (site.snapshots)();
        unrecorded(find(&snapshot.sources, &window.source), &window.source, &window.field)
    })?;
    check_cost(points.observations())?;
    let mut series = SeriesBody::new(points, format, &site.history);
    if window.step == Step::Auto {
        let compressed = negotiate::coding(&ask.request.headers) == Coding::Gzip;
        let rendering = RenderedBuilder::new(format.media_type(), compressed);
        return collect(site, ask, Collecting { window, format, series, rendering });
    }
    // The first piece is read before the head is sent, so that a history that has no answer is
    // known. A HEAD has no use for it.
    if ask.request.method != Method::HEAD {
        series.gather().map_err(|error| unavailable(&error))?;
    }
    let mut response = Response::new(Body::Stream(Box::new(series)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.media_type()));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(Answer::Ready(named(response, &window, format)))
}

/// A series that is held as a whole, as it has no more than a few thousand points.
struct Collecting {
    window: Window,
    format: Format,
    series: SeriesBody,
    rendering: RenderedBuilder,
}

fn collect(site: &Site, ask: &Ask<'_>, mut collecting: Collecting) -> Result<Answer, Problem> {
    collecting.series.gather().map_err(|error| unavailable(&error))?;
    let (bytes, ended) = collecting.series.take();
    collecting.rendering.push(&bytes);
    if !ended {
        return Ok(Answer::unfinished(move |site, ask| collect(site, ask, collecting)));
    }
    let Collecting { window, format, rendering, .. } = collecting;
    let policy = cached(site, &window.source, ask);
    let response = deliver(&ask.request.headers, &rendering.finish(), policy)?;
    Ok(Answer::Ready(named(response, &window, format)))
}

/// Names the file that a browser makes of a format other than JSON.
fn named(mut response: Response, window: &Window, format: Format) -> Response {
    if format != Format::Json && response.status() == StatusCode::OK {
        let (Window { source, field, .. }, suffix) = (window, format.suffix());
        let named = format!("attachment; filename=\"{source}.{field}.{suffix}\"");
        // Names are letters, digits, underscores and a dot.
        response
            .headers_mut()
            .extend(HeaderValue::try_from(named).map(|it| (CONTENT_DISPOSITION, it)));
    }
    response
}

/// Refuses a window whose points join more rows than a request may.
fn check_cost(rows: i64) -> Result<(), Problem> {
    if rows <= MOST_JOINED {
        return Ok(());
    }
    Err(Problem::bad_request(format!(
        "This step joins about {rows} single observations, and a request joins at most \
         {MOST_JOINED}: request a shorter window, a step that is a multiple of 15m, or \
         step=raw."
    )))
}

/// Nothing new can be there before the source is polled again.
fn cached(site: &Site, source: &str, ask: &Ask<'_>) -> Policy {
    let snapshot = (site.snapshots)();
    let fresh = policy(find(&snapshot.sources, source).into_iter(), ask.now);
    // The dates of the latest reading are not those of a window of the past.
    Policy { last_modified: None, dates: None, ..fresh }
}

/// Why nothing of that field is recorded, as the source's latest reading has it.
pub(super) fn unrecorded(view: Option<&SourceView>, source: &str, field: &str) -> Problem {
    let reading = view.and_then(|view| view.reading.as_ref());
    let derived = reading.map_or(&[][..], |reading| &reading.derived);
    let told = view.and_then(|view| view.value(field)).map(|value| &value.datum);
    let detail = if derived.iter().any(|(name, _)| **name == *field) {
        format!(
            "{source}.{field} is worked out of the latest recorded values, and not itself \
             recorded. Its present value is at /api/v1/values/{source}.{field}."
        )
    } else {
        match told {
            Some(Some(Datum::Text(_))) => {
                format!("{source}.{field} is a text, and only numbers are recorded.")
            }
            Some(_) => format!("Nothing of {source}.{field} has been recorded yet."),
            None => format!("Nothing of {source}.{field} was ever recorded."),
        }
    };
    Problem::not_found(detail)
}

/// What a visitor is told of a history without an answer.
pub(super) fn unavailable(error: &HistoryError) -> Problem {
    let (status, retry) = match error {
        HistoryError::Off => return Problem::not_found("No history is kept here."),
        HistoryError::Busy | HistoryError::Closed => (StatusCode::SERVICE_UNAVAILABLE, 2),
        HistoryError::Unreadable => (StatusCode::SERVICE_UNAVAILABLE, 60),
    };
    let mut detail = error.to_string();
    // A sentence begins with a capital and ends with a stop.
    detail.replace_range(..1, &detail[..1].to_ascii_uppercase());
    detail.push_str(" now.");
    Problem::new(status, detail).retry_after(retry)
}

fn asked_for(site: &Site, ask: &Ask<'_>) -> Result<(Window, Format), Problem> {
    let zone = site.history.zone();
    let mut pairs = Pairs::of(&ask.request.target)?;
    let moment = |text: Option<String>, name: &str| {
        let Some(text) = text else { return Ok(None) };
        parse_time(&text, zone).map(Some).ok_or_else(|| {
            Problem::bad_request(format!(
                "{name} is a time such as 2026-01-31T17:16:00Z, a date, or seconds since 1970."
            ))
        })
    };
    let field = pairs
        .take("field")
        .ok_or_else(|| Problem::bad_request("Which field? Name one, such as field=tank.level."))?;
    let field = query::field(&field)
        .ok_or_else(|| Problem::bad_request("field is source.field, such as field=tank.level."))?;
    let from = moment(pairs.take("from"), "from")?;
    let to = moment(pairs.take("to"), "to")?;
    let mut short = Vec::new();
    for (name, seconds) in [("hours", 3600), ("days", DAY)] {
        if let Some(text) = pairs.take(name) {
            short.push(span(&text, seconds).ok_or_else(|| {
                Problem::bad_request(format!(
                    "{name} is a number greater than 0, such as {name}=6."
                ))
            })?);
        }
    }
    let step = match pairs.take("step") {
        None => Step::Auto,
        Some(text) => parse_step(&text).ok_or_else(|| {
            Problem::bad_request(
                "step is raw, a time such as 15m or 1d, or seconds; above a day, whole days.",
            )
        })?,
    };
    let format = match pairs.take("format") {
        None => Format::Json,
        Some(name) => Format::parse(&name)
            .ok_or_else(|| Problem::bad_request("format is json, csv or ndjson."))?,
    };
    pairs.finish()?;
    let length = short.first().copied().unwrap_or(USUAL);
    let to = to.unwrap_or_else(|| soon(ask.now, length));
    let from = match (from, &short[..]) {
        (None, []) => (to - USUAL).max(MIN_TIME),
        (Some(from), []) => from,
        (None, [length]) => to.saturating_sub(*length).max(MIN_TIME),
        _ => {
            return Err(Problem::bad_request("from, hours and days exclude each other."));
        }
    };
    if from >= to {
        return Err(Problem::bad_request("The window ends before it begins."));
    }
    let window = Window { source: field.source, field: field.field, from, to, step };
    Ok((window, format))
}

/// The end of a window of that length up to now. It stands still for as long as a point of such
/// a window lasts, so that a client who asks again before anything was observed is told so.
fn soon(now: Timestamp, length: i64) -> i64 {
    const POINTS: i64 = 300;
    let still = [60, 300].into_iter().find(|still| length <= still * POINTS).unwrap_or(QUARTER);
    (now.as_second().div_euclid(still) + 1) * still
}

/// So many hours or days, as seconds.
fn span(text: &str, unit: i64) -> Option<i64> {
    const MOST: f64 = 1e9;
    let plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let number: f64 = text.parse().ok().filter(|_| plain)?;
    let seconds = number * unit as f64;
    // Whole seconds are fine enough, and thirty years far enough.
    (1.0..=MOST).contains(&seconds).then_some(seconds as i64)
}

/// What happened, the latest first.
pub(super) fn events(site: &Site, ask: &Ask<'_>) -> Result<Answer, Problem> {
    let mut pairs = Pairs::of(&ask.request.target)?;
    let limit = pairs.take("limit").map_or(Some(EVENTS), |text| query::whole_number(&text));
    let limit = limit.filter(|limit| (1..=MOST_EVENTS).contains(limit)).ok_or_else(|| {
        Problem::bad_request(format!("limit is a number from 1 to {MOST_EVENTS}."))
    })?;
    let before: Option<i64> = match pairs.take("before") {
        None => None,
        Some(text) => Some(query::whole_number(&text).ok_or_else(|| {
            Problem::bad_request("before is the id of an event, of which earlier ones are told.")
        })?),
    };
    let source = pairs.take("source");
    // So it can also stand in the address of the next page as it is.
    if source.as_deref().is_some_and(|name| !query::is_name(name)) {
        return Err(Problem::bad_request("source is the name of a source, such as source=tank."));
    }
    pairs.finish()?;
    let scan = site.history.events(before, source.as_deref(), limit);
    let events = Events { scan, source, limit };
    if events.scan.needs_file() {
        return Ok(Answer::unfinished(move |_, ask| scan_events(ask, events)));
    }
    scan_events(ask, events)
}

struct Events {
    scan: EventScan,
    source: Option<String>,
    limit: usize,
}

fn scan_events(ask: &Ask<'_>, mut events: Events) -> Result<Answer, Problem> {
    let found = events.scan.poll().map_err(|error| unavailable(&error))?;
    let Poll::Ready(found) = found else {
        return Ok(Answer::unfinished(move |_, ask| scan_events(ask, events)));
    };
    let Events { source, limit, .. } = events;
    let next =
        found.last().filter(|_| found.len() == limit).map(|StoredEvent { id: number, .. }| {
            let source = source.map_or_else(String::new, |source| format!("&source={source}"));
            format!("/api/v1/events?limit={limit}{source}&before={number}")
        });
    let events = found.iter().map(Told::of).collect();
    let rendered = rendered_json(ask, &Page { events, next });
    deliver(&ask.request.headers, &rendered, Policy::undated("no-cache")).map(Answer::Ready)
}

/// A page of events, and where the next one is.
#[derive(Serialize)]
struct Page<'a> {
    events: Vec<Told<'a>>,
    next: Option<String>,
}

#[derive(Serialize)]
struct Told<'a> {
    id: i64,
    at: Rfc3339,
    kind: &'static str,
    source: Option<&'a str>,
    detail: &'a str,
}

impl<'a> Told<'a> {
    fn of(StoredEvent { id: number, event }: &'a StoredEvent) -> Told<'a> {
        let Event { at, kind, source, detail } = event;
        let (kind, source) = (kind.as_str(), source.as_deref());
        Told { id: *number, at: Rfc3339(*at), kind, source, detail }
    }
}

#[cfg(test)]
mod tests;
