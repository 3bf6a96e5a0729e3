//! Clients that try to hold a server: each in a named mode, over TLS.

pub mod client;
