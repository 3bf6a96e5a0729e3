//! Notifications: the channels that carry the messages of alerts.

mod delivery;
mod heartbeat;
mod status;

pub use delivery::{Delivery, DeliveryError, DeliveryFault};
pub use heartbeat::{Ailments, HeartbeatSettings, HeartbeatThread, Ping, PingCounts, PingFailure};
pub use status::{ChannelFailure, ChannelStatus};
