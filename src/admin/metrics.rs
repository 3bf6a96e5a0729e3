//! `/metrics`, in the Prometheus text format 0.0.4.
//!
//! Requests are counted as the site responds to them. All other values are read at the time of the
//! scrape from the counters of the parts that they describe. Names follow Prometheus's conventions
//! (<https://prometheus.io/docs/practices/naming/>): base units, `_total` for counters, the
//! timestamp of an event rather than the time to it. A metric that is renamed is served under its
//! old name for one more release: see `deprecated`.

mod connections;
mod deprecated;
mod family;
mod process;
mod program;
mod requests;
mod sources;

use std::sync::Arc;

use jiff::Timestamp;
use prometheus::TextEncoder;

pub use self::requests::RequestMetrics;
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
    /// Start of this process.
    pub start: Start,
}

impl Metrics {
    /// Returns the text of a scrape at `now`.
    pub fn render(&self, now: Timestamp) -> String {
        let mut families = self.requests.gather();
        families.extend(connections::of_engine(&self.engine));
        families.extend(program::access(&self.access));
        families.extend(connections::accept_queues(&self.listeners.sockets()));
        families.push(connections::listeners(&self.listeners.statuses()));
        families.extend(sources::polls(&self.polls));
        families.extend(sources::values(&self.board.load(), now));
        families.extend(program::history(&self.history));
        families.extend(program::heartbeats(&self.health));
        if let Some(admin) = self.health.admin.get() {
            families.extend(connections::of_admin(admin));
        }
        families.extend(program::reloads(&self.configuration));
        families.extend(program::log());
        families.extend(program::certificates(self.certificates.as_deref()));
        families.extend(process::families(self.start.at()));
        families.push(program::build_info());
        families.extend(deprecated::old_names(&families, self.start.at(), now));
        // The encoder rejects families without samples, such as values before the first poll.
        families.retain(|family| !family.get_metric().is_empty());
        TextEncoder::new().encode_to_string(&families).unwrap_or_else(|error| {
            log::error!("cannot encode the metrics: {error}");
            String::new()
        })
    }
}
