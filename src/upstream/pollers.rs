//! Starts and stops the scheduler and the poller threads, and passes them the sources of each configuration.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{RecvTimeoutError, unbounded};
use jiff::Timestamp;

use super::crew::{self, CORE_POLLERS, Crew, Ended, Spawn};
use super::fetch::Request;
use super::gate::Gate;
use super::handles::{PollerHandle, PollerHandles};
use super::kind;
use super::max_polls::MaxPolls;
use super::on_demand::OnDemand;
use super::poller::{Memory, Poller, Retirement, Route};
use super::queue::{self, Key};
use super::rate_limit::RateLimiters;
use super::schedule::{Origin, Schedule};
use super::scheduler::{Added, Change, Done, Message, Scheduler};
use super::slots;
use super::stats::{PollStats, SchedulerStats};
use crate::board::Reporter;
use crate::config;
use crate::outbound::ThreadedResolver;
use crate::outbound::tls::{self, Authorities, CaFiles, ClientTls};
use crate::threads::{self, OwnedThread};

/// Longest wait for polls in flight when pollers are stopped. A poll may last for its source's `timeout`, and
/// nothing needs its result any more. A thread that is still polling afterwards ends after the poll, or with the
/// process.
const STOP_WAIT: Duration = Duration::from_secs(1);

/// The scheduler and the poller threads. Dropping the value stops and joins those that wait, and gives those in a
/// poll up to a second.
pub struct Pollers {
    running: Vec<Running>,
    next_key: Key,
    handles: PollerHandles,
    limiters: RateLimiters,
    origin: Origin,
    reporter: Reporter,
    user_agent: Arc<str>,
    /// Certificate authorities of the system; none before a source needs them.
    authorities: Authorities,
    parts: Parts,
    ca_files: CaFiles,
    is_stopping: Arc<AtomicBool>,
    /// True if sources are polled only while they are held.
    is_gated: bool,
    scheduler: OwnedThread,
    /// Disconnected once no poller thread is left.
    ended: Ended,
}

/// Parts that all polls share, which tests replace.
pub(super) struct Parts {
    /// TLS settings that trust the system's authorities.
    pub(super) system_tls: ClientTls,
    /// TLS settings that trust no certificate: redirects from http to https are not followed.
    pub(super) no_tls: ClientTls,
    pub(super) resolver: ThreadedResolver,
    pub(super) request: fn(&config::Source) -> Request,
}

/// A configuration, as far as it concerns polls.
#[derive(Debug, Clone, Copy)]
pub struct Fleet<'a> {
    /// The sources, in the order of the configuration.
    pub sources: &'a [Arc<config::Source>],
    /// `User-Agent` of requests.
    pub user_agent: &'a str,
    /// Most polls that may be in flight at one time.
    pub max_polls: MaxPolls,
}

/// Names of the sources whose kept reading stays fresh for a while, with the end of that time.
pub type KeptReadings = HashMap<Arc<str>, Timestamp>;

/// A source that is being polled.
struct Running {
    source: Arc<config::Source>,
    slot: Duration,
    handle: PollerHandle,
    retirement: Arc<Retirement>,
}

/// Returns the names of the threads that polls need. Further ones are created while polls are in flight, if the
/// system allows them.
pub fn thread_names() -> impl Iterator<Item = String> {
    let pollers = (1..=CORE_POLLERS).map(crew::thread_name);
    // A lookup takes a thread, too.
    let lookups = ThreadedResolver::thread_names(CORE_POLLERS);
    [threads::SCHEDULER.to_owned()].into_iter().chain(pollers).chain(lookups)
}

impl Pollers {
    /// Starts to poll the sources. Those without a kept reading are polled at once, paced. `authorities` are those
    /// of the system. With a gate, no source is polled before it is held.
    ///
    /// # Errors
    /// A thread cannot be created.
    pub(crate) fn start(
        fleet: Fleet<'_>,
        kept: &KeptReadings,
        reporter: &Reporter,
        authorities: Authorities,
        gate: Option<Gate>,
    ) -> io::Result<Pollers> {
        let parts = Parts {
            system_tls: tls::trusting_system(&authorities),
            no_tls: tls::trusting(&[]),
            resolver: ThreadedResolver::system(),
            request: kind::request,
        };
        let spawn = crew::system_threads();
        let mut pollers = Pollers::start_with(fleet, kept, reporter, parts, spawn, gate)?;
        pollers.authorities = authorities;
        Ok(pollers)
    }

