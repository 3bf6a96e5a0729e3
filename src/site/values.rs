//! `/api/v1/values/{source}.{field}`, and with the suffix `.txt` the bare value.

use serde::Serialize;

use super::content::{Content, Representation, render_for, render_json_for};
use super::context::{Context, RouteRequest};
use super::freshness::Freshness;
use super::media_type::PLAIN;
use super::problem::Problem;
use super::query::{Parameter, Query, Syntax};
use super::shell;
use super::sources::unknown_field;
use crate::board::{Datum, Value};
use crate::timestamp::Rfc3339;

/// The value, and how far it can be trusted.
#[derive(Serialize)]
struct OneValue<'a> {
    source: &'a str,
    field: &'a str,
    /// `value`, `unit`, `note`.
    #[serde(flatten)]
    value: &'a Value,
    /// `fresh` or `stale`.
    state: &'static str,
    /// Time of the reading, unless the value has one of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    observed_at: Option<Rfc3339>,
    /// Time by this server's clock.
    fetched_at: Rfc3339,
}

/// Answers `GET /api/v1/values/{value}`.
pub(super) fn value(context: &Context, request: &RouteRequest<'_>) -> Result<Content, Problem> {
    let (source, rest) = request.parameter.split_once('.').ok_or_else(unknown_field)?;
    let (field, is_bare) = match rest.split_once('.') {
        None => (rest, false),
        Some((field, "txt")) => (field, true),
        Some(_) => return Err(unknown_field()),
    };
    let parameters: &[Parameter] = match is_bare {
        true => &[Parameter::MaxAge],
        false => &[Parameter::Format, Parameter::MaxAge],
    };
    let query = Query::parse(&request.http.target, parameters)?;
    let snapshot = context.snapshot();
    let view = snapshot.sources.get(source).ok_or_else(unknown_field)?;
    let Some(reading) = &view.reading else {
        let freshness = Freshness::assess([view], request.now);
        return Err(freshness.unavailable("The source has not answered yet."));
    };
    let value = view.value(field).ok_or_else(unknown_field)?;
    let freshness = Freshness::assess_value(view, value, request.now);
    if let Some(max_age) = query.max_age {
        let observed = value.observed.unwrap_or(reading.observed);
        freshness.require_max_age_of(observed.at, max_age)?;
    }
    let state = freshness.state_of(view);
    let headers = request.headers();
    let rendered = if is_bare {
        // An empty line or a 0 would pass for a reading, so a missing value is an error here.
        let text = bare_text(value).ok_or_else(|| {
            let note = value.note.as_deref().unwrap_or("the upstream sent none");
            freshness.unavailable(format!("The value is missing: {note}."))
        })?;
        render_for(headers, PLAIN, text)
    } else if query.syntax == Syntax::Shell {
        render_for(headers, PLAIN, shell::value(view, reading, field, value, state)?)
    } else {
        let value = OneValue {
            source,
            field,
            value,
            state: state.as_str(),
            observed_at: value.observed.is_none().then_some(Rfc3339(reading.observed.at)),
            fetched_at: Rfc3339(reading.fetched_at),
        };
        render_json_for(headers, &value)
    };
    Ok(Representation::new(rendered, freshness.cache_policy()).into())
}

/// Formats the value on one line, whatever the upstream put into it; `None` if it is missing.
fn bare_text(value: &Value) -> Option<String> {
    match value.datum.as_ref()? {
        Datum::Number(number) => Some(format!("{}\n", number.get())),
        Datum::Text(text) => Some(text.replace(['\n', '\r'], " ") + "\n"),
    }
}
