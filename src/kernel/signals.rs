//! Signals as messages on a channel: TERM, INT and HUP.

use std::io;
use std::process;

use crossbeam_channel::{Receiver, bounded};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::logging;
use crate::threads;

/// Request that a signal makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// TERM or INT: finish requests in flight and exit.
    Stop,
    /// HUP: reload the configuration and the certificates.
    Reload,
}

/// Exit code after a second TERM or INT: that of a shell command ended by SIGINT, 128 + 2.
const INTERRUPTED: i32 = 130;

/// Capacity of the channel. Requests beyond it are dropped: as many of their kind wait already.
const CAPACITY: usize = 8;

/// Installs the handlers and starts the thread `pw-signals`.
///
/// The first TERM or INT is a request. The second ends the process at once with exit code 130,
/// whatever the first one still waits for.
///
/// # Errors
/// A handler cannot be installed, or the system gives no thread.
pub fn listen() -> io::Result<Receiver<Request>> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    let (sender, requests) = bounded(CAPACITY);
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
            let _ = sender.try_send(request);
        }
    })?;
    Ok(requests)
}
