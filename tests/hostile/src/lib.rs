//! Hostile clients, faulty upstreams, and a server to attack.
//!
//! The test suite, `make attack`, `make soak` and `make incident` share them. Every wait is
//! bounded: a server that hangs fails a test rather than hanging it.
#![allow(clippy::unwrap_used)] // As in tests: a failed set-up ends the run.

pub mod burst;
pub mod canary;
pub mod certificates;
pub mod churn;
pub mod client;
pub mod cluster;
pub mod config;
pub mod dense_history;
pub mod flood;
pub mod folder;
pub mod mode;
pub mod name_server;
pub mod postgres;
pub mod proc;
pub mod program;
pub mod receiver;
pub mod scenario;
pub mod skip;
pub mod soak;
pub mod standstill;
pub mod swarm;
pub mod target;
pub mod transport;
pub mod upstream;
pub mod upstream_faults;
