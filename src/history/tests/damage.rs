//! Damaged files, and files of other programs.

use super::*;

#[test]
fn damaged_file_is_renamed_unchanged() {
    for damage in ["head", "page"] {
        let fixture = Fixture::new();
        let samples = (0..5_000).map(|n| level(START + n * 300, n as f64)).collect();
        let mut writer = fixture.writer();
        writer.write([&Entry::Samples(samples)]).unwrap();
        drop(writer);
        let mut bytes = std::fs::read(&fixture.path).unwrap();
        let at = if damage == "head" { 0 } else { 3 * 4096 };
        bytes[at..at + 2000].fill(0x5a);
        std::fs::write(&fixture.path, &bytes).unwrap();
        let (_recorder, sender, history) = fixture.recorder();
        sender.send(Change::Observed(vec![level(START, 7.0)]));
        wait_until("the new file is written", || history.rows() == 2);
        assert_eq!(points(&history, window("level", 0, START + 1, Step::Raw)).len(), 1);
        let kind = history.recent_events()[0].event.kind;
        assert_eq!(kind, EventKind::HistorySetAside, "{damage}");
        assert_eq!(set_aside(&fixture), [bytes], "{damage}: unchanged");
    }
}

#[test]
fn damage_found_by_a_reader_is_checked_and_the_file_renamed() {
    let fixture = Fixture::new();
    let samples = (0..40_000).map(|n| level(START + n, n as f64)).collect();
    fixture.writer().write([&Entry::Samples(samples)]).unwrap();
    let (recorder, sender, history) = fixture.recorder();
    wait_until("the file is open", || history.version() > 0);
    let mut bytes = std::fs::read(&fixture.path).unwrap();
    // Pages that are not in the cache of a connection.
    let half = bytes.len() / 2 / 4096 * 4096;
    bytes[half..half + 40 * 4096].fill(0x5a);
    std::fs::write(&fixture.path, &bytes).unwrap();
    let all = window("level", START, START + 40_000, Step::Raw);
    let mut points = history.points(all).unwrap().unwrap();
    let error = points.find_map(Result::err).expect("the scan did not read the damaged pages");
    assert!(matches!(history.report_read_error(error), HistoryError::Unreadable));
    wait_until("the file is set aside", || !history.recent_events().is_empty());
    assert_eq!(history.recent_events()[0].event.kind, EventKind::HistorySetAside);
    sender.send(Change::Observed(vec![level(START, 7.0)]));
    wait_until("the new file is written", || history.rows() == 2);
    assert_eq!(points_of_level(&history).len(), 1);
    drop(recorder);
    assert_eq!(set_aside(&fixture), [bytes], "unchanged");
}

/// Returns all points of the level.
fn points_of_level(history: &History) -> Vec<Bucket> {
    points(history, window("level", 0, START + 86_400, Step::Raw))
}

/// Returns the contents of the files that were set aside.
fn set_aside(fixture: &Fixture) -> Vec<Vec<u8>> {
    let folder = std::fs::read_dir(fixture.path.parent().unwrap()).unwrap();
    let mut paths: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let is_database = |path: &&PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.contains(".damaged-") && !name.ends_with("-wal") && !name.ends_with("-shm")
    };
    paths.iter().filter(is_database).map(|path| std::fs::read(path).unwrap()).collect()
}

#[test]
fn file_of_another_program_or_version_is_left_unchanged() {
    for (sql, kind, message) in [
        ("CREATE TABLE a (b)", FaultKind::Foreign, "another program"),
        (
            "PRAGMA application_id = 1347767632; PRAGMA user_version = 99",
            FaultKind::NewerVersion,
            "version 99",
        ),
    ] {
        let fixture = Fixture::new();
        Connection::open(&fixture.path).unwrap().execute_batch(sql).unwrap();
        let before = std::fs::read(&fixture.path).unwrap();
        let (recorder, sender, history) = fixture.recorder();
        wait_until("the recorder has tried", || history.health().error.is_some());
        let error = history.health().error.clone().unwrap();
        assert!(error.kind == kind && error.message.contains(message), "{error:?}");
        sender.send(Change::Observed(vec![level(START, 7.0)]));
        drop(recorder);
        assert_eq!(std::fs::read(&fixture.path).unwrap(), before);
        assert!(matches!(
            history.points(window("level", 0, START, Step::Raw)),
            Err(HistoryError::Closed)
        ));
    }
}
