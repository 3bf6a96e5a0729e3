//! The log: one line an event on standard error, filtered by `RUST_LOG`, as text for people or as JSON
//! for log collectors.
//!
//! ```text
//! log::warn!, panics ─► filter ─► rate limit ─► format ─► queue (bounded) ─► pw-log ─► stderr
//!      any thread, never blocks                           full: drop, count    may block
//! ```
//!
//! Writes to standard error may block at any time: the supervisor that reads it is stopped, the terminal
//! is paused, or the pipe is full. Only the thread `pw-log` blocks then. A line that finds the queue full
//! is dropped and counted, and a later line reports the number.
//!
//! The thread that logs a line formats it, after the rate limit and only if the queue has room. So a
//! line that is not written costs no formatting.
//!
//! Each line is bounded in length, and each callsite in its rate (`caps`), because a peer can cause a
//! dependency to log. Lines at `debug` and `trace` may take three quarters of the queue, so that a flood
//! of request lines does not displace a warning. Control characters are escaped, so that no line can
//! forge another or control a terminal.
//!
//! At the end of the process [`flush`] gives the writer [`FLUSH_TIMEOUT`] for the queued lines; the
//! process then ends in any case. Commands that print a result write directly and block, as filters do.

mod capped;
mod caps;
mod filter;
mod format;
mod logger;
mod on_change;
mod panics;
mod queue;
mod rate;
mod writer;

use std::io::{self, Write as _};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::text::escape;
use crate::threads;

pub use self::caps::{MAX_DEPENDENCY_MESSAGE_BYTES, MAX_OWN_MESSAGE_BYTES};
pub use self::format::{Format, FormatError};
pub use self::on_change::OnChange;

use self::format::Layout;
use self::logger::Logger;
use self::queue::BOUNDS;
use self::rate::RateLimiter;
use self::writer::{StandardError, Writer};

const VARIABLE: &str = "PUMPHOUSE_LOG_FORMAT";

/// Longest time that the process waits at its end for the writer to write the queued lines.
pub const FLUSH_TIMEOUT: Duration = Duration::from_millis(200);

/// The logger of the process, once [`start`] was called.
static LOGGER: OnceLock<Logger> = OnceLock::new();

/// Error of [`start`].
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// `$PUMPHOUSE_LOG_FORMAT` names no format.
    #[error(transparent)]
    Format(#[from] FormatError),
    /// The system refuses the writer's thread.
    #[error("cannot start the thread pw-log: {0}")]
    Thread(#[from] io::Error),
}

/// State of the log, for metrics and the scoreboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogStats {
    /// Number of lines that wait to be written.
    pub queued: u64,
    /// Number of lines dropped since the start because standard error was too slow or failed.
    pub dropped: u64,
    /// Number of lines suppressed since the start because their callsite logged too often.
    pub suppressed: u64,
    /// Duration of the current write; zero between writes.
    pub blocked: Duration,
}

/// Starts the log in the given format, else that of `$PUMPHOUSE_LOG_FORMAT`, else as text. From then on
/// panics are logged, too.
///
/// # Errors
/// The variable names no format, or the system refuses the thread.
pub fn start(given: Option<Format>) -> Result<(), StartError> {
    let format = match (given, std::env::var(VARIABLE)) {
        (Some(format), _) => format,
        (None, Ok(name)) if !name.is_empty() => name.parse()?,
        (None, _) => Format::default(),
    };
    let (filter, problems) = filter::parse(std::env::var("RUST_LOG").ok().as_deref());
    let layout = Layout { format, colours: format == Format::Text && wants_colours() };
    let max_level = filter.filter();
    let (producer, consumer) = queue::bounded(BOUNDS);
    let limiter = Arc::new(RateLimiter::default());
    let writer = Writer::new(consumer, limiter.clone(), layout, StandardError::new());
    // Detached, as a write to standard error may block for ever. It ends with the process, which waits
    // for it in `flush` for a bounded time.
    threads::spawn_detached(threads::LOG, move || writer.run())?;
    // A second start, as in tests, changes nothing: its writer ends with its producer.
    if LOGGER.set(Logger { filter, layout, limiter, producer }).is_ok()
        && let Some(logger) = LOGGER.get()
        && log::set_logger(logger).is_ok()
    {
        log::set_max_level(max_level);
        panics::install(logger);
        problems.iter().for_each(|problem| log::warn!("{problem}; that part is ignored"));
    }
    Ok(())
}

/// Returns true if levels are coloured: by `RUST_LOG_STYLE` (`always`, `never`), else on a
/// terminal, subject to `NO_COLOR` and its like.
fn wants_colours() -> bool {
    match std::env::var("RUST_LOG_STYLE").as_deref() {
        Ok("always") => true,
        Ok("never") => false,
        _ => anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never,
    }
}

/// Returns the state of the log; all zero before [`start`].
pub fn stats() -> LogStats {
    let Some(logger) = LOGGER.get() else { return LogStats::default() };
    let counters = logger.producer.counters();
    LogStats {
        queued: counters.queued(),
        dropped: counters.dropped(),
        suppressed: logger.limiter.suppressed(),
        blocked: counters.blocked(),
    }
}

/// Waits until the queued lines are written, but no longer than [`FLUSH_TIMEOUT`]. To be called before
/// the process ends.
pub fn flush() {
    if let Some(logger) = LOGGER.get() {
        logger.queue_summaries();
        logger.producer.flush(FLUSH_TIMEOUT);
    }
}

/// Flushes the log when dropped, also by a panic of the main thread.
#[derive(Debug)]
pub struct FlushOnDrop;

impl Drop for FlushOnDrop {
    fn drop(&mut self) {
        flush();
    }
}

/// Writes the reason why a command failed to standard error, with hidden characters escaped: through the
/// queue if the log was started, else directly.
pub fn print_failure(failure: &dyn std::fmt::Display) {
    let text = format!("{}: {}\n", env!("CARGO_PKG_NAME"), escape(&failure.to_string()));
    match LOGGER.get() {
        Some(logger) => logger.producer.send(log::Level::Error, text),
        // Nothing is left to report a failure of standard error to.
        None => {
            let _ = io::stderr().lock().write_all(text.as_bytes());
        }
    }
}
