//! Notifications: the channels that carry the messages of alerts.

mod courier;
mod delivery;
mod heartbeat;
pub mod outbox;
mod status;

pub use courier::{Courier, CourierHandle, CourierSettings, OnDone, TestError};
pub use delivery::{Deliver, Delivery, DeliveryError, DeliveryFault};
pub use heartbeat::{Ailments, HeartbeatSettings, HeartbeatThread, Ping, PingCounts};
pub use status::{ChannelFailure, ChannelStatus};
