//! Interfaces to the kernel: processes, listening sockets, descriptors and signals.
//!
//! Nothing here knows the configuration or the engine: callers pass plain numbers.

pub mod descriptors;
pub mod listen_queue;
pub mod process;
pub mod signals;
pub mod sock_diag;
