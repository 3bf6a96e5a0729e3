//! The dashboard server for remote water systems.
//!
//! Two halves that never wait for each other: pollers fetch readings from slow
//! upstreams and publish an immutable snapshot; the HTTP engine serves clients
//! from that snapshot. `ARCHITECTURE.md` is the map; the modules below are in
//! the order of its layers, and each knows nothing of those above it.
#![forbid(unsafe_code)]

pub mod cli;
pub mod demo;
pub mod doctor;
pub mod server;
pub mod supervisor;

pub mod admin;
pub mod site;

pub mod history;
pub mod last_values;
pub mod upstream;

pub mod board;
pub mod certificates;
pub mod config;

pub mod access;
pub mod engine;
#[cfg(test)]
mod fuzzing;
pub mod heartbeat;
pub mod kernel;
pub mod logging;
pub mod outbound;
mod private_file;
mod text;
pub mod threads;
mod timestamp;
pub mod units;
