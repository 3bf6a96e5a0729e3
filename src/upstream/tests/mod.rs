//! Tests of pollers against faulty upstreams on loopback.

mod fake;
mod fetching;
mod polling;
