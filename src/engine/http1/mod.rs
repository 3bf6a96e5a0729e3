//! HTTP/1.x as a state machine without a socket or a clock of its own (sans I/O): bytes and times go
//! in, bytes and [`Action`]s come out.
//!
//! One [`Connection`] passes through these phases, once for each request:
//!
//! ```text
//!             first byte           head complete              body requested
//!   ┌──► Idle ──────────► Head ──────────────────► Handling ────────────────► Body
//!   │                                                │   ▲    body complete     │
//!   │                                                │   └──────────────────────┘
//!   │                                        respond │
//!   │         no body behind the head                ▼   body that was not requested
//!   ├───────────────────────────────────── response ────────────────────────► Discard
//!   │                                                                           │
//!   └───────────────────────────────────────────────────────────────────────────┘
//!                                                       body dropped, response sent
//! ```
//!
//! 1. `Head`: the head is parsed (`head`, `request_line`, `authority`) and its framing determined
//!    (`framing`). The service is called at once, before any of the body is read: it decides about
//!    access, and whether it needs the body.
//! 2. `Body`: the service has requested the body, which is decoded (`body`, `chunked`, `chunk_line`)
//!    and handed to its continuation. `100 Continue` is sent if the client waits for it.
//! 3. `Discard`: the service has answered without reading the body. Up to
//!    [`MAX_DISCARDED_BODY`](super::limits::MAX_DISCARDED_BODY) bytes are dropped so that the
//!    connection persists; behind a longer body it is closed. A client holds no memory with a body
//!    that no route expects.
//! 4. The response is appended to the output (`response`, `output`). Pipelined requests are answered
//!    in order (RFC 9112 9.3.2), but wait while much output is pending.
//!
//! Each phase has one absolute [`Deadline`](super::deadline::Deadline), set when the phase begins;
//! no byte extends it. While output is pending, the deadline is that of the write:
//!
//! | phase | deadline | when it passes |
//! | --- | --- | --- |
//! | `Idle` | `keep_alive` from the end of the last response | closed |
//! | `Head` | `header_timeout` from accept, later from the first byte | 408 if bytes came, else closed |
//! | `Body`, `Discard` | `body_timeout` from the end of the head | 408 |
//! | output pending | `write_timeout` from the first byte of the response | reset |
//!
//! `Handling` sets no deadline of its own: [`Connection::deadline`] still returns that of the body. It
//! does not end a call that runs, which holds a worker. While a call waits for a permit, the session
//! uses the deadline of `heavy` in its place.
//!
//! A [`Refusal`](super::refusal::Refusal) ends the connection, and the bytes behind the refused request
//! are dropped (RFC 9112 11.2).
//!
//! Sources: RFC 9110 (semantics), RFC 9112 (HTTP/1.1). The shape follows ureq-proto and h11.

mod action;
mod authority;
mod body;
mod chunk_line;
mod chunked;
mod connection;
mod date;
mod expiry;
mod framing;
mod head;
mod output;
mod phase;
mod receive;
mod request_line;
mod respond;
mod response;

#[cfg(test)]
mod tests;

pub(super) use action::{Action, CallStep, Closing, ServiceCall};
pub use authority::{Authority, AuthorityError, Host};
pub(super) use connection::Connection;
pub use date::set_date_clock;
pub(super) use output::Output;
pub(super) use response::ResponseContext;
