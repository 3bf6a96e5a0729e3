//! The keeper: the one thread that owns the state of the sources and publishes it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use crossbeam_channel::{Receiver, Sender, bounded, select};
use jiff::Timestamp;

use super::event::{ChangeSink, Sample};
use super::json::{self, ServiceInfo};
use super::snapshot::{Rendered, Snapshot};
use super::sources::{Moment, Report, SavedReading, SourceInfo, Sources};
use crate::heartbeat::Heartbeat;
use crate::threads::{self, OwnedThread, StopToken};

/// Reports that may wait for the keeper. It is never busy for longer than one
/// rendering, so a poller waits here only when the keeper is gone for good.
const REPORTS: usize = 64;

/// The keeper wakes at least this often to look at the wall clock: staleness is a
/// matter of wall-clock time, which may be stepped, while a wait is counted by the
/// monotonic clock.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// A wait is never shorter, so that a rounding error cannot make a busy loop.
const SHORTEST_WAIT: Duration = Duration::from_millis(1);

/// The owner of the keeper thread, which ends and is joined when this is dropped.
#[derive(Debug)]
pub struct Board {
    messages: Sender<Message>,
    _keeper: OwnedThread,
}

/// Reads the latest snapshot. Cheap to clone; never waits.
#[derive(Debug, Clone)]
pub struct BoardReader(Arc<Published>);

/// Sends reports to the keeper. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Reporter(Sender<Message>);

#[derive(Debug)]
enum Message {
    Report(Report),
    /// What sources told in the past, from the earliest on.
    Backfill(Vec<Sample>),
    /// The sources of a new configuration.
    Sources(Vec<SourceInfo>),
}

#[derive(Debug)]
struct Published {
    snapshot: ArcSwap<Snapshot>,
    heartbeat: Heartbeat,
}

impl Board {
    /// Starts the keeper. The first snapshot is there at once: in it every source waits, or
    /// shows the reading that was kept of it. `changes` is told what is learnt from then on.
    ///
    /// # Errors
    /// When the thread cannot be made.
    pub fn start(
        sources: Vec<SourceInfo>,
        kept: Vec<SavedReading>,
        service: ServiceInfo,
        changes: ChangeSink,
    ) -> io::Result<(Board, BoardReader, Reporter)> {
        let now = Moment::now();
        let mut sources = Sources::new(sources, now);
        sources.restore(kept, now);
        let published = Arc::new(Published {
            snapshot: ArcSwap::from_pointee(snapshot(1, &service, &sources)),
            heartbeat: Heartbeat::new(),
        });
        let (sender, messages) = bounded(REPORTS);
        let published_here = published.clone();
        let keeper = OwnedThread::spawn(threads::BOARD, move |stopped| {
            let (version, published) = (1, published_here);
            Keeper { sources, service, version, published, messages, stopped, changes }.run();
        })?;
        let board = Board { messages: sender.clone(), _keeper: keeper };
        Ok((board, BoardReader(published), Reporter(sender)))
    }

    /// Goes on with these sources. Those that it knows by name and kind keep their values,
    /// whatever else of them has changed.
    pub fn renew(&self, sources: Vec<SourceInfo>) {
        // Without a keeper the process is on its way out.
        let _ = self.messages.send(Message::Sources(sources));
    }
}

impl BoardReader {
    /// The latest snapshot.
    pub fn load(&self) -> Arc<Snapshot> {
        self.0.snapshot.load_full()
    }

    /// How long ago the keeper last looked at the clock; at most half a minute
    /// while it lives. Without a keeper old readings would look fresh for ever.
    pub fn heartbeat_age(&self) -> Duration {
        self.0.heartbeat.age()
    }
}

impl Reporter {
    /// Hands the report to the keeper; false when the keeper has ended.
    pub fn send(&self, report: Report) -> bool {
        self.0.send(Message::Report(report)).is_ok()
    }

    /// Hands over what sources told in the past, from the earliest on.
    pub fn backfill(&self, past: Vec<Sample>) -> bool {
        self.0.send(Message::Backfill(past)).is_ok()
    }
}

