//! Two replicas: one holds the sources, and the other one follows it.

use super::*;
use crate::board::{SharedState, shared_state};

/// A board with its counter of publications.
struct Replica {
    sources: Sources,
    instance: u128,
    version: u64,
}

impl Replica {
    fn new(instance: u128, infos: Vec<SourceInfo>, now: TimePoint) -> Replica {
        Replica { sources: Sources::new(infos, false, now), instance, version: 0 }
    }

    /// Publishes a source, as JSON.
    fn publish(&mut self, name: &str, now: i64) -> Followed {
        self.version += 1;
        let views = self.sources.publish(self.version, t(now));
        let json = shared_state(views.get(name).unwrap());
        let state = SharedState::from_json(name, &json).unwrap();
        Followed { instance: self.instance, version: self.version, state }
    }

    /// Returns the view of a source as the next snapshot has it.
    fn view(&mut self, name: &str, now: i64) -> SourceView {
        let views = self.sources.publish(1, t(now));
        let view = views.get(name).unwrap().clone();
        SourceView { is_held: true, version: 0, ..view }
    }

    fn hold(&mut self, is_held: bool, now: i64) {
        assert!(self.sources.set_held(&["tank".into()], is_held, m(now)));
    }

    fn follow(&mut self, state: Followed, now: i64) -> bool {
        self.sources.follow(vec![state], m(now))
    }
}

fn tank() -> SourceInfo {
    SourceInfo { trends: vec![TrendSettings::of_tank()], ..info("tank") }
}

/// Returns a replica that holds the source, and one that does not.
fn pair() -> (Replica, Replica) {
    let mut holder = Replica::new(1, vec![tank()], m(0));
    holder.hold(true, 0);
    (holder, Replica::new(2, vec![tank()], m(0)))
}

/// Asserts that both replicas show the same.
fn assert_equal(one: &mut Replica, other: &mut Replica, now: i64) {
    let view = |replica: &mut Replica| format!("{:#?}", replica.view("tank", now));
    let (one, other) = (view(one), view(other));
    let differing = one.lines().zip(other.lines()).find(|(one, other)| one != other);
    assert_eq!(differing, None, "{one} {other}");
}

#[test]
fn followed_source_is_shown_as_its_holder_shows_it_and_emits_nothing() {
    let minute = Duration::from_secs(60);
    let value = |own: Observed| {
        let value = Value::number(1.0 / 3.0, Unit::Volt);
        Value { observed: Some(own), ..value }
    };
    let with_own = |at: i64, own: Observed| {
        let values = vec![
            ("level".into(), Value::number(50.0, Unit::Percent)),
            ("battery".into(), value(own)),
            ("mode".into(), Value::text("auto").with_note("by hand")),
            ("rain".into(), Value::missing(Some(Unit::Inch), "sent as null")),
        ];
        Ok(Polled::Reading(Reading { observed: Observed::absolute(t(at)), values }))
    };
    let fraction = t(290) + Duration::from_millis(700);
    let (mut holder, mut other) = pair();
    for (at, outcome) in [
        (10, Err(PollError::new(ErrorKind::Dns, "no such name"))),
        (20, level(Observed::aged(t(20), 3 * minute, minute), 50.0)),
        (50, level(Observed::fetched(t(50)), 51.0)),
        (80, reading(4000, 52.0)),
        (110, Ok(Polled::Unchanged)),
        (150, Err(PollError::new(ErrorKind::Timeout, "late"))),
        (180, Err(PollError::new(ErrorKind::Timeout, "late again"))),
        (300, with_own(250, Observed::absolute(fraction))),
        (330, with_own(260, Observed::absolute(t(9000)))),
        (360, with_own(270, Observed { inferred: true, ..Observed::absolute(t(290)) })),
        (390, reading(380, 53.0)),
        (420, reading(370, 99.0)),
        (4500, reading(4490, 54.0)),
        (4530, reading(2000, 54.0)),
    ] {
        report(&mut holder.sources, "tank", at, outcome);
        let published = holder.publish("tank", at);
        assert!(other.follow(published, at + 1), "{at}");
        assert_equal(&mut holder, &mut other, at + 1);
        assert_eq!(other.sources.take_changes(), [], "{at}");
    }
    // It turns stale on both by the clock alone. Only the holder announces that.
    assert!(holder.sources.expire(m(9000)) && other.sources.expire(m(9000)));
    assert_eq!(other.view("tank", 9000).state, State::Stale);
    assert_eq!(other.sources.take_changes(), []);
    assert!(events(&mut holder.sources).contains(&EventKind::Stale));
}

