//! Number of connections that the process may hold: `RLIMIT_NOFILE` and what it must leave free.

use std::io;

use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::config::Config;
use crate::engine::DESCRIPTORS_BEYOND_CAP;
use crate::outbound::MAX_PENDING;

/// Standard streams, epoll instances, wakers, the signal pipe and a file being read; and the
/// history's file with its log and index (SQLite's WAL), for its writer and [`MOST_READERS`].
const ALWAYS_OPEN: u64 = 16 + 3 * (1 + MOST_READERS as u64);

/// Readers of the history at most: more would not make a disk faster.
pub const MOST_READERS: usize = 8;

/// The attempts of a poller to connect, one of which becomes its connection, and its resolver's
/// socket.
const FOR_EACH_SOURCE: u64 = MAX_PENDING as u64 + 1;

/// Connections of the admin listener at most. A new one is evicted at the cap once so many newer
/// ones have come, so with 35,000 connects a second it has 30 ms for its request.
const MOST_ADMIN_CONNECTIONS: u64 = 1024;

/// Connections of the admin listener where descriptors are few.
const LEAST_ADMIN_CONNECTIONS: u64 = 8;

/// The share of the limit that they may take: one in so many.
const ADMIN_SHARE: u64 = 8;

/// Below this a server is of no use, and descriptors are left to run out instead.
const LEAST_CONNECTIONS: u64 = 8;

/// Returns the number of connections that a configuration may hold beside so many more listeners.
///
/// Raises the soft limit on descriptors as far as the configuration can use it and the hard limit
/// allows. Shells and supervisors start programs with a soft limit of 1024 for the sake of select(2),
/// which this program does not use.
pub fn admit(config: &Config, beside: usize) -> usize {
    let (listeners, sources) = (config.server.listen.len() + beside, config.sources.len());
    let max_connections = config.server.engine.max_connections;
    raise(max_connections as u64 + beside_connections(None, listeners, sources));
    fit(max_connections, limit(), listeners, sources)
}

/// Raises the soft limit to `wanted`, and to what gives the admin listener its full share.
fn raise(wanted: u64) {
    let wanted = wanted.max(MOST_ADMIN_CONNECTIONS * ADMIN_SHARE);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.map_or(wanted, |maximum| maximum.min(wanted));
    if current.is_some_and(|current| current < wanted)
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum })
    {
        log::debug!("the limit of descriptors stays at {current:?}: {error}");
    }
}

/// The process's limit on open descriptors; `None` when there is none.
pub fn limit() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// Number of connections that the admin listener may hold under `limit`. These are its own: they
/// are subtracted from what the public listeners may hold, so that neither side can use up the
/// descriptors of the other.
pub fn admin_connections(limit: Option<u64>) -> usize {
    let share = limit.map_or(MOST_ADMIN_CONNECTIONS, |limit| limit / ADMIN_SHARE);
    share.clamp(LEAST_ADMIN_CONNECTIONS, MOST_ADMIN_CONNECTIONS) as usize
}

/// Descriptors that the admin listener and its engine may hold under `limit`.
fn for_admin(limit: Option<u64>) -> u64 {
    (1 + admin_connections(limit) + DESCRIPTORS_BEYOND_CAP) as u64
}

/// Lowers `max_connections` to what fits `limit` beside `listeners` and `sources`.
fn fit(max_connections: usize, limit: Option<u64>, listeners: usize, sources: usize) -> usize {
    let Some(limit) = limit else { return max_connections };
    let beside = beside_connections(Some(limit), listeners, sources);
    let room = limit.saturating_sub(beside).max(LEAST_CONNECTIONS);
    usize::try_from(room).map_or(max_connections, |room| max_connections.min(room))
}

fn beside_connections(limit: Option<u64>, listeners: usize, sources: usize) -> u64 {
    ALWAYS_OPEN
        + for_admin(limit)
        + DESCRIPTORS_BEYOND_CAP as u64
        + listeners as u64
        + FOR_EACH_SOURCE * sources as u64
}

/// Grows the table of descriptors for what the configuration may come to need, beside so many
/// others.
pub fn grow(config: &Config, beside: usize) {
    let (listeners, sources) = (config.server.listen.len() + beside, config.sources.len());
    let most = admit(config, beside);
    if let Err(error) = make_room(most, listeners, sources) {
        log::debug!("the table of descriptors will grow when it must: {error}");
    }
}

/// Has the kernel make the process's table of descriptors as large as it may have to become. To
/// be called before any thread serves: later the table grows by doubling, and each time the
/// thread that needed it, the acceptor in a burst, waits some ten milliseconds for every other
/// processor (Linux, `expand_files` in fs/file.c). The log's writer runs already, so the start waits
/// once.
///
/// # Errors
/// The limit does not allow that many; then the table grows when it must.
fn make_room(max_connections: usize, listeners: usize, sources: usize) -> io::Result<()> {
    let highest = max_connections as u64 + beside_connections(limit(), listeners, sources);
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
        let admin = 1 + 128 + DESCRIPTORS_BEYOND_CAP;
        let taken = ALWAYS_OPEN as usize + admin + DESCRIPTORS_BEYOND_CAP + 1 + 5 * 3;
        assert_eq!(fit(4096, None, 1, 3), 4096);
        assert_eq!(fit(4096, Some(1 << 20), 1, 3), 4096);
        assert_eq!(fit(4096, Some(1024), 1, 3), 1024 - taken);
        assert_eq!(fit(100, Some(1024), 1, 3), 100);
        assert_eq!(fit(4096, Some(10), 1, 3), LEAST_CONNECTIONS as usize);
    }

    #[test]
    fn admin_connections_are_a_share_of_the_limit_within_bounds() {
        for (limit, expected) in [
            (None, 1024),
            (Some(1 << 20), 1024),
            (Some(8192), 1024),
            (Some(1024), 128),
            (Some(10), 8),
        ] {
            assert_eq!(admin_connections(limit), expected, "{limit:?}");
        }
    }
}
