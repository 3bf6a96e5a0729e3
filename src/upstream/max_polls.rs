//! Most polls that may be in flight at one time: a bound by what the system gives this process, so that polls leave
//! connections and memory what these need.

use std::fmt;

use rustix::process::{Resource, getrlimit};

use crate::kernel::descriptors;

/// Most polls in flight, and the limit of the system that it follows from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxPolls {
    /// Their number.
    pub count: usize,
    /// The limit to raise.
    pub limit: PollLimit,
}

/// A limit of the system that bounds the number of polls in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PollLimit {
    /// `RLIMIT_NOFILE`.
    OpenFiles,
    /// `RLIMIT_AS`.
    AddressSpace,
}

impl MaxPolls {
    /// No bound.
    pub const UNLIMITED: MaxPolls = MaxPolls { count: usize::MAX, limit: PollLimit::OpenFiles };
}

/// The error of a poll beyond the bound.
impl fmt::Display for MaxPolls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MaxPolls { count, limit } = self;
        write!(f, "{count} polls are in flight, as many as ")?;
        match limit {
            PollLimit::OpenFiles => {
                f.write_str("RLIMIT_NOFILE")?;
                if let Some(limit) = descriptors::limit() {
                    write!(f, " {limit}")?;
                }
                write!(f, " leaves descriptors for; raise it: {}", descriptors::SETTINGS)
            }
            PollLimit::AddressSpace => {
                f.write_str("RLIMIT_AS")?;
                if let Some(limit) = getrlimit(Resource::As).current {
                    write!(f, " {limit}")?;
                }
                f.write_str(" leaves address space for; raise it: a shell's `ulimit -v`, systemd's LimitAS=")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_names_the_limit_and_what_raises_it() {
        for (limit, parts) in [
            (PollLimit::OpenFiles, ["51 polls", "RLIMIT_NOFILE", "LimitNOFILE="]),
            (PollLimit::AddressSpace, ["51 polls", "RLIMIT_AS", "LimitAS="]),
        ] {
            let message = MaxPolls { count: 51, limit }.to_string();
            assert!(parts.iter().all(|part| message.contains(part)), "{message}");
        }
    }
}
