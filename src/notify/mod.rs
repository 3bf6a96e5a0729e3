//! Notifications: the channels that carry the messages of alerts.

mod courier;
mod delivery;
pub mod outbox;

pub use courier::{Courier, CourierHandle, CourierSettings, OnDone, TestError};
pub use delivery::{Deliver, Delivery, DeliveryError, DeliveryFault};
