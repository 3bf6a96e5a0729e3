//! Division of the process's descriptors among connections and everything else.
//!
//! The limit is `RLIMIT_NOFILE`. What the server needs beside public connections is subtracted
//! from it first: files that are always open, the admin listener with its connections, the
//! listeners, the redirect engine, and a few descriptors for each poll in flight. The rest bounds
//! `max_connections`, so that `accept(2)` does not run out of descriptors before the cap is
//! reached.
//!
//! All sources may be polled at the same time, if their upstreams hang. Where the limit is too low for that
//! beside `max_connections`, polls get [`POLL_SHARE`] of it, and a poll beyond that fails (`max_polls`). With a
//! timeout of 10 s, as many are in flight while all upstreams hang:
//!
//! | sources | interval | polls | descriptors | limit for all sources at once | with a limit of 1,024 |
//! | --- | --- | --- | --- | --- | --- |
//! | 3,000 | 60 s | 500 | 2,500 | 20,245 | 51 polls, 516 connections |
//! | 10,000 | 60 s | 1,667 | 8,335 | 55,245 | 51 polls, 516 connections |

use std::fmt;

use super::redirect;
use crate::config::Config;
use crate::engine::DESCRIPTORS_BEYOND_CAP;
use crate::kernel::descriptors::{SETTINGS, limit, raise_limit, reserve_table};
use crate::outbound::MAX_PENDING;
use crate::threads::{self, spawn_detached};

/// Standard streams, epoll instances, wakers, the signal pipe and a file being read; and the
/// history's database with its log and index (SQLite's WAL), for its writer and each of
/// [`MAX_READERS`].
const ALWAYS_OPEN: u64 = 16 + 3 * (1 + MAX_READERS as u64);

/// Maximum number of history readers; more would not make a disk faster.
pub(super) const MAX_READERS: usize = 8;

/// Descriptors of one poll: its pending connection attempts, one of which becomes its
/// connection, and its resolver's socket.
const PER_POLL: u64 = MAX_PENDING as u64 + 1;

/// Divisor that gives the polls' share of a limit that is too low for all of them. A quarter leaves more than half
/// of a limit of 1024 to connections.
const POLL_SHARE: u64 = 4;

/// Minimum number of polls in flight: with fewer, a handful of hung upstreams would fail the polls of others.
const MIN_POLLS: u64 = 8;

/// Maximum number of admin connections. At this cap a new connection is evicted once that many
/// newer ones have arrived, so at 35,000 connects a second it has 30 ms for its request.
const MAX_ADMIN_CONNECTIONS: u64 = 1024;

/// Number of admin connections where descriptors are scarce.
const MIN_ADMIN_CONNECTIONS: u64 = 8;

/// Divisor that gives the admin connections' share of the limit.
const ADMIN_SHARE: u64 = 8;

/// Minimum number of public connections. With fewer a server is useless, so below this the
/// budget is exceeded instead and descriptors may run out.
const MIN_CONNECTIONS: u64 = 8;

/// The limit on descriptors and the numbers that a configuration needs, for the error of a start.
#[derive(Debug, Clone, Copy)]
pub struct DescriptorLimits {
    limit: Option<u64>,
    /// Number with which the server has [`MIN_CONNECTIONS`].
    least: u64,
    /// Number with which it has `max_connections`.
    all: u64,
}

impl fmt::Display for DescriptorLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let DescriptorLimits { limit, least, all } = self;
        f.write_str("RLIMIT_NOFILE, the limit on open files, is ")?;
        match limit {
            Some(limit) => limit.fmt(f)?,
            None => f.write_str("not set")?,
        }
        write!(
            f,
            ", and this configuration needs {least} for {MIN_CONNECTIONS} connections and {all} for \
             max_connections; raise it: {SETTINGS}"
        )
    }
}

/// Parts of a configuration that need descriptors.
struct DescriptorDemand {
    max_connections: usize,
    listeners: usize,
    sources: usize,
}

impl DescriptorDemand {
    fn of(config: &Config) -> DescriptorDemand {
        DescriptorDemand {
            max_connections: config.server.engine.max_connections,
            // The redirect engine's connections are few and bounded; they count as listeners do.
            listeners: config.server.listen.len() + redirect::descriptors(config),
            sources: config.sources.len(),
        }
    }

    /// Number of descriptors needed beside the public connections under `limit`.
    fn beside_connections(&self, limit: Option<u64>) -> u64 {
        self.always(limit) + PER_POLL * self.polls(limit)
    }

    /// Number of descriptors needed beside the public connections and polls.
    fn always(&self, limit: Option<u64>) -> u64 {
        let admin = 1 + admin_share(limit) + DESCRIPTORS_BEYOND_CAP;
        ALWAYS_OPEN + (admin + DESCRIPTORS_BEYOND_CAP + self.listeners) as u64
    }

    /// Number of polls that may be in flight under `limit`: all, unless `max_connections` leaves too little, but
    /// at least their share.
    fn polls(&self, limit: Option<u64>) -> u64 {
        let sources = self.sources as u64;
        let Some(limit) = limit else { return sources };
        let left = limit.saturating_sub(self.always(Some(limit)) + self.max_connections as u64);
        sources.min((left.max(limit / POLL_SHARE) / PER_POLL).max(MIN_POLLS))
    }

