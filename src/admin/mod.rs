//! The admin listener: health, metrics and the scoreboard, for this machine only.
//!
//! It runs on an [`Engine`] of its own, with its own threads, connection cap, deadlines and
//! descriptors, so that it answers while the public engine is under attack, and the other way
//! round. Every local user can reach it, and all of them share one address, so fairness by
//! address cannot help here. Three rules bound the damage of a hostile local client instead:
//!
//! * Every request is small and every phase is short. No route takes a body.
//! * At the cap a new connection replaces one that waits for its client, however young that is:
//!   idle ones first, then those in an incomplete request. No number of clients that send
//!   nothing, or half of a request, can therefore keep a new client out.
//! * A page that is expensive to render is rendered by one worker at a time and then shared:
//!   see `shared_page`. At least one worker is always left for
//!   `/healthz`.

pub mod configuration;
pub mod health;
pub mod metrics;
pub mod scoreboard;
mod shared_page;
mod site;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use self::shared_page::WAITERS;
pub use self::site::AdminSite;
use self::site::{AdminService, RENDERED_PAGES};
use crate::engine::{Engine, Listener, Settings};
use crate::kernel::descriptors;

/// Prefix of the names of its threads. Linux keeps 15 bytes of a thread's name, which is
/// exactly `pw-adm-acceptor`.
const THREADS: &str = "pw-adm";

/// Number of workers: for each rendered page one that renders it and `WAITERS` that wait for it;
/// and one more, which is free for `/healthz`.
pub const WORKERS: usize = RENDERED_PAGES * (1 + WAITERS) + 1;

/// Limit from the accept, or from the first byte, to the end of a request's head.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);

/// Limit from the end of the head to the end of a body that will be ignored.
const BODY_TIMEOUT: Duration = Duration::from_secs(5);

/// Limit from the first byte of a response to its last.
const WRITE_TIMEOUT: Duration = Duration::from_secs(10);

/// Longer than the scrape interval of most monitoring, so that it may keep its connection.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// Bytes that all admin connections hold in buffers at most: far more than pages of metrics and
/// their requests take.
const MAX_BUFFERED_BYTES: usize = 4 << 20;

/// Longest wait for requests in flight when the process stops.
const STOP_WAIT: Duration = Duration::from_millis(250);

/// The limits of the admin engine, with room for so many connections.
fn settings(max_connections: usize) -> Settings {
    Settings {
        threads: THREADS,
        workers: WORKERS,
        max_connections,
        // All clients share the loopback address: one of them must not use up a share.
        max_connections_per_address: Some(usize::MAX),
        eviction_grace: Duration::ZERO,
        header_timeout: HEADER_TIMEOUT,
        body_timeout: BODY_TIMEOUT,
        write_timeout: WRITE_TIMEOUT,
        keep_alive: KEEP_ALIVE,
        drain_timeout: STOP_WAIT,
        max_buffered_bytes: MAX_BUFFERED_BYTES,
        ..Settings::default()
    }
}

/// The running listener. Dropping it answers requests in flight, for a moment, and ends its
/// threads.
pub struct Admin {
    local_addr: String,
    engine: Option<Engine>,
}

impl Admin {
    /// Names of its threads.
    pub fn thread_names() -> Vec<String> {
        Engine::thread_names(&settings(1))
    }

    /// Serves `site` on a bound listener.
    ///
    /// # Errors
    /// The kernel gave no epoll instance or no thread.
    pub fn start(listener: Listener, site: AdminSite) -> io::Result<Admin> {
        let local_addr = match listener.local_addr() {
            path if path.starts_with("unix") => path,
            address => format!("http://{address}/"),
        };
        let health = Arc::clone(&site.health);
        let settings = settings(descriptors::admin_connections(descriptors::limit()));
        let service = Arc::new(AdminService::from(site));
        let engine = Engine::start(vec![listener], settings, None, service)?;
        health.watch_admin(engine.stats());
        Ok(Admin { local_addr, engine: Some(engine) })
    }

    /// Address it listens on: `http://127.0.0.1:6480/`, `unix:/path`.
    pub fn local_addr(&self) -> &str {
        &self.local_addr
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        if let Some(engine) = self.engine.take() {
            engine.drain();
        }
    }
}
