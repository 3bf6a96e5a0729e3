//! Conversion of a failed exchange into the error of a poll.

use crate::board::{ErrorKind, PollError};
use crate::outbound::{Failure, FailureKind};

impl From<Failure> for PollError {
    fn from(failure: Failure) -> PollError {
        let kind = match failure.kind {
            FailureKind::Timeout => ErrorKind::Timeout,
            FailureKind::Dns => ErrorKind::Dns,
            FailureKind::Connect => ErrorKind::Connect,
            FailureKind::Tls => ErrorKind::Tls,
            FailureKind::Http => ErrorKind::Http,
            FailureKind::TooLarge => ErrorKind::TooLarge,
        };
        PollError::new(kind, failure.message)
    }
}
