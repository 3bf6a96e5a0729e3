//! The parts of the alerts: rules, their file, the channels and the heartbeat.
//!
//! ```text
//! board ──► pw-alerts ──► channels (pw-notify-N)
//!                 └────► file (pw-alert-store) ──► channels: a notice is on the disk
//! ```
//!
//! Replicas share a database in place of the file: see `replicas`.
//!
//! The file is opened once there is a rule, or if an earlier run has left it: a server without alerts writes none.

mod conditions;
pub(super) mod replicas;

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use jiff::Timestamp;

use self::conditions::Conditions;
pub(super) use self::replicas::Replicated;
use crate::admin::AlertsHolder;
use crate::alert::store::{AlertStore, Changes, Claim, Loaded, Opened, StoreHandle};
use crate::alert::{
    self, AlertEngine, AlertHeartbeat, AlertSender, AlertsHandle, Outputs, PastError,
    RecordedWindows,
};
use crate::board::{BoardReader, Change};
use crate::certificates::LiveCertificates;
use crate::config::{self, Config};
use crate::data_lock::DataLock;
use crate::history::{ChangeSender, History};
use crate::kernel::clock::{Clock, Start};
use crate::notify::{
    Ailments, ChannelContext, HeartbeatSettings, HeartbeatThread, LateAlerts, Notifier,
    NotifierHandle, Ping, PingCounts,
};
use crate::outbound::ThreadedResolver;
use crate::outbound::tls::ClientTls;
use crate::upstream::user_agent;
use crate::wall_clock;

/// Wait for deliveries in progress when the process stops, if no longer one is possible.
const STOP_WAIT: Duration = Duration::from_millis(500);

/// Longest wait for the store to take the latest changes then.
const STORE_STOP_WAIT: Duration = Duration::from_secs(1);

/// Longest wait of a command for the disk to take it.
const COMMAND_WAIT: Duration = Duration::from_secs(1);

/// Handle to the store, which may start later.
type LateStore = Arc<OnceLock<StoreHandle>>;

/// The other process that announces the alerts, if there is one.
type LiveHolder = Arc<ArcSwapOption<String>>;

/// Parts that the alerts read, and pass their results to.
pub(super) struct Surroundings<'a> {
    pub(super) board: BoardReader,
    pub(super) history: History,
    pub(super) change_sender: ChangeSender,
    pub(super) certificates: Option<Arc<LiveCertificates>>,
    pub(super) start: &'a Start,
    pub(super) tls: ClientTls,
    pub(super) lock: Arc<DataLock>,
    /// The database that replicas share, in place of the file.
    pub(super) replicated: Option<Replicated>,
}

/// The running parts of the alerts.
pub(super) struct Alerts {
    engine: AlertEngine,
    handle: AlertsHandle,
    age: AlertHeartbeat,
    notifier: Notifier,
    store: Option<AlertStore>,
    late_store: LateStore,
    holder: LiveHolder,
    heartbeat: Option<HeartbeatThread>,
    /// Settings of the heartbeat in force.
    switch: Option<config::Heartbeat>,
    /// False if a part of the latest configuration is not in force.
    is_complete: bool,
    lock: Arc<DataLock>,
    tls: ClientTls,
    resolver: ThreadedResolver,
    late_alerts: LateAlerts,
}

