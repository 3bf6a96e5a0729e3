//! One message of a channel, and the result of sending it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::message_key::message_key;
use crate::alert::Notice;

/// A message to send: all notices of a channel that are due, at least one, oldest first.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The notices. Those of one incident have been joined: of a fire and its end, both are here, in that order.
    pub notices: Vec<Arc<Notice>>,
    /// Identity of the message: the same at each attempt to send the same notices.
    pub key: Arc<str>,
    /// Number of further notices that were dropped because too many waited.
    pub dropped: u64,
    /// True if a notice could not be saved before it was sent, since the disk did not take it in time.
    pub unsaved: bool,
    /// Present, by which ages are computed.
    pub now: Timestamp,
}

impl Delivery {
    /// Returns a message with some of its notices, at least one. The same notices have the same key.
    pub(super) fn with_notices(&self, notices: Vec<Arc<Notice>>) -> Delivery {
        let key = match notices.len() == self.notices.len() {
            true => Arc::clone(&self.key),
            false => message_key(notices.iter().map(|notice| &notice.key).collect()),
        };
        let Delivery { dropped, unsaved, now, .. } = *self;
        Delivery { notices, key, dropped, unsaved, now }
    }

    /// Returns a message for each group of notices that are of a kind, in the order of their first notices.
    pub(super) fn divided(&self, are_of_a_kind: fn(&Notice, &Notice) -> bool) -> Vec<Delivery> {
        let mut groups: Vec<Vec<Arc<Notice>>> = Vec::new();
        for notice in &self.notices {
            // Notices of one incident follow each other, so the latest group is the likely one.
            match groups.iter_mut().rev().find(|group| are_of_a_kind(&group[0], notice)) {
                Some(group) => group.push(Arc::clone(notice)),
                None => groups.push(vec![Arc::clone(notice)]),
            }
        }
        groups.into_iter().map(|notices| self.with_notices(notices)).collect()
    }
}

/// Sends the messages of a channel.
pub trait Deliver: Send + Sync {
    /// Sends a message. Returns by `deadline` at the latest.
    ///
    /// # Errors
    /// The message was not sent to all receivers, or it is not known whether it was.
    fn deliver(&self, delivery: &Delivery, deadline: Instant) -> Result<(), DeliveryError>;
}

/// A message was not sent, or not to all receivers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DeliveryError {
    /// Consequence.
    pub fault: DeliveryFault,
    /// Part of the message that was sent.
    pub progress: Progress,
    /// Text for people, without secrets.
    pub message: Arc<str>,
    /// Time that the server asked to wait.
    pub retry_after: Option<Duration>,
}

/// Consequence of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum DeliveryFault {
    /// It may pass: the message is sent again.
    Transient,
    /// The server takes no message of this channel, such as for a token that is not valid. Messages wait for another
    /// configuration, and are sent again now and then: it may be a proxy that starts.
    Refused,
    /// The server does not take this message, and may take others. It is set aside, tried again by itself, and
    /// dropped only once the server has taken others for a day.
    Undeliverable,
}

/// Part of a message that a failed attempt has sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Progress {
    /// None of it.
    #[default]
    Nothing,
    /// A part, which the channel does not send again. The next attempt follows soon.
    Part,
    /// All that the receivers take: the message is done, and the failure is reported.
    Done,
}

impl DeliveryError {
    /// Returns an error without a wait, of a message of which nothing was sent.
    pub fn new(fault: DeliveryFault, message: impl Into<Arc<str>>) -> DeliveryError {
        let progress = Progress::Nothing;
        DeliveryError { fault, progress, message: message.into(), retry_after: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::NoticeKind;
    use crate::config::Severity;
    use crate::notify::fixture::{delivery, fired, notice, of_source};

    #[test]
    fn parts_of_a_message_have_keys_of_their_own_notices() {
        let barn = || notice(NoticeKind::Fired, of_source("barn", Severity::Warning));
        let end = notice(NoticeKind::Ended, crate::notify::fixture::incident());
        let incident = |a: &Notice, b: &Notice| a.key.incident == b.key.incident;
        let whole = delivery([fired(), barn(), end.clone()]);
        let parts = whole.divided(incident);
        let notices: Vec<_> = parts.iter().map(|part| part.notices.clone()).collect();
        assert_eq!(notices, [vec![fired(), end], vec![barn()]]);
        assert_ne!(parts[0].key, parts[1].key);
        // The part about the barn is the same one in another message.
        let later = delivery([barn(), fired()]).divided(incident);
        assert_eq!(parts[1].key, later[0].key);
        assert_ne!(parts[0].key, later[1].key, "the end has joined the fire");
        assert_eq!(delivery([fired()]).divided(incident)[0].key, delivery([fired()]).key);
    }
}
