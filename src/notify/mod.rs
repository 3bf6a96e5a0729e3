//! Notifications: the channels that carry the messages of alerts.

mod delivery;

pub use delivery::{Delivery, DeliveryError, DeliveryFault};
