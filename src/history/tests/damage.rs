//! Files that are beyond use, and files that are not ours.

use super::*;

#[test]
fn a_damaged_file_is_set_aside_and_never_overwritten() {
    for damage in ["head", "page"] {
        let place = Place::new();
        let samples = (0..5_000).map(|n| level(START + n * 300, n as f64)).collect();
        let mut writer = place.writer();
        writer.write([&Entry::Samples(samples)].into_iter()).unwrap();
        drop(writer);
        let mut bytes = std::fs::read(&place.path).unwrap();
        let at = if damage == "head" { 0 } else { 3 * 4096 };
        bytes[at..at + 2000].fill(0x5a);
        std::fs::write(&place.path, &bytes).unwrap();
        let (_recorder, change_sender, history) = place.recorder();
        change_sender.send(Change::Observed(vec![level(START, 7.0)]));
        until("the new file is written", || history.rows() == 2);
        assert_eq!(points(&history, window("level", 0, START + 1, Step::Raw)).len(), 1);
        let kind = history.recent_events()[0].event.kind;
        assert_eq!(kind, EventKind::HistorySetAside, "{damage}");
        assert_eq!(set_aside(&place), [bytes], "{damage}: every byte is there");
    }
}

#[test]
fn damage_that_a_reader_meets_is_looked_into_and_set_aside() {
    let place = Place::new();
    let samples = (0..40_000).map(|n| level(START + n, n as f64)).collect();
    place.writer().write([&Entry::Samples(samples)].into_iter()).unwrap();
    let (recorder, change_sender, history) = place.recorder();
    until("it is open", || history.version() > 0);
    let mut bytes = std::fs::read(&place.path).unwrap();
    // Beyond the pages that a connection holds in memory.
    let half = bytes.len() / 2 / 4096 * 4096;
    bytes[half..half + 40 * 4096].fill(0x5a);
    std::fs::write(&place.path, &bytes).unwrap();
    let all = window("level", START, START + 40_000, Step::Raw);
    let mut points = history.points(all).unwrap().unwrap();
    let error = points.find_map(Result::err).expect("it comes to the damage");
    assert!(matches!(history.report_read_error(error), HistoryError::Unreadable));
    until("it is set aside", || !history.recent_events().is_empty());
    assert_eq!(history.recent_events()[0].event.kind, EventKind::HistorySetAside);
    change_sender.send(Change::Observed(vec![level(START, 7.0)]));
    until("the new file is written", || history.rows() == 2);
    assert_eq!(points_of_level(&history).len(), 1);
    drop(recorder);
    assert_eq!(set_aside(&place), [bytes], "every byte is there");
}

/// All points of the level.
fn points_of_level(history: &History) -> Vec<Bucket> {
    points(history, window("level", 0, START + 86_400, Step::Raw))
}

/// What the files hold that were set aside.
fn set_aside(place: &Place) -> Vec<Vec<u8>> {
    let folder = std::fs::read_dir(place.path.parent().unwrap()).unwrap();
    let mut paths: Vec<PathBuf> = folder.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let is_database = |path: &&PathBuf| {
        let name = path.file_name().unwrap().to_string_lossy();
        name.contains(".damaged-") && !name.ends_with("-wal") && !name.ends_with("-shm")
    };
    paths.iter().filter(is_database).map(|path| std::fs::read(path).unwrap()).collect()
}

#[test]
fn files_of_others_are_left_alone() {
    for (made, told) in [
        ("CREATE TABLE a (b)", "another program"),
        ("PRAGMA application_id = 1347767632; PRAGMA user_version = 99", "version 99"),
    ] {
        let place = Place::new();
        Connection::open(&place.path).unwrap().execute_batch(made).unwrap();
        let before = std::fs::read(&place.path).unwrap();
        let (recorder, change_sender, history) = place.recorder();
        until("it has tried", || history.health().error.is_some());
        let error = history.health().error.clone().unwrap();
        assert!(error.message.contains(told), "{error:?}");
        change_sender.send(Change::Observed(vec![level(START, 7.0)]));
        drop(recorder);
        assert_eq!(std::fs::read(&place.path).unwrap(), before);
        assert!(matches!(
            history.points(window("level", 0, START, Step::Raw)),
            Err(HistoryError::Closed)
        ));
    }
}
