//! What every program tells of its process, by the names that Prometheus users know.

use prometheus::proto::{MetricFamily, MetricType};

use super::family::Family;
use crate::kernel::process::ProcessFacts;

/// Empty where the kernel does not tell.
pub(super) fn families() -> Vec<MetricFamily> {
    let Ok(facts) = ProcessFacts::of_this() else { return Vec::new() };
    let one = |kind, name, help, value: f64| {
        Family::conventional(kind, name, help).sample(&[], value).done()
    };
    let gauge = |name, help, value: u64| one(MetricType::GAUGE, name, help, value as f64);
    let mut families = vec![
        one(
            MetricType::COUNTER,
            "process_cpu_seconds_total",
            "Total user and system CPU time spent in seconds.",
            facts.cpu_seconds,
        ),
        one(
            MetricType::GAUGE,
            "process_start_time_seconds",
            "Start time of the process since unix epoch in seconds.",
            facts.start_time_seconds,
        ),
        gauge("process_open_fds", "Number of open file descriptors.", facts.open_files),
        gauge(
            "process_resident_memory_bytes",
            "Resident memory size in bytes.",
            facts.resident_bytes,
        ),
        gauge("process_virtual_memory_bytes", "Virtual memory size in bytes.", facts.virtual_bytes),
        gauge("process_threads", "Number of OS threads in the process.", facts.threads),
    ];
    families.extend(
        facts.open_files_limit.map(|limit| {
            gauge("process_max_fds", "Maximum number of open file descriptors.", limit)
        }),
    );
    families
}