struct Keeper {
    sources: Sources,
    service: ServiceInfo,
    version: u64,
    published: Arc<Published>,
    messages: Receiver<Message>,
    stopped: StopToken,
    changes: ChangeSink,
}

impl Keeper {
    fn run(mut self) {
        self.emit_changes();
        loop {
            self.published.heartbeat.beat();
            let wait = wait(self.sources.next_expiry(), Timestamp::now());
            let message = select! {
                recv(self.stopped) -> _ => return,
                recv(self.messages) -> message => match message {
                    Ok(message) => Some(message),
                    // The board is being dropped.
                    Err(_) => return,
                },
                default(wait) => None,
            };
            self.step(message, Moment::now());
        }
    }

    fn step(&mut self, message: Option<Message>, now: Moment) {
        let mut changed = self.sources.expire(now);
        match message {
            None => {}
            Some(Message::Backfill(past)) => {
                self.sources.backfill(&past);
                changed = true;
            }
            Some(Message::Sources(sources)) => {
                self.sources.renew(sources, now);
                changed = true;
            }
            Some(Message::Report(report)) => {
                let source = report.source.clone();
                if self.sources.apply(report, now) {
                    changed = true;
                } else {
                    log::error!("a poller reported for {source}, which is no source of the board");
                }
            }
        }
        self.emit_changes();
        if changed {
            self.version += 1;
            let snapshot = snapshot(self.version, &self.service, &self.sources);
            self.published.snapshot.store(Arc::new(snapshot));
        }
    }

    fn emit_changes(&mut self) {
        for change in self.sources.take_changes() {
            (self.changes)(change);
        }
    }
}

fn snapshot(version: u64, service: &ServiceInfo, sources: &Sources) -> Snapshot {
    let sources = sources.views();
    let status = Rendered::new("application/json", json::status(service, &sources));
    Snapshot { version, sources, status }
}

