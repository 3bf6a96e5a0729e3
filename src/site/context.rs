//! Arguments of a handler: the [`Context`] of the site and the [`RouteRequest`].

use std::sync::Arc;

use arc_swap::ArcSwap;
use http::HeaderMap;
use jiff::Timestamp;

use super::alert_json::AlertsBody;
use super::asset_files::AssetFiles;
use super::chart::ChartCache;
use super::document_cache::DocumentCache;
use super::page::{DashboardCache, Layout, PageCache};
use super::status::SharedBodies;
use crate::access::{Gate, Role};
use crate::alert::AlertsHandle;
use crate::board::Snapshot;
use crate::engine::Request;
use crate::history::History;
use crate::notify::ChannelStatus;
use crate::store::StoreFault;
use crate::upstream::PollRequest;

/// Settings of the site besides its data; replaceable at any time.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The page's heading, `[site] title`.
    pub title: String,
}

/// Returns the latest snapshot. Must not block.
pub type SnapshotReader = Box<dyn Fn() -> Arc<Snapshot> + Send + Sync>;

/// Requests a poll of the source of that name; `None` if there is none. Must not block.
pub type PollRequester = Box<dyn Fn(&str) -> Option<PollRequest> + Send + Sync>;

/// State of the site's certificates, as far as pages show it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CertificateState {
    /// Whole days until a certificate expires, negative once it has, if that is soon enough for a warning.
    pub days: Option<i64>,
    /// Time since when renewed certificates cannot be loaded; `None` if they can.
    pub renewal_failed_since: Option<Timestamp>,
}

/// Returns the state of the certificates at a time. Must not block.
pub type CertificateReader = Box<dyn Fn(Timestamp) -> CertificateState + Send + Sync>;

/// Outage of the database that replicas share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreOutage {
    /// Its start, and its reason without secrets.
    pub fault: StoreFault,
    /// Number of sources that this replica polls meanwhile.
    pub polled: usize,
}

/// Returns the outage of the database; `None` if it can be used. Must not block.
pub type StoreReader = Box<dyn Fn() -> Option<StoreOutage> + Send + Sync>;

/// Returns the states of the channels that carry messages of alerts. Must not block.
pub type ChannelReader = Box<dyn Fn() -> Arc<[ChannelStatus]> + Send + Sync>;

/// Data and caches that all requests share.
pub(super) struct Context {
    settings: ArcSwap<Settings>,
    snapshots: SnapshotReader,
    polls: PollRequester,
    certificates: CertificateReader,
    store: StoreReader,
    channels: ChannelReader,
    pub(super) alerts: AlertsHandle,
    pub(super) history: History,
    pub(super) gate: Arc<Gate>,
    pub(super) assets: AssetFiles,
    pub(super) charts: ChartCache,
    pub(super) dashboards: DashboardCache,
    /// Pages of sources, and pages of the overview.
    pub(super) pages: PageCache,
    /// Body of `/api/v1/alerts`.
    pub(super) alerts_body: AlertsBody,
    /// Body of `/openapi.json`.
    pub(super) document: DocumentCache,
    /// Bodies with all sources.
    pub(super) bodies: SharedBodies,
}

impl Context {
    /// Returns a context with empty caches.
    pub(super) fn new(
        settings: Settings,
        snapshots: SnapshotReader,
        polls: PollRequester,
        history: History,
        gate: Arc<Gate>,
    ) -> Context {
        Context {
            settings: ArcSwap::from_pointee(settings),
            snapshots,
            polls,
            certificates: Box::new(|_| CertificateState::default()),
            store: Box::new(|| None),
            channels: Box::new(|| [].into()),
            alerts: AlertsHandle::default(),
            history,
            gate,
            assets: AssetFiles::new(),
            charts: ChartCache::default(),
            dashboards: DashboardCache::default(),
            pages: PageCache::default(),
            alerts_body: AlertsBody::default(),
            document: DocumentCache::default(),
            bodies: SharedBodies::default(),
        }
    }

    /// Sets the source of the certificates' state.
    pub(super) fn set_certificates(&mut self, certificates: CertificateReader) {
        self.certificates = certificates;
    }

    /// Sets the source of the database's state.
    pub(super) fn set_store(&mut self, store: StoreReader) {
        self.store = store;
    }

    /// Returns the outage of the database; `None` if it can be used.
    pub(super) fn store_outage(&self) -> Option<StoreOutage> {
        (self.store)()
    }

    /// Sets the alerts, and the source of the channels' states.
    pub(super) fn set_alerts(&mut self, alerts: AlertsHandle, channels: ChannelReader) {
        self.alerts = alerts;
        self.channels = channels;
    }

    /// Returns the states of the channels.
    pub(super) fn channels(&self) -> Arc<[ChannelStatus]> {
        (self.channels)()
    }

    /// Returns the latest snapshot.
    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        (self.snapshots)()
    }

    /// Requests a poll of a source; `None` if there is no source of that name.
    pub(super) fn request_poll(&self, source: &str) -> Option<PollRequest> {
        (self.polls)(source)
    }

    /// Returns the state of the certificates.
    pub(super) fn certificate(&self, now: Timestamp) -> CertificateState {
        (self.certificates)(now)
    }

    /// Returns the settings in force.
    pub(super) fn settings(&self) -> Arc<Settings> {
        self.settings.load_full()
    }

    /// Returns the layout of a page. `root` is the relative reference from the page to the root of the site.
    pub(super) fn layout<'a>(&'a self, settings: &'a Settings, root: &'a str) -> Layout<'a> {
        Layout { title: &settings.title, root, assets: &self.assets, zone: self.history.zone() }
    }

    /// Replaces the title, and drops the pages that show the old one.
    pub(super) fn set_title(&self, title: &str) {
        self.settings.store(Arc::new(Settings { title: title.to_owned() }));
        self.drop_pages();
    }

    /// Drops all rendered pages.
    pub(super) fn drop_pages(&self) {
        self.dashboards.clear();
        self.pages.clear();
    }
}

/// A request as its route's handler takes it.
pub(super) struct RouteRequest<'a> {
    /// The HTTP request.
    pub(super) http: &'a Request,
    /// The pattern's parameter, percent-decoded; empty where it has none.
    pub(super) parameter: &'a str,
    /// Moment that the response describes. All pieces of one response use the same.
    pub(super) now: Timestamp,
    /// True if the browser has signed in on the page.
    pub(super) by_session: bool,
    /// Rights of the sender.
    pub(super) role: Role,
    /// Name of the account of a request that may change something, if it has used one.
    pub(super) account: Option<&'a str>,
}

impl RouteRequest<'_> {
    /// Returns the header fields.
    pub(super) fn headers(&self) -> &HeaderMap {
        &self.http.headers
    }
}
