//! Pollers: a scheduler starts each poll when it is due, and threads fetch, decode and report to the board.
//!
//! ```text
//! pollers ── sources of a configuration ──► scheduler: queue, pacer, rate limits (never blocks)
//!                                             │    ▲
//! handles ── requests for polls ──────────────┤    │ the end of the poll, and the time of the next
//!                                             ▼    │
//!                                     crew: one thread for each poll in flight
//!                                             │
//!      fetch (bounded) ─► decode (pure) ─► Report ─► board
//!          │
//!          └ outbound: name, connection, TLS
//! ```
//!
//! Only pollers contact upstreams; handlers read the board's snapshot. Each poll has one deadline for
//! everything from the name lookup to the last byte (`fetch`), so an upstream that hangs delays its own
//! source only. A panic in a decoder is reported as the error kind `panic`, and the thread continues.
//!
//! # When a source is polled
//!
//! Between two polls a source is an entry of `queue`, and costs no thread. It is polled
//!
//! * at its slot, once an interval. Slots are spread by name (`slots`), on a grid that the wall clock at the start
//!   anchors (`schedule`), so that polls are evenly spread and each source is polled at the same seconds after a
//!   restart or a reload;
//! * after a failure, at a retry between two slots (`backoff`);
//! * early, as soon as the `pacer` allows or at its slot if that comes first: without a fresh reading at the start or
//!   after its configuration has changed, after a step of the clock, after a suspend, and if its slot was missed;
//! * on demand (`on_demand`).
//!
//! If several machines share the sources, a source is polled only while this replica holds it (`gate`); the others are
//! parked. A source that is taken over continues its schedule.
//!
//! At most one poll of a source is in flight. Its state (`poller::Poller`) is with the poller thread meanwhile, and
//! with the queue otherwise, so no lock is needed for it. A changed source waits for the end of the poll that its
//! earlier configuration has in flight.
//!
//! # What happens when something is short
//!
//! | short | result |
//! | --- | --- |
//! | a thread for a poll | error `resources` of that poll; [`thread_names`] exist from the start |
//! | descriptors, address space | polls beyond [`MaxPolls`] fail with `resources`; connections keep theirs |
//! | room in the board's channel | the poller thread waits, the scheduler does not: it keeps its report and tries again |
//! | time: the process or the machine was stopped | missed polls are paced |
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
mod gate;
mod handles;
mod interpret;
mod json;
mod kind;
mod last_response;
mod max_polls;
mod nws;
mod on_demand;
mod open_meteo;
mod pacer;
mod plausible;
mod poll_all;
pub mod poll_once;
mod poller;
mod pollers;
mod ptdevices;
mod ptlevel;
mod queue;
mod rate_limit;
mod redirect;
mod schedule;
mod scheduler;
mod secrets;
mod slots;
mod stats;
#[cfg(test)]
mod tests;
mod validators;

pub(crate) use crew::CORE_POLLERS;
pub(crate) use fetch::user_agent;
pub use gate::Gate;
pub use handles::PollerHandles;
pub use max_polls::{MaxPolls, PollLimit};
pub use on_demand::PollRequest;
pub use poll_all::poll_all;
pub use pollers::{Fleet, KeptReadings, Pollers, thread_names};
pub use stats::{DURATION_BUCKETS, Durations, Outcome, Phase, PollStats, SchedulerStats};
