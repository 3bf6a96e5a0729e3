//! The threads of all sources, their replacement, and their end.

use std::cell::OnceCell;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use ureq::tls::TlsConfig;

use super::fetch::Fetcher;
use super::kind;
use super::on_demand::{Asked, OnDemand};
use super::poller::Poller;
use super::rate_limit::{Pace, Paces};
use super::schedule::Schedule;
use super::stats::PollStats;
use crate::board::Reporter;
use crate::config;
use crate::outbound::{ThreadedResolver, tls};
use crate::threads::OwnedThread;

/// How long a stop waits for polls in flight. A poll may last for its source's
/// `timeout`, and nobody needs its answer any more: a thread that is still in one
/// then is left to end by itself, or with the process.
const STOP_WAIT: Duration = Duration::from_secs(1);

/// One thread a source, `pw-poll-NAME`. Dropping this ends them: those that wait at
/// once, those in a poll within a second or else on their own.
pub struct Pollers {
    running: Vec<Running>,
    roster: Roster,
    paces: Paces,
    reporter: Reporter,
    user_agent: String,
    /// The system's authorities, once a source needs them: reading them takes time and room.
    system: OnceCell<TlsConfig>,
    resolver: Box<dyn Fn(&str) -> ThreadedResolver + Send>,
}

/// Names of the threads of one source: its poller, and its resolver, which is made at the first
/// name that it looks up.
pub fn thread_names(source: &config::Source) -> [String; 2] {
    [format!("pw-poll-{}", source.name), ThreadedResolver::thread_name(&source.name)]
}

/// A source's thread.
struct Running {
    source: config::Source,
    entry: Entry,
    thread: OwnedThread,
}

/// What others see of a poller, and where they ask it for a poll.
#[derive(Debug, Clone)]
struct Entry {
    stats: Arc<PollStats>,
    on_demand: Arc<OnDemand>,
}

/// The pollers as seen from outside, at any time those of the latest configuration. Cheap to
/// clone; never waits; outlives the pollers, though nobody polls then.
#[derive(Debug, Clone, Default)]
pub struct Roster(Arc<ArcSwap<Vec<Entry>>>);

impl Roster {
    /// The counters of each source, in the order of the configuration.
    pub fn stats(&self) -> Vec<Arc<PollStats>> {
        self.0.load().iter().map(|entry| entry.stats.clone()).collect()
    }

    /// Asks for a poll of that source now; `None` when there is no such source.
    pub fn ask(&self, source: &str) -> Option<Asked> {
        let entries = self.0.load();
        let entry = entries.iter().find(|entry| entry.stats.source() == source)?;
        Some(entry.on_demand.ask(Instant::now()))
    }

    /// Ends the pause after the latest poll of each source.
    #[cfg(test)]
    pub(super) fn let_ask_again(&self) {
        for entry in &**self.0.load() {
            entry.on_demand.forget_pause();
        }
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
        let resolver = Box::new(ThreadedResolver::system);
        Pollers::start_with(sources, reporter, user_agent, OnceCell::new(), resolver)
    }

    /// As [`Pollers::start`], with what else may resolve and authenticate upstreams.
    pub(super) fn start_with(
        sources: &[config::Source],
        reporter: &Reporter,
        user_agent: &str,
        system: OnceCell<TlsConfig>,
        resolver: Box<dyn Fn(&str) -> ThreadedResolver + Send>,
    ) -> io::Result<Pollers> {
        let mut pollers = Pollers {
            running: Vec::new(),
            roster: Roster::default(),
            paces: Paces::default(),
            reporter: reporter.clone(),
            user_agent: user_agent.to_owned(),
            system,
            resolver,
        };
        pollers.renew(sources, user_agent)?;
        Ok(pollers)
    }