/// How long to sleep until the next reading turns stale.
fn wait(expiry: Option<Timestamp>, now: Timestamp) -> Duration {
    let Some(expiry) = expiry else { return LONGEST_WAIT };
    Duration::try_from(expiry.duration_since(now))
        .unwrap_or(Duration::ZERO)
        .clamp(SHORTEST_WAIT, LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::board::sources::tests::moment;
    use crate::board::{ErrorKind, Observed, PollError, Polled, Reading, State, Value};
    use crate::units::Unit;

    fn t(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_770_000_000 + seconds).unwrap()
    }

    /// That moment by both clocks.
    fn m(seconds: i64) -> Moment {
        moment(t(seconds), seconds)
    }

    fn service() -> ServiceInfo {
        ServiceInfo { name: "pumphouse-web", version: "0.1.0", started_at: t(0) }
    }

    fn info() -> SourceInfo {
        SourceInfo {
            name: "tank".into(),
            title: "Cistern".into(),
            kind: "json",
            interval: Duration::from_secs(300),
            stale_after: Duration::from_secs(600),
            show: [].into(),
            trends: Vec::new(),
        }
    }

    fn news(at: Timestamp, observed: Timestamp) -> Option<Message> {
        Some(Message::Report(good(at, observed)))
    }

    fn good(at: Timestamp, observed: Timestamp) -> Report {
        Report {
            source: "tank".into(),
            at,
            outcome: Ok(Polled::Reading(Reading {
                observed: Observed { at: observed, inferred: false },
                values: vec![("level".into(), Value::number(84.6, Unit::Percent))],
            })),
            next_poll_at: at,
        }
    }

    /// A keeper without its thread, and what it publishes.
    fn keeper() -> (Keeper, BoardReader) {
        let sources = Sources::new(vec![info()], m(0));
        let published = Arc::new(Published {
            snapshot: ArcSwap::from_pointee(snapshot(1, &service(), &sources)),
            heartbeat: Heartbeat::new(),
        });
        let keeper = Keeper {
            sources,
            service: service(),
            version: 1,
            published: published.clone(),
            messages: crossbeam_channel::never(),
            stopped: crossbeam_channel::never(),
            changes: Box::new(|_| {}),
        };
        (keeper, BoardReader(published))
    }

    /// Looks until the snapshot is as wanted, or for far longer than that may take.
    fn until(reader: &BoardReader, wanted: impl Fn(&Snapshot) -> bool) -> Arc<Snapshot> {
        let begun = std::time::Instant::now();
        loop {
            let snapshot = reader.load();
            if wanted(&snapshot) {
                return snapshot;
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "{snapshot:?}");
            std::thread::yield_now();
        }
    }

    fn published(reader: &BoardReader, version: u64) -> Arc<Snapshot> {
        until(reader, |snapshot| snapshot.version >= version)
    }

    #[test]
    fn it_publishes_on_each_change_and_only_then() {
        let (mut keeper, reader) = keeper();
        keeper.step(None, m(10));
        assert_eq!(reader.load().version, 1);
        keeper.step(news(t(20), t(0)), m(20));
        let fresh = reader.load();
        assert_eq!((fresh.version, fresh.sources[0].state), (2, State::Fresh));
        keeper.step(None, m(599));
        assert_eq!(reader.load().version, 2);
        keeper.step(None, m(600));
        let stale = reader.load();
        assert_eq!((stale.version, stale.sources[0].state), (3, State::Stale));
        assert_ne!(fresh.status.identity.etag, stale.status.identity.etag);
    }

    #[test]
    fn times_corrected_after_a_step_of_the_clock_are_published() {
        let (mut keeper, reader) = keeper();
        keeper.step(news(t(20), t(0)), m(20));
        keeper.step(None, moment(t(-5000), 30));
        let snapshot = reader.load();
        let kept = snapshot.sources[0].reading.as_ref().unwrap();
        assert_eq!((snapshot.version, kept.fetched_at), (3, t(-5010)));
        keeper.step(None, moment(t(-4999), 31));
        assert_eq!(reader.load().version, 3);
    }

    #[test]
    fn equal_content_keeps_its_entity_tag() {
        let (mut keeper, reader) = keeper();
        keeper.step(news(t(20), t(0)), m(20));
        let one = reader.load();
        keeper.step(news(t(20), t(0)), m(21));
        let two = reader.load();
        assert_ne!(one.version, two.version);
        assert_eq!(one.status.identity.etag, two.status.identity.etag);
        assert_eq!(one.status.identity.body, two.status.identity.body);
    }

    #[test]
    fn it_sleeps_until_the_next_expiry_but_looks_at_the_clock() {
        for (expiry, wanted) in [
            (None, LONGEST_WAIT),
            (Some(t(10)), Duration::from_secs(10)),
            (Some(t(3600)), LONGEST_WAIT),
            (Some(t(0)), SHORTEST_WAIT),
            (Some(t(-50)), SHORTEST_WAIT),
        ] {
            assert_eq!(wait(expiry, t(0)), wanted);
        }
    }

    #[test]
    fn reports_travel_through_the_thread_to_the_readers() {
        let (board, reader, reporter) =
            Board::start(vec![info()], Vec::new(), service(), Box::new(|_| {})).unwrap();
        assert_eq!(reader.load().sources[0].state, State::Waiting);
        let now = Timestamp::now();
        assert!(reporter.send(good(now, now)));
        assert_eq!(published(&reader, 2).sources[0].state, State::Fresh);
        let error = Err(PollError::new(ErrorKind::Timeout, "late"));
        assert!(reporter.send(Report { outcome: error, ..good(now, now) }));
        let failing = published(&reader, 3);
        assert_eq!(failing.sources[0].error.as_ref().unwrap().kind, ErrorKind::Timeout);
        assert_eq!(failing.sources[0].values().count(), 1);
        drop(board);
        assert!(!reporter.send(good(now, now)), "the keeper is gone");
        assert_eq!(reader.load().version, 3, "what it published stays");
    }

    #[test]
    fn it_outlives_its_reporters_and_tells_what_turns_stale() {
        let (_board, reader, reporter) =
            Board::start(vec![info()], Vec::new(), service(), Box::new(|_| {})).unwrap();
        let now = Timestamp::now();
        // Turns stale a second or less from now: 600 s after the observation.
        let observed = now.checked_sub(Duration::from_secs(599)).unwrap();
        assert!(reporter.send(good(now, observed)));
        drop(reporter);
        until(&reader, |snapshot| snapshot.sources[0].state == State::Stale);
    }
}
