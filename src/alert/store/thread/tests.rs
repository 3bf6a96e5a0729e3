use jiff::Timestamp;

use std::path::Path;

use crossbeam_channel::unbounded;

use super::super::changes::Changes;
use super::super::handle::StoreHandle;
use super::super::read::find_in_file;
use super::*;
use crate::alert::test_notices::at;

/// Returns a thread that is not started, and the outcomes of its attempts to open the file.
fn thread(path: &Path) -> (StoreThread, StoreHandle, Receiver<Opened>) {
    let (handle, woken, _) = StoreHandle::new(path.to_owned(), find_in_file(path.to_owned()));
    let (open, opened) = unbounded();
    let on_open = Box::new(move |outcome| drop(open.send(outcome)));
    let lock = Arc::new(DataLock::none());
    let shared = Arc::clone(&handle.shared);
    (StoreThread::new(shared, woken, lock, on_open, Box::new(|_| {})), handle, opened)
}

fn silence(handle: &StoreHandle, until: Option<Timestamp>) {
    handle.save(Changes { silences: vec![("tank_low".into(), until)], ..Changes::default() });
}

#[test]
fn file_is_loaded_once_and_what_is_in_memory_is_saved_when_it_is_open_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pumphouse.alerts.db");
    let (mut thread, handle, opened) = thread(&path);
    thread.open();
    assert!(matches!(opened.try_recv(), Ok(Opened::Loaded(_))));
    silence(&handle, Some(at(99)));
    thread.write();
    // The folder is away, and comes back.
    thread.close();
    silence(&handle, None);
    thread.open();
    assert!(matches!(opened.try_recv(), Ok(Opened::Replaced)), "its states are not restored");
    thread.write();
    let loaded = AlertFile::open(&path).unwrap().load().unwrap();
    assert_eq!(loaded.silences, []);
}

#[test]
fn silence_that_ended_before_the_file_was_loaded_is_not_restored() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pumphouse.alerts.db");
    let (mut earlier, handle, _) = thread(&path);
    earlier.open();
    silence(&handle, Some(at(99)));
    earlier.write();
    drop(earlier);
    let (mut thread, handle, opened) = thread(&path);
    silence(&handle, None);
    thread.open();
    let Ok(Opened::Loaded(loaded)) = opened.try_recv() else { panic!("it is not loaded") };
    assert_eq!(loaded.silences, []);
}
