//! Tests of pollers against faulty upstreams on loopback, and of faults that befall several kinds.

mod certificates;
mod connecting;
mod encodings;
mod fake;
mod faults;
mod fetching;
mod fleet;
mod holding;
mod kinds;
mod lying_validators;
mod polling;
mod proxies;
mod requests;
mod settling;
