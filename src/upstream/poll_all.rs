//! Polls all sources once, for `check --poll`: several at a time, few of them at one host.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use crossbeam_channel::{Receiver, Sender, unbounded};

use super::fetch::Fetcher;
use super::kind;
use super::poll_once::{SinglePoll, poll};
use super::rate_limit::{RateLimiter, RateLimiters};
use crate::config::Source;
use crate::outbound::ThreadedResolver;
use crate::outbound::tls::{self, Authorities, CaFiles, ClientTls};
use crate::threads;

/// Maximum number of polls at a time.
const MAX_POLLS: usize = 32;

/// Maximum number of polls of one host at a time. A device may serve a few connections only.
const MAX_POLLS_OF_HOST: usize = 2;

/// Polls each source once, within the rate limits, and passes the results to `report` in the order of the sources,
/// each as soon as it and those before it are there.
pub fn poll_all(
    sources: &[Arc<Source>],
    user_agent: &str,
    mut report: impl FnMut(&Source, SinglePoll),
) {
    let needs_system = sources.iter().any(|source| source.trusts_system());
    let authorities = needs_system.then(Authorities::of_system).unwrap_or_default();
    let (system_tls, mut ca_files) = (tls::trusting_system(&authorities), CaFiles::default());
    let tls = sources.iter().map(|source| match &source.ca_certs {
        Some(ca_certs) => ca_files.trusting(ca_certs),
        None => system_tls.clone(),
    });
    let run = Run {
        sources,
        limiters: RateLimiters::default().of(sources),
        tls: tls.collect(),
        resolver: ThreadedResolver::system(),
        user_agent,
        queue: Mutex::new(HostQueues::new(sources.iter().map(|source| host(source)))),
    };
    let (results, received) = unbounded();
    thread::scope(|scope| {
        let workers = (0..run.queue().ready().min(MAX_POLLS)).map(|_| {
            let (run, results) = (&run, results.clone());
            let builder = thread::Builder::new().name(threads::CHECK_POLL.to_owned());
            builder.spawn_scoped(scope, move || run.work(&results)).map(drop)
        });
        let started: Vec<io::Result<()>> = workers.collect();
        // Without any thread, the sources are polled on this one.
        if started.iter().all(Result::is_err) {
            run.work(&results);
        }
        drop(results);
        report_in_order(sources, &received, &mut report);
    });
}

/// Reports results in the order of the sources.
fn report_in_order(
    sources: &[Arc<Source>],
    received: &Receiver<(usize, SinglePoll)>,
    report: &mut impl FnMut(&Source, SinglePoll),
) {
    let mut early = BTreeMap::new();
    let mut next = 0;
    for (at, polled) in received {
        early.insert(at, polled);
        while let Some(polled) = early.remove(&next) {
            report(&sources[next], polled);
            next += 1;
        }
    }
    // A poll that a defect has ended leaves a gap.
    early.into_iter().for_each(|(at, polled)| report(&sources[at], polled));
}

/// Everything that the polls share.
struct Run<'a> {
    sources: &'a [Arc<Source>],
    limiters: Vec<Option<Arc<RateLimiter>>>,
    /// TLS settings of each source.
    tls: Vec<ClientTls>,
    resolver: ThreadedResolver,
    user_agent: &'a str,
    queue: Mutex<HostQueues>,
}

impl Run<'_> {
    fn queue(&self) -> std::sync::MutexGuard<'_, HostQueues> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Polls sources until no host may be polled by one more thread.
    fn work(&self, results: &Sender<(usize, SinglePoll)>) {
        loop {
            let Some((host, at)) = self.queue().take() else { return };
            let polled = self.poll(at);
            self.queue().end(host);
            // The receiver is there until all results have been received.
            let _ = results.send((at, polled));
        }
    }

    fn poll(&self, at: usize) -> SinglePoll {
        let source = &self.sources[at];
        if let Some(limiter) = &self.limiters[at] {
            let now = Instant::now();
            thread::sleep(limiter.reserve(now).saturating_duration_since(now));
        }
        let (tls, resolver) = (self.tls[at].clone(), self.resolver.clone());
        let proxy = kind::proxy(source);
        poll(source, &Fetcher::new(source.timeout, self.user_agent, tls, proxy, resolver))
    }
}

/// Returns the host and port of a source's URL, in lower case.
fn host(source: &Source) -> String {
    let url = source.kind.url().as_str();
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or(rest).to_ascii_lowercase()
}

/// Sources that wait for their poll, by host, with the number of polls that each host admits.
#[derive(Debug)]
struct HostQueues {
    /// Positions of the sources of each host.
    waiting: Vec<VecDeque<usize>>,
    /// Hosts that admit a poll, as often as they admit one more.
    ready: VecDeque<usize>,
}

impl HostQueues {
    /// Queues sources by their hosts.
    fn new(hosts: impl Iterator<Item = String>) -> HostQueues {
        let mut numbers: HashMap<String, usize> = HashMap::new();
        let mut waiting: Vec<VecDeque<usize>> = Vec::new();
        let mut ready = VecDeque::new();
        for (at, host) in hosts.enumerate() {
            let number = *numbers.entry(host).or_insert_with(|| {
                waiting.push(VecDeque::new());
                waiting.len() - 1
            });
            let queue = &mut waiting[number];
            queue.push_back(at);
            if queue.len() <= MAX_POLLS_OF_HOST {
                ready.push_back(number);
            }
        }
        HostQueues { waiting, ready }
    }

    /// Returns the number of polls that may begin.
    fn ready(&self) -> usize {
        self.ready.len()
    }

    /// Returns the next source to poll with the number of its host; `None` if none may be polled before a poll ends.
    fn take(&mut self) -> Option<(usize, usize)> {
        while let Some(host) = self.ready.pop_front() {
            if let Some(at) = self.waiting[host].pop_front() {
                return Some((host, at));
            }
        }
        None
    }

    /// Ends a poll: its host admits another one.
    fn end(&mut self, host: usize) {
        if !self.waiting[host].is_empty() {
            self.ready.push_back(host);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn queues(hosts: &[&str]) -> HostQueues {
        HostQueues::new(hosts.iter().map(|host| (*host).to_owned()))
    }

    #[test]
    fn each_host_has_at_most_two_polls_and_every_source_has_one() {
        let hosts: Vec<String> = (0..300).map(|at: usize| format!("h{}", at * at % 7)).collect();
        let mut queues = HostQueues::new(hosts.iter().cloned());
        let (mut in_flight, mut polled) = (VecDeque::new(), Vec::new());
        loop {
            while let Some((host, at)) = queues.take() {
                in_flight.push_back(host);
                polled.push(at);
                let of_host = in_flight.iter().filter(|other| **other == host).count();
                assert!(of_host <= MAX_POLLS_OF_HOST, "{of_host} polls of {}", hosts[at]);
            }
            let Some(host) = in_flight.pop_front() else { break };
            queues.end(host);
        }
        polled.sort_unstable();
        assert_eq!(polled, (0..300).collect::<Vec<_>>());
    }

    #[test]
    fn busy_host_delays_no_other() {
        let mut queues = queues(&["a", "a", "a", "b", "a", "c"]);
        let taken: Vec<usize> = std::iter::from_fn(|| queues.take().map(|(_, at)| at)).collect();
        assert_eq!(taken, [0, 1, 3, 5]);
        queues.end(0);
        assert_eq!(queues.take(), Some((0, 2)));
    }
}
