//! What a page is made from.

use http::Uri;
use jiff::Timestamp;

use super::cache::Variant;
use crate::board::{Rendered, Snapshot};
use crate::site::chart::Range;
use crate::site::content::{CachePolicy, Content, Representation};
use crate::site::context::{Context, RouteRequest};

/// A browser may keep the page but asks before it shows it again: its words age.
const REVALIDATE: &str = "no-cache";

/// What a page is made from.
pub(super) struct View<'a> {
    pub(super) context: &'a Context,
    pub(super) snapshot: &'a Snapshot,
    pub(super) now: Timestamp,
    pub(super) range: Range,
    /// True if the visitor can sign out.
    pub(super) by_session: bool,
}

impl<'a> View<'a> {
    pub(super) fn new(
        context: &'a Context,
        snapshot: &'a Snapshot,
        request: &RouteRequest<'_>,
    ) -> View<'a> {
        let range = range_of(&request.http.target);
        View { context, snapshot, now: request.now, range, by_session: request.by_session }
    }

    /// Returns what a rendering depends on besides its source.
    pub(super) fn variant(&self) -> Variant {
        Variant {
            version: self.snapshot.version,
            second: self.now.as_second(),
            range: self.range,
            by_session: self.by_session,
        }
    }
}

/// The range that an address names; a day if it names none. On pages what is not understood is
/// ignored.
fn range_of(target: &Uri) -> Range {
    let mut pairs = target.query().unwrap_or("").split('&');
    let name = pairs.find_map(|pair| pair.strip_prefix("range="));
    name.and_then(Range::parse).unwrap_or(Range::Day)
}

/// Returns the content of a rendered page.
pub(super) fn content(page: Rendered) -> Content {
    Representation::new(page, CachePolicy::undated(REVALIDATE)).into()
}
