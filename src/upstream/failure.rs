//! Conversion of a failed exchange into the error of a poll.

use crate::board::{ErrorKind, PollError};
use crate::kernel::descriptors;
use crate::outbound::{Cause, Failure, FailureKind};

impl From<Failure> for PollError {
    fn from(failure: Failure) -> PollError {
        if failure.cause == Cause::LocalShortage {
            // Without the limits in force: reading them may block for longer than the poll's deadline.
            let message = format!(
                "{}; raise the limit that is too low: on open files, {}; on threads, ulimit -u or TasksMax=",
                failure.message,
                descriptors::SETTINGS
            );
            return PollError::new(ErrorKind::Resources, message);
        }
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

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn shortage_of_this_machine_is_no_fault_of_the_upstream() {
        let error = |errno| {
            let error = ureq::Error::Io(io::Error::from_raw_os_error(errno));
            PollError::from(Failure::new(error, std::time::Duration::from_secs(1)))
        };
        let shortage = error(24);
        assert_eq!(shortage.kind, ErrorKind::Resources);
        for part in ["Too many open files", "ulimit -n", "LimitNOFILE=", "TasksMax="] {
            assert!(shortage.message.contains(part), "{shortage}");
        }
        assert_eq!(error(111).kind, ErrorKind::Connect);
    }
}
