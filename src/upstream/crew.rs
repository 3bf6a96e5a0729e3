//! Poller threads `pw-poll-N`: as many as polls are in flight, and a few more.
//!
//! A job goes to the thread that became idle last (LIFO), or to a new thread. The threads that are needed least
//! therefore stay idle, and one that has been idle for [`IDLE_TIME`] ends. [`CORE_POLLERS`] threads are created at
//! the start and stay: where the system allows no more, they poll all sources in turn.
//!
//! Nothing here waits for a thread, so the owner may assign jobs from a thread that must not block.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::stats::SchedulerStats;

/// Number of threads that always exist. With so many, a handful of upstreams that hang for their timeouts leave
/// threads for the others where the system refuses further ones.
pub(crate) const CORE_POLLERS: usize = 4;

/// Time after which a further thread without a job ends.
const IDLE_TIME: Duration = Duration::from_secs(5);

/// Creates a named, detached thread. The error is the system's own: reading the limits for a better one may block.
pub(super) type Spawn =
    Box<dyn Fn(String, Box<dyn FnOnce() + Send>) -> io::Result<()> + Send + Sync>;

/// Returns the function that creates threads of the system. They are detached, since a poll may last for its
/// source's timeout: they end when the crew is dropped, after the poll that they are in.
pub(super) fn system_threads() -> Spawn {
    Box::new(|name, body| thread::Builder::new().name(name).spawn(body).map(drop))
}

/// Returns the name of the poller thread with this number. It fits the 15 bytes of Linux.
pub(super) fn thread_name(number: usize) -> String {
    format!("pw-poll-{number}")
}

/// Function that does a job, and returns what is to be delivered after the thread has become idle.
type Work<J, R> = Box<dyn Fn(J) -> R + Send + Sync>;

/// Threads that do jobs. Dropping it ends the threads, each after its job.
pub(super) struct Crew<J, R> {
    shared: Arc<Shared<J, R>>,
    spawn: Spawn,
    /// Cloned into each thread; all clones are dropped once no thread is left.
    running: Sender<Infallible>,
}

/// Disconnected when all threads of a crew have ended.
pub(super) type Ended = Receiver<Infallible>;

struct Shared<J, R> {
    work: Work<J, R>,
    deliver: Box<dyn Fn(R) + Send + Sync>,
    threads: Mutex<Threads<J>>,
    stats: Arc<SchedulerStats>,
    idle_time: Duration,
}

struct Threads<J> {
    /// Channel to each thread, by its number. It has room for one job, and gets one only while the thread is idle.
    all: BTreeMap<usize, Sender<J>>,
    /// Numbers of the threads without a job. The one that became idle last is at the end.
    idle: Vec<usize>,
    is_stopping: bool,
}

impl<J: Send + 'static, R: 'static> Crew<J, R> {
    /// Starts the threads that stay. `deliver` must not block.
    ///
    /// # Errors
    /// The system refuses one of them.
    pub(super) fn start(
        spawn: Spawn,
        work: impl Fn(J) -> R + Send + Sync + 'static,
        deliver: impl Fn(R) + Send + Sync + 'static,
        stats: Arc<SchedulerStats>,
    ) -> io::Result<(Crew<J, R>, Ended)> {
        Crew::start_with(spawn, work, deliver, stats, IDLE_TIME)
    }

    fn start_with(
        spawn: Spawn,
        work: impl Fn(J) -> R + Send + Sync + 'static,
        deliver: impl Fn(R) + Send + Sync + 'static,
        stats: Arc<SchedulerStats>,
        idle_time: Duration,
    ) -> io::Result<(Crew<J, R>, Ended)> {
        let (running, ended) = bounded(0);
        let threads = Threads { all: BTreeMap::new(), idle: Vec::new(), is_stopping: false };
        let shared = Arc::new(Shared {
            work: Box::new(work),
            deliver: Box::new(deliver),
            threads: Mutex::new(threads),
            stats,
            idle_time,
        });
        let crew = Crew { shared, spawn, running };
        for _ in 0..CORE_POLLERS {
            let number = crew.spawn()?;
            crew.shared.rest(number);
        }
        Ok((crew, ended))
    }

    /// Passes a job to an idle thread or to a new one.
    ///
    /// # Errors
    /// The system refuses the thread. The job is returned, with the error.
    pub(super) fn assign(&self, job: J) -> Result<(), (J, io::Error)> {
        let Err(job) = self.shared.assign_to_idle(job) else { return Ok(()) };
        match self.spawn() {
            Ok(number) => {
                self.shared.send(&self.shared.threads(), number, job);
                Ok(())
            }
            Err(error) => Err((job, error)),
        }
    }

