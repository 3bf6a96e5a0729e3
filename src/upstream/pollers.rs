//! Starts, replaces and stops the poller threads of all sources.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;

use super::fetch::Fetcher;
use super::kind;
use super::on_demand::{OnDemand, PollRequest};
use super::poller::Poller;
use super::rate_limit::{RateLimiter, RateLimiters};
use super::schedule::{Schedule, offset};
use super::stats::PollStats;
use crate::board::Reporter;
use crate::config;
use crate::outbound::ThreadedResolver;
use crate::outbound::tls::{self, Authorities, ClientTls};
use crate::threads::OwnedThread;

/// Longest wait for polls in flight when pollers are stopped. A poll may last for its source's `timeout`, and
/// nothing needs its result any more. A thread that is still polling afterwards is detached: it ends after
/// the poll, or with the process.
const STOP_WAIT: Duration = Duration::from_secs(1);

/// The poller threads `pw-poll-NAME`, one for each source. Dropping the value stops and joins those that wait,
/// and gives those in a poll up to a second before it detaches them.
pub struct Pollers {
    running: Vec<Running>,
    handles: PollerHandles,
    limiters: RateLimiters,
    reporter: Reporter,
    user_agent: String,
    /// Certificate authorities of the system; none before a source needs them.
    authorities: Authorities,
    /// TLS settings with these, which the pollers share.
    system_tls: ClientTls,
    resolver: Box<dyn Fn(&str) -> ThreadedResolver + Send>,
}

/// Returns the names of the threads of one source: its poller, and its resolver, which is created at the
/// first lookup.
pub fn thread_names(source: &config::Source) -> [String; 2] {
    [format!("pw-poll-{}", source.name), ThreadedResolver::thread_name(&source.name)]
}

/// A running poller.
struct Running {
    source: config::Source,
    handle: PollerHandle,
    thread: OwnedThread,
}

/// Handle to a poller: its statistics, and requests for polls.
#[derive(Debug, Clone)]
struct PollerHandle {
    interval: Duration,
    stats: Arc<PollStats>,
    on_demand: Arc<OnDemand>,
}

/// Handles to all pollers of the latest configuration. They are cheap to clone, never block, and stay valid
/// after the pollers have stopped.
#[derive(Debug, Clone, Default)]
pub struct PollerHandles(Arc<ArcSwap<Vec<PollerHandle>>>);

impl PollerHandles {
    /// Returns the statistics of each source, in the order of the configuration.
    pub fn stats(&self) -> Vec<Arc<PollStats>> {
        self.0.load().iter().map(|handle| handle.stats.clone()).collect()
    }

    /// Requests a poll of a source; returns `None` if no source has that name.
    pub fn request_poll(&self, source: &str) -> Option<PollRequest> {
        let handles = self.0.load();
        let handle = handles.iter().find(|handle| handle.stats.source() == source)?;
        Some(handle.on_demand.request(Instant::now()))
    }

    /// Requests a poll of each source, a fraction of a second apart. For a clock that was set, which may have
    /// failed the latest polls.
    pub fn repoll_all(&self) {
        let now = Instant::now();
        for (position, handle) in (0..).zip(&**self.0.load()) {
            handle.on_demand.repoll(now + offset(position, handle.interval));
        }
    }

    /// Ends the pause after the last poll of each source.
    #[cfg(test)]
    pub(super) fn allow_poll_requests(&self) {
        for handle in &**self.0.load() {
            handle.on_demand.end_pause();
        }
    }
}

impl Pollers {
    /// Starts one poller for each source. The first polls are a fraction of a second apart. `authorities` are those
    /// of the system.
    ///
    /// # Errors
    /// A thread cannot be created. The threads created before are stopped.
    pub(crate) fn start(
        sources: &[config::Source],
        reporter: &Reporter,
        user_agent: &str,
        authorities: Authorities,
    ) -> io::Result<Pollers> {
        let resolver = Box::new(ThreadedResolver::system);
        let tls = tls::trusting_system(&authorities);
        let mut pollers = Pollers::start_with(sources, reporter, user_agent, tls, resolver)?;
        pollers.authorities = authorities;
        Ok(pollers)
    }

    /// Starts the pollers as [`Pollers::start`] does, with the given TLS settings and resolvers.
    pub(super) fn start_with(
        sources: &[config::Source],
        reporter: &Reporter,
        user_agent: &str,
        system_tls: ClientTls,
        resolver: Box<dyn Fn(&str) -> ThreadedResolver + Send>,
    ) -> io::Result<Pollers> {
        let mut pollers = Pollers {
            running: Vec::new(),
            handles: PollerHandles::default(),
            limiters: RateLimiters::default(),
            reporter: reporter.clone(),
            user_agent: user_agent.to_owned(),
            authorities: Authorities::default(),
            system_tls,
            resolver,
        };
        pollers.renew(sources, user_agent)?;
        Ok(pollers)
    }

