//! Operations: what the people who keep the server running see and send.

pub mod admin;
pub mod certificates;
pub mod client;
pub mod descriptors;
pub mod health;
pub mod listen_queue;
pub mod logging;
pub mod metrics;
pub mod probe;
pub mod scoreboard;
pub mod signals;
pub mod supervisor;
pub mod systemd;
pub mod watchdog;
