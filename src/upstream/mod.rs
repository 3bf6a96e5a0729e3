//! Pollers: one thread a source, and one file a kind of upstream.
//!
//! ```text
//! schedule ─► poller ─► fetch (bounded) ─► decode (pure) ─► Report ─► board
//!    ▲                     │    ▲
//!    └── verdict, backoff ─┘    └ outbound: name, connection, TLS
//! ```

mod age;
mod ambient;
mod answer;
mod backoff;
mod conversion;
mod decode;
mod excerpt;
mod failure;
mod fetch;
#[cfg(test)]
mod fuzz;
mod json;
mod kind;
mod nws;
mod on_demand;
mod open_meteo;
mod poller;
mod pollers;
mod ptdevices;
mod ptlevel;
mod rate_limit;
mod redirect;
mod retry_after;
mod schedule;
mod secrets;
mod stats;
#[cfg(test)]
mod tests;
pub mod trial;

pub use on_demand::Asked;
pub use pollers::{Pollers, Roster, thread_names};
pub use stats::{DURATION_BUCKETS, Durations, Outcome, Phase, PollStats};
