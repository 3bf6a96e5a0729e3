//! What can be seen of a server from outside: its accept queue, its losses, its share of the
//! machine.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use pumphouse_web::kernel::listen_queue::listening;

/// Connections that wait to be accepted at that address.
pub fn accept_queue(address: SocketAddr) -> u32 {
    listening()
        .into_iter()
        .filter(|found| found.address.port() == address.port())
        .map(|found| found.depth)
        .max()
        .unwrap_or(0)
}

/// Processor time that a process has used.
pub fn cpu_time(process: u32) -> Duration {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name may hold spaces; the numbers begin behind its closing bracket.
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split(' ').collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    // Ticks are hundredths of a second on every Linux that matters (proc(5), utime and stime).
    Duration::from_millis((ticks(12) + ticks(13)) * 10)
}

/// A size of `/proc/PID/status` in KiB, such as `VmRSS`; or a count, such as `Threads`.
pub fn status(process: u32, name: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix(&format!("{name}:")))
        .and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

/// Memory that the kernel holds for all TCP sockets of the machine, KiB.
pub fn tcp_memory() -> u64 {
    let text = fs::read_to_string("/proc/net/sockstat").unwrap_or_default();
    let tcp = text.lines().find_map(|line| line.strip_prefix("TCP:"));
    let mut fields = tcp.unwrap_or_default().split_whitespace();
    let pages: u64 = match fields.find(|field| *field == "mem") {
        Some(_) => fields.next().and_then(|pages| pages.parse().ok()).unwrap_or(0),
        None => 0,
    };
    pages * procfs::page_size() / 1024
}

/// The machine, in a few words.
pub fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name"));
    let model =
        model.and_then(|line| line.split_once(": ")).map_or("an unknown processor", |(_, it)| it);
    let cores = cpuinfo.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = read("/proc/sys/kernel/osrelease");
    // Without the suffix by which whoever built it tells his kernels apart.
    let version = kernel.trim().split('-').next().unwrap_or_default();
    format!("{cores} cores of {model}, Linux {version}")
}