    /// Creates a thread that waits for its first job. Returns its number.
    fn spawn(&self) -> io::Result<usize> {
        let (jobs, received) = bounded(1);
        let number = self.shared.enter(jobs);
        // Dropped at the end of the thread, or here if the system refuses it.
        let mut place = Place { shared: Arc::clone(&self.shared), number: Some(number) };
        let running = self.running.clone();
        let body = move || {
            let _running = running;
            place.run(&received);
        };
        (self.spawn)(thread_name(number), Box::new(body))?;
        Ok(number)
    }
}

impl<J, R> Shared<J, R> {
    /// Locks the list of threads, for a few instructions.
    fn threads(&self) -> MutexGuard<'_, Threads<J>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a thread, by the lowest number that is free.
    fn enter(&self, jobs: Sender<J>) -> usize {
        let mut threads = self.threads();
        let is_taken = |(number, taken): &(usize, &usize)| number == *taken;
        let number = (1..).zip(threads.all.keys()).take_while(is_taken).count() + 1;
        threads.all.insert(number, jobs);
        self.stats.crew().record(threads.all.len(), threads.idle.len());
        number
    }

    /// Removes a thread.
    fn leave(&self, threads: &mut Threads<J>, number: usize) {
        threads.all.remove(&number);
        threads.idle.retain(|idle| *idle != number);
        self.stats.crew().record(threads.all.len(), threads.idle.len());
    }

    /// Adds a thread to those without a job. Returns false if the crew is stopping.
    fn rest(&self, number: usize) -> bool {
        let mut threads = self.threads();
        if threads.is_stopping {
            return false;
        }
        threads.idle.push(number);
        self.stats.crew().record(threads.all.len(), threads.idle.len());
        true
    }

    /// Passes a job to the thread that became idle last; returns the job if there is none.
    fn assign_to_idle(&self, job: J) -> Result<(), J> {
        let mut threads = self.threads();
        let Some(number) = threads.idle.pop() else { return Err(job) };
        self.stats.crew().record(threads.all.len(), threads.idle.len());
        self.send(&threads, number, job);
        Ok(())
    }

    /// Sends a job to a thread that has none.
    fn send(&self, threads: &Threads<J>, number: usize, job: J) {
        // It has room, and the thread receives it before it may end.
        if let Some(jobs) = threads.all.get(&number) {
            let _ = jobs.try_send(job);
        }
    }
}

/// Place of a thread among all, which is free once this is dropped.
struct Place<J, R> {
    shared: Arc<Shared<J, R>>,
    /// `None` once the thread has left.
    number: Option<usize>,
}

impl<J, R> Place<J, R> {
    /// Does jobs until the thread has been idle for long enough or the crew is dropped.
    fn run(&mut self, jobs: &Receiver<J>) {
        loop {
            let job = match jobs.recv_timeout(self.shared.idle_time) {
                Ok(job) => job,
                Err(RecvTimeoutError::Timeout) if self.may_end() => return,
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let result = (self.shared.work)(job);
            // Idle before the delivery, so that the job that may follow needs no other thread.
            let continues = self.number.is_some_and(|number| self.shared.rest(number));
            (self.shared.deliver)(result);
            if !continues {
                return;
            }
        }
    }

    /// Removes the thread if it is not needed. Returns false if it stays, or was assigned a job just now.
    fn may_end(&mut self) -> bool {
        let mut threads = self.shared.threads();
        let Some(number) = self.number else { return true };
        if threads.all.len() <= CORE_POLLERS || !threads.idle.contains(&number) {
            return false;
        }
        self.shared.leave(&mut threads, number);
        self.number = None;
        true
    }
}

impl<J, R> Drop for Place<J, R> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.shared.leave(&mut self.shared.threads(), number);
        }
    }
}

impl<J, R> Drop for Crew<J, R> {
    fn drop(&mut self) {
        let mut threads = self.shared.threads();
        threads.is_stopping = true;
        // Disconnects the channels of idle threads.
        threads.all.clear();
        threads.idle.clear();
        self.shared.stats.crew().record(0, 0);
    }
}

impl<J, R> fmt::Debug for Crew<J, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Crew").field("stats", &self.shared.stats).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
