//! Replicas with a database in memory. Tests do the turns of their threads.

use std::sync::Mutex;

use crossbeam_channel::{Receiver, unbounded};

use super::super::*;
use crate::alert::store::shared::memory::{Memory, Rows};
use crate::alert::store::shared::{SharedThread, detached};
use crate::alert::store::{Changes, Claim, Claims, Loaded, News, SharedSettings, StoreHandle};
use crate::alert::{AlertsView, CommandError, Instance, Replica};
use crate::kernel::clock::Clock;

/// A replica.
pub(super) struct Node {
    pub(super) evaluator: Evaluator,
    pub(super) handle: StoreHandle,
    pub(super) instance: Instance,
    thread: SharedThread,
    news: Receiver<News>,
    view: AlertsView,
    flushed: Vec<Arc<str>>,
    /// True if its channels send.
    pub(super) is_sending: bool,
    /// Notices that were saved, or adopted, and are not sent.
    waiting: Arc<Mutex<Vec<Arc<Notice>>>>,
    unsaved: Vec<Arc<Notice>>,
}

/// Several replicas with the same upstreams.
pub(super) struct Cluster {
    pub(super) world: World,
    pub(super) rows: Arc<Mutex<Rows>>,
    pub(super) nodes: BTreeMap<&'static str, Node>,
    /// Messages of all replicas, in their order.
    pub(super) sent: Vec<(&'static str, NoticeKey, i64)>,
    pub(super) events: Vec<EventKind>,
    alerts: Vec<Alert>,
    instances: u128,
}

impl Cluster {
    /// Starts the replicas `x` and `y`, of which `x` holds both sources.
    pub(super) fn new(alerts: Vec<Alert>) -> Cluster {
        let mut cluster = Cluster {
            world: World::new(Vec::new()),
            rows: Arc::default(),
            nodes: BTreeMap::new(),
            sent: Vec::new(),
            events: Vec::new(),
            alerts,
            instances: 0,
        };
        cluster.start("x");
        cluster.start("y");
        cluster.take("x", "a");
        cluster.take("x", "b");
        cluster.rounds();
        cluster
    }

    /// Starts a replica.
    pub(super) fn start(&mut self, name: &'static str) {
        let alerts = self.alerts.clone();
        self.start_with(name, alerts);
    }

    /// Starts a replica while it cannot reach the database.
    pub(super) fn start_away(&mut self, name: &'static str) {
        self.rows.lock().unwrap().away.insert(Instance(self.instances + 1));
        self.start(name);
    }

    /// Returns the rows of a database that is promoted later, without what follows.
    pub(super) fn standby(&self) -> Rows {
        let mut rows = self.rows.lock().unwrap().clone();
        rows.server += 1;
        rows
    }

    /// Lets the standby take the place of the database.
    pub(super) fn promote(&mut self, standby: Rows) {
        *self.rows.lock().unwrap() = standby;
        self.rounds();
    }

    /// Starts a replica with rules of its own.
    pub(super) fn start_with(&mut self, name: &'static str, alerts: Vec<Alert>) {
        self.instances += 1;
        let instance = Instance(self.instances);
        let memory = Memory { rows: self.rows.clone(), name: name.into(), instance };
        self.rows.lock().unwrap().live.insert(name.into(), instance);
        let (send, news) = unbounded();
        let claim = Claim::until(Duration::ZERO);
        let waiting = Arc::<Mutex<Vec<Arc<Notice>>>>::default();
        let saved = waiting.clone();
        let (thread, handle) = detached(SharedSettings {
            store: Box::new(memory),
            clock: Clock::system(),
            claim,
            channels: Box::new(|| vec!["phone".into(), "mail".into()]),
            instance: Box::new(move || instance),
            claims: Box::new(move || Claims {
                saved: saved.lock().unwrap().clone(),
                done: Vec::new(),
            }),
            on_news: Box::new(move |news| send.send(news).unwrap()),
        });
        let now = self.world.now();
        let mut evaluator =
            Evaluator::new(settings(alerts), now.wall, now, ids(1_000_000 * self.instances as u64));
        evaluator.share(Replica { name: name.into(), instance });
        let view = evaluator.publish().unwrap();
        let node = Node {
            evaluator,
            handle,
            instance,
            thread,
            news,
            view,
            flushed: Vec::new(),
            is_sending: true,
            waiting,
            unsaved: Vec::new(),
        };
        self.nodes.insert(name, node);
        self.set_replicas();
        self.rounds();
    }