    /// Returns the limit in force, and the numbers that are needed.
    fn limits(&self) -> DescriptorLimits {
        DescriptorLimits {
            limit: limit(),
            least: self.beside_connections(Some(0)) + MIN_CONNECTIONS,
            all: self.beside_connections(None) + self.max_connections as u64,
        }
    }

    /// Number of public connections that fit `limit`, at most `max_connections`.
    fn fit(&self, limit: Option<u64>) -> usize {
        let Some(limit) = limit else { return self.max_connections };
        let room = limit.saturating_sub(self.beside_connections(Some(limit))).max(MIN_CONNECTIONS);
        usize::try_from(room).map_or(self.max_connections, |room| self.max_connections.min(room))
    }
}

/// Returns the number of public connections that the server admits under a configuration.
///
/// Raises the soft limit first, to what the configuration can use, within the hard limit.
pub(crate) fn admitted_connections(config: &Config) -> usize {
    let demand = DescriptorDemand::of(config);
    let wanted = demand.max_connections as u64 + demand.beside_connections(None);
    // The admin listener gets its full share, too.
    raise_limit(wanted.max(MAX_ADMIN_CONNECTIONS * ADMIN_SHARE));
    demand.fit(limit())
}

/// Returns the number of polls that may be in flight at one time under a configuration.
pub(super) fn max_polls(config: &Config) -> usize {
    usize::try_from(DescriptorDemand::of(config).polls(limit())).unwrap_or(usize::MAX)
}

/// Raises the limit to what the configuration can use. Returns the limit then in force.
pub(super) fn raise(config: &Config) -> DescriptorLimits {
    admitted_connections(config);
    DescriptorDemand::of(config).limits()
}

/// Grows the descriptor table to what the configuration can come to need.
///
/// It grows on a thread of its own: the start need not wait for the ten milliseconds that this takes, as the
/// descriptors of the present table are handed out meanwhile.
pub(super) fn reserve(config: &Config) {
    let demand = DescriptorDemand::of(config);
    let highest = admitted_connections(config) as u64 + demand.beside_connections(limit());
    let grow = move || {
        if let Err(error) = reserve_table(highest) {
            log::debug!("cannot reserve the descriptor table, so it grows on demand: {error}");
        }
    };
    // Nothing depends on its end, which the kernel bounds.
    if spawn_detached(threads::DESCRIPTORS, grow).is_err() {
        grow();
    }
}

/// Returns the number of connections that the admin listener may hold. They are its own: they
/// are subtracted from the public connections, so that neither side can use up the descriptors
/// of the other.
pub(super) fn admin_connections() -> usize {
    admin_share(limit())
}

fn admin_share(limit: Option<u64>) -> usize {
    let share = limit.map_or(MAX_ADMIN_CONNECTIONS, |limit| limit / ADMIN_SHARE);
    share.clamp(MIN_ADMIN_CONNECTIONS, MAX_ADMIN_CONNECTIONS) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn admitted_connections_fit_the_limit() {
        let demand =
            |max_connections| DescriptorDemand { max_connections, listeners: 1, sources: 3 };
        let admin = 1 + 128 + DESCRIPTORS_BEYOND_CAP;
        let taken = ALWAYS_OPEN as usize + admin + DESCRIPTORS_BEYOND_CAP + 1 + 5 * 3;
        assert_eq!(demand(4096).fit(None), 4096);
        assert_eq!(demand(4096).fit(Some(1 << 20)), 4096);
        assert_eq!(demand(4096).fit(Some(1024)), 1024 - taken);
        assert_eq!(demand(100).fit(Some(1024)), 100);
        assert_eq!(demand(4096).fit(Some(10)), MIN_CONNECTIONS as usize);
    }

    #[test]
    fn polls_have_what_connections_leave_and_at_least_their_share() {
        for (sources, limit, polls, connections) in [
            (3000, None, 3000, 4096),
            (3000, Some(1 << 20), 3000, 4096),
            (3000, Some(1024), 51, 516),
            (10_000, Some(1024), 51, 516),
            (30, Some(1024), 30, 621),
            (3000, Some(65_536), 3000, 4096),
            (10_000, Some(65_536), 10_000, 4096),
            (10_000, Some(32_768), 5504, 4096),
            (3000, Some(64), MIN_POLLS, MIN_CONNECTIONS as usize),
        ] {
            let demand = DescriptorDemand { max_connections: 4096, listeners: 1, sources };
            assert_eq!(demand.polls(limit), polls, "{sources} {limit:?}");
            assert_eq!(demand.fit(limit), connections, "{sources} {limit:?}");
            if let Some(limit) = limit.filter(|limit| *limit >= 1024) {
                let used = demand.beside_connections(Some(limit)) + connections as u64;
                assert!(used <= limit, "{sources}: {used} of {limit}");
            }
        }
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
            assert_eq!(admin_share(limit), expected, "{limit:?}");
        }
    }
}
