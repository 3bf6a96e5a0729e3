//! The constants of the code that the document contains, under the names that its data inserts.

use serde_json::Value as Json;
use strum::{VariantArray, VariantNames as _};

use crate::access::MAX_NAME_BYTES;
use crate::alert::{AlertState, EndReason};
use crate::board::{ErrorKind, EventKind, State};
use crate::config::{KINDS, Severity};
use crate::history::{DAY, Tier};
use crate::site::alerts::{DEFAULT_INCIDENTS, MAX_INCIDENTS};
use crate::site::chart::{Range, SIDES, Theme, WIDE};
use crate::site::events::{DEFAULT_EVENTS, MAX_EVENTS};
use crate::site::history::MAX_JOINED;
use crate::site::login::LOGIN_BODY_LIMIT;
use crate::site::overview::MAX_WORDS;
use crate::site::problem::MAX_RETRY_AFTER;
use crate::site::query::{MAX_FIELDS, MAX_LIMIT, MAX_MAX_AGE, MAX_PARAMETERS, Syntax};
use crate::site::series::Format;
use crate::site::source_filter::Condition;
use crate::units::{MAX_LABEL, OverTime, Unit};

/// Returns the names of all variants of an enum.
fn names<T: VariantArray + Copy>(name: impl Fn(T) -> &'static str) -> Json {
    T::VARIANTS.iter().copied().map(name).collect()
}

/// Returns a list of names.
fn list(names: &[&'static str]) -> Json {
    names.iter().copied().collect()
}

/// Returns the reasons for which an incident ends, and null while it fires.
fn end_reasons() -> Json {
    let reasons = EndReason::VARIANTS;
    reasons.iter().map(|reason| Json::from(*reason)).chain([Json::Null]).collect()
}

/// Returns the value of each name. `server` is the address of the server.
pub(super) fn constants(server: &str) -> Vec<(&'static str, Json)> {
    vec![
        ("server", server.into()),
        ("package", env!("CARGO_PKG_NAME").into()),
        ("version", env!("CARGO_PKG_VERSION").into()),
        ("license", env!("CARGO_PKG_LICENSE").into()),
        // Choices.
        ("units", list(Unit::NAMES)),
        ("states", names(State::as_str)),
        ("conditions", names(Condition::as_str)),
        ("kinds", list(&KINDS)),
        ("error_kinds", names(ErrorKind::as_str)),
        ("event_kinds", names(EventKind::as_str)),
        ("severities", names(Severity::as_str)),
        ("alert_states", names(AlertState::as_str)),
        ("end_reasons", end_reasons()),
        ("tiers", names(Tier::as_str)),
        ("aggregations", list(OverTime::VARIANTS)),
        ("syntaxes", list(Syntax::VARIANTS)),
        ("formats", list(Format::VARIANTS)),
        ("ranges", names(Range::as_str)),
        ("default_range", Range::Day.as_str().into()),
        ("themes", list(Theme::VARIANTS)),
        // Limits.
        ("max_label", MAX_LABEL.into()),
        ("max_name_bytes", MAX_NAME_BYTES.into()),
        ("login_body_limit", LOGIN_BODY_LIMIT.into()),
        ("max_parameters", MAX_PARAMETERS.into()),
        ("max_retry_after", MAX_RETRY_AFTER.into()),
        ("max_max_age", MAX_MAX_AGE.into()),
        ("max_fields", MAX_FIELDS.into()),
        ("max_words", MAX_WORDS.into()),
        ("max_limit", MAX_LIMIT.into()),
        ("max_joined", MAX_JOINED.into()),
        ("max_step", (3660 * DAY).into()),
        ("max_events", MAX_EVENTS.into()),
        ("default_events", DEFAULT_EVENTS.into()),
        ("max_incidents", MAX_INCIDENTS.into()),
        ("default_incidents", DEFAULT_INCIDENTS.into()),
        ("min_side", (*SIDES.start()).into()),
        ("max_side", (*SIDES.end()).into()),
        ("chart_width", WIDE.width.into()),
        ("chart_height", WIDE.height.into()),
    ]
}
