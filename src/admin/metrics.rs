//! `/metrics`, in the Prometheus text format 0.0.4.
//!
//! Requests are counted as the site responds to them. All other values are read at the time of the
//! scrape from the counters of the parts that they describe. Names follow Prometheus's conventions
//! (<https://prometheus.io/docs/practices/naming/>): base units, `_total` for counters, the
//! timestamp of an event rather than the time to it. A metric that is renamed is served under its
//! old name for one more release: see `deprecated`.

mod alerts;
mod connections;
mod deprecated;
mod family;
mod process;
mod program;
mod replica;
mod requests;
mod sources;

use std::sync::Arc;

use jiff::Timestamp;

use self::family::Family;
pub use self::requests::RequestMetrics;
use super::alerting::Alerting;
use super::configuration::LiveConfiguration;
use super::health::Health;
use super::listeners::LiveListeners;
use crate::access;
use crate::board::BoardReader;
use crate::certificates::LiveCertificates;
use crate::engine::Stats;
use crate::history::History;
use crate::kernel::clock::Start;
use crate::upstream::PollerHandles;

/// Sources of a scrape.
pub struct Metrics {
    /// Answered requests.
    pub requests: Arc<RequestMetrics>,
    /// Connections and workers.
    pub engine: Arc<Stats>,
    /// Refused requests and verified passwords.
    pub access: Arc<access::Stats>,
    /// Sources and their values.
    pub board: BoardReader,
    /// Polls.
    pub polls: PollerHandles,
    /// The history.
    pub history: History,
    /// State of the configured addresses.
    pub listeners: Arc<LiveListeners>,
    /// Certificates in use; `None` for plain HTTP.
    pub certificates: Option<Arc<LiveCertificates>>,
    /// Outcomes of reloads.
    pub configuration: Arc<LiveConfiguration>,
    /// Heartbeats of all threads, and the admin engine.
    pub health: Arc<Health>,
    /// Alerts and their channels.
    pub alerting: Alerting,
    /// Start of this process.
    pub start: Start,
}

impl Metrics {
    /// Returns the text of a scrape at `now`.
    pub fn render(&self, now: Timestamp) -> String {
        let mut page = Page { text: self.requests.text(), started_at: self.start.at(), now };
        page.add(connections::of_engine(&self.engine));
        page.add(program::access(&self.access));
        page.add(connections::accept_queues(&self.listeners.sockets()));
        page.add([connections::listeners(&self.listeners.statuses())]);
        page.add(sources::polls(&self.polls));
        page.add(sources::values(&self.board.load(), now));
        page.add(program::history(&self.history));
        if let Some(replica) = &self.health.replica {
            page.add(replica::families(replica, &self.history));
        }
        page.add(alerts::families(&self.alerting));
        page.add(program::heartbeats(&self.health));
        if let Some(admin) = self.health.admin.get() {
            page.add(connections::of_admin(admin));
        }
        page.add(program::reloads(&self.configuration));
        page.add(program::log());
        page.add(program::certificates(self.certificates.as_deref()));
        page.add(process::families(self.start.at()));
        page.add([program::build_info()]);
        // The page is kept until the next one.
        page.text.shrink_to_fit();
        page.text
    }
}

/// Text of a scrape. Each family is dropped when it is written.
struct Page {
    text: String,
    started_at: Timestamp,
    now: Timestamp,
}

impl Page {
    /// Writes families, and each also under its old name if it has one.
    fn add(&mut self, families: impl IntoIterator<Item = Family>) {
        for family in families {
            family.write(&mut self.text);
            if let Some(old) = deprecated::under_old_name(&family, self.started_at, self.now) {
                old.write(&mut self.text);
            }
        }
    }
}
