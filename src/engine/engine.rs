//! Starting and stopping the engine's threads.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam_channel::{Receiver, bounded, unbounded};
use mio::{Poll, Waker};
use rustls::ServerConfig;

use super::acceptor::{Acceptor, WAKE};
use super::limits::Settings;
use super::queue::Queue;
use super::service::Service;
use super::shared::{Channels, Shared};
use super::socket::Listener;
use super::stats::Stats;
use super::watch::Watch;
use super::worker;
use crate::threads::OwnedThread;

/// A running server. Dropping it stops it without waiting for requests in flight.
pub struct Engine {
    shared: Arc<Shared>,
    /// Told, by being disconnected, that the acceptor has ended.
    acceptor_ended: Receiver<()>,
    threads: Vec<OwnedThread>,
}

/// How a stop went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// Every request in flight was answered.
    Complete,
    /// `drain_timeout` passed with connections still open.
    TimedOut,
}

impl Engine {
    /// Starts the acceptor, the workers and the usher. With `tls` every connection speaks it.
    ///
    /// # Errors
    /// The kernel gave no epoll instance or thread.
    pub fn start(
        listeners: Vec<Listener>,
        settings: Settings,
        tls: Option<Arc<ServerConfig>>,
        service: Arc<dyn Service>,
    ) -> io::Result<Engine> {
        let (workers, names) = (settings.workers, settings.threads);
        let poll = Poll::new()?;
        let (errands, errand) = unbounded();
        let (calls, call) = bounded(workers);
        let (closed, places) = unbounded();
        let shared = Arc::new(Shared::new(
            service,
            settings,
            Stats::new(workers),
            Queue::default(),
            Watch::new()?,
            Waker::new(poll.registry(), WAKE)?,
            Channels { errands, calls, closed },
        ));
        let mut acceptor = Acceptor::new(poll, listeners, tls, Arc::clone(&shared), places)?;
        let mut threads = Starting { shared: &shared, threads: Vec::new() };
        for number in 0..workers {
            let (shared, call) = (Arc::clone(&shared), call.clone());
            threads.spawn(worker_name(names, number), move || {
                worker::work(&shared, number, &call);
            })?;
        }
        let usher = Arc::clone(&shared);
        threads.spawn(usher_name(names), move || worker::usher(&usher, &errand))?;
        // Told, by being disconnected, that the acceptor has ended.
        let (ended, acceptor_ended) = bounded(0);
        threads.spawn(acceptor_name(names), move || {
            acceptor.run();
            drop(ended);
        })?;
        let threads = threads.complete();
        Ok(Engine { shared, acceptor_ended, threads })
    }

    /// Names of the threads that an engine with these settings has.
    pub fn thread_names(settings: &Settings) -> Vec<String> {
        let names = settings.threads;
        let workers = (0..settings.workers).map(|number| worker_name(names, number));
        workers.chain([usher_name(names), acceptor_name(names)]).collect()
    }

    /// The engine's counters, which outlive it.
    pub fn stats(&self) -> Arc<Stats> {
        Arc::clone(&self.shared.stats)
    }

    /// Goes on with these limits and deadlines: those of connections that begin from now on.
    /// The numbers of workers and of permits for expensive requests stay as they are.
    pub fn renew(&self, settings: Settings) {
        self.shared.settings.store(Arc::new(settings));
        self.shared.wake_acceptor();
    }

    /// Stops: accepts no more, closes idle connections, lets requests in flight finish, and
    /// returns when all is done or `drain_timeout` has passed.
    pub fn drain(self) -> Drained {
        let bound = self.shared.settings.load().drain_timeout;
        self.drain_within(bound)
    }

    /// As [`Engine::drain`], with another bound.
    pub fn drain_within(mut self, bound: Duration) -> Drained {
        self.stop();
        // Nothing is ever sent: the wait ends by the acceptor's end or by the clock.
        match self.acceptor_ended.recv_timeout(bound) {
            Err(crossbeam_channel::RecvTimeoutError::Disconnected) => {
                self.threads.clear();
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
        self.shared.wake_acceptor();
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop();
        // They end with their requests in flight, which may take long.
        self.threads.drain(..).for_each(OwnedThread::detach);
    }
}

fn worker_name(names: &str, number: usize) -> String {
    format!("{names}-worker-{number}")
}

fn usher_name(names: &str) -> String {
    format!("{names}-usher")
}

fn acceptor_name(names: &str) -> String {
    format!("{names}-acceptor")
}

/// The threads of an engine that is starting. Dropped before it is complete, for want of a
/// thread, it ends those that there are.
struct Starting<'a> {
    shared: &'a Shared,
    threads: Vec<OwnedThread>,
}

impl Starting<'_> {
    fn spawn(&mut self, name: String, body: impl FnOnce() + Send + 'static) -> io::Result<()> {
        self.threads.push(OwnedThread::spawn(name, |_| body())?);
        Ok(())
    }

    fn complete(mut self) -> Vec<OwnedThread> {
        std::mem::take(&mut self.threads)
    }
}

impl Drop for Starting<'_> {
    fn drop(&mut self) {
        if self.threads.is_empty() {
            return;
        }
        self.shared.stop();
        self.threads.clear();
    }
}
