//! Creates threads, with errors that name the limits to raise, and checks before the start that the
//! system gives as many as the server needs.
//!
//! The limits are those of `RLIMIT_NPROC` (for users other than root), of the pids controller
//! (containers, `TasksMax=` of systemd), and of the address space, of which every thread takes
//! some megabytes. A server that finds one of them in the middle of its start, or later, would
//! run without some of its parts. So [`ensure`] makes as many threads as will be needed, all at
//! the same time, and ends them again.

mod limits;

use std::convert::Infallible;
use std::fmt;
use std::hint::black_box;
use std::io;
use std::thread::{Builder, JoinHandle, sleep};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, bounded};
use rustix::process::{Resource, getrlimit};

pub use self::limits::Limits;

/// The board's keeper.
pub const BOARD: &str = "pw-board";
/// The recorder of the history.
pub const HISTORY: &str = "pw-history";
/// Writer of the log, made before the configuration is read.
pub const LOG: &str = "pw-log";
/// Keeper of the sessions of browsers.
pub const SESSIONS: &str = "pw-sessions";
/// The keeper of the last good values.
pub const LAST_VALUES: &str = "pw-last-values";
/// The one that looks for renewed certificates.
pub const CERTIFICATES: &str = "pw-certs";
/// Reads the output of the command of `watch --exec`.
pub const COMMAND_OUTPUT: &str = "pw-exec";
/// Reads the events of supervisord.
pub const LISTENER: &str = "pw-listener";
/// Asks one server for its health.
pub const PROBE: &str = "pw-probe";
/// Renders the scoreboard for the watchdog.
pub const SCOREBOARD: &str = "pw-scoreboard";
/// The watchdog.
pub const WATCHDOG: &str = "pw-watchdog";
/// The one that receives signals.
pub const SIGNALS: &str = "pw-signals";
/// Reads the files of a reload.
pub const RELOAD: &str = "pw-reload";
/// The one that ends the others when the server stops.
pub const TEARDOWN: &str = "pw-teardown";

/// Thread of the allocator that returns memory to the system. It is created before `main`; if the
/// system refuses it then, the allocator goes on without it.
const ALLOCATOR: &str = "jemalloc_bg_thd";

/// Threads that must be to spare: the kernel counts a thread for a moment after it has ended.
const SPARE: usize = 2;

/// Address space that one thread takes at least: Rust's default stack.
const STACK: usize = 2 << 20;

/// Address space that must be left while all threads exist, for what they allocate later, beside
/// what the configuration admits.
const HEADROOM: usize = 32 << 20;

/// Longest wait until ended threads are gone.
const MAX_WAIT: Duration = Duration::from_secs(1);

/// Makes a named thread.
///
/// # Errors
/// The system gives no thread; the message names it and the limits to raise.
pub fn spawn<F>(name: String, body: F) -> io::Result<JoinHandle<()>>
where
    F: FnOnce() + Send + 'static,
{
    Builder::new().name(name.clone()).spawn(body).map_err(|error| {
        let limits = Limits::of_this_process();
        io::Error::new(error.kind(), format!("cannot create the thread {name}: {error}; {limits}"))
    })
}

/// The system gives fewer threads than the server needs.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot create the thread {name}: {reason}; {needed} threads are needed in all, and {made} \
     could be created; {limits}"
)]
pub struct Shortage {
    name: String,
    reason: Reason,
    needed: usize,
    made: usize,
    limits: Limits,
}

/// The resource that is short.
#[derive(Debug)]
enum Reason {
    Thread(io::Error),
    /// There is not even enough for the thread.
    AddressSpace,
    /// There is not enough for what the threads will allocate.
    Memory {
        needed: usize,
        left: u64,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Thread(error) => error.fmt(f),
            Reason::AddressSpace => f.write_str("too little address space is left"),
            Reason::Memory { needed, left } => write!(
                f,
                "too little address space is left: {} KiB are needed for buffers and verifications \
                 of passwords, and {} KiB are left",
                needed / 1024,
                left / 1024
            ),
        }
    }
}

