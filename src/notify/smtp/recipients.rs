//! Recipients of mails: which of them lack which notices, and what follows from those that the server does not take.
//!
//! A server may take a mail for some recipients and defer it for others (RFC 5321 4.2.5), such as those of a server that
//! greylists. The deferred ones get it by a later attempt, and the others do not get it twice. A recipient that is
//! deferred for longer than [`MAX_RECIPIENT_DEFERRAL`], such as one with a full mailbox, no longer holds up the messages to the
//! others: it misses them, which the status of the channel shows.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::reply::Reply;
use crate::notify::delivery::{Delivery, DeliveryError, DeliveryFault, Progress};
use crate::notify::taken::Taken;

/// Time for which messages are sent again to a recipient that is deferred while others take them. Meanwhile messages to
/// the others may wait for a quarter of an hour, the longest backoff.
const MAX_RECIPIENT_DEFERRAL: Duration = Duration::from_secs(60 * 60);

/// Recipients of a channel.
pub(super) struct Recipients {
    addresses: Vec<String>,
    taken: Taken,
    /// Recipients that the server has deferred, and since when.
    deferred: Mutex<HashMap<String, Instant>>,
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
        let mut unique: Vec<String> = Vec::new();
        for address in addresses {
            if !unique.contains(&address) {
                unique.push(address);
            }
        }
        Recipients { addresses: unique, taken: Taken::default(), deferred: Mutex::default() }
    }

    /// Returns the mails by which all recipients get a message.
    pub(super) fn parts(&self, delivery: &Delivery) -> Vec<Part> {
        let mut parts: Vec<Part> = Vec::new();
        for address in &self.addresses {
            let rest = self.taken.rest(address, delivery);
            if rest.is_empty() {
                continue;
            }
            let rest = delivery.with_notices(rest);
            match parts.iter_mut().find(|part| part.delivery.key == rest.key) {
                Some(part) => part.to.push(address.clone()),
                None => parts.push(Part { delivery: rest, to: vec![address.clone()] }),
            }
        }
        parts
    }

    /// Records that a mail was sent to its recipients but those that were refused. Returns true if there is such a one.
    pub(super) fn record(&self, part: &Part, refused: &[Refusal], now: Instant) -> bool {
        let mut deferred = self.deferred.lock().unwrap_or_else(PoisonError::into_inner);
        for address in &part.to {
            match refused.iter().find(|(of, _)| of == address) {
                Some((_, reply)) if reply.is_transient() => {
                    deferred.entry(address.clone()).or_insert(now);
                }
                Some(_) => drop(deferred.remove(address)),
                None => {
                    deferred.remove(address);
                    self.taken.add(address, &part.delivery);
                }
            }
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
        let are_all = refused.len() >= self.addresses.len();
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

    fn is_given_up(&self, address: &str, now: Instant) -> bool {
        let deferred = self.deferred.lock().unwrap_or_else(PoisonError::into_inner);
        let since = deferred.get(address);
        since.is_some_and(|since| now.saturating_duration_since(*since) > MAX_RECIPIENT_DEFERRAL)
    }

    fn forget(&self, delivery: &Delivery) {
        self.addresses.iter().for_each(|address| self.taken.forget(address, delivery));
    }
}

#[cfg(test)]
mod tests;
