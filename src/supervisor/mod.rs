//! The supervisor: probes a server from outside, and restarts it when it is alive but does not answer.
//! This is the command `watch`.
//!
//! ```text
//!                                            plan (options, configuration)
//!                                               ▼
//!  supervisord ── events ──► event_listener ──► monitor ──► probe ──► /healthz, public listeners
//!       ▲                                        │  │  ▲      └─► fault: what a restart does not cure
//!       │                                        │  │  └── restart_policy (no I/O, no clock)
//!       └────── rpc (XML-RPC) ◄── restart ◄──────┘  └──► alarm ──► alarm_command (--alarm-exec)
//! ```
//!
//! supervisord restarts a program that has exited, but not one that runs and answers no request, such
//! as one that a signal has stopped. So at each tick the monitor requests `/healthz` from the admin
//! listener, and from the public addresses that the configuration or the options name. After some failed
//! probes in a row it logs the server's scoreboard and has supervisord stop and start the program, a
//! limited number of times an hour. Upstreams play no part, since `/healthz` does not depend on them.
//!
//! A restart follows from nothing that the running server was not started with: see `reconcile`. One that would
//! not start again, by the configuration as it is and the options of its process, is not restarted. In doubt it
//! is.
//!
//! A fault that a restart does not cure, such as a certificate for another name, raises an alarm and restarts
//! nothing: see `fault`. So do a program that supervisord has given up, a supervisord that this process may
//! not call, and a server that is still not healthy when the restarts are used up.
//!
//! It is a process of its own, because whatever stops or blocks the threads of the server could block a
//! thread of the supervisor there, too. Every probe, call and command has a total deadline, and files and the
//! alarm command have threads of their own, so neither a server, a supervisord, a disk nor a mail server
//! that hangs can block the monitor. If supervisord sends no ticks, the monitor's own timer takes over. If
//! it becomes unreachable between a stop and a start, the start is made up for at a later tick. A probe that
//! fails because this process lacks a thread, a descriptor or memory raises an alarm and does not count,
//! since it says nothing about the server. Nor do failures before a pause of this process or of the machine
//! count (`kernel::pause`): the server has slept, too.
//!
//! The command `probe` is one probe of the same code.

pub mod alarm;
pub mod alarm_command;
pub mod command_output;
pub mod event_listener;
pub mod fault;
#[cfg(test)]
mod fixtures;
mod known;
pub mod monitor;
pub mod plan;
pub mod plan_reader;
pub mod probe;
mod probed;
mod reconcile;
pub mod restart;
pub mod restart_policy;
pub mod rpc;
pub mod serve_options;
pub mod server;
mod serving;
pub mod shell;
mod trust;
mod watch;

pub use self::watch::{RestartMethod, WatchError, WatchSettings, watch};
