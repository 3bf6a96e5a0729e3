//! `[log]`: thresholds of log lines.

use std::time::Duration;

use super::section::Section;

/// `[log]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Handler time above which a request is logged as slow.
    pub slow_request: Duration,
}

/// Default of `slow_request`. A handler copies bytes or reads a window of the history, which takes
/// milliseconds, or a few hundred of them on a slow memory card.
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
