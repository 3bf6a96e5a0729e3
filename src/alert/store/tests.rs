//! The store of alerts over real files.

mod faulty_files;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, unbounded};
use rusqlite::Connection;

use super::file::AlertFile;
use super::pending::Pending;
use super::*;
use crate::alert::test_notices::{at, incident, notice};
use crate::alert::{IncidentId, MAX_RECENT, NoticeKey, NoticeKind, SubjectKey};
use crate::data_lock::DataLock;
use crate::history::FaultKind;

const AMPLE: Duration = Duration::from_secs(20);

/// A running store, and what it has reported.
struct Running {
    store: AlertStore,
    handle: StoreHandle,
    opened: Receiver<Opened>,
    saved: Receiver<Vec<NoticeKey>>,
}

impl Running {
    fn start(path: &Path) -> Running {
        Running::with_lock(path, DataLock::of_database(path))
    }

    fn with_lock(path: &Path, lock: DataLock) -> Running {
        let ((open, opened), (save, saved)) = (unbounded(), unbounded());
        let (store, handle) = AlertStore::start(
            path.to_owned(),
            Arc::new(lock),
            Box::new(move |outcome| open.send(outcome).unwrap()),
            Box::new(move |keys| save.send(keys.to_vec()).unwrap()),
        )
        .unwrap();
        Running { store, handle, opened, saved }
    }

    fn opened(&self) -> Opened {
        self.opened.recv_timeout(AMPLE).unwrap()
    }

    fn loaded(&self) -> Loaded {
        match self.opened() {
            Opened::Loaded(loaded) => loaded,
            other => panic!("{other:?}"),
        }
    }

    fn save(&self, changes: Changes) {
        self.handle.save(changes);
    }

    /// Saves changes and waits until they are on the disk.
    fn save_now(&self, mut changes: Changes) {
        let marker = Arc::new(notice(u64::MAX, NoticeKind::Ended, 0, 0));
        changes.notices.push(marker);
        self.save(changes);
        self.saved.recv_timeout(AMPLE).unwrap();
    }
}

fn path(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("pumphouse.alerts.db")
}

fn key(alert: &str, source: Option<&str>) -> SubjectKey {
    SubjectKey { alert: alert.into(), source: source.map(Into::into), replica: None }
}

fn state(fingerprint: u64, state: &str) -> SavedState {
    SavedState { fingerprint, state: state.to_owned() }
}

/// Changes of each kind.
fn changes() -> Changes {
    Changes {
        states: vec![
            (key("tank_low", Some("tank")), Some(state(u64::MAX, "firing"))),
            (key("disk_full", None), Some(state(1, "pending"))),
        ],
        incidents: vec![
            Arc::new(incident(u64::MAX, 10, None)),
            Arc::new(incident(2, 5, Some(7))),
            Arc::new(incident(3, 4, Some(9))),
        ],
        silences: vec![("tank_low".into(), Some(at(99)))],
        notices: vec![
            Arc::new(notice(2, NoticeKind::Fired, 0, 5)),
            Arc::new(notice(2, NoticeKind::Ended, 0, 7)),
        ],
        done: Vec::new(),
        shared: SharedChanges::default(),
    }
}

/// Copies the database and its write-ahead log, as a machine that loses power would keep them.
fn copied(path: &Path, to: &tempfile::TempDir) -> PathBuf {
    let copy = to.path().join("copy.db");
    fs::copy(path, &copy).unwrap();
    let log = |path: &Path| PathBuf::from(format!("{}-wal", path.display()));
    if log(path).exists() {
        fs::copy(log(path), log(&copy)).unwrap();
    }
    copy
}

fn load(path: &Path) -> Loaded {
    AlertFile::open(path).unwrap().load().unwrap()
}

