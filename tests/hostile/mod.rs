//! Clients and upstreams that try to hold a server.

pub mod client;
pub mod upstream;
