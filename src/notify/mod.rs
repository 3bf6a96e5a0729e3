//! Notifications: the channels that carry the messages of alerts.
//!
//! ```text
//! Delivery ─► message (title, lines, link) ─► ntfy · pushover · telegram · discord · slack ─► http ─► outbound
//!         │                                └► mail ─► smtp ─────────────────────────────────────────► outbound
//!         ├─► alertmanager, or a template of the configuration ─► webhook ──────────────────► http ─► outbound
//!         └─► document (JSON of all fields) ─► home_assistant ──────────────────────────────► http ─► outbound
//!                                           └► exec ─► a command
//! ```
//!
//! A channel sends one message at a time: its caller queues messages, waits and tries again. Each delivery has one
//! deadline for everything from the lookup of the name to the last byte. A message of several mails or requests may be
//! sent in part; the channel remembers those parts, and the next attempt sends the rest.

mod alertmanager;
mod channel;
mod context;
mod courier;
mod cut;
mod delivery;
mod document;
mod exec;
#[cfg(test)]
mod fake;
#[cfg(test)]
mod fixture;
mod heartbeat;
mod http;
mod message;
mod message_key;
mod notifier;
pub mod outbox;
mod phone;
mod ping;
mod smtp;
mod status;
mod taken;
mod webhook;

pub use channel::channel;
pub use context::{ChannelContext, LateAlerts};
pub use courier::{Courier, CourierHandle, OnDone, TestError};
pub use delivery::{Deliver, Delivery, DeliveryError, DeliveryFault, Progress};
pub use heartbeat::{
    Ailments, HeartbeatSettings, HeartbeatThread, PingCounts, PingFailure, Switch,
};
pub use notifier::{Notifier, NotifierHandle, TestFailure};
pub use ping::Ping;
pub use status::{ChannelFailure, ChannelStatus, MAX_WAIT};