    /// Replaces the sources. The pollers of unchanged sources continue, those of removed or changed sources
    /// are stopped, and new and changed sources are polled at once.
    ///
    /// # Errors
    /// A thread cannot be created. Its source is not polled; the other sources are.
    pub fn renew(&mut self, sources: &[config::Source], user_agent: &str) -> io::Result<()> {
        let same_agent = self.user_agent == user_agent;
        user_agent.clone_into(&mut self.user_agent);
        let (unchanged, obsolete): (Vec<Running>, Vec<Running>) = std::mem::take(&mut self.running)
            .into_iter()
            .partition(|running| same_agent && sources.contains(&running.source));
        stop(obsolete);
        let mut unchanged: Vec<Option<Running>> = unchanged.into_iter().map(Some).collect();
        let now = Instant::now();
        let limiters = self.limiters.of(sources);
        let mut outcome = Ok(());
        for ((position, source), limiter) in (0..).zip(sources).zip(limiters) {
            let is_of_source = |running: &&mut Option<Running>| {
                running.as_ref().is_some_and(|running| running.source == *source)
            };
            match unchanged.iter_mut().find(is_of_source).and_then(Option::take) {
                Some(running) => self.running.push(running),
                None => {
                    match self.run(source, Schedule::new(source.interval, position, now), limiter) {
                        Ok(running) => self.running.push(running),
                        Err(error) => outcome = Err(error),
                    }
                }
            }
        }
        let handles = self.running.iter().map(|running| running.handle.clone()).collect();
        self.handles.0.store(Arc::new(handles));
        outcome
    }

    /// Starts the poller of one source.
    fn run(
        &self,
        source: &config::Source,
        schedule: Schedule,
        limiter: Option<Arc<RateLimiter>>,
    ) -> io::Result<Running> {
        let handle = PollerHandle {
            interval: source.interval,
            stats: Arc::new(PollStats::new(source.name.clone(), source.timeout)),
            on_demand: Arc::new(OnDemand::new(source.interval)),
        };
        let make_fetcher = {
            let (timeout, user_agent) = (source.timeout, self.user_agent.clone());
            let tls = match &source.ca_certs {
                Some(ca_certs) => tls::trusting_ca_file(ca_certs),
                None if source.trusts_system() => self.system_tls.clone(),
                // Redirects from http to https are not followed, so no certificate is needed.
                None => tls::trusting(&[]),
            };
            let (proxy, resolver) = (kind::proxy(source), (self.resolver)(&source.name));
            move || Fetcher::new(timeout, &user_agent, tls.clone(), proxy.clone(), resolver.clone())
        };
        let poller = Poller {
            source: source.clone(),
            request: kind::request(source),
            make_fetcher: Box::new(make_fetcher),
            schedule,
            limiter,
            on_demand: handle.on_demand.clone(),
            reporter: self.reporter.clone(),
            stats: handle.stats.clone(),
        };
        let [poller_thread, _] = thread_names(source);
        let thread = OwnedThread::spawn(poller_thread, move |stop| poller.run(&stop))?;
        Ok(Running { source: source.clone(), handle, thread })
    }

    /// Trusts these authorities of the system from the next connection on, and polls each source again, which may
    /// have failed for the lack of one. No poll is interrupted. Returns false if nothing changes.
    ///
    /// If there are none any more, the earlier ones stay: a package that is being updated removes them for a
    /// moment.
    pub(crate) fn trust(&mut self, authorities: Authorities) -> bool {
        if authorities == self.authorities {
            return false;
        }
        if authorities.is_empty() {
            log::error!("the earlier certificate authorities stay trusted until HUP finds others");
            return false;
        }
        self.system_tls.trust(&authorities);
        self.authorities = authorities;
        self.handles.repoll_all();
        true
    }

    /// Returns true if a source has no poller because its thread could not be created.
    pub fn is_incomplete(&self, sources: &[config::Source]) -> bool {
        self.running.len() < sources.len()
    }

    /// Returns handles to the pollers.
    pub fn handles(&self) -> PollerHandles {
        self.handles.clone()
    }

    /// Signals all pollers to stop, without waiting for them.
    pub fn begin_stop(&mut self) {
        self.running.iter_mut().for_each(|running| running.thread.stop());
    }
}

/// Stops pollers, and detaches those that are still in a poll after [`STOP_WAIT`].
fn stop(mut pollers: Vec<Running>) {
    pollers.iter_mut().for_each(|running| running.thread.stop());
    let deadline = Instant::now() + STOP_WAIT;
    for Running { source, thread, .. } in pollers {
        if thread.join_deadline(deadline).is_err() {
            log::info!("{}: stopped without waiting for a poll in flight", source.name);
        }
    }
}

impl Drop for Pollers {
    fn drop(&mut self) {
        stop(std::mem::take(&mut self.running));
    }
}

impl fmt::Debug for Pollers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pollers").field("handles", &self.handles).finish_non_exhaustive()
    }
}
