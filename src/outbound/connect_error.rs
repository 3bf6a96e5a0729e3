//! Error of a connection attempt to all addresses of a host.

use std::fmt;
use std::io;

/// Error of a race that no address won.
///
/// The text names no address, since callers show it to the public.
#[derive(Debug)]
pub(super) struct ConnectError {
    /// Number of addresses of the host.
    pub(super) addresses: usize,
    /// Errors of the attempts that failed, in order.
    pub(super) failures: Vec<io::Error>,
    /// Number of attempts that were closed without an answer.
    pub(super) unanswered: usize,
    /// Number of addresses that were not tried before the deadline.
    pub(super) untried: usize,
    /// True if the deadline ended the race.
    pub(super) timed_out: bool,
}

impl ConnectError {
    /// Returns true if the deadline passed before every attempt had ended.
    pub(super) fn timed_out(&self) -> bool {
        self.timed_out
    }

    /// Returns the errors of the attempts that failed.
    pub(super) fn failures(&self) -> &[io::Error] {
        &self.failures
    }

    /// Returns the distinct causes in order, each with the number of attempts that it ended.
    fn causes(&self) -> Vec<(String, usize)> {
        let mut causes: Vec<(String, usize)> = Vec::new();
        let failures = self.failures.iter().map(|error| (error.to_string(), 1));
        let unfinished = [
            ("no answer".to_owned(), self.unanswered),
            ("not tried before the deadline".to_owned(), self.untried),
        ];
        for (cause, count) in failures.chain(unfinished).filter(|(_, count)| *count > 0) {
            match causes.iter_mut().find(|(listed, _)| *listed == cause) {
                Some((_, total)) => *total += count,
                None => causes.push((cause, count)),
            }
        }
        causes
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.addresses, self.failures.first()) {
            (1, Some(error)) => return write!(f, "{error}"),
            (1, None) => return f.write_str("the connection was not accepted"),
            (addresses, _) => write!(f, "no connection to any of {addresses} addresses")?,
        }
        for (number, (cause, count)) in self.causes().into_iter().enumerate() {
            f.write_str(if number == 0 { ": " } else { ", " })?;
            f.write_str(&cause)?;
            if count > 1 {
                write!(f, " ({count} times)")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for ConnectError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connect_error_counts_causes_and_names_no_address() {
        let error = |failures: &[i32], unanswered, untried| ConnectError {
            addresses: failures.len() + unanswered + untried,
            failures: failures.iter().map(|code| io::Error::from_raw_os_error(*code)).collect(),
            unanswered,
            untried,
            timed_out: unanswered + untried > 0,
        };
        // ECONNREFUSED and ENETUNREACH on Linux.
        let (refused, unreachable) = (111, 101);
        for (error, text) in [
            (error(&[refused], 0, 0), "Connection refused (os error 111)"),
            (error(&[], 1, 0), "the connection was not accepted"),
            (
                error(&[unreachable, refused, unreachable], 0, 0),
                "no connection to any of 3 addresses: Network is unreachable (os error 101) \
                 (2 times), Connection refused (os error 111)",
            ),
            (
                error(&[refused], 2, 1),
                "no connection to any of 4 addresses: Connection refused (os error 111), \
                 no answer (2 times), not tried before the deadline",
            ),
        ] {
            assert_eq!(error.to_string(), text);
        }
    }
}
