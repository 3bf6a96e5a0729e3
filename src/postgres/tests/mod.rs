//! Tests against a real server, and against scripts that play one.

mod server;
