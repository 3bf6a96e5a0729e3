//! The demo: a server over simulated upstreams, without a configuration and without a network.
//!
//! The upstreams are simulated by a server on loopback. It responds in the formats of the real ones, with
//! values from a model of a tank, a pump and the weather. Polling, decoding, history and pages are those of a real server.

mod alerts;
mod history;
mod model;
mod setup;
mod upstreams;

pub use history::history;
pub use setup::{Backing, Demo, DemoError};
