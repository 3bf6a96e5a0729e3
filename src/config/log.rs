//! `[log]`: what is worth a line.

use std::time::Duration;

use super::section::Section;

/// `[log]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// A request that takes its handler longer than this is warned of.
    pub slow_request: Duration,
}

/// A handler copies bytes or reads a window of the history: milliseconds, on a slow card a few
/// hundred of them.
const SLOW_REQUEST: Duration = Duration::from_secs(1);

impl Default for Log {
    fn default() -> Log {
        Log { slow_request: SLOW_REQUEST }
    }
}

pub(super) fn read(mut section: Section<'_, '_>) -> Log {
    let slow_request = section.duration_or("slow_request", SLOW_REQUEST);
    section.finish();
    Log { slow_request }
}