    /// Starts as [`Pollers::start`] does, with the given parts and threads.
    pub(super) fn start_with(
        fleet: Fleet<'_>,
        kept: &KeptReadings,
        reporter: &Reporter,
        parts: Parts,
        spawn: Spawn,
        gate: Option<Gate>,
    ) -> io::Result<Pollers> {
        let stats = Arc::new(SchedulerStats::default());
        let (sender, messages) = unbounded();
        let ends = sender.clone();
        // The send fails only after the end of the scheduler.
        let deliver = move |done| drop(ends.send(Message::Done(done)));
        let (crew, ended) = Crew::start(spawn, poll, deliver, Arc::clone(&stats))?;
        let repoll_is_pending = Arc::new(AtomicBool::new(false));
        let handles =
            PollerHandles::new(sender, Arc::clone(&stats), Arc::clone(&repoll_is_pending));
        let is_gated = gate.is_some();
        let scheduler =
            Scheduler::new(crew, messages, repoll_is_pending, reporter.clone(), stats, gate);
        let scheduler = OwnedThread::spawn(threads::SCHEDULER, move |stop| scheduler.run(&stop))?;
        let mut pollers = Pollers {
            running: Vec::new(),
            next_key: 0,
            handles,
            limiters: RateLimiters::default(),
            origin: Origin::new(reporter.now().wall, Instant::now()),
            reporter: reporter.clone(),
            user_agent: fleet.user_agent.into(),
            authorities: Authorities::default(),
            parts,
            ca_files: CaFiles::default(),
            is_stopping: Arc::default(),
            is_gated,
            scheduler,
            ended,
        };
        pollers.apply(fleet, kept);
        Ok(pollers)
    }

    /// Applies a new configuration, after the board. Unchanged sources keep their schedule and all else, and their polls are not
    /// interrupted. Removed ones report nothing any more; new and changed ones are polled at once, paced.
    pub fn renew(&mut self, fleet: Fleet<'_>) {
        self.apply(fleet, &KeptReadings::new());
    }

    /// Ends the reports of the sources that a new configuration removes or changes. Called before the board has it:
    /// a response of the earlier configuration must not become a reading of the new one.
    pub fn retire_changed(&self, fleet: Fleet<'_>) {
        let by_name: HashMap<&str, &Arc<config::Source>> =
            fleet.sources.iter().map(|source| (&*source.name, source)).collect();
        let same_agent = *self.user_agent == *fleet.user_agent;
        let is_unchanged = |running: &&Running| {
            let source = by_name.get(&*running.source.name);
            same_agent && source.is_some_and(|source| running.has_settings_of(source))
        };
        let changed = self.running.iter().filter(|running| !is_unchanged(running));
        changed.for_each(|running| running.retirement.retire());
    }

    fn apply(&mut self, fleet: Fleet<'_>, kept: &KeptReadings) {
        let Fleet { sources, user_agent, max_polls } = fleet;
        let same_agent = *self.user_agent == *user_agent;
        if !same_agent {
            self.user_agent = user_agent.into();
        }
        let mut earlier: HashMap<Arc<str>, Running> = std::mem::take(&mut self.running)
            .into_iter()
            .map(|running| (running.handle.name.clone(), running))
            .collect();
        let is_unchanged = |running: &Running, source: &Arc<config::Source>| {
            same_agent && running.has_settings_of(source)
        };
        let kept_slot = |source: &Arc<config::Source>| {
            let running = earlier.get(&source.name)?;
            is_unchanged(running, source).then_some(running.slot)
        };
        let slots = slots_of(sources, kept_slot);
        let limiters = self.limiters.of(sources);
        let (now, mut hosts) = (Instant::now(), HashSet::new());
        let (mut removed, mut added) = (Vec::new(), Vec::new());
        for ((source, slot), limiter) in sources.iter().zip(slots).zip(limiters) {
            let earlier = earlier.remove(&source.name);
            match earlier {
                Some(running) if is_unchanged(&running, source) => self.running.push(running),
                earlier => {
                    removed.extend(earlier);
                    let (running, poller, point) = self.add(source, slot, now);
                    let wait = point.duration_since(now);
                    let source = queue::Source {
                        task: Box::new(poller),
                        name: Arc::clone(&running.handle.name),
                        interval: source.interval,
                        slot: point,
                        is_early: !self.stays_fresh(kept.get(&source.name), wait),
                        host: host_of(source, &mut hosts),
                        limiter,
                        is_parked: false,
                    };
                    added.push(Added { key: running.handle.key, source });
                    self.running.push(running);
                }
            }
        }
        self.ca_files.forget_unused();
        removed.extend(earlier.into_values());
        let removed = removed.into_iter().map(|removed: Running| {
            removed.retirement.retire();
            removed.handle.key
        });
        let removed = removed.collect();
        self.handles.store(self.running.iter().map(|running| running.handle.clone()).collect());
        self.handles.send(Message::Change(Change { removed, added, max_polls }));
    }