    /// Kills a replica; its lease has ended.
    pub(super) fn kill(&mut self, name: &'static str) -> Node {
        let node = self.nodes.remove(name).unwrap();
        self.rows.lock().unwrap().live.remove(name);
        self.set_replicas();
        node
    }

    fn set_replicas(&mut self) {
        let live: Vec<Arc<str>> = self.nodes.keys().map(|&name| name.into()).collect();
        let now = self.world.now();
        self.nodes.values_mut().for_each(|node| node.evaluator.set_replicas(&live, now));
    }

    /// Gives the lease on a source to a replica.
    pub(super) fn take(&mut self, name: &'static str, source: &str) {
        let node = &self.nodes[name];
        let mut rows = self.rows.lock().unwrap();
        let epoch = rows.leases.get(source).map_or(1, |(_, epoch)| epoch + 1);
        rows.leases.insert(source.into(), (node.instance, epoch));
        node.handle.hold(vec![(source.into(), epoch)]);
    }

    /// Hands a source over, as the leases do.
    pub(super) fn hand_over(&mut self, from: &'static str, to: &'static str, source: &str) {
        self.nodes[from].handle.release(vec![source.into()]);
        self.rounds();
        let flushed = std::mem::take(&mut self.nodes.get_mut(from).unwrap().flushed);
        assert_eq!(flushed, [source.into()], "the states are saved before the lease is released");
        self.take(to, source);
        self.rounds();
    }

    /// Lets all replicas work until all know all.
    pub(super) fn rounds(&mut self) {
        for _ in 0..4 {
            self.round();
        }
    }

    fn round(&mut self) {
        let names: Vec<&'static str> = self.nodes.keys().copied().collect();
        names.into_iter().for_each(|name| self.turn(name));
    }

    /// Lets a replica look at the readings, save, follow and send.
    pub(super) fn turn(&mut self, name: &'static str) {
        let (snapshot, now) = (self.world.snapshot(), self.world.now());
        let Some(node) = self.nodes.get_mut(name) else { return };
        node.evaluator.look(&snapshot, now);
        self.events.extend(node.pass_on());
        node.thread.turn();
        for news in node.news.try_iter().collect::<Vec<_>>() {
            node.learn(news, now);
            self.events.extend(node.pass_on());
        }
        if node.is_sending {
            let waiting = std::mem::take(&mut *node.waiting.lock().unwrap());
            let done: Vec<NoticeKey> = waiting.iter().map(|notice| notice.key.clone()).collect();
            let minute = self.world.minute;
            self.sent.extend(done.iter().map(|key| (name, key.clone(), minute)));
            node.handle.save(Changes { done, ..Changes::default() });
        }
    }

    pub(super) fn report(&mut self, source: &'static str, gallons: f64) {
        self.world.report(source, gallons);
        self.rounds();
    }

    pub(super) fn pass(&mut self, minutes: i64) {
        self.world.pass(minutes);
        self.rounds();
    }

    /// Returns kind and minute of the messages of the channel `phone` since the last call.
    pub(super) fn sent(&mut self) -> Vec<(NoticeKind, i64)> {
        let all = std::mem::take(&mut self.sent);
        let phone = all.into_iter().filter(|(_, key, _)| *key.channel == *"phone");
        phone.map(|(_, key, minute)| (key.kind, minute)).collect()
    }

