//! Hidden input from the terminal.

use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use signal_hook::consts::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;

use crate::threads;

/// The terminal and its modes of before a prompt; `None`: no prompt waits.
type Modes = Arc<Mutex<Option<(File, Termios)>>>;

/// Reads lines from the terminal without showing them.
///
/// A signal that ends the process while a prompt waits first gives the terminal its modes back: otherwise
/// the shell would show nothing that is typed.
#[derive(Debug, Default)]
pub struct HiddenPrompt {
    /// `None` until the first prompt.
    modes: Option<Modes>,
}

impl HiddenPrompt {
    /// Shows a text and reads a line.
    ///
    /// # Errors
    /// There is no terminal, it cannot be read, or its input ended (`UnexpectedEof`).
    pub fn read(&mut self, text: &str) -> io::Result<String> {
        let terminal = File::open("/dev/tty")?;
        let before = tcgetattr(&terminal)?;
        let modes = match &self.modes {
            Some(modes) => modes,
            None => self.modes.insert(restore_on_signals()?),
        };
        *lock(modes) = Some((terminal, before));
        let read = rpassword::prompt_password(text);
        // Ctrl-C arrives as a character and is raised as a signal, which the thread may not have seen yet.
        if read.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::Interrupted) {
            end_by(modes, SIGINT);
        }
        *lock(modes) = None;
        read
    }
}

/// Starts the thread that ends the process by a signal, with the terminal's modes restored.
fn restore_on_signals() -> io::Result<Modes> {
    let modes = Modes::default();
    let mut signals = Signals::new([SIGHUP, SIGINT, SIGQUIT, SIGTERM])?;
    let shared = Arc::clone(&modes);
    // Detached: it waits for a signal until the process ends. The handlers stay, so it does, too.
    threads::spawn_detached(threads::SIGNALS, move || {
        for signal in signals.forever() {
            end_by(&shared, signal);
        }
    })?;
    Ok(modes)
}

/// Restores the modes of the terminal, then ends the process as the signal does by default.
fn end_by(modes: &Modes, signal: i32) {
    if let Some((terminal, before)) = &*lock(modes) {
        // A terminal that is gone has no modes.
        let _ = tcsetattr(terminal, OptionalActions::Now, before);
    }
    let _ = emulate_default_handler(signal);
}

fn lock(modes: &Modes) -> std::sync::MutexGuard<'_, Option<(File, Termios)>> {
    modes.lock().unwrap_or_else(PoisonError::into_inner)
}
