//! Readings that are held while the clock is wrong.

use super::*;

#[test]
fn readings_are_held_until_the_clock_is_set() {
    // A machine without a clock boots in 1970, or where it was switched off.
    for behind in [RECORD - 100, HOUR] {
        let mut held = Held::after_a_record(RECORD - behind);
        held.observe(RECORD - behind, 2.0, DatedBy::Machine);
        held.observe(RECORD + 60, 3.0, DatedBy::Sensor);
        held.thread.flush();
        assert_eq!(held.recorded(), [RECORD], "{behind}");
        let error = held.error().unwrap();
        assert!(error.contains("2026-01-31T17:20:00Z"), "{error}");
        assert_eq!(held.history.health().error.as_ref().unwrap().kind, FaultKind::Clock);
        held.clock.advance(Duration::from_secs(5));
        held.set_clock(behind + 300);
        held.observe(RECORD + 305, 4.0, DatedBy::Machine);
        held.thread.flush();
        assert_eq!(held.recorded(), [RECORD, RECORD + 60, RECORD + 300, RECORD + 305], "{behind}");
        assert_eq!(held.error(), None);
        assert_eq!(held.history.dropped(), 0);
    }
}

#[test]
fn nothing_is_written_between_a_step_of_the_clock_and_its_report() {
    // From 1970, where it was switched off, and back from a clock that was ahead.
    for (booted, step) in [(HOUR, RECORD), (RECORD - 100, 400), (RECORD + 2 * HOUR, -HOUR)] {
        let mut held = Held::after_a_record(booted);
        held.observe(booted + 10, 2.0, DatedBy::Machine);
        held.clock.set(SignedDuration::from_secs(step));
        held.thread.flush();
        assert_eq!((held.recorded(), held.history.dropped()), (vec![RECORD], 0), "{booted}");
        held.clock.advance(Duration::from_secs(2));
        held.thread.add(Change::ClockStepped(SignedDuration::from_secs(step)));
        held.thread.flush();
        assert_eq!(held.recorded(), [RECORD, booted + 10 + step], "{booted}");
        assert_eq!(held.history.dropped(), 0, "{booted}");
    }
}

#[test]
fn board_that_reports_no_step_delays_writes_for_seconds_only() {
    let mut held = Held::after_a_record(RECORD + 60);
    held.clock.set(SignedDuration::from_secs(HOUR));
    held.observe(RECORD + 61, 2.0, DatedBy::Sensor);
    for (seconds, rows) in [(0, 1), (9, 1), (1, 2)] {
        held.clock.advance(Duration::from_secs(seconds));
        held.thread.flush();
        assert_eq!(held.recorded().len(), rows);
    }
    // The late report is the known setting again, and the next step is noticed.
    held.thread.add(Change::ClockStepped(SignedDuration::from_secs(HOUR)));
    held.observe(RECORD + 62, 2.0, DatedBy::Sensor);
    held.thread.flush();
    assert_eq!(held.recorded().len(), 3);
    held.clock.set(SignedDuration::from_secs(HOUR));
    held.observe(RECORD + 63, 2.0, DatedBy::Sensor);
    held.thread.flush();
    assert_eq!(held.recorded().len(), 3);
    // The program ends before the board has noticed it.
    held.observe(RECORD + 2 * HOUR, 2.0, DatedBy::Machine);
    held.thread.flush_last();
    assert_eq!(held.recorded().last(), Some(&(RECORD + 3 * HOUR)));
}

#[test]
fn events_of_a_wrong_clock_are_dated_anew() {
    let mut held = Held::start(tempfile::tempdir().unwrap(), 100);
    let event = |at| {
        let at = Timestamp::from_second(at).unwrap();
        Change::Happened(Event { at, kind: EventKind::Started, source: None, detail: "".into() })
    };
    held.thread.add(event(100));
    held.thread.flush();
    assert_eq!(held.history.rows(), 0, "the clock was never set");
    held.set_clock(RECORD);
    held.thread.add(event(RECORD + 200));
    held.thread.flush();
    let times = |history: &History| {
        let events = history.recent_events();
        events.iter().map(|stored| stored.event.at.as_second()).collect::<Vec<_>>()
    };
    assert_eq!(times(&held.history), [RECORD + 200, RECORD + 100]);
    let Held { folder, thread, .. } = held;
    drop(thread);
    // Those of the file, too. What is written is not moved again.
    let mut held = Held::start(folder, RECORD + 300);
    assert_eq!(times(&held.history), [RECORD + 200, RECORD + 100]);
    held.set_clock(HOUR);
    assert_eq!(times(&held.history), [RECORD + 200, RECORD + 100]);
}

