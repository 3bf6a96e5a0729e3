//! Measurements of a process through the kernel: accept queue, processor time, memory and threads.

use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use pumphouse_web::kernel::listen_queue::listening;

/// Returns the number of connections that wait to be accepted at this address.
pub fn accept_queue(address: SocketAddr) -> u32 {
    listening()
        .into_iter()
        .filter(|found| found.address.port() == address.port())
        .map(|found| found.depth)
        .max()
        .unwrap_or(0)
}

/// Returns the processor time that a process has used.
pub fn cpu_time(process: u32) -> Duration {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    // The name may contain spaces; the numbers follow its closing bracket.
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split(' ').collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    // A tick is a hundredth of a second on common configurations of Linux (proc(5), utime and stime).
    Duration::from_millis((ticks(12) + ticks(13)) * 10)
}

/// Returns a size of `/proc/PID/status` in KiB, such as `VmRSS`, or a count, such as `Threads`.
pub fn status(process: u32, name: &str) -> u64 {
    let text = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    text.lines()
        .find_map(|line| line.strip_prefix(&format!("{name}:")))
        .and_then(|line| line.split_whitespace().next()?.parse().ok())
        .unwrap_or(0)
}

/// Returns the memory of all TCP sockets of the machine in the kernel, KiB.
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

/// Returns a short description of the machine.
pub fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpuinfo = read("/proc/cpuinfo");
    let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name"));
    let model =
        model.and_then(|line| line.split_once(": ")).map_or("an unknown processor", |(_, it)| it);
    let cores = cpuinfo.lines().filter(|line| line.starts_with("processor")).count();
    let kernel = read("/proc/sys/kernel/osrelease");
    // Without the suffix of the local build.
    let version = kernel.trim().split('-').next().unwrap_or_default();
    format!("{cores} cores of {model}, Linux {version}")
}
