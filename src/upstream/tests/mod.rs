//! Pollers against upstreams on loopback that behave as badly as real ones.

mod fake;
mod fetching;
mod polling;
