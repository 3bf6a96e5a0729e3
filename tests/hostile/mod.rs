//! Clients and upstreams that try to hold a server, shared by the tests and `make attack`.

pub mod canary;
pub mod client;
pub mod mode;
pub mod outside;
pub mod swarm;
pub mod target;
pub mod upstream;
