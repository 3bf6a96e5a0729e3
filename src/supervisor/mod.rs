//! The supervisor: probes a server from outside, and restarts it when it is alive but does not answer.
//! This is the command `watch`.
//!
//! ```text
//!  supervisord ── TICK_5 ──► event_listener ──► monitor ──► probe ──► /healthz, public addresses
//!       ▲                                        │    ▲
//!       └────── rpc (XML-RPC) ◄── restart ◄──────┘    └── restart_policy (no I/O, no clock)
//! ```
//!
//! supervisord restarts a program that has exited, but not one that runs and answers no request, such
//! as one that a signal has stopped. So at each tick the monitor requests `/healthz` from the admin
//! listener, and the public addresses that it was given. After some failed probes in a row it logs the
//! server's scoreboard and has supervisord stop and start the program, a limited number of times an
//! hour. Upstreams play no part, since `/healthz` does not depend on them.
//!
//! It is a process of its own, because whatever stops or blocks the threads of the server could block a
//! thread of the supervisor there, too. Every probe, call and command has a total deadline, so neither a
//! server nor a supervisord that hangs can block the monitor. If supervisord sends no ticks, the monitor's
//! own timer takes over. If it becomes unreachable between a stop and a start, the start is made up for
//! at a later tick. A probe that fails because this process lacks a thread, a descriptor or memory is
//! logged and does not count, since it says nothing about the server.
//!
//! The command `probe` is one probe of the same code.

pub mod command_output;
pub mod event_listener;
pub mod monitor;
pub mod probe;
pub mod restart;
pub mod restart_policy;
pub mod rpc;
mod trust;
mod watch;

pub use self::watch::{RestartMethod, WatchError, WatchSettings, watch};
