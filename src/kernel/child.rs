//! Child processes with a bound on their time.

use std::io;
use std::process::{Child, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

/// Interval between two checks whether a process that was killed has ended.
const KILL_INTERVAL: Duration = Duration::from_millis(20);

/// Longest wait for the end of a process that was killed.
const MAX_KILL_WAIT: Duration = Duration::from_secs(2);

/// Waits until a child has ended, or `is_over` returns true: then it is killed, with its process group, which it must
/// lead. Returns `None` if it was killed. `pause` is called between two checks.
///
/// # Errors
/// The child cannot be waited for.
pub fn wait_or_kill(
    child: &mut Child,
    is_over: impl Fn() -> bool,
    mut pause: impl FnMut(),
) -> io::Result<Option<ExitStatus>> {
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if is_over() {
            let _ = kill_process_group(Pid::from_child(child), Signal::KILL);
            // A process that hangs in a system call survives the signal until that returns.
            let killed = Instant::now();
            while child.try_wait()?.is_none() && killed.elapsed() < MAX_KILL_WAIT {
                thread::sleep(KILL_INTERVAL);
            }
            return Ok(None);
        }
        pause();
    }
}
