//! The connection engine: a fixed acceptor, a fixed pool of workers, and
//! connections whose every phase has an absolute deadline. It knows nothing of
//! tanks and could serve another program.

pub mod message;
pub mod stats;

pub use message::{Body, Peer, Refusal, Request, Response, Service};
pub use stats::{CloseReason, ConnectionState, ShedReason, Stats};
