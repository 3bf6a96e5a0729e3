//! Messages that the server does not take, the quota of critical alarms, and what the state says of both.

use super::tests::{content, error, next, outbox, restore, send, t};
use super::*;
use crate::alert::NoticeKind::{Ended, Fired};
use crate::alert::test_notices::{at, notice};
use crate::config::Severity;

const DAY: i64 = 24 * 3600;

/// A server with a fault, whose channel has a clock.
struct Server {
    outbox: Outbox,
    time: i64,
    attempts: usize,
    /// Ids of the messages that were taken, each with its time.
    taken: Vec<(u64, i64)>,
    dropped: usize,
}

impl Server {
    fn new(outbox: Outbox) -> Server {
        Server { outbox, time: 0, attempts: 0, taken: Vec::new(), dropped: 0 }
    }

    /// Lets time pass until a time, or until nothing waits. The server takes messages for which `takes` is true.
    fn run(&mut self, until: i64, takes: impl Fn(&[u64]) -> bool) {
        while self.time < until {
            match next(&mut self.outbox, self.time) {
                None => return,
                Some(Err(wait)) => self.time += i64::try_from(wait + 1).unwrap().min(until),
                Some(Ok(delivery)) => {
                    self.attempts += 1;
                    let ids: Vec<u64> = content(&delivery).into_iter().map(|it| it.0).collect();
                    if takes(&ids) {
                        self.outbox.sent(t(self.time));
                        self.taken.extend(ids.into_iter().map(|id| (id, self.time)));
                        continue;
                    }
                    let fault = error(DeliveryFault::Undeliverable);
                    if let Failed::Dropped(count) = self.outbox.failed(fault, t(self.time)) {
                        self.dropped += count;
                    }
                }
            }
        }
    }

    fn ids(&self) -> Vec<u64> {
        let mut ids: Vec<u64> = self.taken.iter().map(|(id, _)| *id).collect();
        ids.sort_unstable();
        ids
    }
}

fn fires(ids: std::ops::RangeInclusive<u64>) -> Vec<(u64, NoticeKind, u32)> {
    ids.map(|id| (id, Fired, 0)).collect()
}

#[test]
fn one_message_of_a_thousand_that_is_not_taken_holds_up_the_others_for_a_minute() {
    for poison in [1, 500, 777, 1000] {
        let mut server = Server::new(outbox(30, 3600));
        restore(&mut server.outbox, 0, &fires(1..=1000));
        server.run(DAY / 2, |ids| !ids.contains(&poison));
        assert_eq!(server.taken.len(), 999, "{poison}");
        let last = server.taken.iter().map(|(_, time)| *time).max().unwrap();
        assert!(last <= 30 + 90, "{poison}: {last} s");
        let status = server.outbox.status(t(server.time));
        assert_eq!((status.waiting, status.dropped), (1, 0), "{poison}");
        assert_eq!(status.last_error.unwrap().fault, DeliveryFault::Undeliverable);
    }
}

#[test]
fn body_that_is_too_large_does_not_climb_down_anew_after_each_success() {
    let mut server = Server::new(outbox(0, 3600));
    restore(&mut server.outbox, 0, &fires(1..=2000));
    server.run(DAY, |ids| ids.len() <= 100);
    assert_eq!(server.ids(), (1..=2000).collect::<Vec<_>>());
    // 62 take each part of it; half of the attempts ask for more.
    assert!(server.attempts < 80, "{}", server.attempts);
    assert!(server.time < 300, "{} s", server.time);
}

#[test]
fn message_that_is_never_taken_is_dropped_once_others_were_for_a_day_and_that_is_shown_for_a_day() {
    let mut server = Server::new(outbox(0, 60));
    restore(&mut server.outbox, 0, &[(7, Fired, 0), (7, Ended, 0)]);
    let is_poison = |ids: &[u64]| ids.contains(&7);
    // Nothing else is sent: it may be the channel.
    server.run(10 * DAY, |ids| !is_poison(ids));
    assert_eq!((server.dropped, server.outbox.status(t(server.time)).waiting), (0, 2));
    let other = server.time;
    restore(&mut server.outbox, other, &[(8, Fired, 0)]);
    server.run(other + DAY - 7200, |ids| !is_poison(ids));
    assert_eq!((server.ids(), server.dropped), (vec![8], 0));
    // It takes none since: it may be the channel again.
    server.run(other + 2 * DAY, |_| false);
    assert_eq!(server.dropped, 0);
    let another = server.time;
    restore(&mut server.outbox, another, &[(9, Fired, 0)]);
    server.run(another + 7200, |ids| !is_poison(ids));
    assert_eq!(server.dropped, 2);
    let dropped_at = server.time;
    let mut done = server.outbox.take_done();
    done.sort_unstable();
    assert_eq!(done.iter().map(|key| key.incident.0).collect::<Vec<_>>(), [7, 7, 8, 9]);
    // A success does not hide it.
    restore(&mut server.outbox, dropped_at, &[(10, Fired, 0)]);
    server.run(dropped_at + DAY, |_| true);
    let status = server.outbox.status(t(dropped_at + DAY - 1));
    assert_eq!((status.last_error, status.dropped), (None, 2));
    let loss = status.loss.unwrap();
    assert_eq!((loss.since, &*loss.message), (at(dropped_at), "no"));
    assert_eq!(server.outbox.status(t(dropped_at + DAY)).loss, None);
}

