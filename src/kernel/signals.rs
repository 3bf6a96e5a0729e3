//! Signals as messages on a channel: TERM, INT and HUP.

use std::io;
use std::process;

use crossbeam_channel::{Receiver, Sender, bounded};
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

/// Capacity of the channel: one request to reload, which stands for any number of HUPs, and one to stop.
const CAPACITY: usize = 2;

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
        let mut dispatcher = Dispatcher { sender, stopping: false };
        for signal in signals.forever() {
            if dispatcher.dispatch(signal) == Step::Exit {
                logging::flush();
                process::exit(INTERRUPTED)
            }
        }
    })?;
    Ok(requests)
}

/// Sends the request that each signal makes.
struct Dispatcher {
    sender: Sender<Request>,
    stopping: bool,
}

/// Next step after a signal.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Continue,
    /// End the process at once.
    Exit,
}

impl Dispatcher {
    /// Sends a request without blocking. The channel has room for a request to stop whatever number of
    /// HUPs came before it: only this thread sends, and it sends a reload only to an empty channel.
    fn dispatch(&mut self, signal: i32) -> Step {
        match signal {
            SIGHUP if self.sender.is_empty() => {
                let _ = self.sender.try_send(Request::Reload);
            }
            // The reload that waits reads the files of now.
            SIGHUP => {}
            _ if self.stopping => return Step::Exit,
            _ => {
                self.stopping = true;
                let _ = self.sender.try_send(Request::Stop);
            }
        }
        Step::Continue
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stop_after_any_number_of_reloads_is_received_and_a_second_one_exits() {
        let (sender, requests) = bounded(CAPACITY);
        let mut dispatcher = Dispatcher { sender, stopping: false };
        for _ in 0..20 {
            assert_eq!(dispatcher.dispatch(SIGHUP), Step::Continue);
        }
        assert_eq!(dispatcher.dispatch(SIGTERM), Step::Continue);
        assert_eq!(requests.try_iter().collect::<Vec<_>>(), [Request::Reload, Request::Stop]);
        assert_eq!(dispatcher.dispatch(SIGINT), Step::Exit);
    }
}
