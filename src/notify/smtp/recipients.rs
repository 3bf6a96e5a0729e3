//! Recipients of mails: which of them lack which notices, and what follows from those that the server does not take.
//!
//! A server may take a mail for some recipients and defer it for others (RFC 5321 4.2.5), such as those of a server that
//! greylists. The deferred ones get it by a later attempt, and the others do not get it twice. A recipient that is
//! deferred for longer than [`MAX_RECIPIENT_DEFERRAL`], such as one with a full mailbox, no longer holds up the messages to the
//! others: it misses them, which the status of the channel shows.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::reply::Reply;
use crate::notify::delivery::{Delivery, DeliveryError, DeliveryFault, Progress};
use crate::notify::taken::Taken;

/// Time for which messages are sent again to a recipient that is deferred while others take them. Meanwhile messages to
/// the others may wait for a quarter of an hour, the longest backoff.
const MAX_RECIPIENT_DEFERRAL: Duration = Duration::from_secs(60 * 60);

/// Recipients of a channel.
pub(super) struct Recipients {
    all: Mutex<Vec<Recipient>>,
    taken: Taken,
}

struct Recipient {
    address: Arc<str>,
    /// Time since which the server has deferred it.
    deferred: Option<Instant>,
}

/// A mail to recipients that lack the same notices.
pub(super) struct Part {
    pub(super) delivery: Delivery,
    pub(super) to: Vec<String>,
}

/// Recipient that the server did not take, with its reply.
pub(super) type Refusal = (String, Reply);

impl Recipients {
    pub(super) fn new(addresses: impl IntoIterator<Item = String>) -> Recipients {
        let mut all: Vec<Recipient> = Vec::new();
        for address in addresses {
            if !all.iter().any(|other| *other.address == *address) {
                all.push(Recipient { address: address.into(), deferred: None });
            }
        }
        Recipients { all: Mutex::new(all), taken: Taken::default() }
    }

    /// Returns the mails by which all recipients get a message.
    pub(super) fn parts(&self, delivery: &Delivery) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        for Recipient { address, .. } in &*self.all() {
            let rest = self.taken.rest(address, delivery);
            if rest.is_empty() {
                continue;
            }
            let rest = delivery.with_notices(rest);
            match parts.iter_mut().find(|part| part.delivery.key == rest.key) {
                Some(part) => part.to.push(address.to_string()),
                None => parts.push(Part { delivery: rest, to: vec![address.to_string()] }),
            }
        }
        parts
    }

    /// Records that a mail was sent to its recipients but those that were refused. Returns true if there is such a one.
    pub(super) fn record(&self, part: &Part, refused: &[Refusal], now: Instant) -> bool {
        for Recipient { address, deferred } in &mut *self.all() {
            if !part.to.iter().any(|to| **to == **address) {
                continue;
            }
            let reply = refused.iter().find(|(of, _)| **of == **address).map(|(_, reply)| reply);
            if reply.is_none() {
                self.taken.add(address, &part.delivery);
            }
            *deferred = match reply {
                Some(reply) if reply.is_transient() => Some(deferred.unwrap_or(now)),
                _ => None,
            };
        }
        refused.len() < part.to.len()
    }

    /// Returns the outcome of a message whose parts were sent, but to those that were refused. `has_progress`: some
    /// recipient has taken its part in this attempt.
    pub(super) fn outcome(
        &self,
        delivery: &Delivery,
        refused: &[Refusal],
        has_progress: bool,
        now: Instant,
    ) -> Result<(), DeliveryError> {
        let are_all = refused.len() >= self.all().len();
        let waits = |(address, reply): &&Refusal| {
            reply.is_transient() && (are_all || !self.is_given_up(address, now))
        };
        let waiting = refused.iter().find(waits);
        let Some((address, reply)) = waiting.or(refused.first()) else {
            self.forget(delivery);
            return Ok(());
        };
        let mut message = format!("the mail server does not take the recipient {address}: {reply}");
        if refused.len() > 1 {
            message.push_str(&format!(" (and {} more)", refused.len() - 1));
        }
        if !are_all {
            message.push_str("; the others have the message");
        }
        let (fault, progress) = match waiting {
            Some(_) if has_progress => (DeliveryFault::Transient, Progress::Part),
            Some(_) => (DeliveryFault::Transient, Progress::Nothing),
            None if are_all => (DeliveryFault::Refused, Progress::Nothing),
            None => (DeliveryFault::Refused, Progress::Done),
        };
        if progress == Progress::Done {
            self.forget(delivery);
        }
        Err(DeliveryError { progress, ..DeliveryError::new(fault, message) })
    }

    /// Returns true for a recipient that was deferred for too long.
    fn is_given_up(&self, address: &str, now: Instant) -> bool {
        let all = self.all();
        let found = all.iter().find(|recipient| *recipient.address == *address);
        let since = found.and_then(|recipient| recipient.deferred);
        since.is_some_and(|since| now.saturating_duration_since(since) > MAX_RECIPIENT_DEFERRAL)
    }

    fn forget(&self, delivery: &Delivery) {
        self.all().iter().for_each(|recipient| self.taken.forget(&recipient.address, delivery));
    }

    fn all(&self) -> MutexGuard<'_, Vec<Recipient>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
