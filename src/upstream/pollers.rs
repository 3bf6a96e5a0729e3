//! The threads of all sources, and their end.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use ureq::tls::TlsConfig;

use super::fetch::Fetcher;
use super::kind;
use super::on_demand::{Asked, OnDemand};
use super::poller::Poller;
use super::rate_limit;
use super::resolve::SourceResolver;
use super::schedule::Schedule;
use super::stats::PollStats;
use super::tls;
use crate::board::Reporter;
use crate::config;

/// How long a stop waits for polls in flight. A poll may last for its source's
/// `timeout`, and nobody needs its answer any more: a thread that is still in one
/// then is left to end by itself, or with the process.
const STOP_WAIT: Duration = Duration::from_secs(1);

/// One thread a source, `pw-poll-NAME`. Dropping this ends them: those that wait at
/// once, those in a poll within a second or else on their own.
#[derive(Debug)]
pub struct Pollers {
    /// Dropped to end the threads.
    stop: Option<Sender<Infallible>>,
    /// Disconnected when the last thread has ended.
    ended: Receiver<Infallible>,
    threads: Vec<JoinHandle<()>>,
    stats: Vec<Arc<PollStats>>,
    on_demand: Vec<(Arc<str>, Arc<OnDemand>)>,
}

/// Asks for polls by the sources' names. Cheap to clone; outlives the pollers, though nobody
/// polls then.
#[derive(Debug, Clone)]
pub struct PollRequests(Arc<[(Arc<str>, Arc<OnDemand>)]>);

impl PollRequests {
    /// Asks for a poll of that source now; `None` when there is no such source. Never waits.
    pub fn ask(&self, source: &str) -> Option<Asked> {
        let (_, desk) = self.0.iter().find(|(name, _)| **name == *source)?;
        Some(desk.ask(Instant::now()))
    }
}

impl Pollers {
    /// Starts to poll the sources, the first ones at once.
    ///
    /// # Errors
    /// When a thread cannot be made; those made before are ended.
    pub fn start(
        sources: &[config::Source],
        reporter: &Reporter,
        user_agent: &str,
    ) -> io::Result<Pollers> {
        Pollers::start_with(sources, reporter, user_agent, &tls::system(), &SourceResolver::system)
    }

    /// As [`Pollers::start`], with what else may resolve and authenticate upstreams.
    pub(super) fn start_with(
        sources: &[config::Source],
        reporter: &Reporter,
        user_agent: &str,
        tls: &TlsConfig,
        resolver: &dyn Fn(&str) -> SourceResolver,
    ) -> io::Result<Pollers> {
        let (stop, stopped) = bounded(0);
        let (running, ended) = bounded::<Infallible>(0);
        let mut pollers = Pollers {
            stop: Some(stop),
            ended,
            threads: Vec::new(),
            stats: Vec::new(),
            on_demand: Vec::new(),
        };
        let now = Instant::now();
        let paces = rate_limit::paces(sources);
        for ((position, source), pace) in (0..).zip(sources).zip(paces) {
            let stats = Arc::new(PollStats::new(source.name.clone(), source.timeout));
            let make_fetcher = {
                let (timeout, user_agent) = (source.timeout, user_agent.to_owned());
                let tls = match &source.authorities {
                    Some(own) => tls::trusting(own.iter().map(AsRef::as_ref)),
                    None => tls.clone(),
                };
                let resolver = resolver(&source.name);
                move || Fetcher::new(timeout, &user_agent, tls.clone(), resolver.clone())
            };
            let on_demand = Arc::new(OnDemand::new(source.interval));
            pollers.on_demand.push((source.name.clone(), on_demand.clone()));
            let poller = Poller {
                source: source.clone(),
                request: kind::request(&source.kind, &source.units),
                make_fetcher: Box::new(make_fetcher),
                schedule: Schedule::new(source.interval, position, now),
                pace,
                on_demand,
                reporter: reporter.clone(),
                stats: stats.clone(),
                stop: stopped.clone(),
            };
            let running = running.clone();
            let thread = thread::Builder::new().name(format!("pw-poll-{}", source.name));
            pollers.threads.push(thread.spawn(move || {
                // Dropped at the end of the thread, however it ends.
                let _running = running;
                poller.run();
            })?);
            pollers.stats.push(stats);
        }
        Ok(pollers)
    }

    /// Ends the pause after the latest poll of each source.
    #[cfg(test)]
    pub(super) fn let_ask_again(&self) {
        for (_, desk) in &self.on_demand {
            desk.forget_pause();
        }
    }

    /// Where polls are asked for.
    pub fn requests(&self) -> PollRequests {
        PollRequests(self.on_demand.clone().into())
    }

    /// The counters of each source in the order of the configuration. They outlive
    /// the pollers.
    pub fn stats(&self) -> &[Arc<PollStats>] {
        &self.stats
    }
}

impl Drop for Pollers {
    fn drop(&mut self) {
        self.stop = None;
        // Nothing is ever sent: this waits for the last thread's end or for the bound.
        let all_ended = self.ended.recv_timeout(STOP_WAIT) == Err(RecvTimeoutError::Disconnected);
        for (thread, stats) in self.threads.drain(..).zip(&self.stats) {
            let name = stats.source();
            if !all_ended && !thread.is_finished() {
                log::info!("{name}: left in a poll that is still in flight");
            } else if thread.join().is_err() {
                log::error!("{name}: the poller had panicked");
            }
        }
    }
}
