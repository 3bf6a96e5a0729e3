//! The data that the dashboard and the pages of sources are rendered from.

use jiff::Timestamp;

use super::layout::Layout;
use super::time::Clock;
use crate::board::Snapshot;
use crate::history::History;
use crate::site::chart::{ChartCache, Range};
use crate::site::context::CertificateState;

/// State of the site at one moment, for one visitor.
pub(in crate::site) struct View<'a> {
    pub(in crate::site) layout: Layout<'a>,
    pub(in crate::site) snapshot: &'a Snapshot,
    pub(in crate::site) history: &'a History,
    pub(in crate::site) charts: &'a ChartCache,
    pub(in crate::site) certificate: CertificateState,
    pub(in crate::site) now: Timestamp,
    pub(in crate::site) range: Range,
    /// True if the visitor can sign out.
    pub(in crate::site) by_session: bool,
}

impl View<'_> {
    /// Returns the time of the page and the zone of its times.
    pub(super) fn clock(&self) -> Clock<'_> {
        Clock { now: self.now, zone: self.layout.zone }
    }
}
