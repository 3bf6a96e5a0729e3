//! Rejections: a message that the server does not take is found, set aside and tried by itself, so that it holds up no
//! other.
//!
//! A status does not say whether the message or the channel is at fault. So a message is dropped only once the server has
//! taken others for [`MAX_REJECTED`], still does, and does not take this one. While a receiver takes none at all, such as
//! for a template that it does not understand, all messages are kept.

use std::time::Duration;

use crate::kernel::clock::TimePoint;

/// Time for which the server has to take other messages before one that it rejects is dropped.
pub const MAX_REJECTED: Duration = Duration::from_secs(24 * 60 * 60);

/// Fewest attempts before a message is dropped: the machine may have been suspended for most of the time.
pub const MIN_REJECTIONS: u32 = 10;

/// Rejections of the message of one incident.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Rejection {
    /// Number of attempts.
    pub(super) times: u32,
    /// False once it may be sent together with others again.
    pub(super) is_aside: bool,
    /// Time since boot of the next attempt.
    pub(super) again_at: Duration,
    /// Time since boot at which the server first took another message.
    pub(super) others_since: Option<Duration>,
    /// True if it took another one after the latest attempt.
    pub(super) takes_others: bool,
}

impl Rejection {
    /// Returns the time until the next attempt.
    pub(super) fn wait(&self, now: TimePoint) -> Duration {
        self.again_at.saturating_sub(now.boot)
    }

    /// Returns true if the message is at fault, not the channel.
    pub(super) fn is_final(&self, now: TimePoint) -> bool {
        let is_long = |since: Duration| now.boot.saturating_sub(since) >= MAX_REJECTED;
        self.times >= MIN_REJECTIONS && self.takes_others && self.others_since.is_some_and(is_long)
    }
}
