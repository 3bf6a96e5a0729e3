//! Signals as messages on a channel: TERM, INT and HUP.

use std::io;
use std::process;

use crossbeam_channel::{Receiver, bounded};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::logging;
use crate::threads;

/// Meaning of a signal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// TERM or INT: finish requests in flight and exit.
    Stop,
    /// HUP: reload the configuration and the certificates.
    Reload,
}

/// Exit code after a second TERM or INT: that of a shell command ended by SIGINT, 128 + 2.
const INTERRUPTED: i32 = 130;

/// Capacity of the channel. A request that finds it full is dropped. The main thread receives requests
/// at once while the server runs, so that takes this many signals during its start.
const CAPACITY: usize = 8;

/// Installs the handlers and starts the thread `pw-signals`.
///
/// The first TERM or INT is a request. The second ends the process at once with exit code 130,
/// whatever the first one still waits for.
///
/// # Errors
/// A handler cannot be installed, or the system refuses the thread.
pub fn listen() -> io::Result<Receiver<Request>> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    let (sender, requests) = bounded(CAPACITY);
    // Detached: it waits for a second signal until the process ends.
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
