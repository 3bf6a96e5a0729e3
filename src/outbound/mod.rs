//! Exchanges with other servers: upstreams, receivers of messages, our own listeners, and supervisord.
//!
//! ```text
//! ThreadedResolver ─► interleave ─► Race (order and schedule, no sockets) ◄─► connect (sockets, poll(2))
//!                                                                                │ the first to connect
//!                                                                                ▼
//!                                              connector ─► SocketTransport ─► TLS ─► HTTP (ureq)
//! ```
//!
//! `agent` builds every HTTP client of this program. Each has one total deadline, from the lookup of
//! the name to the last byte of the body; a cap on the response head; no proxy but the one that
//! its source names; and no kept connections.
//!
//! Connections are made by Happy Eyeballs (RFC 8305), because ureq's own connector tries one address
//! after the other, and an address family that is blackholed would cost the whole deadline. Both
//! address families come from one lookup, so the Resolution Delay of RFC 8305 3 does not apply. All
//! attempts of one connection are non-blocking, and the thread that needs the connection polls them:
//! an attempt costs a descriptor and no thread, and at most four are pending.
//!
//! `stream` makes connections for other protocols than HTTP in the same way, with the same total deadline; `duplex`
//! writes to them while the peer writes.
//!
//! Polls of sources, messages of alerts, probes, and calls of supervisord use these clients. `doctor` does not: it connects
//! to one literal address, and has to report a full accept queue rather than wait for a place in it.

mod agent;
#[cfg(test)]
pub(crate) mod blackhole;
mod buffers;
mod cause;
mod client;
mod connect;
mod connect_error;
mod cutoff;
mod duplex;
mod failure;
mod lookups;
mod pinned;
mod proxy;
mod race;
mod redactor;
mod resolve;
pub(crate) mod retry_after;
mod sessions;
mod stream;
mod target;
pub(crate) mod tls;
mod tls_transport;
mod transport;
mod trust_error;
mod unix;

pub(crate) use agent::agent;
pub use cause::{Cause, TlsFault};
pub(crate) use client::{Client, Place, Request, Response};
pub(crate) use cutoff::Cutoff;
pub use failure::{Failure, FailureKind};
#[cfg(test)]
pub(crate) use lookups::Lookup;
pub(crate) use race::MAX_PENDING;
pub(crate) use redactor::{CUT, Redactor};
pub(crate) use resolve::ThreadedResolver;
pub(crate) use stream::DeadlineStream;
pub use target::{Endpoint, Target, TargetError};
pub(crate) use transport::connector;
