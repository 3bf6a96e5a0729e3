//! Operations: what the people who keep the server running see and send.

pub mod admin;
pub mod certificates;
pub mod client;
pub mod configuration;
pub mod descriptors;
pub mod doctor;
pub mod health;
pub mod listen_queue;
pub mod logging;
mod losses;
pub mod metrics;
pub mod probe;
pub mod process;
pub mod scoreboard;
pub mod signals;
pub mod sock_diag;
pub mod supervisor;
pub mod systemd;
pub mod watchdog;
