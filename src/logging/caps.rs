//! Caps on log lines: the longest message, and the rate of lines from one callsite.
//!
//! A peer can cause a dependency to log: rustls, for one, warns about every invalid server name, once a
//! connection and with the whole name. So lines of dependencies are capped strictly. Lines of this program
//! hold little text of peers, and operators rely on them.

use std::time::Duration;

use log::Level;

/// Longest message of this program, bytes. The scoreboard of 100 sources fits.
pub const MAX_OWN_MESSAGE_BYTES: usize = 64 * 1024;

/// Longest message of a dependency, bytes.
pub const MAX_DEPENDENCY_MESSAGE_BYTES: usize = 1024;

/// Parameters of a token bucket: `burst` lines at once, then one in each `interval`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rate {
    pub(super) burst: u32,
    pub(super) interval: Duration,
}

/// Rate of this program's lines at `info` and above. A reload or an outage of a thousand sources is
/// logged in full.
pub(super) const OWN_RATE: Rate = Rate { burst: 1000, interval: Duration::from_millis(50) };

/// Rate of a dependency's lines at `info` and above.
pub(super) const DEPENDENCY_RATE: Rate = Rate { burst: 5, interval: Duration::from_secs(10) };

/// Rate of a dependency's lines at `debug` and `trace`, which only an operator turns on.
pub(super) const DEPENDENCY_DEBUG_RATE: Rate = Rate { burst: 50, interval: Duration::from_secs(1) };

/// Caps on the lines of one target at one level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Caps {
    /// Longest message, bytes, with escapes at their written length.
    pub(super) max_bytes: usize,
    /// Rate for each callsite. `None` if only the queue bounds the lines, such as the request lines at
    /// `debug`.
    pub(super) rate: Option<Rate>,
}

impl Caps {
    /// Returns the caps for lines of `target` at `level`.
    pub(super) fn of(target: &str, level: Level) -> Caps {
        let verbose = level >= Level::Debug;
        if is_own(target) {
            Caps { max_bytes: MAX_OWN_MESSAGE_BYTES, rate: (!verbose).then_some(OWN_RATE) }
        } else {
            let rate = if verbose { DEPENDENCY_DEBUG_RATE } else { DEPENDENCY_RATE };
            Caps { max_bytes: MAX_DEPENDENCY_MESSAGE_BYTES, rate: Some(rate) }
        }
    }
}

/// Crates of this program.
const OWN_CRATES: [&str; 2] = [env!("CARGO_CRATE_NAME"), "pumphouse_web_engine"];

/// Returns true if a target is a module of this program.
fn is_own(target: &str) -> bool {
    target.split("::").next().is_some_and(|name| OWN_CRATES.contains(&name))
}

#[cfg(test)]
mod tests {
    use std::any::type_name;

    use super::*;
    use crate::engine::Settings;

    #[test]
    fn caps_of_dependencies_are_strict_and_own_debug_lines_have_no_rate() {
        for (target, level, max_bytes, rate) in [
            ("pumphouse_web", Level::Info, MAX_OWN_MESSAGE_BYTES, Some(OWN_RATE)),
            ("pumphouse_web::site", Level::Warn, MAX_OWN_MESSAGE_BYTES, Some(OWN_RATE)),
            ("pumphouse_web::site", Level::Debug, MAX_OWN_MESSAGE_BYTES, None),
            (type_name::<Settings>(), Level::Info, MAX_OWN_MESSAGE_BYTES, Some(OWN_RATE)),
            ("rustls::msgs", Level::Warn, MAX_DEPENDENCY_MESSAGE_BYTES, Some(DEPENDENCY_RATE)),
            ("rustls", Level::Trace, MAX_DEPENDENCY_MESSAGE_BYTES, Some(DEPENDENCY_DEBUG_RATE)),
            ("pumphouse_webs", Level::Info, MAX_DEPENDENCY_MESSAGE_BYTES, Some(DEPENDENCY_RATE)),
            ("", Level::Info, MAX_DEPENDENCY_MESSAGE_BYTES, Some(DEPENDENCY_RATE)),
        ] {
            assert_eq!(Caps::of(target, level), Caps { max_bytes, rate }, "{target} {level}");
        }
    }
}
