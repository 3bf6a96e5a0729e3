//! One attempt to send a message, with a deadline, and what a panic of the channel's code costs.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::notify::delivery::{Deliver, Delivery, DeliveryError, DeliveryFault};

/// Panics in succession after which the message is dropped.
const MAX_PANICS: u32 = 3;

/// Makes the attempts of a channel.
pub(super) struct Attempts {
    deliver: Box<dyn Deliver>,
    timeout: Duration,
    /// Attempts in succession that ended by a panic.
    panics: u32,
}

impl Attempts {
    pub(super) fn new(deliver: Box<dyn Deliver>, timeout: Duration) -> Attempts {
        Attempts { deliver, timeout, panics: 0 }
    }

    /// Sends a message. A panic is a transient failure, and the third one in succession drops the message.
    pub(super) fn attempt(&mut self, delivery: &Delivery) -> Result<(), DeliveryError> {
        let deadline = Instant::now() + self.timeout;
        let deliver = || self.deliver.deliver(delivery, deadline);
        // The panic hook logs the message and the place.
        let Ok(outcome) = catch_unwind(AssertUnwindSafe(deliver)) else {
            self.panics += 1;
            let is_last = self.panics >= MAX_PANICS;
            if is_last {
                self.panics = 0;
            }
            let fault = match is_last {
                true => DeliveryFault::Undeliverable,
                false => DeliveryFault::Transient,
            };
            let message = "a defect of this program, which the log describes";
            return Err(DeliveryError::new(fault, message));
        };
        self.panics = 0;
        outcome
    }
}

impl fmt::Debug for Attempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempts").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}
