//! The data that the dashboard and the pages of sources are rendered from.

use jiff::Timestamp;

use super::cache::Visitor;
use super::layout::Layout;
use super::time::Clock;
use crate::alert::AlertsView;
use crate::board::Snapshot;
use crate::history::History;
use crate::notify::ChannelStatus;
use crate::site::chart::{ChartCache, Range};
use crate::site::context::{CertificateState, StoreOutage};

/// State of the site at one moment, for one visitor.
pub(in crate::site) struct View<'a> {
    pub(in crate::site) layout: Layout<'a>,
    pub(in crate::site) snapshot: &'a Snapshot,
    pub(in crate::site) history: &'a History,
    pub(in crate::site) charts: &'a ChartCache,
    pub(in crate::site) certificate: CertificateState,
    /// Outage of the database that replicas share.
    pub(in crate::site) store: Option<StoreOutage>,
    pub(in crate::site) now: Timestamp,
    pub(in crate::site) range: Range,
    pub(in crate::site) visitor: Visitor,
    pub(in crate::site) alerts: &'a AlertsView,
    /// Channels that carry the messages of alerts; none on a page for guests.
    pub(in crate::site) channels: &'a [ChannelStatus],
    /// Path of the page within the site, to which its forms return.
    pub(in crate::site) path: &'a str,
}

impl View<'_> {
    /// Returns the time of the page and the zone of its times.
    pub(super) fn clock(&self) -> Clock<'_> {
        Clock { now: self.now, zone: self.layout.zone }
    }
}