/// Checks that threads of these names can exist at the same time, beside those that do now, and that
/// they can then allocate `memory` bytes beside what every thread needs.
///
/// # Errors
/// The system gives fewer, or leaves too little address space for them to work.
pub fn ensure(names: &[String], memory: usize) -> Result<(), Shortage> {
    let before = count();
    let (release, held) = bounded::<Infallible>(0);
    let mut made = Vec::new();
    let spare = (1..=SPARE).map(|number| format!("pw-spare-{number}"));
    let wanted: Vec<String> = names.iter().cloned().chain(spare).collect();
    let mut outcome = Ok(());
    for name in &wanted {
        match make_idle(name, &held) {
            Ok(thread) => made.push(thread),
            Err(reason) => {
                outcome = Err((name, reason));
                break;
            }
        }
    }
    let needed = HEADROOM.saturating_add(memory);
    if let (Ok(()), Some(last), Some(left)) = (&outcome, wanted.last(), address_space_left())
        && usize::try_from(left).is_ok_and(|left| left < needed)
    {
        outcome = Err((last, Reason::Memory { needed, left }));
    }
    let outcome = outcome.map_err(|(name, reason)| Shortage {
        name: name.clone(),
        reason,
        needed: before + wanted.len(),
        made: before + made.len(),
        limits: Limits::of_this_process(),
    });
    drop(release);
    for thread in made {
        // It does nothing that could panic.
        let _ = thread.join();
    }
    let deadline = Instant::now() + MAX_WAIT;
    while count() > before && Instant::now() < deadline {
        sleep(Duration::from_millis(1));
    }
    outcome
}

/// Makes a thread that waits until `held` is disconnected, and returns once it runs.
fn make_idle(name: &str, held: &Receiver<Infallible>) -> Result<JoinHandle<()>, Reason> {
    // Beside its stack a new thread needs some memory; without it the process would be aborted.
    if !has_address_space(2 * STACK) {
        return Err(Reason::AddressSpace);
    }
    let held = held.clone();
    let (run, runs) = bounded(1);
    let wait = move || {
        // The first allocation may make the allocator reserve room for this thread.
        let _ = run.send(black_box(vec![0_u8; 64]));
        let _ = held.recv();
    };
    let thread = Builder::new().name(name.to_owned()).spawn(wait).map_err(Reason::Thread)?;
    let _ = runs.recv();
    Ok(thread)
}

/// Returns true if so many bytes can be mapped. Pages that are not touched take no memory.
fn has_address_space(bytes: usize) -> bool {
    let mut room = Vec::<u8>::new();
    let has_room = room.try_reserve_exact(bytes).is_ok();
    black_box(&room);
    has_room
}

/// Bytes that the process may still map; `None` without a limit or without `/proc`. Mapping them for
/// a test would not do: the allocator keeps address space that it was given once, and uses it for
/// other large blocks only.
fn address_space_left() -> Option<u64> {
    let limit = getrlimit(Resource::As).current?;
    let process = procfs::process::Process::myself().ok()?;
    Some(limit.saturating_sub(process.stat().ok()?.vsize))
}

/// Returns true if the allocator's thread does not exist, where it should and that can be seen.
pub fn lacks_allocator_thread() -> bool {
    let deadline = Instant::now() + MAX_WAIT;
    // It names itself, once it runs.
    while is_absent(ALLOCATOR) {
        if Instant::now() >= deadline {
            return cfg!(all(target_os = "linux", target_env = "gnu"));
        }
        sleep(Duration::from_millis(1));
    }
    false
}

/// Returns true if no thread of this process has that name; false without `/proc`.
fn is_absent(name: &str) -> bool {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return false };
    let names =
        tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
    !names.into_iter().any(|comm| comm.trim_end() == name)
}

/// Number of threads of this process; 0 without `/proc`.
fn count() -> usize {
    std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_that_can_exist_are_ensured_and_gone_afterwards() {
        let names: Vec<String> = (0..5).map(|number| format!("pw-test-{number}")).collect();
        ensure(&names, 0).unwrap();
        assert!(names.iter().all(|name| is_absent(name)));
    }

    #[test]
    fn shortage_names_the_thread_the_counts_and_the_limits() {
        let shortage = Shortage {
            name: "pw-worker-3".to_owned(),
            reason: Reason::Thread(io::ErrorKind::WouldBlock.into()),
            needed: 27,
            made: 9,
            limits: Limits { processes: Some(9), pids: None, address_space: None },
        };
        let message = shortage.to_string();
        for part in ["pw-worker-3", "27 threads are needed", "9 could be", "ulimit -u (now 9)"] {
            assert!(message.contains(part), "{part:?} is not in {message}");
        }
    }
}
