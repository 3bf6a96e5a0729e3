//! Time for which a server has not been healthy for a whole minute.
//!
//! A server that crashes a few seconds after each start is healthy now and then, so neither supervisord gives
//! it up nor do probes fail often enough in a row.

use std::time::{Duration, Instant};

/// Time after which a spell is reported.
const MIN_SPELL: Duration = Duration::from_secs(300);

/// Time on end for which a server has to be healthy to end a spell.
const RECOVERY: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(super) struct UnhealthySpell {
    begun: Option<Instant>,
    healthy_since: Option<Instant>,
}

impl UnhealthySpell {
    /// Records an outcome at `now`. Returns for how long the spell lasts, if that is long enough to report.
    pub(super) fn lasts(&mut self, is_healthy: bool, now: Instant) -> Option<Duration> {
        if is_healthy {
            let since = *self.healthy_since.get_or_insert(now);
            if now.saturating_duration_since(since) >= RECOVERY {
                self.begun = None;
            }
        } else {
            self.healthy_since = None;
            self.begun.get_or_insert(now);
        }
        let lasts = now.saturating_duration_since(self.begun?);
        (lasts >= MIN_SPELL).then_some(lasts)
    }
}
