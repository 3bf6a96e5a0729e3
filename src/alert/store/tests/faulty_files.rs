//! Files that are damaged, foreign, or cannot be written.

use super::*;

#[test]
fn damaged_file_is_set_aside_and_alerts_start_afresh() {
    let folder = tempfile::tempdir().unwrap();
    let path = path(&folder);
    fs::write(&path, "no database, and longer than a header of one".repeat(100)).unwrap();
    let running = Running::start(&path);
    assert!(running.loaded().states.is_empty());
    running.save_now(changes());
    let names: Vec<String> = fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(names.iter().any(|name| name.contains(".damaged-")), "{names:?}");
}

#[test]
fn file_of_another_program_or_a_later_version_is_not_changed() {
    for (pragmas, expected) in [
        ("PRAGMA application_id = 7", FaultKind::Foreign),
        ("PRAGMA application_id = 0x50554d41; PRAGMA user_version = 2", FaultKind::NewerVersion),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let path = path(&folder);
        Connection::open(&path)
            .unwrap()
            .execute_batch(&format!("{pragmas}; CREATE TABLE a (b)"))
            .unwrap();
        let before = fs::read(&path).unwrap();
        let running = Running::start(&path);
        assert!(matches!(running.opened(), Opened::Failed(_)));
        running.save(changes());
        let health = running.handle.health();
        assert_eq!(health.error.as_ref().unwrap().kind, expected);
        assert_eq!(health.waiting, 8, "changes stay in memory");
        assert!(health.waiting_since.is_some());
        drop(running.store);
        assert_eq!(fs::read(&path).unwrap(), before);
    }
}

#[test]
fn write_that_fails_is_tried_again_and_its_changes_stay() {
    let folder = tempfile::tempdir().unwrap();
    let path = path(&folder);
    let running = Running::start(&path);
    running.loaded();
    running.save_now(Changes::default());
    let other = Connection::open(&path).unwrap();
    let refuse = "CREATE TRIGGER t BEFORE INSERT ON state BEGIN SELECT RAISE(ABORT, 'no'); END";
    other.execute_batch(refuse).unwrap();
    running.save(changes());
    let health = loop {
        let health = running.handle.health();
        if health.error.is_some() {
            break health;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    assert_eq!(health.waiting, 8, "none of them is written, and none is lost");
    assert!(running.saved.is_empty());
    other.execute_batch("DROP TRIGGER t").unwrap();
    assert_eq!(running.saved.recv_timeout(AMPLE).unwrap().len(), 2);
    let health = running.handle.health();
    assert!(health.error.is_none() && health.waiting_since.is_none(), "{health:?}");
}

#[test]
fn path_at_which_no_file_can_be_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none/alerts.db");
    let running = Running::start(&path);
    assert!(matches!(running.opened(), Opened::Failed(_)));
    assert_eq!(running.handle.health().error.as_ref().unwrap().kind, FaultKind::NoPlace);
    // Without a lock, it is the file that cannot be created.
    let running = Running::with_lock(&path, DataLock::none());
    let Opened::Failed(reason) = running.opened() else { panic!("it is open") };
    assert!(reason.contains("cannot open the file of the alerts"), "{reason}");
}

#[test]
fn damage_that_a_read_meets_is_repaired_by_a_new_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = path(&folder);
    let first = Running::start(&path);
    first.loaded();
    let incidents = (0..2000).map(|id| Arc::new(incident(id, 0, Some(1)))).collect();
    first.save(Changes { incidents, ..Changes::default() });
    drop(first.store);
    let running = Running::start(&path);
    running.loaded();
    // All pages but the first one, which has the schema.
    let mut bytes = fs::read(&path).unwrap();
    bytes[4096..].fill(0xa5);
    fs::write(&path, bytes).unwrap();
    assert!(running.handle.incidents("tank_low", None, 9).is_err());
    assert!(matches!(running.opened(), Opened::Replaced));
    running.save_now(changes());
    assert_eq!(running.handle.incidents("tank_low", None, 9).unwrap().len(), 3);
}