impl Alerts {
    /// Starts the rules and the channels.
    ///
    /// # Errors
    /// A thread cannot be created.
    pub(super) fn start(config: &Config, around: Surroundings<'_>) -> io::Result<Alerts> {
        let Surroundings { board, history, change_sender, certificates, start, .. } = around;
        let (tls, lock, replicated) = (around.tls, around.lock, around.replicated);
        let late_store = LateStore::default();
        let resolver = ThreadedResolver::system();
        let late_alerts = LateAlerts::default();
        let context = context(config, &tls, &resolver, &late_alerts);
        let clock = Clock::system();
        let claim = match &replicated {
            Some(_) => Claim::until(clock.now().boot),
            None => Claim::unlimited(),
        };
        let replica = replicated.as_ref().map(|of| of.replica.clone());
        let done_store = late_store.clone();
        let done = Arc::new(move |done| {
            if let Some(store) = done_store.get() {
                store.save(Changes { done, ..Changes::default() });
            }
        });
        let notifier =
            Notifier::start(&config.channels, &context, done, clock.clone(), claim.clone())?;
        let channels = notifier.handle();
        let conditions = Conditions {
            history,
            certificates,
            channels: status_of(&channels),
            store: failure_of(&late_store),
        };
        let saving = late_store.clone();
        let outputs = Outputs {
            notices: Box::new(move |notices| channels.push(&notices)),
            changes: Box::new(move |effects| {
                if let Some(store) = saving.get() {
                    store.save(effects.changes());
                }
            }),
            events: Box::new(move |event| change_sender.send(Change::Happened(event))),
            server: Box::new(move |condition| conditions.state(condition, wall_clock::now())),
        };
        let past = past_of(&late_store);
        let (engine, handle, age) = AlertEngine::start(
            alert::Settings::from(config),
            replica,
            board,
            start,
            clock.clone(),
            outputs,
            past,
        )?;
        // It is set once, before the file is opened.
        let _ = late_alerts.set(handle.clone());
        let settling = late_store.clone();
        let handle = handle.settling(Arc::new(move || {
            if let Some(store) = settling.get() {
                store.settle(COMMAND_WAIT);
            }
        }));
        let mut alerts = Alerts {
            engine,
            handle,
            age,
            notifier,
            store: None,
            late_store,
            holder: LiveHolder::default(),
            heartbeat: None,
            switch: None,
            is_complete: true,
            lock,
            tls,
            resolver,
            late_alerts,
        };
        if let Some(replicated) = replicated {
            let (engine, channels) = (alerts.engine.sender(), alerts.notifier.handle());
            let late_store = &alerts.late_store;
            let store = replicas::start(replicated, engine, channels, late_store, claim, clock)?;
            alerts.store = Some(store);
        } else if !config.alerts.is_empty() || config.alert_file.exists() {
            alerts.open_store(config)?;
        }
        if alerts.store.is_none() {
            alerts.engine.sender().loaded(Loaded::default());
        }
        Ok(alerts)
    }

    /// Opens the file, unless it is open.
    fn open_store(&mut self, config: &Config) -> io::Result<()> {
        if self.store.is_some() {
            return Ok(());
        }
        // With a history, its lock is that of all files beside it.
        let lock = match &config.history {
            Some(_) => self.lock.clone(),
            None => Arc::new(DataLock::of_database(&config.alert_file)),
        };
        let channels = self.notifier.handle();
        let on_saved = Box::new(move |keys: &[_]| channels.saved(keys));
        let on_open = opened(
            self.engine.sender(),
            self.notifier.handle(),
            self.late_store.clone(),
            self.holder.clone(),
        );
        let path = config.alert_file.clone();
        let (store, handle) = AlertStore::start(path, lock, on_open, on_saved)?;
        // It is set once: there is one store.
        let _ = self.late_store.set(handle);
        self.store = Some(store);
        Ok(())
    }

    /// Starts the heartbeat, if one is configured.
    pub(super) fn start_heartbeat(
        &mut self,
        config: &Config,
        ailments: Ailments,
    ) -> io::Result<()> {
        let context = context(config, &self.tls, &self.resolver, &self.late_alerts);
        self.switch.clone_from(&config.heartbeat);
        self.heartbeat = Some(HeartbeatThread::start(heartbeat(config, &context), ailments)?);
        Ok(())
    }

    /// Applies a new configuration.
    ///
    /// # Errors
    /// A thread cannot be created. The rest is in force.
    pub(super) fn renew(&mut self, config: &Config) -> io::Result<()> {
        let context = context(config, &self.tls, &self.resolver, &self.late_alerts);
        let renewed = self.notifier.renew(&config.channels, &context);
        // The disk is not asked whether the file exists: it may hang.
        let opened = match config.alerts.is_empty() {
            true => Ok(()),
            false => self.open_store(config),
        };
        self.engine.renew(alert::Settings::from(config));
        if let Some(thread) = &self.heartbeat {
            thread.renew(heartbeat(config, &context), self.switch != config.heartbeat);
            self.switch.clone_from(&config.heartbeat);
        }
        let result = renewed.and(opened);
        self.is_complete = result.is_ok();
        result
    }

    /// Returns true if all of the configuration is in force, and each channel has its thread.
    pub(super) fn is_complete(&self) -> bool {
        self.is_complete && self.notifier.is_complete()
    }

    /// Returns the handle for pages and commands.
    pub(super) fn handle(&self) -> AlertsHandle {
        self.handle.clone()
    }

    /// Returns the handle of all channels.
    pub(super) fn channels(&self) -> NotifierHandle {
        self.notifier.handle()
    }

    /// Returns the handle for the threads that read recorded observations.
    pub(super) fn sender(&self) -> AlertSender {
        self.engine.sender()
    }

    /// Returns the store, whose tenure the leases change; `None` if there is none yet.
    pub(super) fn store(&self) -> Option<StoreHandle> {
        self.late_store.get().cloned()
    }

    /// Returns the age of the latest pass of the rules.
    pub(super) fn age(&self) -> AlertHeartbeat {
        self.age.clone()
    }

