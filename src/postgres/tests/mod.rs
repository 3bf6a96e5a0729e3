//! Tests against a real server, and against scripts that play one.

mod faults;
mod hosts;
mod impostor;
mod results;
mod script;
mod security;
mod server;
mod transactions;
