//! Starting and stopping the engine's threads.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use mio::Poll;
use rustls::ServerConfig;

use super::acceptor::Acceptor;
use super::limits::Settings;
use super::listener::Listener;
use super::service::Service;
use super::shared::{Receivers, Shared};
use super::stats::Stats;
use super::{reaper, worker};

/// Handle to a running engine. Dropping it stops the engine without waiting for requests in flight.
pub struct Engine {
    shared: Arc<Shared>,
    /// Disconnected when the acceptor has ended.
    acceptor_ended: Receiver<()>,
    threads: Vec<JoinHandle<()>>,
}

/// Result of a drain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// Every request in flight was answered.
    Complete,
    /// The time was over before the last connection was closed.
    TimedOut,
}

impl Engine {
    /// Starts the acceptor, the workers and the reaper. With `tls`, every connection speaks TLS.
    ///
    /// # Errors
    /// The system gives no epoll instance, or no thread; the message names the thread.
    pub fn start(
        listeners: Vec<Listener>,
        settings: Settings,
        tls: Option<Arc<ServerConfig>>,
        service: Arc<dyn Service>,
    ) -> io::Result<Engine> {
        let (workers, prefix) = (settings.workers, settings.threads);
        let poll = Poll::new()?;
        let (shared, Receivers { tasks, closed, listeners: added }) =
            Shared::new(service, settings, &poll)?;
        listeners.into_iter().try_for_each(|listener| shared.new_listeners.add(listener))?;
        let mut acceptor = Acceptor::new(poll, added, tls, Arc::clone(&shared), closed);
        let mut threads = Starting { shared: &shared, threads: Vec::new() };
        for number in 0..workers {
            let shared = Arc::clone(&shared);
            threads.spawn(worker_name(prefix, number), move || worker::run(&shared, number))?;
        }
        let reaper = Arc::clone(&shared);
        threads.spawn(reaper_name(prefix), move || reaper::run(&reaper, &tasks))?;
        let (ended, acceptor_ended) = bounded(0);
        threads.spawn(acceptor_name(prefix), move || {
            acceptor.run();
            drop(ended);
        })?;
        let threads = threads.complete();
        Ok(Engine { shared, acceptor_ended, threads })
    }

    /// Returns the names of the threads of an engine with these settings.
    pub fn thread_names(settings: &Settings) -> Vec<String> {
        let prefix = settings.threads;
        let workers = (0..settings.workers).map(|number| worker_name(prefix, number));
        workers.chain([reaper_name(prefix), acceptor_name(prefix)]).collect()
    }

    /// Returns the engine's counters, which remain readable after its end.
    pub fn stats(&self) -> Arc<Stats> {
        Arc::clone(&self.shared.stats)
    }

    /// Adds a listener to the running engine: its connections have the same limits and deadlines as
    /// those of the others. Never blocks. An engine that is stopping closes it.
    ///
    /// # Errors
    /// The kernel refuses to register the listener, which is closed then.
    pub fn add_listener(&self, listener: Listener) -> io::Result<()> {
        self.shared.new_listeners.add(listener)?;
        self.shared.scheduler.wake_acceptor();
        Ok(())
    }

    /// Applies new limits and deadlines to connections that begin from now on. The numbers of workers
    /// and of permits for expensive requests do not change.
    pub fn renew(&self, settings: Settings) {
        self.shared.settings.store(Arc::new(settings));
        self.shared.scheduler.wake_acceptor();
    }

    /// Stops the engine: closes the listeners and idle connections, lets requests in flight finish,
    /// and returns when the last connection is closed or `drain_timeout` has passed.
    pub fn drain(self) -> Drained {
        let bound = self.shared.settings.load().drain_timeout;
        self.drain_within(bound)
    }

    /// Stops the engine as [`Engine::drain`] does, within `bound`.
    pub fn drain_within(mut self, bound: Duration) -> Drained {
        self.stop();
        // No message is ever sent: the wait ends with the acceptor, or at the bound.
        match self.acceptor_ended.recv_timeout(bound) {
            Err(RecvTimeoutError::Disconnected) => {
                join(&mut self.threads);
                Drained::Complete
            }
            _ => {
                self.shared.reset_truncated();
                Drained::TimedOut
            }
        }
    }

    fn stop(&self) {
        self.shared.draining.store(true, Ordering::Release);
        self.shared.scheduler.wake_acceptor();
    }
}

impl Drop for Engine {
    /// Stops the engine. Threads that still run end with their requests in flight, which may take
    /// long, so they are not joined.
    fn drop(&mut self) {
        self.stop();
    }
}

fn join(threads: &mut Vec<JoinHandle<()>>) {
    for thread in threads.drain(..) {
        // Of a thread that panicked, the panic hook has logged the message and the place.
        let _ = thread.join();
    }
}

fn worker_name(prefix: &str, number: usize) -> String {
    format!("{prefix}-worker-{number}")
}

fn reaper_name(prefix: &str) -> String {
    format!("{prefix}-reaper")
}

fn acceptor_name(prefix: &str) -> String {
    format!("{prefix}-acceptor")
}

/// Threads of an engine that is starting. If the system gives no further thread, dropping this ends
/// those that exist.
struct Starting<'a> {
    shared: &'a Shared,
    threads: Vec<JoinHandle<()>>,
}

impl Starting<'_> {
    fn spawn(&mut self, name: String, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
        let thread = Builder::new().name(name.clone()).spawn(body).map_err(|error| {
            io::Error::new(error.kind(), format!("cannot create the thread {name}: {error}"))
        })?;
        self.threads.push(thread);
        Ok(())
    }

    fn complete(mut self) -> Vec<JoinHandle<()>> {
        std::mem::take(&mut self.threads)
    }
}

impl Drop for Starting<'_> {
    fn drop(&mut self) {
        if self.threads.is_empty() {
            return;
        }
        self.shared.stop();
        join(&mut self.threads);
    }
}
