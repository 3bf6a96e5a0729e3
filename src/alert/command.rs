//! Commands of people: acknowledge, silence.

use std::sync::Arc;
use std::time::Duration;

/// Command on an alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Notes that a person knows of the incidents of an alert, or of that of one source.
    Acknowledge {
        /// Name of the alert.
        alert: Arc<str>,
        /// Source whose incident is meant; `None`: all that fire.
        source: Option<Arc<str>>,
        /// Name of the account, or the origin of the request.
        by: Arc<str>,
    },
    /// Silences an alert for a time: it fires and ends, and its fire is not sent.
    Silence {
        /// Name of the alert.
        alert: Arc<str>,
        /// Time from now on.
        length: Duration,
        /// Name of the account, or the origin of the request.
        by: Arc<str>,
    },
    /// Ends the silence of an alert, if there is one.
    Unsilence {
        /// Name of the alert.
        alert: Arc<str>,
        /// Name of the account, or the origin of the request.
        by: Arc<str>,
    },
}

/// Longest silence.
pub const MAX_SILENCE: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// A command was not carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// No alert has that name.
    #[error("no alert has that name")]
    UnknownAlert,
    /// The alert does not fire, or not for that source.
    #[error("the alert does not fire")]
    NotFiring,
    /// Another process has the lock on the states of alerts, and takes commands.
    #[error("another process of this server holds the alerts; send the command to it")]
    Standby,
    /// The thread of the alerts did not answer in time, or has not read the states of the earlier run yet.
    #[error("the server cannot take the command now; retry in a second")]
    Unavailable,
}