#[test]
fn record_of_a_clock_that_was_ahead_holds_readings_for_a_day_at_most() {
    // The clock was right when the file was written, then a year ahead, and was set while the program was down.
    let year = 365 * 24 * HOUR;
    let mut held = Held::after_a_record(RECORD + year);
    held.observe(RECORD + year, 2.0, DatedBy::Machine);
    held.thread.flush();
    assert_eq!(held.recorded(), [RECORD, RECORD + year]);
    let Held { folder, thread, .. } = held;
    drop(thread);
    let mut held = Held::start(folder, RECORD + 60);
    held.observe(RECORD + 60, 3.0, DatedBy::Machine);
    held.thread.flush();
    assert_eq!(held.recorded().len(), 2);
    held.clock.advance(Duration::from_secs(24 * 3600));
    held.observe(RECORD + 60 + 24 * HOUR, 4.0, DatedBy::Machine);
    held.thread.flush();
    let expected = [RECORD, RECORD + 60, RECORD + 60 + 24 * HOUR, RECORD + year];
    assert_eq!(held.recorded(), expected);
    // A restart does not hold them again.
    let Held { folder, thread, .. } = held;
    drop(thread);
    let mut held = Held::start(folder, RECORD + 120 + 24 * HOUR);
    held.observe(RECORD + 120 + 24 * HOUR, 5.0, DatedBy::Machine);
    held.thread.flush();
    assert_eq!((held.recorded().len(), held.error()), (5, None));
}

#[test]
fn clock_that_was_ahead_and_is_set_back_while_the_program_runs_holds_nothing() {
    let year = 365 * 24 * HOUR;
    // The clock is ahead at the start, or right, ahead for a while, and right again.
    for is_ahead in [true, false] {
        let mut held = Held::after_a_record(RECORD + if is_ahead { 60 + year } else { 60 });
        if !is_ahead {
            held.observe(RECORD + 60, 2.0, DatedBy::Machine);
            held.thread.flush();
            held.set_clock(year);
        }
        held.observe(RECORD + 61 + year, 3.0, DatedBy::Machine);
        held.clock.advance(Duration::from_secs(1));
        held.thread.flush();
        held.set_clock(-year);
        held.clock.advance(Duration::from_secs(1));
        held.observe(RECORD + 62, 4.0, DatedBy::Machine);
        held.thread.flush();
        assert_eq!(held.error(), None);
        assert!(held.recorded().contains(&(RECORD + 62)), "{is_ahead}");
        // Nor does the next start.
        let Held { folder, thread, .. } = held;
        drop(thread);
        let mut held = Held::start(folder, RECORD + 70);
        held.observe(RECORD + 70, 5.0, DatedBy::Machine);
        held.thread.flush();
        assert!(held.recorded().contains(&(RECORD + 70)), "{is_ahead}");
    }
}

#[test]
fn machine_that_restarts_daily_records_after_a_day_of_holding() {
    let year = 365 * 24 * HOUR;
    // The program is ended, or killed.
    for is_ended in [true, false] {
        let mut held = Held::after_a_record(RECORD + year);
        held.observe(RECORD + year, 2.0, DatedBy::Machine);
        held.thread.flush();
        let mut start = RECORD + 60;
        for day in 0..4 {
            let Held { folder, thread, .. } = held;
            drop(thread);
            held = Held::start(folder, start);
            held.thread.flush();
            held.clock.advance(Duration::from_secs(9 * 3600));
            held.observe(start + 9 * HOUR, 3.0, DatedBy::Machine);
            match is_ended {
                true => held.thread.flush_last(),
                false => held.thread.flush(),
            }
            let is_recorded = held.recorded().contains(&(start + 9 * HOUR));
            assert_eq!(is_recorded, day >= 2, "day {day}, {is_ended}");
            start += 24 * HOUR;
        }
        assert_eq!(held.error(), None);
    }
}