#[test]
fn what_was_saved_is_loaded_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = path(&folder);
    let first = Running::start(&path);
    assert!(first.loaded().states.is_empty());
    first.save(changes());
    first.save(Changes {
        done: vec![notice(2, NoticeKind::Fired, 0, 5).key],
        silences: vec![("other".into(), Some(at(1))), ("other".into(), None)],
        ..Changes::default()
    });
    drop(first.store);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let second = Running::start(&path);
    let loaded = second.loaded();
    let mut states = loaded.states;
    states.sort_by(|a, b| a.0.cmp(&b.0));
    assert_eq!(
        states,
        [
            (key("disk_full", None), state(1, "pending")),
            (key("tank_low", Some("tank")), state(u64::MAX, "firing")),
        ]
    );
    assert_eq!(loaded.open, [incident(u64::MAX, 10, None)]);
    assert_eq!(loaded.recent, [incident(3, 4, Some(9)), incident(2, 5, Some(7))]);
    assert_eq!(loaded.silences, [("tank_low".into(), at(99))]);
    assert_eq!(loaded.notices, [notice(2, NoticeKind::Ended, 0, 7)]);
    second.save(Changes {
        states: vec![(key("disk_full", None), None)],
        silences: vec![("tank_low".into(), None)],
        ..Changes::default()
    });
    drop(second.store);
    let loaded = load(&path);
    assert_eq!((loaded.states.len(), loaded.silences.len()), (1, 0));
}

#[test]
fn what_is_reported_as_saved_survives_a_kill() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = path(&folder);
    let running = Running::start(&path);
    running.loaded();
    running.save(changes());
    let mut saved = running.saved.recv_timeout(AMPLE).unwrap();
    saved.sort();
    let expected = [NoticeKind::Fired, NoticeKind::Ended].map(|kind| notice(2, kind, 0, 0).key);
    assert_eq!(saved, expected);
    // The process still runs: nothing was flushed by its end.
    let loaded = load(&copied(&path, &other));
    assert_eq!((loaded.states.len(), loaded.open.len(), loaded.notices.len()), (2, 1, 2));
    let health = running.handle.health();
    assert!(health.is_open && health.error.is_none() && health.waiting == 0, "{health:?}");
}

#[test]
fn incidents_of_an_alert_are_read_in_pages_while_the_store_writes() {
    let folder = tempfile::tempdir().unwrap();
    let running = Running::start(&path(&folder));
    running.loaded();
    // Two of them fired at the same time.
    let fired = [3, 1, 2, 2, 5];
    let all = (1_u64..).zip(fired).map(|(id, fired)| incident(id, fired, (id != 5).then_some(9)));
    let mut other = incident(9, 4, None);
    other.subject.alert = "other".into();
    let incidents = all.chain([other]).map(Arc::new).collect();
    running.save_now(Changes { incidents, ..Changes::default() });
    let read = |before: Option<u64>, limit| {
        let found = running.handle.incidents("tank_low", before.map(IncidentId), limit).unwrap();
        found.iter().map(|incident| incident.id.0).collect::<Vec<_>>()
    };
    assert_eq!(read(None, 9), [5, 1, 4, 3, 2]);
    assert_eq!(read(None, 3), [5, 1, 4]);
    assert_eq!(read(Some(4), 9), [3, 2]);
    assert!(read(Some(2), 9).is_empty());
    assert!(read(Some(77), 9).is_empty());
    let handle = running.handle.clone();
    drop(running.store);
    let closed = handle.incidents("tank_low", None, 9);
    assert!(matches!(closed, Err(IncidentsError::Closed)));
}