#[test]
fn trends_have_the_samples_of_the_holder_when_the_source_is_taken_over() {
    let (mut holder, mut other) = pair();
    for turn in 0..40 {
        let at = turn * 300;
        report(&mut holder.sources, "tank", at, reading(at, 80.0 - turn as f64));
        let published = holder.publish("tank", at);
        assert!(other.follow(published, at + 1));
    }
    other.hold(true, 12_000);
    other.sources.take_changes();
    let derived =
        |replica: &mut Replica| replica.view("tank", 12_000).reading.unwrap().derived.clone();
    assert_eq!(derived(&mut holder), derived(&mut other));
    // Both poll once more.
    for replica in [&mut holder, &mut other] {
        report(&mut replica.sources, "tank", 12_000, reading(12_000, 40.0));
    }
    let numbers = derived(&mut other);
    assert!(numbers.iter().any(|(_, value)| value.datum.is_some()), "{numbers:?}");
    assert_eq!(derived(&mut holder), numbers);
}

#[test]
fn derived_values_are_those_of_the_holder_also_after_the_trends_restart() {
    let (mut holder, mut other) = pair();
    for turn in 0..40 {
        report(&mut holder.sources, "tank", turn * 300, reading(turn * 300, 80.0 - turn as f64));
    }
    // The other replica starts now, without history.
    let published = holder.publish("tank", 12_000);
    assert!(other.follow(published, 12_000));
    assert_equal(&mut holder, &mut other, 12_000);
    let at = t(11_000);
    let number = Finite::new(3.0).unwrap();
    let sample = Sample::new("tank".into(), "level".into(), at, number, Some(Unit::Percent));
    other.sources.backfill(&[sample], m(12_010));
    assert_equal(&mut holder, &mut other, 12_010);
}

#[test]
fn events_are_emitted_once_over_a_take_over() {
    use EventKind::{ErrorBegan, ErrorEnded, Fresh, Stale};
    let failed = || Err(PollError::new(ErrorKind::Timeout, "late"));
    // Time at which the holder ends, first report of the one that takes over, and the events of both.
    for (ends_at, next, at_first, at_second) in [
        // The holder announced that the source is stale, or ended before.
        (2000, reading(3000, 50.0), &[Stale][..], &[Fresh][..]),
        (500, reading(3000, 50.0), &[], &[Stale, Fresh]),
        (500, failed(), &[], &[Stale, ErrorBegan]),
        (2000, failed(), &[Stale], &[ErrorBegan]),
    ] {
        let (mut holder, mut other) = pair();
        report(&mut holder.sources, "tank", 10, reading(5, 50.0));
        let _ = holder.sources.expire(m(ends_at));
        let published = holder.publish("tank", ends_at);
        assert!(other.follow(published, ends_at));
        let _ = other.sources.expire(m(2900));
        assert_eq!(events(&mut other.sources), []);
        other.hold(true, 3000);
        report(&mut other.sources, "tank", 3010, next);
        assert_eq!(events(&mut holder.sources), at_first, "{ends_at}");
        assert_eq!(events(&mut other.sources), at_second, "{ends_at}");
    }
    // An error that the former holder announced.
    let (mut holder, mut other) = pair();
    report(&mut holder.sources, "tank", 10, failed());
    let published = holder.publish("tank", 10);
    assert!(other.follow(published, 11));
    other.hold(true, 20);
    report(&mut other.sources, "tank", 30, failed());
    assert_eq!(events(&mut other.sources), []);
    assert_eq!(other.view("tank", 30).error.unwrap().failures, 2);
    report(&mut other.sources, "tank", 60, reading(55, 50.0));
    assert_eq!(events(&mut other.sources), [ErrorEnded]);
    assert_eq!(events(&mut holder.sources), [ErrorBegan]);
}

