//! Interfaces to the kernel: clocks, processes, listening sockets, limits, pipes, signals and the
//! terminal.
//!
//! This module depends on neither the configuration nor the engine: callers pass plain numbers.

pub mod accounts;
pub mod addresses;
pub mod child;
pub mod clock;
pub mod descriptors;
pub mod disk_space;
pub mod file_size;
pub mod host_name;
pub mod listen_queue;
pub mod pause;
pub mod pipe;
pub mod process;
pub mod signals;
pub mod sock_diag;
pub mod terminal;