    /// Returns the alerts and the ended incidents of a replica, as text.
    pub(super) fn shown(&mut self, name: &str) -> String {
        let node = self.nodes.get_mut(name).unwrap();
        node.publish();
        format!("{:#?}\n{:#?}", node.view.alerts, node.view.recent)
    }

    /// Checks that all replicas show the same.
    pub(super) fn agree(&mut self, case: &str) {
        let names: Vec<&'static str> = self.nodes.keys().copied().collect();
        let first = self.shown(names[0]);
        for name in &names[1..] {
            assert_eq!(first, self.shown(name), "{case}: {} and {name}", names[0]);
        }
    }

    /// Returns the states of the subjects that are not inactive, at a replica.
    pub(super) fn states(&mut self, name: &str) -> Vec<(String, &'static str)> {
        let node = self.nodes.get_mut(name).unwrap();
        node.publish();
        let subjects = node.view.alerts.iter().flat_map(|alert| &alert.subjects);
        let states = subjects.map(|subject| {
            let SubjectKey { source, replica, .. } = &subject.key;
            let of = source.as_ref().or(replica.as_ref()).unwrap();
            (of.to_string(), subject.state.as_str())
        });
        states.collect()
    }

    /// Carries a command out at a replica. The others do not know of it yet.
    pub(super) fn command(
        &mut self,
        name: &str,
        command: impl FnOnce(&mut Evaluator, Timestamp) -> Result<(), CommandError>,
    ) -> Result<(), CommandError> {
        let now = self.world.now().wall;
        let node = self.nodes.get_mut(name).unwrap();
        let result = command(&mut node.evaluator, now);
        self.events.extend(node.pass_on());
        result
    }

    /// Returns the ids and ends of all incidents of the database.
    pub(super) fn incidents(&self) -> Vec<(u64, Option<EndReason>)> {
        let rows = self.rows.lock().unwrap();
        let incidents = rows.incidents.values();
        incidents.map(|(of, _)| (of.id.0, of.ended.map(|ended| ended.reason))).collect()
    }
}

impl Node {
    /// Passes on what follows from the latest steps, as the thread does.
    fn pass_on(&mut self) -> Vec<EventKind> {
        let effects = self.evaluator.take_effects();
        self.publish();
        self.unsaved.extend(effects.notices.iter().cloned());
        self.handle.save(effects.changes());
        effects.events.into_iter().map(|event| event.kind).collect()
    }

    fn publish(&mut self) {
        if let Some(view) = self.evaluator.publish() {
            self.view = view;
        }
    }

    fn learn(&mut self, news: News, now: TimePoint) {
        match news {
            News::Failed(_) if self.evaluator.is_active() => {}
            News::Failed(_) => self.evaluator.activate(Loaded::default(), now),
            News::Recovered => {}
            News::Lost(sources) => sources.iter().for_each(|of| self.evaluator.lose(of)),
            News::Followed(changes) => self.evaluator.follow(changes, now),
            News::Held(sources) => {
                for (source, epoch) in sources {
                    self.evaluator.hold(&source, epoch, now);
                }
            }
            News::Resumed(sources) => {
                for (source, epoch) in sources {
                    self.evaluator.resume(&source, epoch, now);
                }
            }
            News::Released(sources) => sources.iter().for_each(|of| self.evaluator.release(of)),
            News::Flushed(sources) => self.flushed.extend(sources),
            News::Saved(keys) => {
                let saved = self.unsaved.extract_if(.., |notice| keys.contains(&notice.key));
                self.waiting.lock().unwrap().extend(saved);
            }
            News::Taken(keys) => {
                self.unsaved.retain(|notice| !keys.contains(&notice.key));
                self.waiting.lock().unwrap().retain(|notice| !keys.contains(&notice.key));
            }
            News::Adopted(notices) => {
                self.waiting.lock().unwrap().extend(notices.into_iter().map(Arc::new));
            }
        }
    }
}
