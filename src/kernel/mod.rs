//! Facts about processes, sockets and descriptors that only the kernel has, and the signals that it
//! delivers.

pub mod descriptors;
pub mod listen_queue;
pub mod process;
pub mod signals;
pub mod sock_diag;
