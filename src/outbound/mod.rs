//! Outgoing TCP connections: Happy Eyeballs (RFC 8305) for the HTTP clients of this program.
//!
//! ```text
//! resolver ─► interleave ─► Race (order and schedule, no sockets) ◄─► connect (sockets, poll(2))
//!                                                                        │ the first to connect
//!                                                                        ▼
//!                                       connector ─► SocketTransport ─► TLS ─► HTTP
//! ```
//!
//! Both address families come from one lookup, so the Resolution Delay of RFC 8305 3 does not
//! apply. All attempts of one connection are non-blocking and are polled by the thread that needs
//! the connection: an attempt costs a descriptor and no thread.

#[cfg(test)]
pub(crate) mod blackhole;
pub mod client;
mod connect;
mod error;
mod race;
mod transport;

pub(crate) use error::ConnectError;
pub(crate) use race::{MAX_PENDING, interleave};
pub(crate) use transport::{SocketTransport, connector};
