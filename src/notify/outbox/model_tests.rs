//! Arbitrary sequences of notices, failures, restarts and steps of the clock, compared with a model.

use std::collections::{BTreeMap, HashMap};

use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::alert::IncidentId;
use crate::alert::NoticeKind::{self, Ended, Fired, Reminder};
use crate::alert::test_notices::{at, notice};

/// One step of a test.
#[derive(Debug, Clone)]
enum Step {
    /// A new incident fires, deferred by some seconds.
    Fire(i64),
    /// An incident that fires, by its number, has a reminder.
    Remind(usize),
    /// An incident that fires, by its number, ends.
    End(usize),
    /// The disk takes all that was pushed.
    Save,
    /// Time passes.
    Pass(u64),
    /// The wall clock is set.
    SetClock(i64),
    /// The channel sends, if it is to, and the server answers in some way.
    Deliver(Answer),
    /// The process is killed and started again: what was saved and not deleted is restored.
    Restart,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Answer {
    Ok,
    Transient,
    Refused,
    /// It does not take a message of which one incident has a number that 4 divides.
    Rejects,
    /// It takes the message, and the process is killed before that is on the disk.
    OkThenKilled,
}

fn step() -> impl Strategy<Value = Step> {
    let answer = prop_oneof![
        4 => Just(Answer::Ok),
        2 => Just(Answer::Transient),
        1 => Just(Answer::Refused),
        3 => Just(Answer::Rejects),
        1 => Just(Answer::OkThenKilled)
    ];
    prop_oneof![
        4 => prop_oneof![3 => Just(0_i64), 1 => 0_i64..40_000].prop_map(Step::Fire),
        2 => (0_usize..8).prop_map(Step::Remind),
        3 => (0_usize..8).prop_map(Step::End),
        4 => Just(Step::Save),
        4 => (0_u64..4_000).prop_map(Step::Pass),
        1 => (-40_000_000_i64..40_000_000).prop_map(Step::SetClock),
        6 => answer.prop_map(Step::Deliver),
        1 => Just(Step::Restart),
    ]
}

const SETTINGS: OutboxSettings =
    OutboxSettings { group_wait: Duration::from_secs(30), max_per_hour: 4 };

struct Model {
    outbox: Outbox,
    now: TimePoint,
    /// Rows on the disk.
    disk: BTreeMap<NoticeKey, Arc<Notice>>,
    unsaved: Vec<Arc<Notice>>,
    /// Incidents that fire, with the number of their reminders.
    firing: Vec<(u64, u32)>,
    incidents: u64,
    /// Number of times that each notice was delivered.
    delivered: HashMap<(IncidentId, NoticeKind, u32), u32>,
    /// Incidents whose fire was lost with a kill before the disk took it.
    lost: HashSet<IncidentId>,
    /// Incidents of which a notice was rejected and dropped.
    dropped: HashSet<IncidentId>,
    sent_at: Vec<Duration>,
    /// True once a message could not be marked as sent.
    is_killed: bool,
}

impl Model {
    fn new() -> Model {
        Model {
            outbox: Outbox::new(SETTINGS, fastrand::Rng::with_seed(7)),
            now: TimePoint { wall: at(0), boot: Duration::from_secs(1000) },
            disk: BTreeMap::new(),
            unsaved: Vec::new(),
            firing: Vec::new(),
            incidents: 0,
            delivered: HashMap::new(),
            lost: HashSet::new(),
            dropped: HashSet::new(),
            sent_at: Vec::new(),
            is_killed: false,
        }
    }

    fn push(&mut self, id: u64, kind: NoticeKind, number: u32, deferral: i64) {
        let mut new = notice(id, kind, number, 0);
        new.at = self.now.wall;
        new.due = new.at + SignedDuration::from_secs(deferral);
        let new = Arc::new(new);
        self.unsaved.push(Arc::clone(&new));
        self.outbox.push([new], self.now);
    }

    fn apply(&mut self, step: &Step) {
        match *step {
            Step::Fire(deferral) => {
                self.incidents += 1;
                self.firing.push((self.incidents, 0));
                self.push(self.incidents, Fired, 0, deferral);
            }
            Step::Remind(index) if index < self.firing.len() => {
                let (id, count) = &mut self.firing[index];
                *count += 1;
                let (id, count) = (*id, *count);
                self.push(id, Reminder, count, 0);
            }
            Step::End(index) if index < self.firing.len() => {
                let (id, _) = self.firing.remove(index);
                self.push(id, Ended, 0, 0);
            }
            Step::Remind(_) | Step::End(_) => {}
            Step::Save => self.save(),
            Step::Pass(seconds) => self.pass(seconds),
            Step::SetClock(seconds) => {
                self.now.wall += SignedDuration::from_secs(seconds);
            }
            Step::Deliver(answer) => self.deliver(answer),
            Step::Restart => self.restart(),
        }
        self.delete_done();
        let status = self.outbox.status(self.now);
        assert!(status.waiting + status.deferred <= MAX_WAITING);
    }

