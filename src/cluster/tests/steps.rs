//! Single ticks of one replica, with replies that a test makes.

use std::time::Duration;

use jiff::Timestamp;

use super::plans::plan;
use crate::cluster::*;
use crate::kernel::clock::TimePoint;

/// A replica and the rows of its database.
struct Steps {
    cluster: Cluster,
    now: Duration,
    others: Vec<LiveReplica>,
    rows: Vec<LeaseRow>,
    era: u64,
    era_age: Duration,
    hashes: Registration,
    is_poll_near: bool,
}

fn instance(number: u8) -> InstanceId {
    InstanceId::from_bytes([number; 16])
}

fn live(name: &str, id: InstanceId, registration: &Registration) -> LiveReplica {
    let Registration { digest, hashes } = registration.clone();
    LiveReplica { name: name.into(), instance: id, digest, hashes: Some(hashes), configured_at: 1 }
}

impl Steps {
    /// Returns a replica that has registered.
    fn new() -> Steps {
        let cluster = Cluster::new("a".into(), instance(1), plan(""), Terms::default());
        let hashes = Registration { digest: plan("").digest(), hashes: plan("").hashes() };
        let mut steps = Steps {
            cluster,
            now: Duration::from_secs(100),
            others: Vec::new(),
            rows: Vec::new(),
            era: 1,
            era_age: Duration::from_secs(100),
            hashes,
            is_poll_near: false,
        };
        let (request, _) = steps.tick();
        assert!(matches!(request.renewal, Renewal::Register(_)));
        assert_eq!((request.read, request.acquisitions.len()), (LeaseRead::All, 0));
        steps
    }

    fn time(&self) -> TimePoint {
        TimePoint { wall: Timestamp::UNIX_EPOCH, boot: self.now }
    }

    fn begin(&mut self) -> TickRequest {
        self.now += Duration::from_millis(500);
        self.cluster.begin_tick(self.time())
    }

    fn end(&mut self, result: Result<TickReply, Failure>) -> Vec<Effect> {
        let is_poll_near = self.is_poll_near;
        self.cluster.end_tick(self.time(), result, |_| is_poll_near)
    }

    fn tick(&mut self) -> (TickRequest, Vec<Effect>) {
        let request = self.begin();
        let reply = self.reply(&request, |_| true);
        (request, self.end(Ok(reply)))
    }

    /// Executes a request, which acquires what is allowed.
    fn reply(&mut self, request: &TickRequest, allowed: impl Fn(&str) -> bool) -> TickReply {
        let us = request.instance;
        for (source, _) in &request.releases {
            self.rows
                .iter_mut()
                .filter(|row| row.source == *source)
                .for_each(|row| row.holder = None);
        }
        let mut acquired = Vec::new();
        for source in request.acquisitions.iter().filter(|source| allowed(source)) {
            let at = self.rows.iter().position(|row| row.source == *source);
            let at = at.unwrap_or_else(|| {
                let row =
                    LeaseRow { source: source.clone(), holder: None, epoch: 0, poll_requests: 0 };
                self.rows.push(row);
                self.rows.len() - 1
            });
            self.rows[at].holder = Some(("a".into(), us));
            self.rows[at].epoch += 1;
            let next_poll_in = Some(Duration::from_secs(3));
            acquired.push(Acquired { source: source.clone(), next_poll_in });
        }
        let is_ours = |row: &&LeaseRow| row.holder.as_ref().is_some_and(|(_, it)| *it == us);
        let mut replicas = self.others.clone();
        replicas.push(live("a", us, &self.hashes));
        TickReply {
            is_registered: true,
            era: self.era,
            era_age: self.era_age,
            replicas,
            own_leases: self.rows.iter().filter(is_ours).count(),
            leases: self.rows.clone(),
            acquired,
        }
    }
}

fn held(effects: &[Effect]) -> Vec<&str> {
    let held = effects.iter().filter_map(|effect| match effect {
        Effect::Hold { source, .. } => Some(&**source),
        _ => None,
    });
    let mut held: Vec<&str> = held.collect();
    held.sort_unstable();
    held
}

fn dropped(effects: &[Effect]) -> usize {
    effects.iter().filter(|effect| matches!(effect, Effect::Drop { .. })).count()
}

