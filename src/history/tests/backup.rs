//! Backups, including those during writes of another connection.

use super::*;

#[test]
fn backup_has_all_rows() {
    let fixture = Fixture::new();
    let mut writer = fixture.writer();
    let samples = (0..5_000).map(|n| level(START + n, n as f64)).collect();
    writer.write([&Entry::Samples(samples)]).unwrap();
    let copy = fixture.path.with_file_name("copy.db");
    fixture.history().backup(&copy).unwrap();
    let copy = History::read_only(&copy, TimeZone::UTC);
    assert_eq!(points(&copy, window("level", START, START + 5_000, Step::Raw)).len(), 5_000);
    copy.check().unwrap();
}

#[test]
fn new_files_are_private_and_existing_modes_stay() {
    use std::os::unix::fs::PermissionsExt as _;
    let fixture = Fixture::new();
    let beside = |suffix: &str| {
        let name = fixture.path.file_name().unwrap().to_string_lossy().into_owned() + suffix;
        fixture.path.with_file_name(name)
    };
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let writer = fixture.writer();
    for file in [beside(""), beside("-wal"), beside("-shm")] {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    drop(writer);
    std::fs::set_permissions(&fixture.path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let _writer = fixture.writer();
    assert_eq!((mode(&fixture.path), mode(&beside("-wal"))), (0o644, 0o644));
    let copy = fixture.path.with_file_name("copy.db");
    fixture.history().backup(&copy).unwrap();
    assert_eq!(mode(&copy), 0o600, "a copy is a new file");
}

#[test]
fn backup_finishes_while_another_connection_writes() {
    let fixture = Fixture::new();
    drop(fixture.writer());
    let other = Connection::open(&fixture.path).unwrap();
    // The file is so large, and is written so often, that a copy in several steps would never finish before
    // the next write.
    other.execute_batch("CREATE TABLE ballast AS SELECT zeroblob(64 << 20) AS bytes").unwrap();
    other.execute_batch("PRAGMA synchronous = off; CREATE TABLE busy (n)").unwrap();
    let (stop, stopped) = crossbeam_channel::bounded::<()>(0);
    let (written, writes) = crossbeam_channel::bounded(1);
    let busy = std::thread::spawn(move || {
        while stopped.try_recv() == Err(crossbeam_channel::TryRecvError::Empty) {
            other.execute("INSERT INTO busy VALUES (1)", []).unwrap();
            let _ = written.try_send(());
        }
    });
    writes.recv().unwrap();
    let (history, copy) = (fixture.history(), fixture.path.with_file_name("copy.db"));
    let (sender, outcomes) = crossbeam_channel::bounded(1);
    let to = copy.clone();
    std::thread::spawn(move || sender.send(history.backup(&to).map_err(|error| error.to_string())));
    let outcome = outcomes.recv_timeout(Duration::from_secs(30));
    drop(stop);
    busy.join().unwrap();
    outcome.expect("the backup does not end while writes continue").unwrap();
    History::read_only(&copy, TimeZone::UTC).check().unwrap();
}

#[test]
fn backup_to_an_existing_file_is_rejected() {
    let fixture = Fixture::new();
    let mut writer = fixture.writer();
    writer.write([&Entry::Samples(vec![level(START, 1.0)])]).unwrap();
    let copy = fixture.path.with_file_name("copy.db");
    fixture.history().backup(&copy).unwrap();
    let before = std::fs::read(&copy).unwrap();
    writer.write([&Entry::Samples(vec![level(START + 300, 2.0)])]).unwrap();
    assert!(fixture.history().backup(&copy).is_err());
    assert_eq!(std::fs::read(&copy).unwrap(), before);
    let names = hostile::folder::entries(fixture.path.parent().unwrap());
    let partial: Vec<&String> = names.iter().filter(|name| name.contains("partial")).collect();
    assert_eq!(partial, [""; 0]);
}
