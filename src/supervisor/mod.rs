//! The watch: probes a server from outside, and has it restarted when it is alive but silent.
//!
//! ```text
//!  supervisord ── TICK_5 ──► listener ──► watcher ──► prober ──► /healthz, public address
//!       ▲                                  │    ▲
//!       └── XML-RPC ◄── restart ◄──────────┘    └── policy (pure)
//! ```
//!
//! It looks at `/healthz` only, which no upstream can spoil. Everything that it asks for has a
//! total deadline, so neither a silent server nor a silent supervisord can hold it.

pub mod command_output;
pub mod listener;
pub mod policy;
pub mod probe;
pub mod restart;
pub mod rpc;
pub mod watcher;