#[test]
fn sources_of_a_unit_are_polled_once_all_are_acquired() {
    let mut steps = Steps::new();
    let request = steps.begin();
    assert_eq!(request.acquisitions.len(), 12);
    assert!(matches!(request.renewal, Renewal::Renew));
    let reply = steps.reply(&request, |source| source != "s1");
    let effects = steps.end(Ok(reply));
    assert_eq!(held(&effects).len(), 9);
    assert!(!held(&effects).contains(&"s0") && !held(&effects).contains(&"s2"));
    assert_eq!(effects.last(), Some(&Effect::Permit(PollsUntil::Boot(Duration::from_secs(107)))));
    let continue_at = Some(Duration::from_secs(104));
    let hold = Effect::Hold { source: "s5".into(), epoch: 1, continue_at };
    assert!(effects.contains(&hold), "{effects:?}");
    let (request, effects) = steps.tick();
    assert_eq!(request.acquisitions, ["s1".into()]);
    assert_eq!(held(&effects), ["s0", "s1", "s2"]);
    assert_eq!(steps.tick().0.acquisitions.len(), 0);
}

#[test]
fn sources_of_a_unit_are_released_together_after_the_last_is_published() {
    let mut steps = Steps::new();
    steps.tick();
    // Another configuration, which others have.
    let hashes = Registration { digest: plan("s1").digest(), hashes: plan("s1").hashes() };
    steps.others = vec![live("b", instance(2), &hashes), live("c", instance(3), &hashes)];
    let (_, effects) = steps.tick();
    let released = |name: &str| effects.contains(&Effect::Release { source: name.into() });
    assert!(released("s0") && released("s1") && released("s2"));
    for source in ["s0", "s2"] {
        steps.cluster.published(source);
    }
    let names = |request: &TickRequest| {
        let names = request.releases.iter().map(|(source, _)| source.to_string());
        let mut names: Vec<String> =
            names.filter(|name| ["s0", "s1", "s2"].contains(&&**name)).collect();
        names.sort_unstable();
        names.join(" ")
    };
    assert_eq!(names(&steps.tick().0), "");
    steps.cluster.published("s1");
    assert_eq!(names(&steps.tick().0), "s0 s1 s2");
    assert_eq!(names(&steps.tick().0), "", "once");
}

#[test]
fn release_waits_a_few_seconds_for_a_poll() {
    let mut steps = Steps::new();
    steps.tick();
    let hashes = Registration { digest: plan("s5").digest(), hashes: plan("s5").hashes() };
    steps.others = vec![live("b", instance(2), &hashes), live("c", instance(3), &hashes)];
    let began = steps.now;
    let has_s5 = |request: &TickRequest| request.releases.iter().any(|(it, _)| **it == *"s5");
    while !has_s5(&steps.tick().0) {
        assert!(steps.now - began < Duration::from_secs(7));
    }
    assert!(steps.now - began >= Duration::from_secs(5));
}

#[test]
fn release_begins_once_no_poll_of_the_unit_is_near_and_after_five_seconds_at_the_latest() {
    for waits in [1, 4, 60] {
        let mut steps = Steps::new();
        steps.tick();
        let hashes = Registration { digest: plan("s5").digest(), hashes: plan("s5").hashes() };
        steps.others = vec![live("b", instance(2), &hashes), live("c", instance(3), &hashes)];
        let release = Effect::Release { source: "s5".into() };
        let mut ticks = 0;
        steps.is_poll_near = true;
        while !steps.tick().1.contains(&release) {
            ticks += 1;
            steps.is_poll_near = ticks < waits;
        }
        assert_eq!(ticks, waits.min(10));
        let (_, effects) = steps.tick();
        assert!(!effects.contains(&release), "once: {effects:?}");
    }
}

#[test]
fn poll_is_near_if_a_hand_over_would_delay_it() {
    for (wait, interval, is_near) in [
        (0, 300_000, true),
        (2999, 300_000, true),
        (3000, 300_000, false),
        (1499, 2000, true),
        (1500, 2000, false),
    ] {
        let [wait, interval] = [wait, interval].map(Duration::from_millis);
        assert_eq!(reply::is_poll_near(wait, interval), is_near, "{wait:?} {interval:?}");
    }
}

#[test]
fn replica_that_the_database_has_lost_goes_on_as_another_instance() {
    let mut steps = Steps::new();
    steps.tick();
    steps.begin();
    let effects = steps.end(Ok(TickReply::default()));
    assert_eq!(dropped(&effects), 12);
    assert!(effects.contains(&Effect::Instance(steps.cluster.instance())));
    assert_ne!(steps.cluster.instance(), instance(1));
    assert_eq!(effects.last(), Some(&Effect::Permit(PollsUntil::Boot(Duration::ZERO))));
    steps.rows.clear();
    let (request, _) = steps.tick();
    assert!(matches!(request.renewal, Renewal::Register(_)));
    assert_eq!(request.acquisitions.len(), 0);
    assert_eq!(held(&steps.tick().1).len(), 12);
}