    /// Goes on with these sources: pollers of those that are the same as before are left alone,
    /// the others are ended, and what is new or changed is polled at once.
    ///
    /// # Errors
    /// When a thread cannot be made; sources without one are not polled.
    pub fn renew(&mut self, sources: &[config::Source], user_agent: &str) -> io::Result<()> {
        let same_agent = self.user_agent == user_agent;
        user_agent.clone_into(&mut self.user_agent);
        let (kept, gone): (Vec<Running>, Vec<Running>) = std::mem::take(&mut self.running)
            .into_iter()
            .partition(|running| same_agent && sources.contains(&running.source));
        end(gone);
        let mut kept: Vec<Option<Running>> = kept.into_iter().map(Some).collect();
        let now = Instant::now();
        let paces = self.paces.of(sources);
        let mut outcome = Ok(());
        for ((position, source), pace) in (0..).zip(sources).zip(paces) {
            let same = |it: &&mut Option<Running>| {
                it.as_ref().is_some_and(|running| running.source == *source)
            };
            match kept.iter_mut().find(same).and_then(Option::take) {
                Some(running) => self.running.push(running),
                None => match self.run(source, Schedule::new(source.interval, position, now), pace)
                {
                    Ok(running) => self.running.push(running),
                    Err(error) => outcome = Err(error),
                },
            }
        }
        let entries = self.running.iter().map(|running| running.entry.clone()).collect();
        self.roster.0.store(Arc::new(entries));
        outcome
    }

    /// Starts the thread of one source.
    fn run(
        &self,
        source: &config::Source,
        schedule: Schedule,
        pace: Option<Arc<Pace>>,
    ) -> io::Result<Running> {
        let entry = Entry {
            stats: Arc::new(PollStats::new(source.name.clone(), source.timeout)),
            on_demand: Arc::new(OnDemand::new(source.interval)),
        };
        let make_fetcher = {
            let (timeout, user_agent) = (source.timeout, self.user_agent.clone());
            let tls = match &source.ca_certs {
                Some(own) => tls::trusting(own.iter().map(AsRef::as_ref)),
                None if source.kind.url().is_https() => {
                    self.system.get_or_init(tls::system).clone()
                }
                // A redirect from http to https is not followed either.
                None => tls::trusting(std::iter::empty()),
            };
            let resolver = (self.resolver)(&source.name);
            move || Fetcher::new(timeout, &user_agent, tls.clone(), resolver.clone())
        };
        let poller = Poller {
            source: source.clone(),
            request: kind::request(&source.kind, &source.units),
            make_fetcher: Box::new(make_fetcher),
            schedule,
            pace,
            on_demand: entry.on_demand.clone(),
            reporter: self.reporter.clone(),
            stats: entry.stats.clone(),
        };
        let [poller_thread, _] = thread_names(source);
        let thread = OwnedThread::spawn(poller_thread, move |stop| poller.run(&stop))?;
        Ok(Running { source: source.clone(), entry, thread })
    }

    /// Returns true if a source has no poller because no thread could be made for it.
    pub fn is_incomplete(&self, sources: &[config::Source]) -> bool {
        self.running.len() < sources.len()
    }

    /// The pollers as seen from outside.
    pub fn roster(&self) -> Roster {
        self.roster.clone()
    }

    /// Tells all pollers to end, without waiting for any.
    pub fn begin_stop(&mut self) {
        self.running.iter_mut().for_each(|running| running.thread.stop());
    }
}

/// Ends pollers: waits a moment for those in a poll, and leaves them to themselves then.
fn end(mut pollers: Vec<Running>) {
    pollers.iter_mut().for_each(|running| running.thread.stop());
    let deadline = Instant::now() + STOP_WAIT;
    for Running { source, thread, .. } in pollers {
        if thread.join_deadline(deadline).is_err() {
            log::info!("{}: left in a poll that is still in flight", source.name);
        }
    }
}

impl Drop for Pollers {
    fn drop(&mut self) {
        end(std::mem::take(&mut self.running));
    }
}

impl fmt::Debug for Pollers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pollers").field("roster", &self.roster).finish_non_exhaustive()
    }
}
