//! Behaviour seen from outside: over real sockets, one file a behaviour.
//!
//! One test program rather than many, as each would link the whole server again.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../hostile/mod.rs"]
#[allow(dead_code)] // `make attack` uses what the tests do not.
mod hostile;

mod harness;
mod namespaces;
mod scripts;
mod secrets;
mod server;

mod access;
mod address_families;
mod admin;
mod admin_attacks;
mod attack;
mod browser;
mod certificates;
mod commands;
mod demo;
mod descriptors;
mod doctor;
mod documents;
mod drain;
mod engine_closing;
mod engine_drain;
mod engine_heavy;
mod engine_holding_clients;
mod engine_memory;
mod engine_overload;
mod engine_protocol;
mod engine_streams;
mod events;
mod example_files;
mod example_scripts;
mod expensive;
mod guessing;
mod history;
mod hostile_upstreams;
mod hung_upstreams;
mod incident;
mod interop;
mod last_values;
mod layers;
mod listening;
mod log_stalls;
mod logs;
mod make_targets;
mod monitoring;
mod reload;
mod sign_in;
mod silent_dns;
mod soak;
mod supervisor;
mod systemd;
mod targets;
mod thread_limits;
mod tls;
mod trends;
mod watchdog;
mod webdriver;
mod weight;
