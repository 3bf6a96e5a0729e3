//! Pollers: one thread a source, and one file a kind of upstream.
//!
//! ```text
//! schedule ─► poller ─► fetch (bounded) ─► decode (pure) ─► Report ─► board
//!    ▲                     │    ▲
//!    └── verdict, backoff ─┘    └ resolve: one thread a source for names
//! ```

mod age;
mod backoff;
mod decode;
mod failure;
mod fetch;
#[cfg(test)]
mod fuzz;
mod json;
mod kind;
mod open_meteo;
mod poller;
mod pollers;
mod ptlevel;
mod redirect;
mod resolve;
mod retry_after;
mod schedule;
mod stats;
#[cfg(test)]
mod tests;
mod tls;

pub use pollers::Pollers;
pub use stats::{DURATION_BUCKETS, Durations, Outcome, Phase, PollStats};
