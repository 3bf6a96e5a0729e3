//! Two processes with one file, as while the former one ends.

use super::*;
use crate::data_lock::Claim;

/// A file of sessions that two processes have, each with its lock.
struct TwoProcesses {
    _folder: tempfile::TempDir,
    path: std::path::PathBuf,
    locks: [Arc<DataLock>; 2],
}

impl TwoProcesses {
    /// The first process has the lock.
    fn new() -> TwoProcesses {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("x.db");
        let locks = [(); 2].map(|()| Arc::new(DataLock::of_database(&database)));
        locks.iter().for_each(|lock| drop(lock.claim()));
        TwoProcesses { path: folder.path().join("x.sessions.json"), _folder: folder, locks }
    }

    fn sessions(&self, process: usize, user: &User) -> (Sessions, SessionWriter) {
        let lock = &self.locks[process];
        let sessions = Sessions::of_file(&self.path, lock).unwrap();
        sessions.sync(std::slice::from_ref(user));
        let writer = sessions.write_to(&self.path, Arc::clone(lock), 1).unwrap();
        (sessions, writer)
    }

    /// Returns which sessions a process that starts now would accept.
    fn find_all<const N: usize>(&self, tokens: &[String; N], user: &User) -> [bool; N] {
        let sessions = of_file(&self.path, std::slice::from_ref(user));
        tokens.each_ref().map(|token| sessions.find(token, NOW, 30 * DAY).is_some())
    }
}

#[test]
fn second_process_overwrites_no_sign_out_of_the_first() {
    let anna = user("anna", "right");
    let mut two = TwoProcesses::new();
    let (first, first_writer) = two.sessions(0, &anna);
    let tokens = [(); 3].map(|()| issue(&first, &anna));
    assert_eq!(sign_out(&first, &anna), SignOut::Durable, "the file exists");
    let (second, second_writer) = two.sessions(1, &anna);
    assert!(tokens.iter().all(|token| second.find(token, NOW, 30 * DAY).is_some()));
    assert!(first.end(&tokens[0], NOW));
    assert_eq!(first.wait_until_saved(), SignOut::Durable);
    assert!(second.end(&tokens[1], NOW));
    assert_eq!(second.wait_until_saved(), SignOut::Unsaved, "it may not write the file");
    // What the first stores remains, until it ends.
    let stored = || two.find_all(&tokens, &anna);
    assert_eq!(stored(), [false, true, true]);
    drop(first_writer);
    two.locks[0] = Arc::new(DataLock::none());
    assert_eq!(two.locks[1].claim(), Claim::Ours);
    let end = std::time::Instant::now() + Duration::from_secs(20);
    let is_written = || {
        let state = second.shared.state();
        state.written == state.version && !state.failure.is_set()
    };
    while !is_written() {
        assert!(std::time::Instant::now() < end, "the second does not store its sign-out");
        std::thread::yield_now();
    }
    assert_eq!(two.find_all(&tokens, &anna), [false, false, true]);
    let found = tokens.each_ref().map(|token| second.find(token, NOW, 30 * DAY).is_some());
    assert_eq!(found, [false, false, true]);
    assert_eq!(sign_out(&second, &anna), SignOut::Durable);
    drop(second_writer);
    assert_eq!(two.find_all(&tokens, &anna), [false, false, true]);
}

#[test]
fn key_that_another_process_has_replaced_is_adopted() {
    let anna = user("anna", "right");
    let two = TwoProcesses::new();
    let (first, _first_writer) = two.sessions(0, &anna);
    let token = issue(&first, &anna);
    assert_eq!(sign_out(&first, &anna), SignOut::Durable);
    let second = Sessions::of_file(&two.path, &two.locks[1]).unwrap();
    second.sync(std::slice::from_ref(&anna));
    // So many sign-outs that the key is replaced.
    for _ in 0..=MAX_REVOKED {
        assert!(first.end(&issue(&first, &anna), NOW));
    }
    assert_eq!(first.wait_until_saved(), SignOut::Durable);
    assert!(second.find(&token, NOW, 30 * DAY).is_some());
    let stored = file::load(&two.path, false).unwrap();
    assert!(second.shared.state().keys.adopt(stored));
    assert_eq!(second.find(&token, NOW, 30 * DAY), None);
    let stored = file::load(&two.path, false).unwrap();
    assert!(!second.shared.state().keys.adopt(stored), "nothing is new");
}

#[test]
fn process_that_has_lost_the_lock_while_idle_overwrites_nothing() {
    let anna = user("anna", "right");
    let two = TwoProcesses::new();
    let (first, first_writer) = two.sessions(0, &anna);
    let token = issue(&first, &anna);
    assert_eq!(sign_out(&first, &anna), SignOut::Durable);
    // The lock's file is removed, and the second process locks the new one.
    std::fs::remove_file(two.path.with_file_name("x.db.lock")).unwrap();
    assert_eq!(two.locks[1].claim(), Claim::Ours);
    assert!(matches!(two.locks[0].claim(), Claim::Held(_)));
    std::fs::write(&two.path, "of the second").unwrap();
    assert!(first.end(&token, NOW));
    assert_eq!(first.wait_until_saved(), SignOut::Unsaved);
    drop(first_writer);
    assert_eq!(std::fs::read_to_string(&two.path).unwrap(), "of the second");
}
