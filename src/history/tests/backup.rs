//! Copies, made while others write.

use super::*;

#[test]
fn a_backup_is_whole() {
    let place = Place::new();
    let mut writer = place.writer();
    let samples = (0..5_000).map(|n| level(START + n, n as f64)).collect();
    writer.write([&Entry::Samples(samples)].into_iter()).unwrap();
    let copy = place.path.with_file_name("copy.db");
    place.history().backup(&copy).unwrap();
    let copy = History::read_only(&copy, TimeZone::UTC);
    assert_eq!(points(&copy, window("level", START, START + 5_000, Step::Raw)).len(), 5_000);
    copy.check().unwrap();
}

#[test]
fn new_files_are_private_and_existing_modes_stay() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    let beside = |suffix: &str| {
        let name = place.path.file_name().unwrap().to_string_lossy().into_owned() + suffix;
        place.path.with_file_name(name)
    };
    let mode =
        |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let writer = place.writer();
    for file in [beside(""), beside("-wal"), beside("-shm")] {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
    drop(writer);
    std::fs::set_permissions(&place.path, std::fs::Permissions::from_mode(0o644)).unwrap();
    let _writer = place.writer();
    assert_eq!((mode(&place.path), mode(&beside("-wal"))), (0o644, 0o644));
    let copy = place.path.with_file_name("copy.db");
    place.history().backup(&copy).unwrap();
    assert_eq!(mode(&copy), 0o600, "a copy is a new file");
}

#[test]
fn a_backup_is_made_while_others_write() {
    let place = Place::new();
    drop(place.writer());
    let other = Connection::open(&place.path).unwrap();
    // Large enough, and written to often enough, that a copy in steps is never done before the
    // next write.
    other.execute_batch("CREATE TABLE ballast AS SELECT zeroblob(64 << 20) AS it").unwrap();
    other.execute_batch("PRAGMA synchronous = off; CREATE TABLE busy (n)").unwrap();
    let (stop, stopped) = crossbeam_channel::bounded::<()>(0);
    let (begun, begins) = crossbeam_channel::bounded(1);
    let busy = std::thread::spawn(move || {
        while stopped.try_recv() == Err(crossbeam_channel::TryRecvError::Empty) {
            other.execute("INSERT INTO busy VALUES (1)", []).unwrap();
            let _ = begun.try_send(());
        }
    });
    begins.recv().unwrap();
    let (history, copy) = (place.history(), place.path.with_file_name("copy.db"));
    let (done, is_done) = crossbeam_channel::bounded(1);
    let to = copy.clone();
    std::thread::spawn(move || done.send(history.backup(&to).map_err(|error| error.to_string())));
    let outcome = is_done.recv_timeout(Duration::from_secs(30));
    drop(stop);
    busy.join().unwrap();
    outcome.expect("it ends though writes go on").unwrap();
    History::read_only(&copy, TimeZone::UTC).check().unwrap();
}

#[test]
fn a_backup_replaces_no_file() {
    let place = Place::new();
    let mut writer = place.writer();
    writer.write([&Entry::Samples(vec![level(START, 1.0)])].into_iter()).unwrap();
    let copy = place.path.with_file_name("copy.db");
    place.history().backup(&copy).unwrap();
    let before = std::fs::read(&copy).unwrap();
    writer.write([&Entry::Samples(vec![level(START + 300, 2.0)])].into_iter()).unwrap();
    assert!(place.history().backup(&copy).is_err());
    assert_eq!(std::fs::read(&copy).unwrap(), before);
    let folder = std::fs::read_dir(place.path.parent().unwrap()).unwrap();
    let names = folder.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    let partial: Vec<String> = names.filter(|name| name.contains("partial")).collect();
    assert_eq!(partial, [""; 0]);
}