#[test]
fn ended_incidents_are_pruned_and_open_ones_stay() {
    let folder = tempfile::tempdir().unwrap();
    let path = path(&folder);
    let mut file = AlertFile::open(&path).unwrap();
    let mut pending = Pending::default();
    let mut id = 0;
    // 13 alerts: one exceeds its own maximum, and all of them the one in all.
    for (number, count) in (0..13).zip([1_300].into_iter().chain([900; 12])) {
        for made in 0..count {
            id += 1;
            let mut ended = incident(id, made, Some(made));
            ended.subject.alert = format!("alert_{number}").into();
            pending.add(Changes { incidents: vec![Arc::new(ended)], ..Changes::default() });
        }
    }
    let open = Arc::new(incident(1_000_000, -9, None));
    pending.add(Changes { incidents: vec![open], ..Changes::default() });
    file.write(&pending).unwrap();
    let mut pieces = 0;
    while file.is_prune_due() {
        file.prune_some().unwrap();
        pieces += 1;
    }
    assert!(pieces > 15, "{pieces} pieces");
    let connection = Connection::open(&path).unwrap();
    let count = |filter: &str| {
        let select = format!("SELECT count(*) FROM incident WHERE {filter}");
        connection.query_row(&select, [], |row| row.get::<_, i64>(0)).unwrap()
    };
    assert_eq!(count("ended_at IS NOT NULL"), i64::try_from(MAX_ENDED).unwrap());
    let of_first = usize::try_from(count("alert = 'alert_0'")).unwrap();
    assert!(of_first <= MAX_ENDED_OF_ALERT);
    let first = at(300).as_millisecond();
    assert_eq!(count(&format!("alert = 'alert_0' AND ended_at < {first}")), 0, "the oldest ones");
    assert_eq!(count("ended_at IS NULL"), 1);
    let loaded = file.load().unwrap();
    assert_eq!((loaded.open.len(), loaded.recent.len()), (1, MAX_RECENT));
}

#[test]
fn row_that_cannot_be_read_is_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let path = path(&folder);
    let running = Running::start(&path);
    running.loaded();
    running.save(changes());
    drop(running.store);
    Connection::open(&path)
        .unwrap()
        .execute_batch(
            "UPDATE incident SET content = '{' WHERE id = 2;
             UPDATE notice SET kind = 'sung' WHERE kind = 'ended';
             UPDATE silence SET until = 'soon';
             UPDATE state SET state = CAST(x'ff' AS TEXT) WHERE alert = 'disk_full';",
        )
        .unwrap();
    let loaded = load(&path);
    assert_eq!((loaded.open.len(), loaded.recent.len()), (1, 1));
    assert_eq!((loaded.notices.len(), loaded.silences.len(), loaded.states.len()), (1, 0, 1));
}

#[test]
fn second_process_stands_by_until_the_first_one_ends() {
    let folder = tempfile::tempdir().unwrap();
    let path = path(&folder);
    let first = Running::start(&path);
    first.loaded();
    first.save(changes());
    // Another open file description has another lock, as that of another process.
    let second = Running::start(&path);
    assert!(matches!(second.opened(), Opened::Standby(_)));
    second.save(Changes { silences: vec![("tank_low".into(), None)], ..Changes::default() });
    let health = second.handle.health();
    assert!(!health.is_open && health.holder.is_some() && health.waiting == 0, "{health:?}");
    drop(first.store);
    assert_eq!(
        second.loaded().silences.len(),
        1,
        "the changes of a process that stands by do not count"
    );
    assert!(second.handle.health().holder.is_none());
    second.save_now(Changes::default());
}

#[test]
fn notice_that_was_sent_while_the_file_was_not_open_is_not_loaded_again() {
    let (folder, hidden) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (path, other) = (path(&folder), hidden.path().join("a.db"));
    let running = Running::start(&path);
    running.loaded();
    running.save(changes());
    drop(running.store);
    // A file that cannot be opened, until the stop.
    fs::rename(&path, &other).unwrap();
    fs::create_dir(&path).unwrap();
    let running = Running::with_lock(&path, DataLock::none());
    assert!(matches!(running.opened(), Opened::Failed(_)));
    let sent = notice(2, NoticeKind::Fired, 0, 5).key;
    running.save(Changes { done: vec![sent], ..Changes::default() });
    fs::remove_dir(&path).unwrap();
    fs::rename(&other, &path).unwrap();
    let opened = running.opened.clone();
    drop(running.store);
    let Ok(Opened::Loaded(loaded)) = opened.recv_timeout(AMPLE) else { panic!("it is not open") };
    assert_eq!(loaded.notices, [notice(2, NoticeKind::Ended, 0, 7)]);
    assert_eq!(load(&path).notices.len(), 1);
}