    /// Creates the state of a source. Also returns the next point of its grid.
    fn add(
        &mut self,
        source: &Arc<config::Source>,
        slot: Duration,
        now: Instant,
    ) -> (Running, Poller, Instant) {
        let name = &source.name;
        self.next_key += 1;
        let handle = PollerHandle {
            key: self.next_key,
            name: name.clone(),
            stats: Arc::new(PollStats::new(
                name.clone(),
                source.timeout,
                Arc::clone(self.handles.scheduler()),
            )),
            on_demand: Arc::new(OnDemand::new(source.interval)),
        };
        handle.stats.set_held(!self.is_gated);
        let tls = match &source.ca_certs {
            Some(ca_certs) => self.ca_files.trusting(ca_certs),
            None if source.trusts_system() => self.parts.system_tls.clone(),
            None => self.parts.no_tls.clone(),
        };
        let retirement = Arc::new(Retirement::new(Arc::clone(&self.is_stopping)));
        let point = self.origin.point_after(slot, source.interval, now);
        let poller = Poller {
            source: Arc::clone(source),
            route: Route {
                user_agent: Arc::clone(&self.user_agent),
                tls,
                resolver: self.parts.resolver.clone(),
                request: self.parts.request,
            },
            reporter: self.reporter.clone(),
            on_demand: Arc::clone(&handle.on_demand),
            stats: Arc::clone(&handle.stats),
            retirement: Arc::clone(&retirement),
            memory: Memory::new(source, Schedule::new(source.interval, point)),
        };
        (Running { source: Arc::clone(source), slot, handle, retirement }, poller, point)
    }

    /// Returns true if a kept reading is still fresh after `wait`, so that the source need not be polled before its
    /// slot.
    fn stays_fresh(&self, fresh_until: Option<&Timestamp>, wait: Duration) -> bool {
        let at_slot = self.reporter.now().wall.saturating_add(wait).unwrap_or(Timestamp::MAX);
        fresh_until.is_some_and(|until| *until > at_slot)
    }

    /// Returns the TLS settings that trust the system's authorities, also those of a later reload.
    pub(crate) fn system_tls(&self) -> ClientTls {
        self.parts.system_tls.clone()
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
        self.parts.system_tls.trust(&authorities);
        self.authorities = authorities;
        self.handles.repoll_all();
        true
    }

    /// Returns handles to the sources.
    pub fn handles(&self) -> PollerHandles {
        self.handles.clone()
    }

    /// Signals all threads to stop, without waiting for them. Polls in flight report nothing any more.
    pub fn begin_stop(&mut self) {
        self.is_stopping.store(true, Ordering::Relaxed);
        self.scheduler.stop();
    }
}

impl Running {
    /// Returns true if a configuration has the same settings of the source.
    fn has_settings_of(&self, source: &Arc<config::Source>) -> bool {
        Arc::ptr_eq(&self.source, source) || self.source == *source
    }
}

/// Polls a source on a poller thread. A panic of the code around the decoder costs no more than this poll, either.
fn poll((key, mut poller): (Key, Box<Poller>)) -> Done {
    let polled = catch_unwind(AssertUnwindSafe(|| poller.run()));
    let next = polled.unwrap_or_else(|_| poller.abandon());
    Done { key, poller, next }
}

/// Returns the slots of all sources. `kept` returns that of a source which keeps it.
fn slots_of(
    sources: &[Arc<config::Source>],
    kept: impl Fn(&Arc<config::Source>) -> Option<Duration>,
) -> Vec<Duration> {
    let mut by_interval: HashMap<Duration, Vec<usize>> = HashMap::new();
    for (position, source) in sources.iter().enumerate() {
        by_interval.entry(source.interval).or_default().push(position);
    }
    let mut slots = vec![Duration::ZERO; sources.len()];
    for (interval, positions) in by_interval {
        let members = positions.iter().map(|position| &sources[*position]);
        let members: Vec<(&str, Option<Duration>)> =
            members.map(|source| (&*source.name, kept(source))).collect();
        for (position, slot) in positions.iter().zip(slots::assign(interval, &members)) {
            slots[*position] = slot;
        }
    }
    slots
}

/// Returns the host that a source is paced with. Sources of one host share the text.
fn host_of(source: &config::Source, hosts: &mut HashSet<Arc<str>>) -> Arc<str> {
    let host = source.kind.url().authority();
    match hosts.get(host.as_str()) {
        Some(known) => Arc::clone(known),
        None => {
            let host: Arc<str> = host.into();
            hosts.insert(Arc::clone(&host));
            host
        }
    }
}

impl Drop for Pollers {
    fn drop(&mut self) {
        self.begin_stop();
        let deadline = Instant::now() + STOP_WAIT;
        // The scheduler, which never blocks, ends its crew.
        if self.ended.recv_deadline(deadline) == Err(RecvTimeoutError::Timeout) {
            log::info!("stopped without waiting for polls in flight");
        }
    }
}

impl fmt::Debug for Pollers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pollers").field("handles", &self.handles).finish_non_exhaustive()
    }
}