#[test]
fn length_of_a_hold_is_forgotten_once_the_clock_is_right() {
    let mut held = Held::after_a_record(RECORD - 100 * HOUR);
    for _ in 0..2 {
        held.thread.flush();
        held.clock.advance(Duration::from_secs(20 * 3600));
    }
    held.set_clock(200 * HOUR);
    held.observe(RECORD + 140 * HOUR, 2.0, DatedBy::Machine);
    held.thread.flush();
    assert_eq!(held.recorded(), [RECORD, RECORD + 140 * HOUR]);
    let Held { folder, thread, .. } = held;
    drop(thread);
    let mut held = Held::start(folder, RECORD);
    held.thread.flush();
    held.clock.advance(Duration::from_secs(20 * 3600));
    held.observe(RECORD + 20 * HOUR, 3.0, DatedBy::Machine);
    held.thread.flush();
    assert_eq!(held.recorded().len(), 2);
}

#[test]
fn record_that_is_known_to_be_wrong_holds_nothing_after_a_restart_without_new_values() {
    let year = 365 * 24 * HOUR;
    let mut held = Held::after_a_record(RECORD + year);
    held.observe(RECORD + year, 2.0, DatedBy::Machine);
    held.thread.flush();
    for (start, is_recorded) in [(RECORD + 60, false), (RECORD + 60 + 25 * HOUR, true)] {
        let Held { folder, thread, .. } = held;
        drop(thread);
        held = Held::start(folder, start);
        held.thread.flush();
        if is_recorded {
            held.observe(start, 3.0, DatedBy::Machine);
            held.thread.flush();
            assert!(held.recorded().contains(&start));
            return;
        }
        held.clock.advance(Duration::from_secs(24 * 3600));
        // A batch with an event only.
        let (at, kind) = (Timestamp::from_second(start + 24 * HOUR).unwrap(), EventKind::Started);
        held.thread.add(Change::Happened(Event { at, kind, source: None, detail: "".into() }));
        held.thread.flush();
    }
}

#[test]
fn sensor_ahead_of_the_clock_holds_nothing() {
    let mut held = Held::after_a_record(RECORD + 60);
    held.observe(RECORD + HOUR, 2.0, DatedBy::Sensor);
    held.thread.flush();
    held.clock.advance(Duration::from_secs(60));
    held.observe(RECORD + 120, 3.0, DatedBy::Machine);
    held.thread.flush();
    assert_eq!(held.recorded(), [RECORD, RECORD + 120, RECORD + HOUR]);
}

#[test]
fn program_that_ends_while_the_clock_is_wrong_writes_what_sensors_dated() {
    let mut held = Held::after_a_record(RECORD - 100);
    held.observe(RECORD - 100, 2.0, DatedBy::Machine);
    held.observe(RECORD + 60, 3.0, DatedBy::Sensor);
    held.thread.flush_last();
    assert_eq!(held.recorded(), [RECORD, RECORD + 60]);
}

#[test]
fn stamp_that_a_clock_of_1970_did_not_believe_is_recorded() {
    for is_believed in [true, false] {
        let mut held = Held::after_a_record(HOUR);
        let at = Timestamp::from_second(HOUR).unwrap();
        // Two hours before the clock is set, or an hour after.
        let stamp = if is_believed { RECORD + HOUR } else { RECORD + 4 * HOUR };
        let value = Finite::new(2.0).unwrap();
        let sample = Sample::new("tank".into(), "level".into(), at, value, Some(Unit::Percent));
        let stated = Some(Timestamp::from_second(stamp).unwrap());
        held.thread.add(Change::Observed(vec![Sample {
            dated_by: DatedBy::Machine,
            stated,
            ..sample
        }]));
        held.thread.flush();
        held.set_clock(RECORD + 2 * HOUR);
        held.thread.flush();
        let expected = if is_believed { stamp } else { RECORD + 3 * HOUR };
        assert_eq!(held.recorded(), [RECORD, expected]);
    }
}
