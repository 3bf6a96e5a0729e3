//! State of the server, as its own rules see it.

use std::sync::Arc;

use jiff::Timestamp;

use crate::board::Finite;
use crate::units::Unit;

/// State of the server, as one of its own rules sees it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ServerState {
    /// True if the condition holds; `None`: it is not known.
    pub is_met: Option<bool>,
    /// Time since which it holds.
    pub since: Option<Timestamp>,
    /// Number on which it decides, such as days, with its unit and the threshold.
    pub value: Option<Finite>,
    /// Unit of the number.
    pub unit: Option<Unit>,
    /// Threshold.
    pub threshold: Option<Finite>,
    /// Detail for people.
    pub detail: Option<Arc<str>>,
    /// Channels that cannot carry a message about it.
    pub channels: Vec<Arc<str>>,
}

impl ServerState {
    /// Returns the state of a condition that holds, or does not.
    pub fn met(is_met: bool) -> ServerState {
        ServerState { is_met: Some(is_met), ..ServerState::default() }
    }
}
