//! `POST /api/v1/channels/{channel}/test`: sends a test message, and waits for its delivery.
//!
//! A delivery waits for a network or a mail server, up to [`MAX_TEST_WAIT`]. It runs in a lane with one permit, so that
//! it holds one worker; another test waits without one, and gets 503 if that takes too long.

use std::sync::Arc;
use std::time::Duration;

use crate::notify::{DeliveryFault, Progress, TestFailure};

/// Pattern of the route.
pub(super) const TEST_ROUTE: &str = "/api/v1/channels/{channel}/test";

/// Longest time that a [`ChannelTester`] may take: the largest `timeout` of a channel, and some seconds for its thread.
pub const MAX_TEST_WAIT: Duration = Duration::from_secs(5 * 60 + 10);

/// Sends a test message over the channel of that name, and waits for its delivery, for [`MAX_TEST_WAIT`] at most.
pub type ChannelTester = Arc<dyn Fn(&str) -> Result<(), TestFailure> + Send + Sync>;

/// Returns the failure in a sentence, with what follows from it.
pub(super) fn detail(failure: &TestFailure) -> String {
    let mut outcome = "was not sent";
    let hint = match failure {
        TestFailure::Delivery(error) if error.progress != Progress::Nothing => {
            outcome = "was not sent to all";
            ""
        }
        TestFailure::Delivery(error) => match error.fault {
            DeliveryFault::Transient => "; messages are sent again until the channel takes them",
            DeliveryFault::Refused => {
                "; correct the channel's keys in the configuration: messages wait until then"
            }
            DeliveryFault::Undeliverable => "",
        },
        TestFailure::UnknownChannel | TestFailure::Busy => "",
    };
    format!("The test message {outcome}: {failure}{hint}.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::notify::DeliveryError;

    #[test]
    fn failure_is_a_sentence_with_what_follows_from_it() {
        let delivery =
            |fault| TestFailure::Delivery(DeliveryError::new(fault, "ntfy.sh answered 403"));
        for (failure, expected) in [
            (delivery(DeliveryFault::Refused), "answered 403; correct the channel's keys"),
            (delivery(DeliveryFault::Transient), "answered 403; messages are sent again"),
            (delivery(DeliveryFault::Undeliverable), "answered 403."),
            (TestFailure::Busy, "retry in a minute."),
        ] {
            let detail = detail(&failure);
            assert!(detail.starts_with("The test message was not sent: "), "{detail}");
            assert!(detail.contains(expected), "{detail}");
        }
        let error = DeliveryError::new(DeliveryFault::Refused, "550 unknown; the others have it");
        let error = DeliveryError { progress: Progress::Done, ..error };
        let detail = detail(&TestFailure::Delivery(error));
        assert_eq!(
            detail,
            "The test message was not sent to all: 550 unknown; the others have it."
        );
    }
}
