//! Replicas, a database and the network between them, on simulated time.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::database::Database;
use super::plans::{SOURCES, plan};
use crate::cluster::*;
use crate::kernel::clock::TimePoint;

pub(super) const STEP: Duration = Duration::from_millis(50);
const TICK: Duration = Duration::from_millis(500);
const DEADLINE: Duration = Duration::from_secs(2);
pub(super) const INTERVAL: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(300);

/// A source that a replica polls.
struct Polled {
    epoch: i64,
    next: Duration,
    /// End of the poll in flight.
    ends: Option<Duration>,
    is_releasing: bool,
}

pub(super) struct Replica {
    name: ReplicaName,
    process: Option<Process>,
    pub(super) is_paused: bool,
    pub(super) loses_requests: bool,
    pub(super) loses_replies: bool,
}

struct Process {
    cluster: Cluster,
    permit: Permit,
    polled: BTreeMap<Arc<str>, Polled>,
    /// Offset and rate of the clock since boot.
    boot: (Duration, f64),
    next_tick: Duration,
    /// Number of the tick that has no reply, and its deadline.
    waiting: Option<(u64, Duration)>,
    id: u64,
}

struct Message<T> {
    at: Duration,
    replica: usize,
    /// The process, and its tick.
    tick: (u64, u64),
    content: T,
}

pub(super) struct Simulation {
    pub(super) random: fastrand::Rng,
    pub(super) now: Duration,
    pub(super) database: Database,
    pub(super) replicas: Vec<Replica>,
    pub(super) database_is_down: bool,
    pub(super) database_is_frozen: bool,
    requests: Vec<Message<TickRequest>>,
    replies: Vec<Message<TickReply>>,
    ids: u64,
    /// Time, replica and source of each poll.
    pub(super) polls: Vec<(Duration, usize, Arc<str>)>,
    /// Time, replica and source of each start to hold.
    pub(super) holds: Vec<(Duration, usize, Arc<str>)>,
    pub(super) requested: Vec<Arc<str>>,
    pub(super) unconfirmed: HashSet<usize>,
}

impl Simulation {
    pub(super) fn new(replicas: usize, seed: u64) -> Simulation {
        let mut random = fastrand::Rng::with_seed(seed);
        let offset = random.i64(-3_600_000..3_600_000);
        let replica = |number| Replica {
            name: format!("r{number}").into(),
            process: None,
            is_paused: false,
            loses_requests: false,
            loses_replies: false,
        };
        let mut simulation = Simulation {
            random,
            now: Duration::from_secs(10_000),
            database: Database::new(offset),
            replicas: (0..replicas).map(replica).collect(),
            database_is_down: false,
            database_is_frozen: false,
            requests: Vec::new(),
            replies: Vec::new(),
            ids: 0,
            polls: Vec::new(),
            holds: Vec::new(),
            requested: Vec::new(),
            unconfirmed: HashSet::new(),
        };
        (0..replicas).for_each(|number| simulation.start(number));
        simulation
    }

    /// Starts the process of a replica, unless it runs.
    pub(super) fn start(&mut self, number: usize) {
        let (random, replica) = (&mut self.random, &mut self.replicas[number]);
        if replica.process.is_some() {
            return;
        }
        self.ids += 1;
        let instance = InstanceId::from_bytes(random.u128(..).to_be_bytes());
        let name = Arc::clone(&replica.name);
        replica.process = Some(Process {
            cluster: Cluster::new(name, instance, plan(""), Terms::default()),
            permit: Permit::default(),
            polled: BTreeMap::new(),
            boot: (Duration::from_secs(random.u64(0..9000)), 1.0 + random.f64() * 0.002 - 0.001),
            next_tick: self.now + TICK.mul_f64(random.f64()),
            waiting: None,
            id: self.ids,
        });
    }

    pub(super) fn kill(&mut self, number: usize) {
        self.replicas[number].process = None;
        self.replicas[number].is_paused = false;
        self.unconfirmed.remove(&number);
    }

    /// Has a replica give up its sources, before it leaves.
    pub(super) fn hand_over(&mut self, number: usize) {
        let now = self.now;
        let Some(process) = &mut self.replicas[number].process else { return };
        let effects = process.cluster.hand_over(process.time(now));
        self.apply(number, effects);
    }

