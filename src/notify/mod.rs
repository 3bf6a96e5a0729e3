//! Notifications: the channels that carry the messages of alerts.

mod delivery;
mod status;

pub use delivery::{Delivery, DeliveryError, DeliveryFault};
pub use status::{ChannelFailure, ChannelStatus};