#[test]
fn held_source_and_later_states_are_not_replaced() {
    let (mut holder, mut other) = pair();
    let level =
        |replica: &mut Replica| replica.view("tank", 100).value("level").unwrap().datum.clone();
    let number = |number: f64| Some(Datum::Number(Finite::new(number).unwrap()));
    report(&mut holder.sources, "tank", 10, reading(5, 1.0));
    let first = holder.publish("tank", 10);
    report(&mut holder.sources, "tank", 20, reading(15, 2.0));
    let second = holder.publish("tank", 20);
    assert!(other.follow(second.clone(), 21));
    assert!(!other.follow(first.clone(), 22), "a late answer of the database");
    assert!(!other.follow(second.clone(), 23), "shown already");
    assert_eq!(level(&mut other), number(2.0));
    // Another process continues.
    assert!(!other.follow(Followed { instance: 3, ..first.clone() }, 24), "before the reading");
    assert!(other.follow(Followed { instance: 3, ..second.clone() }, 24));
    other.hold(true, 30);
    report(&mut other.sources, "tank", 40, reading(35, 3.0));
    report(&mut holder.sources, "tank", 45, reading(45, 4.0));
    let third = holder.publish("tank", 45);
    assert!(!other.follow(third.clone(), 46), "it is held");
    assert_eq!(level(&mut other), number(3.0));
    // Another kind, and an unknown source.
    other.hold(false, 50);
    let state = SharedState { kind: "ptlevel".into(), ..third.state.clone() };
    assert!(!other.follow(Followed { state, ..third.clone() }, 51));
    let state = SharedState { source: "well".into(), ..third.state.clone() };
    assert!(!other.follow(Followed { state, ..third.clone() }, 51));
    assert!(!other.follow(second, 52), "before the reading");
    assert!(other.follow(third, 52));
    assert_eq!(level(&mut other), number(4.0));
}

#[test]
fn state_from_before_an_outage_replaces_no_reading_of_it_and_announces_nothing() {
    let (mut holder, mut resumed) = pair();
    report(&mut holder.sources, "tank", 10, reading(5, 1.0));
    let before = holder.publish("tank", 10);
    // The process starts while the database is away, and polls what it held.
    let saved = before.state.reading.clone().unwrap();
    resumed.sources.restore(vec![saved], m(3000));
    resumed.hold(true, 3000);
    report(&mut resumed.sources, "tank", 3010, reading(3005, 2.0));
    assert_eq!(events(&mut resumed.sources), [EventKind::Stale, EventKind::Fresh]);
    let next_poll = resumed.view("tank", 3010).next_poll_at;
    let during = resumed.publish("tank", 3010).state.reading;
    // The database answers: its lease is lost, and then acquired again.
    resumed.hold(false, 3020);
    assert!(!resumed.follow(before.clone(), 3021));
    let view = resumed.view("tank", 3021);
    assert_eq!((view.state, view.next_poll_at), (State::Fresh, next_poll));
    resumed.hold(true, 3025);
    assert_eq!(events(&mut resumed.sources), []);
    // A process that has saved its reading, and a database that was restored from a backup.
    let mut restarted = Replica::new(3, vec![tank()], m(3030));
    restarted.sources.restore(vec![during.unwrap()], m(3030));
    assert!(!restarted.follow(before, 3031));
    assert_eq!(restarted.view("tank", 3031).state, State::Fresh);
}

#[test]
fn earlier_reading_of_a_replica_that_takes_over_is_not_shown_and_its_error_is() {
    let (mut holder, mut other) = pair();
    report(&mut holder.sources, "tank", 10, reading(5, 1.0));
    let published = holder.publish("tank", 10);
    assert!(other.follow(published, 11));
    // The holder is stopped after a poll that it has not published.
    report(&mut holder.sources, "tank", 310, reading(305, 2.0));
    other.hold(true, 320);
    report(&mut other.sources, "tank", 330, Err(PollError::new(ErrorKind::Timeout, "late")));
    let failed = other.publish("tank", 330);
    holder.hold(false, 340);
    assert!(holder.follow(failed, 341));
    let view = holder.view("tank", 341);
    assert_eq!(view.reading.unwrap().fetched_at, t(310));
    assert_eq!(view.error.unwrap().kind, ErrorKind::Timeout);
    report(&mut other.sources, "tank", 360, reading(355, 3.0));
    let published = other.publish("tank", 360);
    assert!(holder.follow(published, 361));
    assert_equal(&mut holder, &mut other, 361);
}

#[test]
fn state_of_the_future_is_shown_only_if_there_is_no_reading() {
    let (mut holder, mut other) = pair();
    report(&mut holder.sources, "tank", 3610, reading(3605, 1.0));
    let ahead = holder.publish("tank", 3610);
    // The clock of the database was set back by an hour, to 20.
    assert!(other.follow(ahead.clone(), 20), "there is no reading");
    let (_, mut followed) = pair();
    assert!(followed.follow(ahead.clone(), 3611));
    let set_back = |at: i64| time_point(t(at - 3600), at);
    assert!(followed.sources.expire(set_back(3620)));
    let redated = followed.view("tank", 20);
    assert_eq!(redated.reading.as_ref().unwrap().fetched_at, t(10));
    assert!(!followed.sources.follow(vec![ahead], set_back(3621)));
    assert_eq!(followed.view("tank", 21).next_poll_at, redated.next_poll_at);
}

