//! The `process_*` metrics that Prometheus client libraries define.

use jiff::Timestamp;

use super::family::{Family, Kind};
use crate::kernel::process::ProcessInfo;

/// Returns the metrics of this process. Without `/proc` there is only the time of the start, for
/// which `started_at` stands in.
pub(super) fn families(started_at: Timestamp) -> Vec<Family> {
    let single =
        |kind, name, help, value: f64| Family::conventional(kind, name, help).sample(&[], value);
    let gauge = |name, help, value: u64| single(Kind::Gauge, name, help, value as f64);
    let info = ProcessInfo::of_this().ok();
    let start = info.as_ref().map_or(started_at.as_second() as f64, |info| info.start_time_seconds);
    let mut families = vec![single(
        Kind::Gauge,
        "process_start_time_seconds",
        "Start time of the process since unix epoch in seconds.",
        start,
    )];
    let Some(info) = info else { return families };
    families.extend([
        single(
            Kind::Counter,
            "process_cpu_seconds_total",
            "Total user and system CPU time spent in seconds.",
            info.cpu_seconds,
        ),
        gauge("process_open_fds", "Number of open file descriptors.", info.open_files),
        gauge(
            "process_resident_memory_bytes",
            "Resident memory size in bytes.",
            info.resident_bytes,
        ),
        gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.", info.virtual_bytes),
        gauge("process_threads", "Number of OS threads in the process.", info.threads),
    ]);
    families.extend(
        info.open_files_limit.map(|limit| {
            gauge("process_max_fds", "Maximum number of open file descriptors.", limit)
        }),
    );
    families
}
