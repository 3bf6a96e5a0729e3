//! Clients and upstreams that try to hold a server, shared by the tests and `make attack`.
#![allow(clippy::unwrap_used)] // As in any test: what cannot be set up ends the run.

pub mod burst;
pub mod canary;
pub mod churn;
pub mod client;
pub mod dense;
pub mod flood;
pub mod hurt;
pub mod mode;
pub mod name_server;
pub mod outside;
pub mod program;
#[allow(unused_imports)] // `make soak` plays no scenario.
pub mod scenario;
pub mod soak;
pub mod swarm;
pub mod target;
pub mod transport;
pub mod upstream;