#[test]
fn report_after_the_release_is_recorded_and_its_reading_shown() {
    let (mut holder, mut other) = pair();
    report(&mut holder.sources, "tank", 10, reading(5, 1.0));
    let published = holder.publish("tank", 10);
    assert!(other.follow(published, 10));
    assert!(holder.sources.expire(m(1000)));
    holder.hold(false, 1000);
    assert_eq!(events(&mut holder.sources), [EventKind::Stale], "before the release");
    report(&mut holder.sources, "tank", 1010, Err(PollError::new(ErrorKind::Timeout, "late")));
    assert_eq!(holder.view("tank", 1010).error, None);
    assert_eq!(events(&mut holder.sources), []);
    report(&mut holder.sources, "tank", 1020, reading(1015, 2.0));
    let changes = holder.sources.take_changes();
    assert!(
        matches!(&changes[..], [Change::Observed(samples)] if samples.len() == 1),
        "{changes:?}"
    );
    assert_eq!(holder.view("tank", 1020).state, State::Fresh);
    // The new holder publishes what it took over, and then its first reading.
    other.hold(true, 1030);
    let published = other.publish("tank", 1030);
    assert!(holder.follow(published, 1031));
    assert_eq!(holder.view("tank", 1031).state, State::Fresh, "the later reading is kept");
    report(&mut other.sources, "tank", 1040, reading(1035, 3.0));
    let published = other.publish("tank", 1040);
    assert!(holder.follow(published, 1041));
    assert_equal(&mut holder, &mut other, 1041);
    assert_eq!(holder.sources.take_changes(), []);
}

#[test]
fn followed_state_is_shown_again_after_a_step_of_the_clock() {
    let (mut holder, mut other) = pair();
    let fetched = level(Observed::fetched(t(10)), 50.0);
    report(&mut holder.sources, "tank", 10, fetched);
    let published = holder.publish("tank", 10);
    assert!(other.follow(published.clone(), 11));
    // The clock of the other machine is set forward by an hour, and the reading keeps its age.
    let ahead = |at: i64| time_point(t(at + 3600), at);
    assert!(other.sources.expire(ahead(20)));
    assert_eq!(other.view("tank", 3620).reading.unwrap().observed.at, t(3610));
    assert_eq!(other.view("tank", 3620).state, State::Fresh);
    // The cluster's clock is used again.
    assert!(other.sources.expire(m(30)));
    assert!(other.follow(published, 31));
    assert_equal(&mut holder, &mut other, 31);
    let changes = other.sources.take_changes();
    assert!(!changes.iter().any(|change| matches!(change, Change::Observed(_))), "{changes:?}");
}

#[test]
fn restarted_replica_shows_the_saved_reading_and_announces_nothing_before_it_holds_the_source() {
    for (stale, expected) in [(false, &[EventKind::Stale][..]), (true, &[])] {
        let (mut holder, _) = pair();
        report(&mut holder.sources, "tank", 10, reading(5, 1.0));
        let saved = SavedReading { stale, ..holder.publish("tank", 10).state.reading.unwrap() };
        let mut other = Replica::new(2, vec![tank()], m(2000));
        other.sources.restore(vec![saved], m(2000));
        let view = other.view("tank", 2000);
        assert_eq!((view.state, view.is_stale_announced), (State::Stale, stale));
        assert_eq!(events(&mut other.sources), []);
        // A holder without a reading does not remove it.
        let mut empty = Replica::new(3, vec![tank()], m(2000));
        let published = empty.publish("tank", 2000);
        assert!(other.follow(published, 2001));
        assert_eq!(other.view("tank", 2001).values().count(), view.values().count());
        other.hold(true, 2010);
        assert_eq!(events(&mut other.sources), expected);
    }
}

#[test]
fn new_source_of_a_replica_is_not_held_and_a_reload_changes_no_holder() {
    let (mut holder, _) = pair();
    holder.sources.renew(vec![info("tank"), info("well")], m(10));
    let views = holder.sources.publish(1, t(10));
    assert_eq!(views.iter().map(|view| view.is_held).collect::<Vec<_>>(), [true, false]);
    // Another kind of source by the same name has the same holder.
    let ptlevel = SourceInfo { kind: "ptlevel", ..info("tank") };
    holder.sources.renew(vec![ptlevel, info("well")], m(20));
    assert!(holder.view("tank", 20).reading.is_none());
    let held = |source: &Source| source.view().is_held;
    assert_eq!(holder.sources.sources.iter().map(held).collect::<Vec<_>>(), [true, false]);
    let mut alone = sources();
    alone.renew(vec![info("tank"), info("well")], m(10));
    assert!(alone.views().iter().all(|view| view.is_held));
}
