//! Checks before the start that the system allows as many threads as the server needs.
//!
//! Three limits can refuse a thread: `RLIMIT_NPROC` (for users other than root), the pids controller
//! (of containers, and `TasksMax=` of systemd), and the address space, of which every thread takes
//! some megabytes. A server that met one of them in the middle of its start, or later, would run
//! without some of its parts. So [`ensure`] creates as many threads as will be needed, all at the
//! same time, and ends them again. While they exist, the remaining address space must hold the memory
//! that the configuration allows for buffers and for verifications of passwords.
//!
//! A reload does the same for the threads that it adds, and is refused if the check fails. `watch`
//! checks the threads of its probes, since without them it could not probe a server later.
//!
//! Further threads of pollers and lookups are created later, while polls are in flight. If the system refuses
//! one, that poll fails.

use std::fmt;
use std::hint::black_box;
use std::io;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crossbeam_channel::bounded;
use rustix::process::{Resource, getrlimit};

use super::limits::Limits;
use super::owned::OwnedThread;

/// Thread of the allocator that returns memory to the system. It is created before `main`; if the
/// system refuses it, the allocator runs without it.
const ALLOCATOR: &str = "jemalloc_bg_thd";

/// Number of threads that must be available beyond those needed, because the kernel still counts a
/// thread for a moment after its end.
const SPARE: usize = 2;

/// Address space of one thread, at least: Rust's default stack.
pub const STACK: u64 = 2 << 20;

/// Address space that must remain while all threads exist, for their later allocations, in addition
/// to the memory that the configuration allows.
const HEADROOM: usize = 32 << 20;

/// Longest wait for the kernel to remove ended threads.
const MAX_WAIT: Duration = Duration::from_secs(1);

/// The system allows fewer threads than the server needs.
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

/// Resource that is short.
#[derive(Debug)]
enum Reason {
    Thread(io::Error),
    /// Too little for the thread itself.
    AddressSpace,
    /// Too little for the later allocations of the threads, bytes.
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

/// Checks that threads with these names can exist at the same time, beside those that exist now, and
/// that they can then allocate `memory` bytes beside what every thread needs.
///
/// # Errors
/// The system allows fewer threads, or leaves too little address space for them to work.
pub fn ensure(names: &[String], memory: usize) -> Result<(), Shortage> {
    if names.is_empty() && memory == 0 {
        return Ok(());
    }
    let before = count();
    let mut threads = Vec::new();
    let spare = (1..=SPARE).map(|number| format!("pw-spare-{number}"));
    let wanted: Vec<String> = names.iter().cloned().chain(spare).collect();
    let mut outcome = Ok(());
    for name in &wanted {
        match spawn_idle(name) {
            Ok(thread) => threads.push(thread),
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
        made: before + threads.len(),
        limits: Limits::of_this_process(),
    });
    drop(threads);
    let deadline = Instant::now() + MAX_WAIT;
    while count() > before && Instant::now() < deadline {
        sleep(Duration::from_millis(1));
    }
    outcome
}

/// Creates a thread that waits until its handle is dropped. Returns once it runs.
fn spawn_idle(name: &str) -> Result<OwnedThread, Reason> {
    // Beside its stack a new thread needs some memory; without it the process would be aborted.
    if address_space_left().is_some_and(|left| left < 2 * STACK) {
        return Err(Reason::AddressSpace);
    }
    let (start, started) = bounded(1);
    let thread = OwnedThread::try_spawn(
        name.to_owned(),
        Box::new(move |stop| {
            // The first allocation may make the allocator reserve room for this thread.
            let _ = start.send(black_box(vec![0_u8; 64]));
            let _ = stop.recv();
        }),
    );
    let thread = thread.map_err(Reason::Thread)?;
    let _ = started.recv();
    Ok(thread)
}

/// Number of bytes that the process may still map; `None` without a limit or without `/proc`.
///
/// A trial mapping of that size would not measure this: the allocator keeps address space that it has
/// mapped once, and reuses it for other large blocks only.
fn address_space_left() -> Option<u64> {
    let limit = getrlimit(Resource::As).current?;
    let process = procfs::process::Process::myself().ok()?;
    Some(limit.saturating_sub(process.stat().ok()?.vsize))
}

/// Returns true if the allocator's thread should exist on this platform and does not.
pub fn lacks_allocator_thread() -> bool {
    let deadline = Instant::now() + MAX_WAIT;
    // The thread names itself once it runs.
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
    fn threads_that_can_exist_pass_the_check_and_are_gone_after_it() {
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
