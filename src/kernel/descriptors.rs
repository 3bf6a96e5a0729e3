//! The limit on open descriptors (`RLIMIT_NOFILE`, getrlimit(2)) and the kernel's table of them.

use std::io;

use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Settings that raise the limit, for messages.
pub const SETTINGS: &str = "a shell's `ulimit -n`, systemd's LimitNOFILE=, supervisord's minfds";

/// Returns true if the process has as many descriptors as its limit allows.
pub fn is_at_limit(error: &io::Error) -> bool {
    Errno::from_io_error(error) == Some(Errno::MFILE)
}

/// Returns true if the process or the system has no descriptor or memory left (open(2), socket(2)).
pub fn is_shortage(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM))
}

/// Returns the process's soft limit on open descriptors; `None` if it has none.
pub fn limit() -> Option<u64> {
    getrlimit(Resource::Nofile).current
}

/// Raises the soft limit to `wanted`, or to the hard limit if that is lower.
///
/// Shells and supervisors start programs with a soft limit of 1024 for the sake of select(2),
/// which this program does not use.
pub fn raise_limit(wanted: u64) {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let wanted = maximum.map_or(wanted, |maximum| maximum.min(wanted));
    if let Some(current) = current.filter(|current| *current < wanted)
        && let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum })
    {
        log::debug!("cannot raise RLIMIT_NOFILE from {current} to {wanted}: {error}");
    }
}

/// Grows the process's descriptor table to hold descriptors up to the number `highest`.
///
/// Call it before the server serves. Otherwise the table grows by doubling while it runs, and in a process with
/// several threads each growth waits for an RCU grace period (`expand_files` in fs/file.c of Linux), which blocked
/// the acceptor for tens of milliseconds in a burst of connections. The caller waits for one, too; threads that
/// need no descriptor beyond the present table do not.
///
/// # Errors
/// The limit does not allow that number; the table then grows on demand.
pub fn reserve_table(highest: u64) -> io::Result<()> {
    let highest = limit().map_or(highest, |limit| highest.min(limit.saturating_sub(1)));
    let highest = i32::try_from(highest).unwrap_or(i32::MAX);
    // A duplicate with the highest number makes the kernel grow the table; it is closed at once.
    drop(fcntl_dupfd_cloexec(io::stdin(), highest)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_table_has_room_for_the_highest_descriptor() {
        let size = || {
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            let line = status.lines().find_map(|line| line.strip_prefix("FDSize:"));
            line.unwrap().trim().parse::<u64>().unwrap()
        };
        let highest = limit().map_or(4000, |limit| limit.min(4000)) / 2;
        reserve_table(highest).unwrap();
        assert!(size() >= highest, "{}", size());
    }
}