    fn save(&mut self) {
        let saved = std::mem::take(&mut self.unsaved);
        self.outbox.saved(saved.iter().map(|notice| &notice.key));
        self.disk.extend(saved.into_iter().map(|notice| (notice.key.clone(), notice)));
    }

    fn pass(&mut self, seconds: u64) {
        let passed = Duration::from_secs(seconds);
        self.now.boot += passed;
        self.now.wall += passed;
    }

    fn delete_done(&mut self) {
        for key in self.outbox.take_done() {
            self.disk.remove(&key);
            self.unsaved.retain(|notice| notice.key != key);
        }
    }

    fn restart(&mut self) {
        // What the state machine knows of was saved with the notice, so it begins again from that.
        for notice in std::mem::take(&mut self.unsaved) {
            self.lost.insert(notice.key.incident);
        }
        let lost = &self.lost;
        self.firing.retain(|(id, _)| !lost.contains(&IncidentId(*id)));
        self.outbox = Outbox::new(SETTINGS, fastrand::Rng::with_seed(7));
        self.sent_at.clear();
        self.outbox.restore(self.disk.values().cloned(), self.now);
    }

    fn deliver(&mut self, answer: Answer) {
        if let Next::Send(delivery) = self.outbox.next(self.now) {
            self.answer(&delivery, answer);
        }
    }

    fn answer(&mut self, delivery: &Delivery, answer: Answer) {
        assert!(!delivery.notices.is_empty());
        let mut latest: HashMap<IncidentId, NoticeKind> = HashMap::new();
        for notice in &delivery.notices {
            let key = &notice.key;
            let earlier = latest.insert(key.incident, key.kind);
            assert!(earlier.is_none_or(|earlier| earlier < key.kind), "the order in an incident");
            let is_saved = self.disk.contains_key(key);
            assert!(is_saved || delivery.unsaved, "{key:?} is not marked as unsaved");
        }
        let is_rejected = |notice: &Arc<Notice>| notice.key.incident.0.is_multiple_of(4);
        let fault = match answer {
            Answer::Transient => Some(DeliveryFault::Transient),
            Answer::Refused => Some(DeliveryFault::Refused),
            Answer::Rejects if delivery.notices.iter().any(is_rejected) => {
                Some(DeliveryFault::Undeliverable)
            }
            Answer::Ok | Answer::Rejects | Answer::OkThenKilled => None,
        };
        if let Some(fault) = fault {
            let error = DeliveryError::new(fault, "no");
            let failed = self.outbox.failed(error, self.now);
            if let Failed::SetAside { count, .. } | Failed::Dropped(count) = failed {
                assert_eq!(count, delivery.notices.len());
                assert!(delivery.notices.iter().all(is_rejected), "another one is held up");
                assert_eq!(latest.len(), 1, "two incidents at once");
            }
            if matches!(failed, Failed::Dropped(_)) {
                self.dropped.extend(latest.keys());
            }
            return;
        }
        for notice in &delivery.notices {
            let NoticeKey { incident, kind, number, .. } = notice.key;
            let count = self.delivered.entry((incident, kind, number)).or_default();
            *count += 1;
            assert!(self.is_killed || *count == 1, "{:?} is sent twice", notice.key);
            let is_lost = self.lost.contains(&incident) || self.dropped.contains(&incident);
            if kind != Fired && !is_lost {
                let has_fired = self.delivered.contains_key(&(incident, Fired, 0));
                assert!(has_fired, "{:?} before the fire", notice.key);
            }
        }
        self.outbox.sent(self.now);
        self.sent_at.push(self.now.boot);
        let hour = Duration::from_secs(3600);
        if answer == Answer::OkThenKilled {
            self.is_killed = true;
            self.restart();
            return;
        }
        let within = self.sent_at.iter().filter(|sent| **sent + hour > self.now.boot);
        assert!(within.count() <= 4, "the quota");
    }

    /// Lets the channel work until nothing waits.
    fn drain(&mut self) {
        self.save();
        for _ in 0..200 {
            match self.outbox.next(self.now) {
                Next::Idle => break,
                Next::Wait(wait) => self.pass(wait.as_secs() + 1),
                Next::Send(delivery) => self.answer(&delivery, Answer::Ok),
            }
            self.delete_done();
        }
        self.delete_done();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn every_fire_arrives_and_nothing_arrives_twice_or_out_of_order(
        steps in prop::collection::vec(step(), 1..80)
    ) {
        let mut model = Model::new();
        for step in &steps {
            model.apply(step);
        }
        model.drain();
        let status = model.outbox.status(model.now);
        prop_assert_eq!((status.waiting, status.deferred), (0, 0));
        prop_assert!(model.disk.is_empty(), "{:?}", model.disk.keys());
        for id in (1..=model.incidents).map(IncidentId) {
            let arrived = model.delivered.contains_key(&(id, Fired, 0));
            let is_lost = model.lost.contains(&id) || model.dropped.contains(&id);
            prop_assert!(arrived || is_lost, "{id} is lost");
        }
    }
}
