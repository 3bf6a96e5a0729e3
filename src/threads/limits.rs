//! System limits on the number of threads, for error messages.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use rustix::process::{Resource, getrlimit};

/// Limits that can make the creation of a thread fail; `None` where no limit is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// `RLIMIT_NPROC`: threads of all processes of this user. Root is exempt.
    pub processes: Option<u64>,
    /// The smallest `pids.max` of this process's control groups.
    pub pids: Option<u64>,
    /// `RLIMIT_AS`, in bytes.
    pub address_space: Option<u64>,
}

impl Limits {
    /// Reads the limits in force.
    pub fn of_this_process() -> Limits {
        Limits {
            processes: getrlimit(Resource::Nproc).current,
            pids: smallest_pids_max(),
            address_space: getrlimit(Resource::As).current,
        }
    }
}

impl Limits {
    /// Returns the limits with those that can be read again without a file, which a caller that must not block may
    /// do.
    pub fn refreshed(self) -> Limits {
        Limits {
            processes: getrlimit(Resource::Nproc).current,
            address_space: getrlimit(Resource::As).current,
            ..self
        }
    }
}

impl fmt::Display for Limits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let now = |limit: Option<u64>| match limit {
            Some(limit) => format!(" (now {limit})"),
            None => String::new(),
        };
        let kib = self.address_space.map(|bytes| bytes / 1024);
        write!(
            f,
            "raise the limit that is too low: ulimit -u{}, TasksMax= or the container's pids \
             limit{}, ulimit -v{}; or lower [server] workers",
            now(self.processes),
            now(self.pids),
            now(kib)
        )
    }
}

/// Returns the smallest `pids.max` of the control groups of this process and of those above them,
/// each of which limits it.
fn smallest_pids_max() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    let limits = groups.lines().filter_map(pids_group).flat_map(|(root, group)| {
        let group = root.join(group.strip_prefix("/").unwrap_or(group));
        let above: Vec<PathBuf> =
            group.ancestors().take_while(|dir| dir.starts_with(root)).map(Path::to_owned).collect();
        above.into_iter().filter_map(|dir| {
            // The file holds `max` if there is no limit.
            fs::read_to_string(dir.join("pids.max")).ok()?.trim().parse().ok()
        })
    });
    limits.min()
}

/// Returns the mount point and the group that a line of `/proc/self/cgroup` names, if the pids
/// controller may be there: in version 2, which has no list of controllers, or in its own hierarchy.
fn pids_group(line: &str) -> Option<(&'static Path, &Path)> {
    let mut parts = line.splitn(3, ':');
    let (_, controllers, group) = (parts.next()?, parts.next()?, parts.next()?);
    let root = match controllers {
        "" => "/sys/fs/cgroup",
        "pids" => "/sys/fs/cgroup/pids",
        _ => return None,
    };
    Some((Path::new(root), Path::new(group)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cgroup_lines_of_both_versions_name_the_group_of_the_pids_controller() {
        for (line, expected) in [
            ("0::/user.slice/a", Some(("/sys/fs/cgroup", "/user.slice/a"))),
            ("8:pids:/docker/x", Some(("/sys/fs/cgroup/pids", "/docker/x"))),
            ("4:memory:/x", None),
            ("", None),
        ] {
            let expected = expected.map(|(root, group)| (Path::new(root), Path::new(group)));
            assert_eq!(pids_group(line), expected, "{line}");
        }
    }

    #[test]
    fn limits_that_are_not_set_are_shown_without_a_number() {
        let limits = Limits { address_space: Some(300 << 20), ..Limits::default() };
        let message = limits.to_string();
        assert!(message.contains("ulimit -u, "), "{message}");
        assert!(message.contains("ulimit -v (now 307200)"), "{message}");
    }
}