#[test]
fn no_message_is_lost_by_a_server_that_takes_none_for_a_week() {
    let mut server = Server::new(outbox(0, 60));
    restore(&mut server.outbox, 0, &fires(1..=200));
    server.run(7 * DAY, |_| false);
    // One each 7.5 to 15 minutes.
    assert!(server.attempts < 7 * 24 * 8 + 50, "{} attempts", server.attempts);
    let mended = server.time;
    restore(&mut server.outbox, mended, &[(201, Fired, 0), (3, Ended, 0)]);
    server.run(mended + 7200, |_| true);
    assert_eq!(server.dropped, 0);
    assert_eq!(server.ids().len(), 202);
    assert!(server.time - mended <= 3600, "{} s", server.time - mended);
    let messages: HashSet<i64> = server.taken.iter().map(|(_, time)| *time).collect();
    assert!(messages.len() <= 15, "they are joined again: {}", messages.len());
}

#[test]
fn end_goes_with_a_fire_that_is_set_aside() {
    let mut outbox = outbox(0, 60);
    restore(&mut outbox, 0, &[(1, Fired, 0)]);
    send(&mut outbox, 0);
    let failed = outbox.failed(error(DeliveryFault::Undeliverable), t(0));
    assert!(matches!(failed, Failed::SetAside { count: 1, is_first: true, .. }), "{failed:?}");
    restore(&mut outbox, 6, &[(1, Ended, 0), (2, Fired, 0)]);
    assert_eq!(content(&send(&mut outbox, 6)), [(2, Fired, 0)]);
    outbox.sent(t(6));
    assert_eq!(content(&send(&mut outbox, 60)), [(1, Fired, 0), (1, Ended, 0)]);
    let failed = outbox.failed(error(DeliveryFault::Undeliverable), t(60));
    assert!(matches!(failed, Failed::SetAside { count: 2, is_first: false, .. }), "{failed:?}");
    assert!(next(&mut outbox, 61).unwrap().is_err());
    outbox.renew(OutboxSettings { group_wait: Duration::ZERO, max_per_hour: 60 });
    send(&mut outbox, 61);
    outbox.sent(t(61));
    assert_eq!(outbox.status(t(61)).last_error, None);
}

#[test]
fn fire_of_a_critical_alarm_passes_the_quota_that_others_have_used_up() {
    let mut outbox = outbox(0, 2);
    let critical = |id: u64, time: i64| {
        let mut notice = notice(id, Fired, 0, time);
        Arc::make_mut(&mut notice.incident).severity = Severity::Critical;
        Arc::new(notice)
    };
    for id in [1, 2] {
        restore(&mut outbox, 0, &[(id, Fired, 0)]);
        send(&mut outbox, 0);
        outbox.sent(t(0));
    }
    restore(&mut outbox, 10, &[(3, Fired, 0)]);
    assert_eq!(next(&mut outbox, 10).unwrap().unwrap_err(), 3590);
    outbox.restore([critical(4, 11)], t(11));
    assert_eq!(content(&send(&mut outbox, 11)), [(3, Fired, 0), (4, Fired, 0)]);
    outbox.sent(t(11));
    for (id, time) in [(5, 12), (6, 13)] {
        outbox.restore([critical(id, time)], t(time));
        match next(&mut outbox, time).unwrap() {
            Ok(_) => outbox.sent(t(time)),
            Err(wait) => assert_eq!((id, wait), (6, 3587), "they have a quota too"),
        }
    }
    let status = outbox.status(t(1000));
    assert!(status.is_quota_used);
    assert_eq!((status.sent, status.waited), (4, Duration::from_secs(987)));
}

#[test]
fn end_that_waits_for_quiet_hours_with_its_fire_does_not_count_as_waiting() {
    let mut outbox = outbox(0, 60);
    let mut fired = notice(1, Fired, 0, 0);
    fired.due = at(8 * 3600);
    outbox.restore([Arc::new(fired)], t(0));
    restore(&mut outbox, 10, &[(1, Ended, 0)]);
    let status = outbox.status(t(3600));
    assert_eq!((status.waiting, status.deferred, status.waited), (0, 2, Duration::ZERO));
    let status = outbox.status(t(8 * 3600 + 60));
    assert_eq!((status.waiting, status.deferred), (2, 0));
}

#[test]
fn time_of_an_earlier_run_counts_while_the_channel_fails() {
    let mut outbox = outbox(0, 60);
    outbox.restore([Arc::new(notice(1, Fired, 0, 0))], t(7200));
    assert_eq!(outbox.status(t(7210)).waited, Duration::from_secs(10));
    send(&mut outbox, 7210);
    outbox.failed(error(DeliveryFault::Transient), t(7210));
    assert_eq!(outbox.status(t(7210)).waited, Duration::from_secs(7210));
}
