//! The JSON shapes of the API beyond those of the board.

use serde::Serialize;

use crate::board::{SourceView, Value};
use crate::timestamp::Rfc3339;

/// A source with its name as a member, where no key tells it.
#[derive(Serialize)]
pub(super) struct Named<'a> {
    name: &'a str,
    #[serde(flatten)]
    source: &'a SourceView,
}

impl<'a> Named<'a> {
    pub(super) fn new(source: &'a SourceView) -> Named<'a> {
        Named { name: &source.name, source }
    }
}

/// `GET /api/v1/values/{source}.{field}`: the value, and how far it can be trusted.
#[derive(Serialize)]
pub(super) struct OneValue<'a> {
    /// The source's name.
    pub(super) source: &'a str,
    /// The field's name.
    pub(super) field: &'a str,
    /// `value`, `unit`, `note`.
    #[serde(flatten)]
    pub(super) value: &'a Value,
    /// `fresh` or `stale`.
    pub(super) state: &'static str,
    /// The sensor's clock.
    pub(super) observed_at: Rfc3339,
    /// Our clock.
    pub(super) fetched_at: Rfc3339,
}
