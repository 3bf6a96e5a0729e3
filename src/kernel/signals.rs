//! Signals, turned into messages for the thread that runs the server.

use std::io;
use std::process;

use crossbeam_channel::{Receiver, bounded};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::logging;
use crate::threads;

/// What a signal asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// TERM or INT: finish what is under way and exit.
    Stop,
    /// HUP: read configuration and certificates again.
    Reload,
}

/// Exit code after a second TERM or INT, as a shell tells of a process that was interrupted.
const INTERRUPTED: i32 = 130;

/// Signals that may be waiting to be looked at; more are as good as one.
const WAITING: usize = 8;

/// Begins to listen. The first TERM or INT is a request; the second ends the process at once,
/// without waiting for whoever holds up the first.
///
/// # Errors
/// A handler cannot be installed, or the thread not be made.
pub fn listen() -> io::Result<Receiver<Request>> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    let (sender, requests) = bounded(WAITING);
    // Detached: it ends with the process, as the second signal counts until then.
    threads::spawn_detached(threads::SIGNALS, move || {
        let mut stopping = false;
        for signal in signals.forever() {
            let request = match signal {
                SIGHUP => Request::Reload,
                _ if stopping => {
                    logging::flush();
                    process::exit(INTERRUPTED)
                }
                _ => {
                    stopping = true;
                    Request::Stop
                }
            };
            // A full channel holds as many of its kind already.
            let _ = sender.try_send(request);
        }
    })?;
    Ok(requests)
}
