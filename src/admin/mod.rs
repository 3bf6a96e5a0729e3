//! The admin listener: health, metrics and the scoreboard, for this machine only.
//!
//! It runs on an [`Engine`] of its own, with its own threads, connection cap, deadlines and
//! descriptors, so that it responds while the public engine is under attack, and the other way
//! round. Every local user can reach it, and all of them share one address, so fairness by
//! address cannot help here. Three rules bound the damage of a hostile local client instead:
//!
//! * Every request is small and every phase is short. A route that changes something takes a body of a few bytes
//!   at most, and no other route takes one.
//! * At the cap a new connection replaces one that waits for its client, however young that is
//!   (`eviction_grace` is zero, as a request over loopback comes in one piece): idle ones first,
//!   then those in an incomplete request. No number of clients that send nothing, or half of a
//!   request, can therefore keep a new client out.
//! * A page that is expensive to render is rendered by one worker at a time and then shared: see
//!   `shared_page`. Requests for alerts may wait for a disk, for a second at most, and the test of a channel waits for
//!   its delivery: one of each runs at a time, and the others wait without a worker. At least one worker is always free for
//!   `/healthz`, which takes no lock that a rendering holds.
//!
//! All pages are rendered from atomics, snapshots and the kernel's own files at the time of the
//! request. No page waits for another thread or blocks one; commands on alerts wait for the thread of the alerts,
//! for a second at most.
//!
//! Reading needs no account. Writing does: see [`admin_writes`](crate::access::AdminWriter) and `writes`.

mod alert_routes;
mod alerting;
mod channel_test;
mod channels;
pub mod client;
pub mod configuration;
#[cfg(test)]
mod fixture;
pub mod health;
pub mod listeners;
pub mod metrics;
mod replica;
pub mod scoreboard;
mod service;
mod shared_page;
mod writes;

use std::io;
use std::sync::Arc;
use std::time::Duration;

pub use self::alerting::{Alerting, AlertsHolder, ChannelStates};
pub use self::channel_test::{ChannelTester, MAX_TEST_WAIT};
pub use self::replica::ReplicaReader;
pub use self::service::AdminPages;
use self::service::{AdminService, RENDERED_PAGES};
use self::shared_page::MAX_WAITERS;
use crate::engine::{Engine, Listener, Settings};
use crate::threads;

/// Prefix of the threads' names. Linux keeps 15 bytes of a thread's name, which is
/// exactly `pw-adm-acceptor`.
const THREADS: &str = "pw-adm";

/// Number of workers: for each rendered page one that renders it and `MAX_WAITERS` that wait for
/// it, one for a request about alerts, one for the test of a channel, and one more that is free for `/healthz`.
pub const WORKERS: usize = RENDERED_PAGES * (1 + MAX_WAITERS) + 3;

/// Number of tests of channels that run at a time. Requests about alerts run in the other lane, one at a time.
const HEAVY_REQUESTS: usize = 1;

/// Maximum time from the accept, or from the first byte, to the end of a request's head.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);

/// Maximum time from the end of the head to the end of a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// Maximum time from the first byte of a response to its last.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Maximum time between two requests. It exceeds the scrape interval of most monitoring systems,
/// so that they can keep their connection.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// Maximum number of bytes in the buffers of all admin connections, far more than pages of metrics
/// and their requests need.
const MAX_BUFFERED_BYTES: usize = 4 << 20;

/// Maximum wait for requests in flight when the process stops.
const STOP_WAIT: Duration = Duration::from_millis(250);

/// Returns the settings of the admin engine.
fn settings(max_connections: usize) -> Settings {
    Settings {
        threads: THREADS,
        workers: WORKERS,
        max_connections,
        // All clients share the loopback address, so a limit for each address would be one for all.
        max_connections_per_address: Some(usize::MAX),
        eviction_grace: Duration::ZERO,
        header_timeout: HEADER_TIMEOUT,
        body_timeout: BODY_TIMEOUT,
        write_timeout: WRITE_TIMEOUT,
        keep_alive: KEEP_ALIVE,
        heavy_requests: HEAVY_REQUESTS,
        drain_timeout: STOP_WAIT,
        max_buffered_bytes: MAX_BUFFERED_BYTES,
        ..Settings::default()
    }
}

/// The running admin listener. Dropping it finishes requests in flight, for a quarter of a second at
/// most, and ends its threads.
pub struct Admin {
    engine: Option<Engine>,
}

impl Admin {
    /// Returns the names of the listener's threads.
    pub fn thread_names() -> Vec<String> {
        Engine::thread_names(&settings(1))
    }

    /// Serves `pages` to at most `max_connections` clients at a time, on this listener and those that are
    /// added later.
    ///
    /// # Errors
    /// The kernel refuses an epoll instance or a thread.
    pub fn start(
        listener: Option<Listener>,
        max_connections: usize,
        pages: AdminPages,
    ) -> io::Result<Admin> {
        let health = Arc::clone(&pages.health);
        let service = Arc::new(AdminService::from(pages));
        let listeners = listener.into_iter().collect();
        let engine = Engine::start(listeners, settings(max_connections), None, service)
            .map_err(threads::with_limits)?;
        health.set_admin(engine.stats());
        Ok(Admin { engine: Some(engine) })
    }

    /// Adds a listener.
    ///
    /// # Errors
    /// The kernel refuses to register it.
    pub fn add_listener(&self, listener: Listener) -> io::Result<()> {
        match &self.engine {
            Some(engine) => engine.add_listener(listener),
            // The engine is taken at the drop only.
            None => Ok(()),
        }
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        if let Some(engine) = self.engine.take() {
            engine.drain();
        }
    }
}

#[cfg(test)]
mod tests;
