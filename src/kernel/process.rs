//! What the kernel tells of a process: descriptors, memory, threads, time.

use procfs::ProcResult;
use procfs::process::{LimitValue, Process};
use serde::{Deserialize, Serialize};

/// See proc(5); the same as Prometheus' `process_*` metrics tell.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ProcessFacts {
    /// Its number.
    pub pid: i32,
    /// Descriptors that are open.
    pub open_files: u64,
    /// Descriptors that may be open, the soft `RLIMIT_NOFILE`; `None`: any number.
    pub open_files_limit: Option<u64>,
    /// Threads.
    pub threads: u64,
    /// Memory that it holds, bytes.
    pub resident_bytes: u64,
    /// Addresses that it has mapped, bytes.
    pub virtual_bytes: u64,
    /// Processor time that it has used, seconds.
    pub cpu_seconds: f64,
    /// When it started, Unix time.
    pub start_time_seconds: f64,
}

impl ProcessFacts {
    /// This process.
    ///
    /// # Errors
    /// There is no `/proc`.
    pub fn of_this() -> ProcResult<ProcessFacts> {
        facts(&Process::myself()?)
    }

    /// Another one.
    ///
    /// # Errors
    /// There is none of that number, or it is another user's.
    pub fn of(pid: i32) -> ProcResult<ProcessFacts> {
        facts(&Process::new(pid)?)
    }
}

fn facts(process: &Process) -> ProcResult<ProcessFacts> {
    let stat = process.stat()?;
    let ticks = procfs::ticks_per_second().max(1) as f64;
    let limit = match process.limits()?.max_open_files.soft_limit {
        LimitValue::Value(limit) => Some(limit),
        LimitValue::Unlimited => None,
    };
    Ok(ProcessFacts {
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
    fn this_process_is_told_truly() {
        let held: Vec<_> = (0..10).map(|_| std::fs::File::open("/dev/null").unwrap()).collect();
        let facts = ProcessFacts::of_this().unwrap();
        assert_eq!(facts.pid.unsigned_abs(), std::process::id());
        assert!(facts.open_files >= 10 + 3, "{facts:?}");
        assert!(facts.open_files_limit.is_none_or(|limit| limit >= facts.open_files), "{facts:?}");
        assert!(facts.threads >= 1 && facts.resident_bytes > 1 << 20, "{facts:?}");
        assert!(facts.virtual_bytes >= facts.resident_bytes, "{facts:?}");
        let now = jiff::Timestamp::now().as_second() as f64;
        assert!((now - facts.start_time_seconds).abs() < 3600.0, "{facts:?}");
        drop(held);
    }
}
