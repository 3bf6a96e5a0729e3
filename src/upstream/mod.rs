//! Pollers: one thread for each source, which fetches, decodes and reports to the board.
//!
//! ```text
//! schedule ─► poller ─► fetch (bounded) ─► decode (pure) ─► Report ─► board
//!    ▲                      │   ▲
//!    └─ feedback, backoff ──┘   └ outbound: name, connection, TLS
//! ```
//!
//! Only pollers contact upstreams; handlers read the board's snapshot. Each poll has one deadline for
//! everything from the name lookup to the last byte (`fetch`), so an upstream that hangs delays its own
//! source only. A panic in a decoder is reported as the error kind `panic`, and the thread continues.
//!
//! Each kind of upstream has a file of its own (`ptlevel`, `ptdevices`, `open_meteo`, `nws`, `ambient`,
//! `json`) with the reference of its API, its quirks, and tests from payload to reading. A decoder is a pure
//! function from bytes and the time of the response to a reading or an error. A value that is null, not a
//! number, out of range or missing stays in the reading as null with a note; it never becomes 0. The decoder
//! reports the unit that the upstream sent. `plausible` then rejects numbers that cannot be true, for all kinds
//! alike, and `conversion` converts the others to the configured unit.
//!
//! Upstreams may echo the request, so `secrets` redacts the source's credentials from errors, texts, notes
//! and excerpts. Hidden characters are replaced where a text of an upstream becomes part
//! of a value, note or error (`crate::text`).

mod age;
mod ambient;
mod backoff;
mod charset;
mod content_coding;
mod conversion;
mod crew;
mod decode;
mod digest;
mod excerpt;
mod failure;
mod fetch;
#[cfg(test)]
mod fuzz;
mod handles;
mod interpret;
mod json;
mod kind;
mod last_response;
mod nws;
mod on_demand;
mod open_meteo;
mod pacer;
mod plausible;
pub mod poll_once;
mod poller;
mod pollers;
mod ptdevices;
mod ptlevel;
mod queue;
mod rate_limit;
mod redirect;
mod retry_after;
mod schedule;
mod scheduler;
mod secrets;
mod slots;
mod stats;
#[cfg(test)]
mod tests;
mod validators;

pub(crate) use fetch::user_agent;
pub use handles::PollerHandles;
pub use on_demand::PollRequest;
pub use pollers::{Fleet, KeptReadings, Pollers, thread_names};
pub use stats::{DURATION_BUCKETS, Durations, Outcome, Phase, PollStats, SchedulerStats};
