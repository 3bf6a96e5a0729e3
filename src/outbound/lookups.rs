//! Lookups of host names: one in flight for each host, on threads that are created when they are needed.
//!
//! `getaddrinfo(3)` has no timeout and cannot be cancelled, so some thread has to block in it. Callers
//! that want a host whose lookup is in flight join that lookup, and each waits until its own deadline. So name
//! servers that hang cost one thread for each host that they are asked for, however many sources have that
//! host and however often these are polled, and delay no other host. Nothing is cached: a lookup is
//! forgotten when it ends, so the lookups are bounded by the hosts of the configuration.
//!
//! A thread without work ends after [`IDLE_TIMEOUT`]. One stays, so that most polls create none.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::resolve::ResolveError;

/// Function that looks up a host name. It may block for ever. Addresses with the port 0 get that of the URL.
pub(crate) type Lookup = Arc<dyn Fn(&str) -> io::Result<Vec<SocketAddr>> + Send + Sync>;

/// Addresses of a host, which all callers of the lookup share.
type Outcome = Result<Arc<[SocketAddr]>, ResolveError>;

/// Thread that waits for a lookup: its number, and where to send the lookup.
type Idle = (usize, Sender<Arc<Flight>>);

/// Time after which a thread without work ends, unless it is the last one.
const IDLE_TIMEOUT: Duration = Duration::from_secs(5);

/// Lookups with their threads. Dropping it ends the threads after the lookups that are under way. They are
/// detached, since nothing can interrupt a lookup that hangs.
pub(super) struct Lookups(Arc<Shared>);

struct Shared {
    lookup: Lookup,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Lookups that have not ended, by host.
    in_flight: HashMap<String, Arc<Flight>>,
    /// Threads that wait for a lookup. The next lookup goes to the last one, so that the others end if that one
    /// is enough.
    idle: Vec<Idle>,
    /// Numbers of all threads, which their names have.
    threads: BTreeSet<usize>,
    has_ended: bool,
}

/// A lookup under way.
struct Flight {
    host: String,
    outcome: Mutex<Option<Outcome>>,
    done: Condvar,
}

impl Lookups {
    /// Returns lookups by `getaddrinfo(3)`.
    pub(super) fn system() -> Lookups {
        // Without a service, the name alone is looked up.
        Lookups::with(Arc::new(|host: &str| Ok((host, 0).to_socket_addrs()?.collect())))
    }

    /// Returns lookups by `lookup`.
    pub(super) fn with(lookup: Lookup) -> Lookups {
        Lookups(Arc::new(Shared { lookup, state: Mutex::default() }))
    }

    /// Returns the name of the thread with that number, from 1.
    pub(super) fn thread_name(number: usize) -> String {
        format!("pw-dns-{number}")
    }

    /// Returns the addresses of the host, or an error at the deadline.
    pub(super) fn addresses(&self, host: &str, deadline: Option<Instant>) -> Outcome {
        self.join(host).wait(deadline)
    }

    /// Joins the lookup of the host that is in flight, or begins one.
    fn join(&self, host: &str) -> Arc<Flight> {
        let mut state = self.0.state();
        if let Some(flight) = state.in_flight.get(host) {
            return flight.clone();
        }
        let flight = Arc::new(Flight {
            host: host.to_owned(),
            outcome: Mutex::new(None),
            done: Condvar::new(),
        });
        state.in_flight.insert(host.to_owned(), flight.clone());
        while let Some((_, idle)) = state.idle.pop() {
            // The channel has place for one lookup.
            if idle.try_send(flight.clone()).is_ok() {
                return flight;
            }
        }
        let number = (1..).find(|number| !state.threads.contains(number)).unwrap_or(usize::MAX);
        state.threads.insert(number);
        drop(state);
        let thread = Thread { number, shared: self.0.clone() };
        let first = flight.clone();
        // The error is the system's own, without the limits that `threads::spawn_detached` reads from
        // `/proc`: these reads have no deadline.
        let spawned = thread::Builder::new()
            .name(Lookups::thread_name(number))
            .spawn(move || thread.run(first));
        if let Err(error) = spawned {
            self.0.end(&flight, Err(ResolveError::NoThread(Arc::new(error))), None);
        }
        flight
    }
}

impl Drop for Lookups {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.has_ended = true;
        state.idle.clear();
    }
}

impl fmt::Debug for Lookups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.state();
        f.debug_struct("Lookups")
            .field("in_flight", &state.in_flight.len())
            .field("threads", &state.threads.len())
            .finish()
    }
}