#[test]
fn rows_of_another_holder_and_another_epoch_count() {
    let mut steps = Steps::new();
    steps.tick();
    let row =
        |steps: &Steps, name: &str| steps.rows.iter().position(|it| *it.source == *name).unwrap();
    let (s5, s6) = (row(&steps, "s5"), row(&steps, "s6"));
    steps.rows[s5].holder = Some(("b".into(), instance(2)));
    steps.rows[s6].epoch = 0;
    let (_, effects) = steps.tick();
    assert!(effects.contains(&Effect::Drop { source: "s5".into() }));
    assert!(effects.contains(&Effect::Epoch { source: "s6".into(), epoch: 0 }));
    assert_eq!(effects.len(), 3);
    assert_eq!(steps.cluster.epoch("s5"), None);
    assert_eq!(steps.cluster.epoch("s6"), Some(0));
    // Its holder is not live: it is acquired, as no outage has just ended.
    let (request, effects) = steps.tick();
    assert_eq!((request.acquisitions, held(&effects)), (vec!["s5".into()], vec!["s5"]));
}

#[test]
fn new_era_is_read_in_full_before_a_lease_is_extended() {
    let mut steps = Steps::new();
    let (_, effects) = steps.tick();
    let permit = effects.last().cloned();
    steps.era = 2;
    steps.era_age = Duration::ZERO;
    let (request, effects) = steps.tick();
    assert_eq!(request.read, LeaseRead::Recent);
    assert_eq!(effects.last().cloned(), permit, "not extended");
    let (request, effects) = steps.tick();
    assert_eq!(request.read, LeaseRead::All);
    assert_ne!(effects.last().cloned(), permit);
    // Nothing is handed over for now.
    let hashes = steps.hashes.clone();
    steps.others = vec![live("b", instance(2), &hashes)];
    let (_, effects) = steps.tick();
    assert_eq!(effects.len(), 1);
    steps.era_age = Terms::default().ttl;
    let (_, effects) = steps.tick();
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Release { .. })));
}

#[test]
fn source_that_a_configuration_removes_is_dropped_and_released() {
    let mut steps = Steps::new();
    steps.tick();
    steps.cluster.reconfigure(plan("-s7"));
    let request = steps.begin();
    assert!(matches!(request.renewal, Renewal::Reconfigure(_)));
    assert_eq!(request.releases, [("s7".into(), 1)]);
    steps.hashes = Registration { digest: plan("-s7").digest(), hashes: plan("-s7").hashes() };
    let reply = steps.reply(&request, |_| true);
    let effects = steps.end(Ok(reply));
    assert_eq!(effects[..effects.len() - 1], [Effect::Drop { source: "s7".into() }]);
    assert_eq!(steps.cluster.leases().count(), 11);
    let (request, effects) = steps.tick();
    assert_eq!((request.releases.len(), request.acquisitions.len(), effects.len()), (0, 0, 1));
}

#[test]
fn replica_that_hands_over_releases_what_is_published_and_stays_registered() {
    let mut steps = Steps::new();
    steps.tick();
    let effects = steps.cluster.hand_over(steps.time());
    let is_release = |effect: &Effect| matches!(effect, Effect::Release { .. });
    assert_eq!((effects.len(), effects.iter().all(is_release)), (12, true));
    let others = (0..12).map(|n| format!("s{n}")).filter(|name| name != "s5");
    others.for_each(|name| steps.cluster.published(&name));
    steps.hashes = Registration { digest: Plan::of(&[]).digest(), hashes: Vec::new() };
    let (request, _) = steps.tick();
    assert_eq!(request.renewal, Renewal::Reconfigure(steps.hashes.clone()), "it knows no source");
    assert_eq!((request.releases.len(), request.acquisitions.len()), (11, 0));
    assert!(steps.cluster.has_leases(), "a poll is in flight");
    steps.cluster.published("s5");
    let (request, effects) = steps.tick();
    assert_eq!((request.renewal, request.releases.len()), (Renewal::Renew, 1));
    assert!(!steps.cluster.has_leases());
    assert_eq!(effects.len(), 1, "{effects:?}");
    assert_eq!(steps.tick().0.acquisitions.len(), 0);
    assert_eq!(steps.cluster.leave(steps.time()).renewal, Renewal::Leave);
}

