//! Names of the threads that a configuration needs, and the memory that they use, which
//! [`threads::ensure`] checks before the start and before a reload.
//!
//! Polls in flight take further threads. Where the address space is limited, these get a share of it
//! ([`polls_in_address_space`]): a process whose address space is used up is aborted at its next allocation.

use rustix::process::{Resource, getrlimit};

use super::redirect;
use crate::access::Admission;
use crate::admin::Admin;
use crate::config::Config;
use crate::engine::Engine;
use crate::threads;
use crate::upstream::{CORE_POLLERS, thread_names};

/// Address space of a poll beyond the threads that always exist: the stacks of its thread and of its lookup, and
/// the largest body that it may have to decompress.
const PER_POLL: u64 = 2 * threads::STACK + (2 << 20);

/// Divisor that gives the polls' share of a limit on the address space.
const POLL_SHARE: u64 = 8;

/// Returns the names of all threads of the server, in about the order in which they are created.
pub(super) fn at_start(config: &Config) -> Vec<String> {
    let always = [
        threads::DESCRIPTORS,
        threads::SIGNALS,
        threads::TEARDOWN,
        threads::RELOAD,
        threads::BOARD,
        threads::HISTORY,
        threads::ALERTS,
        threads::HEARTBEAT,
        threads::SCOREBOARD,
        threads::WATCHDOG,
    ];
    let last_values = config.history.as_ref().map(|_| threads::LAST_VALUES);
    let cluster = config.store.as_ref().map(|_| [threads::CLUSTER, threads::HELD]);
    let sessions = keeps_sessions(config).then_some(threads::SESSIONS);
    let certificates = config.tls.as_ref().map(|_| threads::CERTIFICATES);
    let mut names: Vec<String> = always
        .into_iter()
        .chain(last_values)
        .chain(cluster.into_iter().flatten())
        .chain(sessions)
        .chain(certificates)
        .map(str::to_owned)
        .collect();
    names.extend(of_alerts(config));
    names.extend(thread_names());
    names.extend(Engine::thread_names(&config.server.engine));
    names.extend(redirect::thread_names(config));
    names.extend(Admin::thread_names());
    names
}

/// Returns the names of the threads that a reload adds: those of the sessions and of alerts. New sources need none.
pub(super) fn at_reload(before: &Config, after: &Config) -> Vec<String> {
    let starts_sessions = keeps_sessions(after) && !keeps_sessions(before);
    let sessions = starts_sessions.then(|| threads::SESSIONS.to_owned());
    let known = of_alerts(before);
    let of_alerts = of_alerts(after).into_iter().filter(|name| !known.contains(name));
    sessions.into_iter().chain(of_alerts).collect()
}

/// Returns the names of the threads of the alerts' file and channels.
fn of_alerts(config: &Config) -> Vec<String> {
    let store = [threads::ALERT_STORE, threads::ALERT_READS].map(str::to_owned);
    let store = (!config.alerts.is_empty()).then_some(store);
    let channels = 1..=config.channels.len();
    let channels = channels.map(|number| format!("{}{number}", threads::NOTIFY_PREFIX));
    store.into_iter().flatten().chain(channels).collect()
}

/// Returns the number of polls that may be in flight under the limit on the address space, if there is one.
pub(super) fn polls_in_address_space() -> Option<usize> {
    getrlimit(Resource::As).current.map(polls_under)
}

fn polls_under(address_space: u64) -> usize {
    let further = address_space / POLL_SHARE / PER_POLL;
    CORE_POLLERS.saturating_add(usize::try_from(further).unwrap_or(usize::MAX))
}

/// Returns the maximum number of bytes that the threads allocate for connections' buffers, for
/// verifications of passwords and for polls.
pub(super) fn memory(config: &Config) -> usize {
    let verifications = match &config.auth.rules.admission {
        Admission::Open => 0,
        Admission::Restricted(restricted) => restricted.verification_memory(),
    };
    let polls = polls_in_address_space().map_or(0, |polls| polls.min(config.sources.len()));
    let per_poll = usize::try_from(PER_POLL).unwrap_or(usize::MAX);
    let polls = polls.saturating_sub(CORE_POLLERS).saturating_mul(per_poll);
    config.server.engine.max_buffered_bytes.saturating_add(verifications).saturating_add(polls)
}

/// Returns true if browser sessions are kept in a file: if accounts can sign in, or if an earlier
/// run has left the file.
fn keeps_sessions(config: &Config) -> bool {
    let has_users = match &config.auth.rules.admission {
        Admission::Open => false,
        Admission::Restricted(restricted) => !restricted.users.is_empty(),
    };
    config.history.as_ref().is_some_and(|history| has_users || history.sessions().exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_file_of_an_earlier_run_needs_its_thread_without_accounts() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("x.db");
        let text = format!("[auth]\nopen = true\n[history]\npath = {database:?}\n");
        let config = crate::config::parse("p.toml".as_ref(), &text, &|_| None).unwrap();
        let is_needed = || at_start(&config).iter().any(|name| name == threads::SESSIONS);
        assert!(!is_needed());
        std::fs::write(config.history.as_ref().unwrap().sessions(), "{}").unwrap();
        assert!(is_needed());
    }

    #[test]
    fn replica_needs_the_threads_of_its_leases() {
        let names = |store: &str| {
            let text = format!("[auth]\nopen = true\n{store}");
            at_start(&crate::config::parse("p.toml".as_ref(), &text, &|_| None).unwrap())
        };
        let is_needed = |store: &str| {
            let names = names(store);
            [threads::CLUSTER, threads::HELD].map(|needed| names.iter().any(|name| name == needed))
        };
        assert_eq!(is_needed(""), [false; 2]);
        assert_eq!(is_needed("[store]\nurl = \"postgresql://p@127.0.0.1/p\"\n"), [true; 2]);
    }

    #[test]
    fn polls_get_a_share_of_a_limited_address_space() {
        for (mebibytes, polls) in [(0, 4), (100, 6), (300, 10), (4096, 89)] {
            assert_eq!(polls_under(mebibytes << 20), polls, "{mebibytes} MiB");
        }
        let shared = PER_POLL * (polls_under(1 << 30) - CORE_POLLERS) as u64;
        assert!(shared <= (1 << 30) / POLL_SHARE);
    }

    #[test]
    fn sources_need_no_threads_of_their_own() {
        let config = |sources: usize| {
            let source = |number| {
                format!(
                    "[[source]]\nname = \"s{number}\"\nkind = \"json\"\n\
                     url = \"http://127.0.0.1:1/\"\n[source.values.v]\npointer = \"/v\"\n"
                )
            };
            let sources: String = (0..sources).map(source).collect();
            let text = format!("[auth]\nopen = true\n{sources}");
            crate::config::parse("p.toml".as_ref(), &text, &|_| None).unwrap()
        };
        let (few, many) = (config(1), config(300));
        assert_eq!(at_start(&few), at_start(&many));
        assert_eq!(at_reload(&few, &many), [""; 0]);
        let names = at_start(&many);
        for name in [threads::SCHEDULER, "pw-poll-1", "pw-poll-4", "pw-dns-4"] {
            assert!(names.iter().any(|needed| needed == name), "{name}: {names:?}");
        }
    }
}