    /// Stops a replica that has published its readings.
    pub(super) fn leave(&mut self, number: usize) {
        let now = self.now;
        if let Some(process) = &mut self.replicas[number].process {
            let request = process.cluster.leave(process.time(now));
            if !self.database_is_down && !self.replicas[number].loses_requests {
                self.requests.push(Message {
                    at: now,
                    replica: number,
                    tick: (0, 0),
                    content: request,
                });
            }
        }
        self.kill(number);
    }

    pub(super) fn reconfigure(&mut self, number: usize, changed: &str) {
        if let Some(process) = &mut self.replicas[number].process {
            process.cluster.reconfigure(plan(changed));
        }
    }

    pub(super) fn request_poll(&mut self, number: usize, source: &str) {
        let now = self.now;
        if let Some(process) = &mut self.replicas[number].process {
            process.cluster.request_poll(source, process.time(now));
        }
    }

    /// Replaces the primary by a standby. Connections end.
    pub(super) fn promote(&mut self, lost: usize) {
        let step = self.random.i64(-1000..1000);
        self.database.promote(lost, step);
        self.requests.clear();
        self.replies.clear();
        (self.database_is_down, self.database_is_frozen) = (false, false);
    }

    pub(super) fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.step();
        }
    }

    fn step(&mut self) {
        self.now += STEP;
        self.serve();
        for number in 0..self.replicas.len() {
            if !self.replicas[number].is_paused {
                self.receive(number);
                self.tick(number);
                self.poll(number);
            }
        }
        self.assert_one_holder();
    }

    /// Executes what has reached the database.
    fn serve(&mut self) {
        if self.database_is_down {
            self.requests.clear();
        }
        if self.database_is_frozen {
            return;
        }
        let now = self.now;
        let (mut arrived, on_the_way): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.requests).into_iter().partition(|it| it.at <= now);
        self.requests = on_the_way;
        self.random.shuffle(&mut arrived);
        for Message { replica, tick, content: request, .. } in arrived {
            let content = self.database.execute(now, &request);
            if !self.replicas[replica].loses_replies {
                let at = now + Duration::from_millis(self.random.u64(0..100));
                self.replies.push(Message { at, replica, tick, content });
            }
        }
    }

    fn receive(&mut self, number: usize) {
        let now = self.now;
        let Some(process) = &mut self.replicas[number].process else { return };
        let Some((tick, deadline)) = process.waiting else { return };
        let expected = (process.id, tick);
        let found = self
            .replies
            .iter()
            .position(|it| it.at <= now && it.replica == number && it.tick == expected);
        let result = match found {
            // A process that was stopped reads what has arrived, even if its deadline has passed.
            Some(found) => Ok(self.replies.swap_remove(found).content),
            None if now >= deadline => Err(Failure),
            None => return,
        };
        process.waiting = None;
        let time = process.time(now);
        let polled = &process.polled;
        let is_poll_near = |source: &str| {
            polled.get(source).is_some_and(|polled| {
                let wait = polled.next.saturating_sub(now);
                polled.ends.is_some() || reply::is_poll_near(wait, INTERVAL)
            })
        };
        let effects = process.cluster.end_tick(time, result, is_poll_near);
        self.apply(number, effects);
    }

    fn apply(&mut self, number: usize, effects: Vec<Effect>) {
        let now = self.now;
        let process = self.replicas[number].process.as_mut().unwrap();
        for effect in effects {
            match effect {
                Effect::Hold { source, epoch, continue_at } => {
                    let boot = process.time(now).boot;
                    let wait = continue_at.map_or(Duration::ZERO, |at| at.saturating_sub(boot));
                    let next = now + wait;
                    let polled = Polled { epoch, next, ends: None, is_releasing: false };
                    assert!(process.polled.insert(Arc::clone(&source), polled).is_none());
                    self.holds.push((now, number, source));
                }
                Effect::Epoch { source, epoch } => {
                    process.polled.get_mut(&source).unwrap().epoch = epoch;
                }
                Effect::Release { source } => {
                    let polled = process.polled.get_mut(&source).unwrap();
                    polled.is_releasing = true;
                }
                Effect::Drop { source } => {
                    assert!(process.polled.remove(&source).is_some());
                }
                Effect::PollRequested { source } => {
                    assert!(process.polled.contains_key(&source));
                    self.requested.push(source);
                }
                Effect::Unconfirmed => assert!(self.unconfirmed.insert(number)),
                Effect::Confirmed => assert!(self.unconfirmed.remove(&number)),
                Effect::Instance(_) | Effect::NameShared(_) => {}
                Effect::Permit(until) => process.permit.set(until),
            }
        }
    }

    fn tick(&mut self, number: usize) {
        let now = self.now;
        let replica = &mut self.replicas[number];
        let Some(process) = &mut replica.process else { return };
        if process.waiting.is_some() || now < process.next_tick {
            return;
        }
        process.next_tick = now + TICK;
        let content = process.cluster.begin_tick(process.time(now));
        self.ids += 1;
        let refused = self.database_is_down && self.random.bool();
        let deadline = if refused { now } else { now + DEADLINE };
        process.waiting = Some((self.ids, deadline));
        if !replica.loses_requests && !self.database_is_down {
            let at = now + Duration::from_millis(self.random.u64(0..100));
            let tick = (process.id, self.ids);
            self.requests.push(Message { at, replica: number, tick, content });
        }
    }

    /// Starts and ends polls.
    fn poll(&mut self, number: usize) {
        let now = self.now;
        let replica = &mut self.replicas[number];
        let can_write =
            !self.database_is_down && !self.database_is_frozen && !replica.loses_requests;
        let Some(process) = &mut replica.process else { return };
        let boot = process.time(now).boot;
        let instance = process.cluster.instance();
        let mut released = Vec::new();
        for (source, polled) in &mut process.polled {
            if polled.ends.is_some_and(|end| end <= now) {
                polled.ends = None;
                let writer = (instance, polled.epoch);
                if can_write {
                    self.database.publish(now, source, writer, polled.next.saturating_sub(now));
                }
            }
            if polled.is_releasing && polled.ends.is_none() {
                released.push(Arc::clone(source));
            } else if !polled.is_releasing
                && polled.ends.is_none()
                && polled.next <= now
                && process.permit.allows(boot)
            {
                polled.ends = Some(now + POLL);
                // Missed polls are one.
                while polled.next <= now {
                    polled.next += INTERVAL;
                }
                self.polls.push((now, number, Arc::clone(source)));
            }
        }
        for source in released {
            process.polled.remove(&source);
            process.cluster.published(&source);
        }
    }

    /// Returns the replicas that may start a poll of each source now.
    pub(super) fn holders(&self, with_unconfirmed: bool) -> HashMap<Arc<str>, Vec<usize>> {
        let mut holders: HashMap<Arc<str>, Vec<usize>> = HashMap::new();
        for (number, replica) in self.replicas.iter().enumerate() {
            let Some(process) = &replica.process else { continue };
            let time = process.time(self.now);
            let counts = match process.cluster.state(time) {
                TenureState::Confirmed => true,
                TenureState::Unconfirmed => with_unconfirmed,
                TenureState::Ended => false,
            };
            if !counts || !process.permit.allows(time.boot) {
                continue;
            }
            for (source, polled) in &process.polled {
                if !polled.is_releasing {
                    holders.entry(Arc::clone(source)).or_default().push(number);
                }
            }
        }
        holders
    }

    fn assert_one_holder(&self) {
        for (source, holders) in self.holders(false) {
            assert!(holders.len() < 2, "{source} is held by {holders:?} at {:?}", self.now);
        }
    }

    /// Asserts that each source is polled by one replica, and those of one group by the same.
    pub(super) fn assert_settled(&self) {
        let holders = self.holders(true);
        assert_eq!(holders.len(), SOURCES, "{holders:?} at {:?}", self.now);
        assert!(holders.values().all(|holders| holders.len() == 1), "{holders:?}");
        assert!(holders["s0"] == holders["s1"] && holders["s1"] == holders["s2"]);
    }

    /// Asserts that each source was polled once an interval since then.
    pub(super) fn assert_regular(&self, since: Duration, tolerance: Duration) {
        for number in 0..SOURCES {
            let name = format!("s{number}");
            let polls =
                self.polls.iter().filter(|(at, _, source)| *at >= since && **source == *name);
            let times: Vec<Duration> = polls.map(|(at, ..)| *at).collect();
            let mut gaps = times.windows(2).map(|pair| pair[1] - pair[0]);
            let ok = |gap: Duration| gap + tolerance >= INTERVAL && gap <= INTERVAL + tolerance;
            assert!(gaps.all(ok), "{name}: {times:?}");
            assert!(!times.is_empty(), "{name}");
        }
    }
}

impl Process {
    /// Returns the clocks of its machine. The wall clock is wrong by up to hours.
    fn time(&self, now: Duration) -> TimePoint {
        let boot = self.boot.0 + now.mul_f64(self.boot.1);
        TimePoint { wall: Timestamp::UNIX_EPOCH + self.boot.0, boot }
    }
}
