//! The dashboard server for remote water systems.
//!
//! Two halves that never wait for each other: pollers fetch readings from slow upstreams and
//! publish an immutable snapshot; the HTTP engine serves clients from that snapshot. The engine is a
//! crate of its own in `src/engine`.
//!
//! The modules are listed in layers, from the command line down to what every part uses. A module
//! imports modules below it only; the test `layers` checks that.
#![forbid(unsafe_code)]
// `eprintln!` panics when standard error is closed or full.
#![cfg_attr(not(test), warn(clippy::print_stderr))]
// `wall_clock::now()` is the time of all replicas.
#![cfg_attr(not(test), warn(clippy::disallowed_methods))]

pub use pumphouse_web_engine as engine;

// The command line.
pub mod cli;

// What the commands run.
pub mod check;
pub mod demo;
pub mod doctor;
pub mod init;
pub mod server;
pub mod supervisor;

// Surfaces: the admin listener, and the public site.
pub mod admin;
pub mod site;

// Alerts: the channels that carry their messages, and the rules that fire them.
pub mod notify;
// Above the history, from which the windows of rules start.
pub mod alert;

// Data: leases of sources among several machines, recorded history, last good values, and the pollers that fetch
// readings.
pub mod cluster;
pub mod history;
pub mod last_values;
pub mod upstream;
// The database that replicas share.
pub mod store;

// Texts for people.
mod format;

// The state of the sources, certificates, and the configuration of all above.
pub mod board;
pub mod certificates;
pub mod config;

// The client for PostgreSQL.
pub mod postgres;

// Access control, outgoing connections.
pub mod access;
pub mod data_lock;
mod file_error;
pub mod kernel;
pub mod logging;
pub mod outbound;
mod private_file;
pub mod route_pattern;
pub mod threads;
pub mod time_zone;
mod timestamp;
pub mod units;
pub mod wall_clock;
// Every layer above reads JSON, sorts, cleans texts, quotes paths and suggests names.
mod json;
mod order;
mod shell;
mod suggestion;
mod text;