#[test]
fn view_has_an_instance_once_the_database_has_answered() {
    let mut cluster = Cluster::new("a".into(), instance(1), plan(""), Terms::default());
    let time = TimePoint { wall: Timestamp::UNIX_EPOCH, boot: Duration::from_secs(100) };
    cluster.begin_tick(time);
    cluster.end_tick(time, Err(Failure), |_| false);
    assert_eq!((cluster.view(time).instance, cluster.view(time).held()), (None, 0));
    let steps = Steps::new();
    assert_eq!(steps.cluster.view(steps.time()).instance, Some(instance(1)));
}

#[test]
fn request_for_a_poll_is_sent_until_it_arrives_or_is_too_old() {
    let mut steps = Steps::new();
    steps.tick();
    let other = Some(("b".into(), instance(2)));
    steps.others = vec![live("b", instance(2), &steps.hashes.clone())];
    steps.rows.iter_mut().for_each(|row| row.holder.clone_from(&other));
    steps.tick();
    steps.cluster.request_poll("s5", steps.time());
    assert_eq!(steps.begin().poll_requests, ["s5".into()]);
    steps.end(Err(Failure));
    assert_eq!(
        steps.begin().poll_requests,
        ["s5".into()],
        "the reply may be lost, and the request too"
    );
    steps.now += Duration::from_secs(10);
    steps.end(Err(Failure));
    assert_eq!(steps.begin().poll_requests.len(), 0);
    steps.end(Err(Failure));
}

#[test]
fn process_with_the_same_name_is_reported_once_unless_it_is_the_earlier_one_of_a_restart() {
    let mut steps = Steps::new();
    let hashes = steps.hashes.clone();
    let shared = |effects: &[Effect]| effects.contains(&Effect::NameShared(instance(9)));
    steps.others = vec![live("a", instance(9), &hashes)];
    for _ in 0..20 {
        assert!(!shared(&steps.tick().1));
    }
    steps.others = Vec::new();
    steps.tick();
    steps.others = vec![live("a", instance(9), &hashes)];
    let reports = (0..200).filter(|_| shared(&steps.tick().1)).count();
    assert_eq!(reports, 1);
}

#[test]
fn slow_ticks_acquire_leases_and_those_after_a_pause_read_first() {
    let mut steps = Steps::new();
    steps.now += Duration::from_secs(3);
    let (request, effects) = steps.tick();
    assert_eq!((request.acquisitions.len(), held(&effects).len()), (12, 12));
    steps.now += Duration::from_secs(4);
    let row = steps.rows.iter_mut().find(|row| *row.source == *"s5").unwrap();
    row.holder = None;
    let (request, _) = steps.tick();
    assert_eq!((request.read, request.acquisitions.len()), (LeaseRead::All, 0));
    assert_eq!(steps.tick().0.acquisitions, ["s5".into()]);
}

#[test]
fn rest_of_a_unit_is_released_when_another_replica_takes_a_source_of_it() {
    let mut steps = Steps::new();
    steps.tick();
    let row = |steps: &mut Steps, name: &str, holder| {
        let row = steps.rows.iter_mut().find(|row| *row.source == *name).unwrap();
        row.holder = holder;
    };
    let other = live("b", instance(2), &Registration { digest: 0, hashes: Vec::new() });
    steps.others = vec![other];
    row(&mut steps, "s1", Some(("b".into(), instance(2))));
    let (_, effects) = steps.tick();
    assert!(effects.contains(&Effect::Drop { source: "s1".into() }));
    for source in ["s0", "s2"] {
        assert!(effects.contains(&Effect::Release { source: source.into() }), "{effects:?}");
        steps.cluster.published(source);
    }
    assert_eq!(effects.len(), 4, "no other source is affected: {effects:?}");
    let (request, _) = steps.tick();
    assert_eq!((request.releases.len(), request.acquisitions.len()), (2, 0));
    assert_eq!(steps.tick().0.acquisitions.len(), 0, "the other one has a source of the unit");
    // Once it gives that up, all are acquired together.
    row(&mut steps, "s1", None);
    steps.tick();
    assert_eq!(held(&steps.tick().1), ["s0", "s1", "s2"]);
    // A lease that only lost its holder is acquired again, and the rest is polled on.
    row(&mut steps, "s1", None);
    let (_, effects) = steps.tick();
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Release { .. })), "{effects:?}");
    assert_eq!(held(&steps.tick().1), ["s1"]);
}
