//! Name of this machine.

use std::fs;

/// Returns the name of this machine as the kernel has it; empty if it cannot be read.
pub fn host_name() -> String {
    fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}
