//! How many connections the process may hold: `RLIMIT_NOFILE` and what it must leave free.

use std::io;

use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{Resource, getrlimit};

use crate::config::Config;
use crate::http::DESCRIPTORS_BEYOND_CAP;

/// Standard streams, epoll instances, wakers, the signal pipe and a file being read; and the
/// history's file with its log and index (SQLite's WAL), for its writer and [`MOST_READERS`].
const ALWAYS_OPEN: u64 = 16 + 3 * (1 + MOST_READERS as u64);

/// Readers of the history at most: more would not make a disk faster.
pub const MOST_READERS: usize = 8;

/// A poller's connection, and its resolver's socket.
const FOR_EACH_SOURCE: u64 = 2;

/// Admin connections that are answered at the same time, with their listener.
const FOR_ADMIN: u64 = 8;

/// Below this a server is of no use, and descriptors are left to run out instead.
const LEAST_CONNECTIONS: u64 = 8;

/// The process's limit on open descriptors; `None` when there is none.
pub fn limit() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// Lowers `max_connections` to what fits `limit` beside `listeners` and `sources`.
pub fn fit(max_connections: usize, limit: Option<u64>, listeners: usize, sources: usize) -> usize {
    let Some(limit) = limit else { return max_connections };
    let room = limit.saturating_sub(beside_connections(listeners, sources)).max(LEAST_CONNECTIONS);
    usize::try_from(room).map_or(max_connections, |room| max_connections.min(room))
}

fn beside_connections(listeners: usize, sources: usize) -> u64 {
    ALWAYS_OPEN
        + FOR_ADMIN
        + DESCRIPTORS_BEYOND_CAP as u64
        + listeners as u64
        + FOR_EACH_SOURCE * sources as u64
}

/// Grows the table of descriptors for what the configuration may come to need, beside so many
/// others.
pub fn grow(config: &Config, beside: usize) {
    let (listeners, sources) = (config.server.listen.len() + beside, config.sources.len());
    let most = fit(config.server.engine.max_connections, limit(), listeners, sources);
    if let Err(error) = make_room(most, listeners, sources) {
        log::debug!("the table of descriptors will grow when it must: {error}");
    }
}

/// Has the kernel make the process's table of descriptors as large as it may have to become. To
/// be called before any thread is made: later the table grows by doubling, and each time the
/// thread that needed it, the acceptor in a burst, waits some ten milliseconds for every other
/// processor (Linux, `expand_files` in fs/file.c).
///
/// # Errors
/// The limit does not allow that many; then the table grows when it must.
fn make_room(max_connections: usize, listeners: usize, sources: usize) -> io::Result<()> {
    let highest = max_connections as u64 + beside_connections(listeners, sources);
    let highest = limit().map_or(highest, |limit| highest.min(limit.saturating_sub(1)));
    let highest = i32::try_from(highest).unwrap_or(i32::MAX);
    // A duplicate with the highest number, closed at once.
    drop(fcntl_dupfd_cloexec(io::stdin(), highest)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_room_for_every_connection() {
        let size = || {
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            let line = status.lines().find_map(|line| line.strip_prefix("FDSize:"));
            line.unwrap().trim().parse::<u64>().unwrap()
        };
        let most = limit().map_or(4000, |limit| limit.min(4000)) / 2;
        make_room(most as usize, 1, 3).unwrap();
        assert!(size() >= most, "{}", size());
    }

    #[test]
    fn the_cap_fits_the_limit() {
        let taken = (ALWAYS_OPEN + FOR_ADMIN) as usize + DESCRIPTORS_BEYOND_CAP + 1 + 2 * 3;
        assert_eq!(fit(4096, None, 1, 3), 4096);
        assert_eq!(fit(4096, Some(1 << 20), 1, 3), 4096);
        assert_eq!(fit(4096, Some(1024), 1, 3), 1024 - taken);
        assert_eq!(fit(100, Some(1024), 1, 3), 100);
        assert_eq!(fit(4096, Some(10), 1, 3), LEAST_CONNECTIONS as usize);
    }
}
