//! The parts between the upstreams and the disk: history, board and pollers.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use super::alerts::backfill_windows;
use super::descriptor_budget::{MAX_READERS, max_polls};
use super::replica::PreparedReplica;
use super::required_threads::polls_in_address_space;
use super::{StartError, program_event};
use crate::alert::{self, AlertSender, RecordedWindows};
use crate::board::{
    Board, BoardReader, Change, ChangeSink, EventKind, Reporter, SavedReading, ServiceInfo,
    Snapshot, SourceInfo, SourceView, State,
};
use crate::config::{self, Config, renamed_fields};
use crate::data_lock::DataLock;
use crate::history::{
    self, ChangeSender, History, Recorder, RenamedSeries, Retention, SourceFields, TrendSamples,
};
use crate::kernel::clock::Start;
use crate::last_values::{self, Saver};
use crate::outbound::tls::Authorities;
use crate::store::Access;
use crate::threads;
use crate::upstream::{
    Fleet, KeptReadings, MaxPolls, PollLimit, PollerHandles, Pollers, user_agent,
};
use crate::wall_clock;

/// Interval in which the recorder wakes if no history is kept.
const IDLE_FLUSH: Duration = Duration::from_secs(60);

/// Running parts between the upstreams and the disk, and handles to them.
pub(super) struct Data {
    pub(super) pollers: Pollers,
    pub(super) reporter: Reporter,
    /// Writes the last values; `None` without a history, beside which they are.
    pub(super) saver: Option<Saver>,
    pub(super) board: Board,
    pub(super) reader: BoardReader,
    pub(super) history: History,
    pub(super) change_sender: ChangeSender,
    pub(super) recorder: Recorder,
    /// Set once the rules of alerts have started.
    pub(super) alerts: Arc<OnceLock<AlertSender>>,
    /// `None` if this machine is alone.
    pub(super) replica: Option<PreparedReplica>,
}

impl Data {
    /// Starts the parts from the disk to the upstreams: the board has the last values before the first poll.
    pub(super) fn start(
        config: &Config,
        lock: &Arc<DataLock>,
        start: &Start,
        authorities: Authorities,
    ) -> Result<Data, StartError> {
        let file = config.history.as_ref().map(config::History::last_values);
        let (infos, loaded) = infos_and_last_values(config, file.as_deref(), lock);
        let changed = changed_since(&infos, &loaded);
        let replica =
            config.store.as_ref().map(|store| PreparedReplica::new(config, store)).transpose()?;
        let access = replica.as_ref().map(PreparedReplica::access);
        let settings = history_settings(config, lock, access);
        let (recorder, change_sender, history) = history::prepare(settings);
        change_sender.send(program_event(EventKind::Started, env!("CARGO_PKG_VERSION")));
        let handles = Arc::new(OnceLock::new());
        let changes = record_changes(change_sender.clone(), Arc::clone(&handles));
        let start_board = match replica {
            None => Board::start,
            Some(_) => Board::start_replica,
        };
        let (board, reader, reporter) = start_board(infos, loaded, service(start), changes)?;
        // Trends start from recorded samples. The recorder's thread reads them, as the disk may be slow.
        let (mut samples, trend_reporter) = (TrendSamples::new(&config.sources), reporter.clone());
        let mut windows = RecordedWindows::new(&alert::Settings::from(config));
        let alerts = Arc::new(OnceLock::<AlertSender>::new());
        let engine = alerts.clone();
        let recorder = recorder.start(Box::new(move |history| {
            backfill_next(history, &mut samples, &trend_reporter)
                || engine.get().is_none_or(|engine| backfill_windows(history, &mut windows, engine))
        }))?;
        let saver =
            file.map(|file| Saver::start(file, Arc::clone(lock), reader.clone())).transpose()?;
        let user_agent = user_agent(&config.site);
        let fleet = fleet(config, &user_agent);
        let kept = kept_readings(&reader.load(), &changed);
        let gate = replica.as_ref().map(PreparedReplica::gate);
        let pollers = Pollers::start(fleet, &kept, &reporter, authorities, gate)?;
        // A step of the clock before this needs no further poll: the pollers have just begun.
        let _ = handles.set(pollers.handles());
        Ok(Data {
            pollers,
            reporter,
            saver,
            board,
            reader,
            history,
            change_sender,
            recorder,
            alerts,
            replica,
        })
    }
}

/// Returns the settings of the sources, and their last values, which a thread of its own reads meanwhile: thousands
/// of either take as long as the rest of a start.
fn infos_and_last_values(
    config: &Config,
    file: Option<&Path>,
    lock: &DataLock,
) -> (Vec<SourceInfo>, Vec<SavedReading>) {
    let load = || file.map(|file| last_values::load(file, lock)).unwrap_or_default();
    thread::scope(|scope| {
        let builder = thread::Builder::new().name(threads::LAST_VALUES.to_owned());
        let loading = builder.spawn_scoped(scope, load);
        let infos = config.sources.iter().map(|source| SourceInfo::from(&**source)).collect();
        let loaded = match loading.map(thread::ScopedJoinHandle::join) {
            Ok(Ok(loaded)) => loaded,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            // The system refuses the thread.
            Err(_) => load(),
        };
        (infos, loaded)
    })
}