    /// Returns the reader of the other process that announces the alerts.
    pub(super) fn holder(&self) -> AlertsHolder {
        let holder = self.holder.clone();
        Arc::new(move || holder.load().as_deref().cloned())
    }

    /// Returns the numbers of pings.
    pub(super) fn pings(&self) -> Arc<PingCounts> {
        self.heartbeat.as_ref().map(HeartbeatThread::counts).unwrap_or_default()
    }

    /// Ends the rules, then the channels, then the store, which takes what both have left. Deliveries in progress have
    /// until `deliveries_end`, or a moment if that has passed.
    pub(super) fn stop(self, deliveries_end: Instant) {
        let Alerts { engine, notifier, store, heartbeat, .. } = self;
        drop((heartbeat, engine));
        notifier.stop(deliveries_end.max(Instant::now() + STOP_WAIT));
        if let Some(store) = store
            && store.stop(Instant::now() + STORE_STOP_WAIT).is_err()
        {
            log::warn!(
                "the alerts' store has not taken the latest changes: messages may be sent again after the start"
            );
        }
    }
}

/// Returns what to do with the outcome of opening the file.
fn opened(
    engine: AlertSender,
    channels: NotifierHandle,
    store: LateStore,
    live_holder: LiveHolder,
) -> Box<dyn FnMut(Opened) + Send> {
    Box::new(move |opened| {
        // Set by the thread that has started this one: what the rules save from now on has its place.
        let store = store.wait();
        match opened {
            Opened::Loaded(loaded) => {
                live_holder.store(None);
                let notices: Vec<_> = loaded.notices.iter().cloned().map(Arc::new).collect();
                let done = channels.restore(&notices);
                store.save(Changes { done, ..Changes::default() });
                engine.loaded(loaded);
            }
            Opened::Standby(holder) => {
                live_holder.store(Some(Arc::new(holder.to_string())));
                engine.stand_by();
            }
            Opened::Failed(_) => engine.unreadable(),
            Opened::Replaced => {
                store.save(Changes { notices: channels.notices(), ..Changes::default() });
                engine.replaced();
            }
        }
    })
}

/// Reads the recorded observations from which windows start, subject by subject. Returns false if there is no other.
pub(super) fn backfill_windows(
    history: &History,
    windows: &mut RecordedWindows,
    engine: &AlertSender,
) -> bool {
    match windows.next(history, wall_clock::now()) {
        Some(Some(samples)) => {
            engine.backfill(vec![samples]);
            true
        }
        Some(None) => true,
        None => false,
    }
}

fn context(
    config: &Config,
    tls: &ClientTls,
    resolver: &ThreadedResolver,
    late_alerts: &LateAlerts,
) -> ChannelContext {
    ChannelContext {
        site_title: config.site.title.as_str().into(),
        site_url: config.site.url.clone(),
        zone: config.site.timezone.clone(),
        tls: tls.clone(),
        resolver: resolver.clone(),
        user_agent: user_agent(&config.site).into(),
        alerts: late_alerts.clone(),
    }
}

fn heartbeat(config: &Config, context: &ChannelContext) -> Option<HeartbeatSettings> {
    let settings = config.heartbeat.as_ref()?;
    let ping = Box::new(Ping::new(settings, context));
    Some(HeartbeatSettings { every: settings.every, ping })
}

fn status_of(
    channels: &NotifierHandle,
) -> Box<dyn Fn() -> Arc<[crate::notify::ChannelStatus]> + Send> {
    let channels = channels.clone();
    Box::new(move || channels.status())
}

/// Returns the failure of the file: since when, and the reason.
fn failure_of(store: &LateStore) -> Box<dyn Fn() -> Option<(Timestamp, Arc<str>)> + Send> {
    /// Time after which a disk hangs that does not take a change.
    const HANGS_AFTER: jiff::SignedDuration = jiff::SignedDuration::from_secs(60);
    let store = store.clone();
    Box::new(move || {
        let health = store.get()?.health();
        if let Some(error) = &health.error {
            return Some((error.since, error.message.clone()));
        }
        let since = health.waiting_since?;
        let hangs = wall_clock::now().duration_since(since) > HANGS_AFTER;
        hangs.then(|| (since, "the disk does not take the states of alerts".into()))
    })
}

fn past_of(store: &LateStore) -> alert::PastIncidents {
    let store = store.clone();
    Arc::new(move |alert, limit| {
        let Some(store) = store.get() else { return Ok(Vec::new()) };
        let found = store.incidents(alert, None, limit);
        let found = found.map_err(|error| PastError(error.to_string().into()))?;
        Ok(found.into_iter().map(Arc::new).collect())
    })
}
