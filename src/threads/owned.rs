//! Threads with a name, and the two ways in which they end.
//!
//! [`OwnedThread`] is the rule: dropping it stops the thread and joins it, as C++'s `std::jthread`
//! does. [`spawn_detached`] is the exception, for a thread that can be stuck in a system call that
//! nothing interrupts, such as a read of a network file system or `getaddrinfo(3)`. Joining such a
//! thread could block its owner for ever, so it ends by itself, or with the process.

use std::convert::Infallible;
use std::io;
use std::thread::{Builder, JoinHandle};
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, bounded};

use super::limits::Limits;

/// Disconnected when the thread is to end. Nothing is ever sent, so `recv` blocks until then, and a
/// thread that waits for messages waits for both in one `select!`.
pub type StopToken = Receiver<Infallible>;

/// Code of a thread. It is boxed, so that all threads share the code that starts them.
pub(super) type Body = Box<dyn FnOnce(StopToken) + Send>;

/// Handle to a named thread. Dropping it stops the thread and joins it.
///
/// The stop reaches the thread through its [`StopToken`], or through another signal that the owner
/// sends first: in its `Drop`, or by a `Sender` that is declared before this field and so dropped
/// first.
#[derive(Debug)]
pub struct OwnedThread {
    name: String,
    /// Dropped to stop the thread.
    stop: Option<Sender<Infallible>>,
    /// Disconnected when the thread has ended.
    ended: Receiver<Infallible>,
    /// `None` once it was joined or detached.
    thread: Option<JoinHandle<()>>,
}

/// The thread had not ended at the deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the thread has not ended in time")]
pub struct StillRunning;

impl OwnedThread {
    /// Starts a thread that runs `body` and should end soon after its token is disconnected.
    ///
    /// # Errors
    /// The system refuses the thread; the message names it and the limits to raise.
    pub fn spawn<F>(name: impl Into<String>, body: F) -> io::Result<OwnedThread>
    where
        F: FnOnce(StopToken) + Send + 'static,
    {
        let name = name.into();
        OwnedThread::try_spawn(name.clone(), Box::new(body))
            .map_err(|error| spawn_error(&name, &error))
    }

    /// Does the same as [`OwnedThread::spawn`], but returns the system's own error.
    pub(super) fn try_spawn(name: String, body: Body) -> io::Result<OwnedThread> {
        let (stop, token) = bounded(0);
        let (running, ended) = bounded::<Infallible>(0);
        let thread = Builder::new().name(name.clone()).spawn(move || {
            // Dropped at the end of the thread, also by a panic.
            let _running = running;
            body(token);
        })?;
        Ok(OwnedThread { name, stop: Some(stop), ended, thread: Some(thread) })
    }

    /// Disconnects the thread's token, and returns at once.
    pub fn stop(&mut self) {
        self.stop = None;
    }

    /// Stops the thread and waits for its end until `deadline`. A thread that is still running then
    /// is detached.
    ///
    /// # Errors
    /// The thread is still running.
    pub fn join_deadline(mut self, deadline: Instant) -> Result<(), StillRunning> {
        self.stop();
        match self.ended.recv_deadline(deadline) {
            Err(error) if error.is_timeout() => {
                self.detach();
                Err(StillRunning)
            }
            // Disconnected: dropping the handle joins a thread that has ended.
            _ => Ok(()),
        }
    }

    /// Stops the thread without joining it: it ends by itself.
    pub fn detach(mut self) {
        self.thread = None;
    }
}

impl Drop for OwnedThread {
    fn drop(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            // The panic hook has logged the message and the place.
            log::error!("thread {} ended by a panic", self.name);
        }
    }
}

/// Starts a named thread that no handle joins.
///
/// Each caller states the reason why its thread must not be joined, and what ends it.
///
/// # Errors
/// The system refuses the thread; the message names it and the limits to raise.
pub fn spawn_detached<F>(name: impl Into<String>, body: F) -> io::Result<()>
where
    F: FnOnce() + Send + 'static,
{
    let (name, body) = (name.into(), Box::new(body) as Box<dyn FnOnce() + Send>);
    let spawned = Builder::new().name(name.clone()).spawn(body);
    spawned.map(drop).map_err(|error| spawn_error(&name, &error))
}

/// Appends the limits to raise to the error of code that starts threads itself, if it is one with which
/// the system refuses a thread (`EAGAIN` or `ENOMEM`).
pub fn with_limits(error: io::Error) -> io::Error {
    if !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::OutOfMemory) {
        return error;
    }
    io::Error::new(error.kind(), format!("{error}; {}", Limits::of_this_process()))
}

fn spawn_error(name: &str, error: &io::Error) -> io::Error {
    let limits = Limits::of_this_process();
    io::Error::new(error.kind(), format!("cannot create the thread {name}: {error}; {limits}"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use super::*;

    const AMPLE: Duration = Duration::from_secs(20);

    #[test]
    fn limits_are_appended_to_the_error_of_a_refused_thread_alone() {
        let refused = io::Error::new(io::ErrorKind::WouldBlock, "cannot create the thread pw");
        let message = with_limits(refused).to_string();
        assert!(message.starts_with("cannot create the thread pw; raise the limit"), "{message}");
        let other = with_limits(io::Error::from_raw_os_error(24));
        assert_eq!(other.raw_os_error(), Some(24));
    }

    #[test]
    fn owned_thread_is_stopped_and_joined_when_its_handle_is_dropped() {
        let has_ended = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&has_ended);
        let (begin, begun) = bounded(1);
        let thread = OwnedThread::spawn("pw-test", move |stop| {
            begin.send(std::thread::current().name().map(str::to_owned)).unwrap();
            assert!(stop.recv().is_err());
            ended.store(true, Ordering::SeqCst);
        });
        assert_eq!(begun.recv_timeout(AMPLE).unwrap().as_deref(), Some("pw-test"));
        assert!(!has_ended.load(Ordering::SeqCst), "it runs until it is stopped");
        drop(thread);
        assert!(has_ended.load(Ordering::SeqCst));
    }

    #[test]
    fn owned_thread_that_hangs_is_detached_at_the_deadline() {
        let (release, hang) = bounded::<Infallible>(0);
        let (end, ended) = bounded(1);
        let thread = OwnedThread::spawn("pw-test", move |_| {
            let _ = hang.recv();
            end.send(()).unwrap();
        });
        let deadline = Instant::now() + Duration::from_millis(10);
        assert_eq!(thread.unwrap().join_deadline(deadline), Err(StillRunning));
        drop(release);
        ended.recv_timeout(AMPLE).unwrap();
    }

    #[test]
    fn owned_thread_that_has_ended_by_a_panic_is_joined() {
        let thread = OwnedThread::spawn("pw-test", |_| panic!("a defect")).unwrap();
        assert_eq!(thread.join_deadline(Instant::now() + AMPLE), Ok(()));
    }
}
