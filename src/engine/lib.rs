//! The connection engine: an HTTP/1.1 server whose every phase has an absolute deadline and whose
//! every size has a limit. It knows nothing of tanks: `examples/hello.rs` serves another program
//! with it.
//!
//! # Threads
//!
//! ```text
//!  clients ──► acceptor ── registers ──► epoll ── events ──► workers ──► Service
//!                 │                        ▲                  │   ▲
//!                 │ claims at a deadline   └───── parks ──────┤   │ run queue
//!                 │ or when the server                        └───┤
//!                 ▼ stops                                         │
//!              reaper ──── requeues what needs the service ───────┘
//! ```
//!
//! | thread | does | never |
//! | --- | --- | --- |
//! | `pw-acceptor` (`acceptor`) | accepts, checks deadlines, evicts or rejects at a cap, reclaims memory, polls when no worker does | reads, writes, or takes a lock that is held during I/O |
//! | `pw-worker-N` (`worker`) | waits for events in turn with the others, drives ready connections, calls the service | waits for one client |
//! | `pw-reaper` (`reaper`) | answers 503 and 408 and closes, in the place of workers that may all be blocked | calls the service, or reads the source of a streamed body |
//!
//! `scheduler` explains how they share connections: the Leader/Followers pattern, the places of a
//! connection, and the memory orderings.
//!
//! # One connection
//!
//! A `session` joins two halves that do not know each other: a `transport`, which is a socket with TLS
//! if the listener has it, and `http1`, a state machine without I/O. `message` and `service` are the
//! interface to the program behind the engine.
//!
//! # Limits
//!
//! | phase | limit | at its end |
//! | --- | --- | --- |
//! | TLS handshake | `handshake_timeout` from accept | closed |
//! | first head | `header_timeout` from accept | 408 if any of it came, else closed |
//! | later heads | `header_timeout` from their first byte | 408 |
//! | body | `body_timeout` from the end of the head | 408 |
//! | wait for a worker | `queue_timeout` | 503 |
//! | wait for a permit of a lane | `queue_timeout` | 503 |
//! | expensive work, from its first permit to its response | `write_timeout` | 503 |
//! | response | `write_timeout` from its first byte | reset |
//! | between requests | `keep_alive` | closed |
//! | after the last response | `linger_timeout` | closed |
//!
//! A `deadline` offers no way to be moved: a byte now and then does not extend it. So
//! `write_timeout` holds for a download of any size, however steadily its client reads.
//!
//! `turn_budget` bounds the work for a connection before the next one has its turn, `lanes` the
//! expensive work, `memory_limit` the buffers, and `eviction` makes room at the caps on connections.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), warn(clippy::print_stderr))]

mod acceptor;
mod activity;
mod client_counts;
mod client_net;
mod deadline;
mod eviction;
mod handle;
mod heartbeat;
mod heavy;
mod http1;
mod lanes;
mod limits;
mod listener;
mod log_throttle;
mod memory_limit;
mod message;
mod new_listeners;
mod ready;
mod reaper;
mod refusal;
mod rejection;
mod scheduler;
mod service;
mod session;
mod shared;
mod socket;
mod socket_file;
mod stats;
pub mod tls;
mod transport;
mod trusted_proxies;
mod turn_budget;
mod worker;

pub use activity::{Activity, WorkerState};
pub use client_net::ClientNet;
pub use handle::{Drained, Engine};
pub use heartbeat::Heartbeat;
pub use http1::{Authority, AuthorityError, Host, set_date_clock};
pub use limits::{DESCRIPTORS_BEYOND_CAP, Settings};
pub use listener::Listener;
pub use log_throttle::LogThrottle;
pub use message::{Body, Peer, Request, RequestHead, Response, StreamBody};
pub use refusal::{BadRequest, Refusal};
pub use service::{Continuation, Lane, Reply, Service};
pub use socket_file::{SocketPath, SocketPathError, inspect_socket_path};
pub use stats::{ACCEPTOR_PULSE, CloseReason, ConnectionState, ShedReason, Stats};
pub use trusted_proxies::TrustedProxies;