impl Flight {
    /// Waits for the outcome until the deadline.
    fn wait(&self, deadline: Option<Instant>) -> Outcome {
        let mut outcome = self.outcome.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(outcome) = &*outcome {
                return outcome.clone();
            }
            outcome = match deadline {
                None => self.done.wait(outcome).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) => {
                    let left = deadline.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Err(ResolveError::Unanswered);
                    }
                    let waited = self.done.wait_timeout(outcome, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends a lookup: its callers get the outcome, and the next caller begins another one. `idle` is the thread that
    /// waits for a lookup from now on, so that a caller who comes at once needs no other.
    fn end(&self, flight: &Flight, outcome: Outcome, idle: Option<Idle>) {
        let mut state = self.state();
        state.in_flight.remove(&flight.host);
        if !state.has_ended {
            state.idle.extend(idle);
        }
        drop(state);
        *flight.outcome.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
        flight.done.notify_all();
    }

    /// Waits for a lookup on an idle thread; `None` if the thread must end.
    fn next(&self, number: usize, lookups: &Receiver<Arc<Flight>>) -> Option<Arc<Flight>> {
        loop {
            match lookups.recv_timeout(IDLE_TIMEOUT) {
                Ok(flight) => return Some(flight),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {}
            }
            let mut state = self.state();
            let place = state.idle.iter().position(|(idle, _)| *idle == number);
            // Without a place, it was sent a lookup meanwhile.
            if let Some(place) = place.filter(|_| state.idle.len() > 1) {
                state.idle.remove(place);
                return None;
            }
        }
    }
}

/// A thread for lookups. Its number is free when it is dropped: at its end, or if it could not be created.
struct Thread {
    number: usize,
    shared: Arc<Shared>,
}

impl Thread {
    fn run(self, first: Arc<Flight>) {
        let mut next = Some(first);
        while let Some(flight) = next {
            let (idle, lookups) = bounded(1);
            let mut ending = Ending { shared: &self.shared, flight: &flight, outcome: None };
            let outcome = match (self.shared.lookup)(&flight.host) {
                Ok(addresses) if addresses.is_empty() => Err(ResolveError::NoAddress),
                Ok(addresses) => Ok(addresses.into()),
                Err(error) => Err(ResolveError::Failed(Arc::new(error))),
            };
            ending.outcome = Some((outcome, (self.number, idle)));
            drop(ending);
            next = self.shared.next(self.number, &lookups);
        }
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.shared.state().threads.remove(&self.number);
    }
}

/// Ends a lookup when it is dropped, also by a panic of the lookup.
struct Ending<'a> {
    shared: &'a Shared,
    flight: &'a Flight,
    /// Outcome, and the thread that is idle then, once the lookup has returned.
    outcome: Option<(Outcome, Idle)>,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        match self.outcome.take() {
            Some((outcome, idle)) => self.shared.end(self.flight, outcome, Some(idle)),
            None => self.shared.end(self.flight, Err(ResolveError::Panicked), None),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    const ADDRESS: SocketAddr =
        SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

    fn soon() -> Option<Instant> {
        Some(Instant::now() + Duration::from_millis(100))
    }

    fn later() -> Option<Instant> {
        Some(Instant::now() + Duration::from_secs(20))
    }

    /// Lookups that hang for hosts that begin with `hung` until `release` is dropped.
    struct Fixture {
        lookups: Lookups,
        begun: Arc<AtomicUsize>,
        release: Sender<()>,
    }

    impl Fixture {
        fn new() -> Fixture {
            let begun = Arc::new(AtomicUsize::new(0));
            let (release, hang): (Sender<()>, Receiver<()>) = bounded(0);
            let lookup = {
                let begun = begun.clone();
                move |host: &str| {
                    begun.fetch_add(1, Ordering::SeqCst);
                    if host.starts_with("hung") {
                        let _ = hang.recv();
                    }
                    match host {
                        "bad.test" => panic!("a defect"),
                        "none.test" => Ok(Vec::new()),
                        "other.test" => Err(io::Error::other("no such name")),
                        _ => Ok(vec![ADDRESS]),
                    }
                }
            };
            Fixture { lookups: Lookups::with(Arc::new(lookup)), begun, release }
        }

        fn threads(&self) -> usize {
            self.lookups.0.state().threads.len()
        }

        fn begun(&self) -> usize {
            self.begun.load(Ordering::SeqCst)
        }

        /// Waits until so many lookups have begun.
        fn wait_for(&self, begun: usize) {
            let timeout = later().unwrap();
            while self.begun() < begun {
                assert!(Instant::now() < timeout, "{} of {begun} lookups have begun", self.begun());
                thread::yield_now();
            }
        }
    }

    #[test]
    fn sources_at_one_host_that_hangs_occupy_one_thread_and_recover_together() {
        let fixture = Fixture::new();
        let of_each_source = |deadline: fn() -> Option<Instant>| -> Vec<Outcome> {
            thread::scope(|scope| {
                let lookups = &fixture.lookups;
                let wait = move || lookups.addresses("hung.test", deadline());
                let sources: Vec<_> = (0..50).map(|_| scope.spawn(wait)).collect();
                sources.into_iter().map(|source| source.join().unwrap()).collect()
            })
        };
        for hung in of_each_source(soon) {
            assert!(matches!(hung, Err(ResolveError::Unanswered)), "{hung:?}");
        }
        fixture.wait_for(1);
        assert_eq!((fixture.threads(), fixture.begun()), (1, 1));
        let flight = fixture.lookups.0.state().in_flight["hung.test"].clone();
        thread::scope(|scope| {
            let recovered = scope.spawn(|| of_each_source(later));
            // That of this test, the map and the thread, and one for each source.
            let timeout = later().unwrap();
            while Arc::strong_count(&flight) < 3 + 50 {
                assert!(Instant::now() < timeout, "the sources join the lookup");
                thread::yield_now();
            }
            fixture.release.send(()).unwrap();
            for addresses in recovered.join().unwrap() {
                assert_eq!(&*addresses.unwrap(), [ADDRESS]);
            }
        });
        assert_eq!((fixture.threads(), fixture.begun()), (1, 1), "one lookup for all");
        assert!(fixture.lookups.0.state().in_flight.is_empty(), "nothing is kept");
    }

    #[test]
    fn hosts_that_hang_delay_no_other() {
        let fixture = Fixture::new();
        for host in ["hung1.test", "hung2.test", "hung3.test", "hung1.test"] {
            let hung = fixture.lookups.addresses(host, soon());
            assert!(matches!(hung, Err(ResolveError::Unanswered)), "{hung:?}");
        }
        fixture.wait_for(3);
        assert_eq!((fixture.threads(), fixture.begun()), (3, 3));
        for begun in 4..10 {
            assert_eq!(&*fixture.lookups.addresses("good.test", later()).unwrap(), [ADDRESS]);
            assert_eq!(
                (fixture.threads(), fixture.begun()),
                (4, begun),
                "the thread is used again"
            );
        }
        let Fixture { release, lookups, .. } = fixture;
        drop(release);
        assert_eq!(&*lookups.addresses("hung1.test", later()).unwrap(), [ADDRESS]);
    }

    #[test]
    fn lookup_fails_for_itself_alone() {
        let Fixture { lookups, .. } = Fixture::new();
        for _ in 0..3 {
            let panicked = lookups.addresses("bad.test", later());
            assert!(matches!(panicked, Err(ResolveError::Panicked)), "{panicked:?}");
            let none = lookups.addresses("none.test", later());
            assert!(matches!(none, Err(ResolveError::NoAddress)), "{none:?}");
            let failed = lookups.addresses("other.test", later());
            assert!(matches!(failed, Err(ResolveError::Failed(_))), "{failed:?}");
            assert_eq!(&*lookups.addresses("good.test", later()).unwrap(), [ADDRESS]);
        }
    }

    #[test]
    fn threads_without_work_end_but_the_last_which_ends_with_the_lookups() {
        let fixture = Fixture::new();
        for host in ["hung1.test", "hung2.test", "hung3.test"] {
            let _ = fixture.lookups.addresses(host, soon());
        }
        fixture.wait_for(3);
        let Fixture { lookups, release, .. } = fixture;
        let shared = lookups.0.clone();
        drop(release);
        let wait_for_threads = |count| {
            let timeout = later().unwrap();
            while shared.state().threads.len() != count {
                assert!(Instant::now() < timeout, "{} threads", shared.state().threads.len());
                thread::sleep(Duration::from_millis(10));
            }
        };
        wait_for_threads(1);
        assert_eq!(shared.state().idle.len(), 1);
        drop(lookups);
        wait_for_threads(0);
    }
}