/// Returns the part of a configuration that concerns polls.
pub(super) fn fleet<'a>(config: &'a Config, user_agent: &'a str) -> Fleet<'a> {
    Fleet { sources: &config.sources, user_agent, max_polls: most_polls(config) }
}

/// Returns the number of polls that may be in flight, by the limit that allows the fewest.
fn most_polls(config: &Config) -> MaxPolls {
    let by_files = MaxPolls { count: max_polls(config), limit: PollLimit::OpenFiles };
    match polls_in_address_space() {
        Some(count) if count < by_files.count => MaxPolls { count, limit: PollLimit::AddressSpace },
        _ => by_files,
    }
}

/// Returns the sources whose reading was saved under another configuration.
fn changed_since(sources: &[SourceInfo], saved: &[SavedReading]) -> HashSet<Arc<str>> {
    let now: HashMap<&str, u32> =
        sources.iter().map(|source| (&*source.name, source.configuration)).collect();
    let is_changed = |saved: &&SavedReading| {
        saved.configuration.is_some_and(|earlier| now.get(&*saved.source) != Some(&earlier))
    };
    saved.iter().filter(is_changed).map(|saved| saved.source.clone()).collect()
}

/// Returns the kept readings that are fresh, so that their sources need not be polled at once.
fn kept_readings(snapshot: &Snapshot, changed: &HashSet<Arc<str>>) -> KeptReadings {
    let is_kept =
        |source: &&SourceView| source.state == State::Fresh && !changed.contains(&source.name);
    let until = |source: &SourceView| {
        source.reading.as_ref().map(|reading| (source.name.clone(), reading.stale_at))
    };
    snapshot.sources.iter().filter(is_kept).filter_map(until).collect()
}

/// Returns the receiver of the board's changes: it records them, and polls again after a step of the clock.
fn record_changes(
    change_sender: ChangeSender,
    handles: Arc<OnceLock<PollerHandles>>,
) -> ChangeSink {
    Box::new(move |change| {
        if let (Change::ClockStepped(_), Some(pollers)) = (&change, handles.get()) {
            pollers.repoll_all();
        }
        change_sender.send(change);
    })
}

/// Returns the name and version of the program, and the time of its start.
fn service(start: &Start) -> ServiceInfo {
    ServiceInfo {
        name: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
        started_at: start.at(),
    }
}

fn history_settings(
    config: &Config,
    lock: &Arc<DataLock>,
    access: Option<&Access>,
) -> history::Settings {
    let zone = config.site.timezone.clone();
    let sources = recorded_sources(&config.sources);
    // A reader for each permit of expensive work and one more, but fewer than workers: a disk that
    // hangs must not hold all of these.
    let engine = &config.server.engine;
    let readers = (engine.heavy_permits() + 1).min(engine.workers.saturating_sub(1));
    let readers = readers.clamp(1, MAX_READERS);
    match &config.history {
        Some(file) => history::Settings {
            place: Some(place(config, file, access)),
            lock: Arc::clone(lock),
            flush: file.flush,
            keep: Retention { raw: file.keep_raw, quarters: file.keep_15m, days: file.keep_daily },
            zone,
            readers,
            sources,
        },
        None => history::Settings {
            place: None,
            lock: Arc::clone(lock),
            flush: IDLE_FLUSH,
            keep: Retention::default(),
            zone,
            readers,
            sources,
        },
    }
}

/// Returns where observations are stored.
fn place(config: &Config, file: &config::History, access: Option<&Access>) -> history::Place {
    let path = file.path.to_path_buf();
    match (&config.store, access) {
        (Some(store), Some(access)) => history::Place::Server(history::ServerPlace {
            access: access.clone(),
            spool: path,
            spool_max: store.spool_max,
        }),
        _ => history::Place::File(path),
    }
}

/// Returns the sources with the fields that the history recorded under other names.
pub(super) fn recorded_sources(sources: &[Arc<config::Source>]) -> Vec<SourceFields> {
    let series = |field: &config::RenamedField| RenamedSeries {
        old: field.old,
        new: field.new,
        is_rate: field.is_rate,
    };
    let fields = |source: &Arc<config::Source>| SourceFields {
        source: source.name.clone(),
        renamed: renamed_fields(source.kind.as_str()).map(series).collect(),
    };
    sources.iter().map(fields).collect()
}

/// Sends the board the recorded samples that the trends of the next source start from. Returns false if there is
/// no other source.
pub(super) fn backfill_next(
    history: &History,
    samples: &mut TrendSamples,
    reporter: &Reporter,
) -> bool {
    match samples.next(history, wall_clock::now()) {
        Some(none) if none.is_empty() => true,
        Some(past) => reporter.backfill(past),
        None => false,
    }
}
