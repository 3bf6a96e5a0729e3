//! Resources of a process, from `/proc` (proc(5)): descriptors, memory, threads, processor time.

use procfs::ProcResult;
use procfs::process::{LimitValue, Process};
use serde::Serialize;

use crate::json::deserialize_members;

/// Resources of a process, with the meaning of Prometheus's `process_*` metrics.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ProcessInfo {
    /// Process ID.
    pub pid: i32,
    /// Number of open descriptors.
    pub open_files: u64,
    /// Soft limit on open descriptors (`RLIMIT_NOFILE`); `None` if there is none.
    pub open_files_limit: Option<u64>,
    /// Number of threads.
    pub threads: u64,
    /// Resident memory, bytes.
    pub resident_bytes: u64,
    /// Mapped address space, bytes.
    pub virtual_bytes: u64,
    /// User and system time used, seconds.
    pub cpu_seconds: f64,
    /// Time of the start, Unix time.
    pub start_time_seconds: f64,
}

deserialize_members!(ProcessInfo {
    pid,
    open_files,
    open_files_limit,
    threads,
    resident_bytes,
    virtual_bytes,
    cpu_seconds,
    start_time_seconds
});

impl ProcessInfo {
    /// Reads the resources of this process.
    ///
    /// # Errors
    /// There is no `/proc`.
    pub fn of_this() -> ProcResult<ProcessInfo> {
        read(&Process::myself()?)
    }

    /// Reads the resources of another process.
    ///
    /// # Errors
    /// No process has that ID, or it belongs to another user.
    pub fn of(pid: i32) -> ProcResult<ProcessInfo> {
        read(&Process::new(pid)?)
    }
}

fn read(process: &Process) -> ProcResult<ProcessInfo> {
    let stat = process.stat()?;
    let ticks = procfs::ticks_per_second().max(1) as f64;
    let limit = match process.limits()?.max_open_files.soft_limit {
        LimitValue::Value(limit) => Some(limit),
        LimitValue::Unlimited => None,
    };
    Ok(ProcessInfo {
        pid: stat.pid,
        open_files: process.fd_count()? as u64,
        open_files_limit: limit,
        threads: u64::try_from(stat.num_threads).unwrap_or_default(),
        resident_bytes: stat.rss * procfs::page_size(),
        virtual_bytes: stat.vsize,
        cpu_seconds: (stat.utime + stat.stime) as f64 / ticks,
        start_time_seconds: procfs::boot_time_secs()? as f64 + stat.starttime as f64 / ticks,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resources_of_this_process_are_plausible() {
        let held: Vec<_> = (0..10).map(|_| std::fs::File::open("/dev/null").unwrap()).collect();
        let info = ProcessInfo::of_this().unwrap();
        assert_eq!(info.pid.unsigned_abs(), std::process::id());
        assert!(info.open_files >= 10 + 3, "{info:?}");
        assert!(info.open_files_limit.is_none_or(|limit| limit >= info.open_files), "{info:?}");
        assert!(info.threads >= 1 && info.resident_bytes > 1 << 20, "{info:?}");
        assert!(info.virtual_bytes >= info.resident_bytes, "{info:?}");
        let now = jiff::Timestamp::now().as_second() as f64;
        assert!((now - info.start_time_seconds).abs() < 3600.0, "{info:?}");
        drop(held);
    }
}
