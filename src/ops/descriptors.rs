//! How many connections the process may hold: `RLIMIT_NOFILE` and what it must leave free.

use rustix::process::{Resource, getrlimit};

use crate::http::DESCRIPTORS_BEYOND_CAP;

/// Standard streams, epoll instances, wakers, the signal pipe and a file being read.
const ALWAYS_OPEN: u64 = 16;

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
    let taken = ALWAYS_OPEN
        + FOR_ADMIN
        + DESCRIPTORS_BEYOND_CAP as u64
        + listeners as u64
        + FOR_EACH_SOURCE * sources as u64;
    let room = limit.saturating_sub(taken).max(LEAST_CONNECTIONS);
    usize::try_from(room).map_or(max_connections, |room| max_connections.min(room))
}

#[cfg(test)]
mod tests {
    use super::*;

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
