//! Tests of the state machine as tables: input, the cuts in it, and the responses.

mod body;
mod chunks;
mod closing;
mod deadlines;
mod framing;
mod fuzz;
mod head;
mod memory;
mod response;
mod scenario;
mod targets;
