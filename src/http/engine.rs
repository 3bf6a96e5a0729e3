//! Starting and stopping the engine's threads.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, bounded, unbounded};
use mio::{Poll, Waker};
use rustls::ServerConfig;

use super::acceptor::{Acceptor, Channels, WAKE};
use super::deadline::Epoch;
use super::limits::Settings;
use super::message::Service;
use super::socket::Listener;
use super::stats::Stats;
use super::worker::{self, Shared};

/// A running server. Dropping it stops it without waiting for requests in flight.
pub struct Engine {
    shared: Arc<Shared>,
    drain_timeout: Duration,
    /// Told, by being disconnected, that the acceptor has ended.
    acceptor_ended: Receiver<()>,
    threads: Vec<JoinHandle<()>>,
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
        let poll = Poll::new()?;
        let shared = Arc::new(Shared {
            service,
            stats: Arc::new(Stats::new(settings.workers)),
            epoch: Epoch::starting(Instant::now()),
            waker: Waker::new(poll.registry(), WAKE)?,
            draining: AtomicBool::new(false),
            backlogged: AtomicBool::new(false),
            turned_away: AtomicUsize::new(0),
        });
        let (queue, queued) = bounded(settings.queue);
        let (errands, errand) = unbounded();
        let (give_back, returns) = unbounded();
        let (ended, acceptor_ended) = bounded(0);
        let mut threads = Vec::new();
        for number in 0..settings.workers {
            let (shared, queued, give_back) =
                (Arc::clone(&shared), queued.clone(), give_back.clone());
            threads.push(spawn(format!("pw-worker-{number}"), move || {
                worker::work(&shared, number, &queued, &give_back);
            })?);
        }
        let usher_shared = Arc::clone(&shared);
        threads.push(spawn("pw-usher".to_owned(), move || {
            worker::usher(&usher_shared, &errand, &give_back);
        })?);
        let drain_timeout = settings.drain_timeout;
        let channels = Channels { queue, errands, returns };
        let mut acceptor =
            Acceptor::new(poll, listeners, Arc::new(settings), tls, Arc::clone(&shared), channels)?;
        threads.push(spawn("pw-acceptor".to_owned(), move || {
            acceptor.run();
            drop(ended);
        })?);
        Ok(Engine { shared, drain_timeout, acceptor_ended, threads })
    }

    /// The engine's counters, which outlive it.
    pub fn stats(&self) -> Arc<Stats> {
        Arc::clone(&self.shared.stats)
    }

    /// Stops: accepts no more, closes idle connections, lets requests in flight finish, and
    /// returns when all is done or `drain_timeout` has passed.
    pub fn drain(mut self) -> Drained {
        self.stop();
        // Nothing is ever sent: the wait ends by the acceptor's end or by the clock.
        match self.acceptor_ended.recv_timeout(self.drain_timeout) {
            Err(crossbeam_channel::RecvTimeoutError::Disconnected) => {
                for thread in self.threads.drain(..) {
                    // A panicked thread has been logged by the panic hook.
                    let _ = thread.join();
                }
                Drained::Complete
            }
            _ => Drained::TimedOut,
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
    }
}

fn spawn(name: String, body: impl FnOnce() + Send + 'static) -> io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name).spawn(body)
}
