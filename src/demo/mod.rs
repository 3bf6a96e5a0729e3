//! Simulated upstreams, real enough that the whole path runs over them: servers on loopback that
//! answer as the real ones do, from a model of a tank, a pump and the weather.

mod history;
mod model;
mod upstreams;

pub use history::history;
pub use upstreams::{Upstreams, thread_names};
