//! The connection engine: a fixed acceptor, a fixed pool of workers, and connections whose
//! every phase has an absolute deadline. It knows nothing of tanks and could serve another
//! program.
//!
//! ```text
//!  clients ──► listeners ──► acceptor ──► run queue ─────► workers ──► Service
//!                             │    ▲                           │
//!                  deadlines, │    └── parked connections ◄────┤
//!                  503s       ▼                                │
//!                           usher ─────────────────────────────┘
//! ```
//!
//! From the wire inwards: `socket`, `tls`, `session` (which joins them to) `connection`,
//! `head` (with `request_line` and `authority`), `framing`, `chunked` (with `chunk_line`),
//! `response`, `output`. Around them: `slot` (who may drive a connection), `acceptor`, `worker`,
//! `engine`, `lanes` (expensive work), `budget` (bytes that connections hold). By the names of
//! [`Settings`] every phase and every size has a limit.

mod acceptor;
mod activity;
mod addresses;
mod budget;
mod deadline;
mod engine;
mod eviction;
mod heavy;
mod http1;
mod lanes;
mod limits;
mod log_throttle;
mod message;
mod oversight;
mod queue;
mod ready;
mod refusal;
mod rejection;
mod service;
mod session;
mod shared;
mod slot;
mod socket;
mod socket_file;
mod stats;

pub mod tls;
mod transport;
mod turn;
mod watch;
mod worker;

pub use activity::{Activity, WorkerState};
pub use addresses::ClientNet;
pub use engine::{Drained, Engine};
pub use http1::{Authority, AuthorityError, Host};
pub use limits::{DESCRIPTORS_BEYOND_CAP, Settings};
pub use log_throttle::LogThrottle;
pub use message::{Body, Peer, Request, RequestHead, Response, StreamBody};
pub use refusal::{BadRequest, Refusal};
pub use service::{Continuation, Lane, Reply, Service};
pub use socket::Listener;
pub use socket_file::{SocketPath, SocketPathError, inspect_socket_path};
pub use stats::{ACCEPTOR_PULSE, CloseReason, ConnectionState, ShedReason, Stats};
