//! `/api/v1/values/{source}.{field}`, and with `.txt` after it the bare value.

use crate::board::{Datum, SourceView, Value};
use crate::engine::Response;
use crate::timestamp::Rfc3339;

use super::Site;
use super::api::{find, rendered_json};
use super::deliver::{PLAIN, deliver};
use super::freshness::{policy, require, retry_after, state_at};
use super::json::OneValue;
use super::problem::Problem;
use super::query::{Parameter, Query, Syntax};
use super::render::render_for;
use super::routes::Ask;
use super::shell;

/// One value.
pub(super) fn value(site: &Site, ask: &Ask<'_>) -> Result<Response, Problem> {
    let unknown = || Problem::not_found("There is no source and field of that name.");
    let (source, rest) = ask.parameter.split_once('.').ok_or_else(unknown)?;
    let (field, bare) = match rest.split_once('.') {
        None => (rest, false),
        Some((field, "txt")) => (field, true),
        Some(_) => return Err(unknown()),
    };
    let understood: &[Parameter] = match bare {
        true => &[Parameter::MaxAge],
        false => &[Parameter::Format, Parameter::MaxAge],
    };
    let query = Query::parse(&ask.request.target, understood)?;
    let snapshot = (site.snapshots)();
    let view = find(&snapshot.sources, source).ok_or_else(unknown)?;
    let Some(reading) = &view.reading else {
        return Err(absent(view, ask, "The source has not answered yet.".to_owned()));
    };
    let value = view.value(field).ok_or_else(unknown)?;
    if let Some(max_age) = query.max_age {
        require([view].into_iter(), max_age, ask.now)?;
    }
    let state = state_at(view, ask.now);
    let rendered = if bare {
        let text = bare_text(value).ok_or_else(|| {
            let note = value.note.as_deref().unwrap_or("the upstream sent none");
            absent(view, ask, format!("There is no value now: {note}."))
        })?;
        render_for(&ask.request.headers, PLAIN, text.into())
    } else if query.syntax == Syntax::Shell {
        let text = shell::value(view, reading, field, value, state)?;
        render_for(&ask.request.headers, PLAIN, text.into())
    } else {
        rendered_json(
            ask,
            &OneValue {
                source,
                field,
                value,
                state: state.as_str(),
                observed_at: Rfc3339(reading.observed.at),
                fetched_at: Rfc3339(reading.fetched_at),
            },
        )
    };
    deliver(&ask.request.headers, &rendered, policy([view].into_iter(), ask.now))
}

/// A missing value is an error to whoever asked for the bare value: an empty line or
/// a 0 would pass for a reading.
fn absent(view: &SourceView, ask: &Ask<'_>, detail: String) -> Problem {
    let retry = retry_after(&[view], ask.now);
    Problem::unavailable(detail).retry_after(retry).about(&[view], ask.now)
}

fn bare_text(value: &Value) -> Option<String> {
    match value.datum.as_ref()? {
        Datum::Number(number) => Some(format!("{}\n", number.get())),
        // One value is one line, whatever the upstream put into it.
        Datum::Text(text) => Some(text.replace(['\n', '\r'], " ") + "\n"),
    }
}
