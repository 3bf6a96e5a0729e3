//! Builds a running server from a setup: binds the listeners, then starts the parts from the disk
//! and the upstreams to the clients, and the watchdog last.
//!
//! Addresses are bound first, so that a wrong one fails the start before anything was written. The
//! board starts with the last good values, before the first poll. The engine starts after every part
//! that its pages are rendered from.

use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::Timestamp;

use super::descriptor_budget::{MAX_READERS, admin_connections};
use super::late_listeners::{Binding, Role};
use super::stop::Teardown;
use super::watchdog::{INTERNAL_FAILURE, Watchdog, Watched};
use super::{
    Running, Setup, StartError, admitted_connections, effective_limits, program_event, redirect,
    user_agent,
};
use crate::access::Gate;
use crate::admin::configuration::LiveConfiguration;
use crate::admin::health::Health;
use crate::admin::listeners::ListenerStatus;
use crate::admin::metrics::{Metrics, RequestMetrics};
use crate::admin::scoreboard::Scoreboard;
use crate::admin::{Admin, AdminPages};
use crate::board::{Board, Change, EventKind, Reporter, ServiceInfo, SourceInfo};
use crate::certificates::{CertificateInfo, CertificateWatcher, LiveCertificates};
use crate::config::{self, Config, ListenAddr, renamed_fields};
use crate::data_lock::DataLock;
use crate::engine::{Engine, Listener, Settings};
use crate::history::{self, History, RenamedSeries, Retention, SourceFields, trend_samples};
use crate::kernel::clock::{Clock, Start};
use crate::kernel::descriptors;
use crate::last_values::{self, Saver};
use crate::logging;
use crate::site::{self, CertificateState, Site};
use crate::threads;
use crate::upstream::{PollerHandles, Pollers};

/// Interval in which the recorder wakes if no history is kept.
const IDLE_FLUSH: Duration = Duration::from_secs(60);

impl Running {
    /// Binds the listeners and starts every part.
    pub(super) fn start(setup: Setup) -> Result<Running, StartError> {
        let Setup { config, certificates, authorities } = setup;
        config.warnings.iter().for_each(|warning| log::warn!("{warning}"));

        // Listeners. The engine accepts from them later; until then connections wait in their queues.
        let max_connections = admitted_or_warn(&config);
        let scheme = if certificates.is_some() { "https" } else { "http" };
        let Binding { public, redirect: redirect_listeners, admin: admin_listener, late } =
            Binding::bind(addresses(&config, scheme), config.server.backlog)?;
        let bound = |listeners: &[Listener]| -> Vec<String> {
            listeners.iter().map(Listener::local_addr).collect()
        };
        let public_addresses = bound(&public);
        let target = redirect_target(&late.live().statuses()[..config.server.listen.len()]);
        let redirect_addresses = bound(&redirect_listeners);
        let admin_address = admin_listener.as_ref().map(Listener::local_addr);
        let live_listeners = late.live();
        // Before the files beside the history are read, as a process without the lock changes none.
        let lock = Arc::new(match &config.history {
            Some(history) => DataLock::of_database(&history.path),
            None => DataLock::none(),
        });
        lock.claim();
        if let Some(history) = config.history.as_ref().filter(|_| lock.is_ours()) {
            adopt_earlier_files(history);
        }
        let gate = Arc::new(match session_file(&config) {
            Some(file) => Gate::with_sessions_of(config.auth.rules.clone(), &file, &lock)?,
            None => Gate::new(config.auth.rules.clone())?,
        });
        let redirect = redirect::start(&config, redirect_listeners, target, &gate)?;
        let start = Start::now(Clock::system());
        let service = service(&start);
        let teardown = Teardown::start()?;

        // Data: history, board, pollers.
        let infos = config.sources.iter().map(SourceInfo::from).collect();
        let file = config.history.as_ref().map(config::History::last_values);
        let loaded = file.as_deref().map(|file| last_values::load(file, &lock)).unwrap_or_default();
        let (recorder, change_sender, history) = history::prepare(history_settings(&config, &lock));
        change_sender.send(program_event(EventKind::Started, env!("CARGO_PKG_VERSION")));
        let changes = change_sender.clone();
        let polled_again = Arc::new(OnceLock::<PollerHandles>::new());
        let on_step = polled_again.clone();
        let changes = Box::new(move |change| {
            if let (Change::ClockStepped(_), Some(pollers)) = (&change, on_step.get()) {
                pollers.repoll_all();
            }
            changes.send(change);
        });
        let (board, reader, reporter) = Board::start(infos, loaded, service, changes)?;
        // Trends start from recorded samples. The recorder's thread reads them, as the disk may be slow.
        let (sources, trend_reporter) = (config.sources.clone(), reporter.clone());
        let recorder = recorder.start(Box::new(move |history| {
            backfill_trends(history, &sources, &trend_reporter);
        }))?;
        let saver =
            file.map(|file| Saver::start(file, lock.clone(), reader.clone())).transpose()?;
        let pollers = Pollers::start(
            &config.sources,
            &reporter,
            &user_agent(&config.site),
            authorities.unwrap_or_default(),
        )?;
        let handles = pollers.handles();
        // A step of the clock before this needs no further poll: the pollers have just begun.
        let _ = polled_again.set(handles.clone());

        // The site, and the engine that serves it.
        let certificates = certificates.map(|certificates| {
            certificates.infos.iter().for_each(CertificateInfo::log_problems);
            LiveCertificates::new(certificates)
        });
        let request_metrics = Arc::new(RequestMetrics::new()?);
        let (snapshots, pollers_on_demand) = (reader.clone(), handles.clone());
        let certificates_in_use = certificates.clone();
        let site = Site::new(
            site::Settings { title: config.site.title.clone() },
            Box::new(move || snapshots.load()),
            Box::new(move |source| pollers_on_demand.request_poll(source)),
            history.clone(),
            request_metrics.clone(),
            gate.clone(),
        );
        let site = site.with_certificates(Box::new(move |now| {
            let Some(live) = &certificates_in_use else { return CertificateState::default() };
            let renewal_failed_since = live.renewal_failure().map(|failure| failure.since);
            CertificateState { days: live.expires_soon(now), renewal_failed_since }
        }));
        site.set_slow_request(config.log.slow_request);
        let site = Arc::new(site);
        let tls = certificates.as_ref().map(|live| live.server_config()).transpose()?;
        let settings = Settings { max_connections, ..config.server.engine.clone() };
        let engine = Engine::start(public, settings, tls, Arc::new(site.clone()))
            .map_err(threads::with_limits)?;

        // The admin listener, and the watchdog.
        let health = Arc::new(Health {
            engine: engine.stats(),
            board: reader.clone(),
            polls: handles.clone(),
            history: history.clone(),
            admin: OnceLock::new(),
        });
        let configuration = LiveConfiguration::new(effective_limits(&config));
        let scoreboard = Arc::new(Scoreboard {
            health: health.clone(),
            listeners: live_listeners.clone(),
            certificates: certificates.clone(),
            configuration: configuration.clone(),
            start: start.clone(),
        });
        let metrics = Metrics {
            requests: request_metrics,
            engine: engine.stats(),
            access: gate.stats(),
            board: reader,
            polls: handles,
            history: history.clone(),
            listeners: live_listeners,
            certificates: certificates.clone(),
            configuration: configuration.clone(),
            health: health.clone(),
            start,
        };
        let pages = AdminPages {
            health: health.clone(),
            metrics,
            scoreboard: scoreboard.clone(),
            site: site.clone(),
        };
        let admin = Admin::start(admin_listener, admin_connections(), pages)?;
        let watched = Watched {
            health,
            scoreboard: Box::new(move || scoreboard.render()),
            timeout: config.server.watchdog_timeout,
        };
        let give_up = Box::new(|| {
            logging::flush();
            process::exit(INTERNAL_FAILURE.into())
        });
        let watchdog = Watchdog::start(watched, give_up)?;

        for (role, address) in (redirect_addresses.iter().map(|address| (Role::Redirect, address)))
            .chain(public_addresses.iter().map(|address| (Role::Public(scheme), address)))
            .chain(admin_address.iter().map(|address| (Role::Admin, address)))
        {
            log::info!("{}", role.listening(address));
        }
        let mut running = Running {
            config,
            watchdog,
            certificate_watcher: None,
            sessions: None,
            certificates,
            configuration,
            engine,
            late_listeners: late,
            redirect,
            site,
            gate,
            pollers,
            reporter,
            saver,
            board,
            history,
            change_sender,
            recorder,
            lock,
            admin,
            teardown,
        };
        running.watch_certificates()?;
        running.start_session_writer()?;
        Ok(running)
    }

    /// Starts to write sessions to a file, if accounts can sign in or an earlier run has left a
    /// file. Does nothing if it was started already.
    pub(super) fn start_session_writer(&mut self) -> io::Result<()> {
        if let (None, Some(file)) = (&self.sessions, session_file(&self.config)) {
            let workers = self.config.server.engine.workers;
            self.sessions = self.gate.write_sessions_to(&file, &self.lock, workers)?;
        }
        Ok(())
    }

    /// Starts to poll the certificate files, or passes the files of a reload to the running watcher.
    pub(super) fn watch_certificates(&mut self) -> io::Result<()> {
        let Some(live) = &self.certificates else { return Ok(()) };
        live.warn_of_expiry(Timestamp::now());
        let Some(files) = &self.config.tls else { return Ok(()) };
        if let Some(watcher) = &self.certificate_watcher {
            if let Some(hung) = watcher.follow(files.clone()) {
                log::error!(
                    "a read of the certificate files has not ended for {} s: renewed files are not \
                     noticed until it ends; check their file system, and send HUP to load them",
                    hung.as_secs()
                );
            }
            return Ok(());
        }
        let change_sender = self.change_sender.clone();
        let on_renewed = Box::new(move || {
            log::info!("the certificates were renewed, and are in use");
            change_sender.send(program_event(EventKind::Reloaded, "certificates renewed"));
        });
        let watcher = CertificateWatcher::start(files.clone(), live.clone(), on_renewed)?;
        self.certificate_watcher = Some(watcher);
        Ok(())
    }
}

/// Returns the addresses of all listeners. The public ones come first, and the admin listener before the
/// redirect's, so that the first error is about the most important one.
fn addresses<'a>(
    config: &'a Config,
    scheme: &'static str,
) -> impl Iterator<Item = (Role, &'a ListenAddr)> {
    let public = config.server.listen.iter().map(move |address| (Role::Public(scheme), address));
    let admin = (Role::Admin, &config.server.admin_listen);
    let redirect = redirect::addresses(config).iter().map(|address| (Role::Redirect, address));
    public.chain([admin]).chain(redirect)
}

/// Returns the port that visitors are redirected to: that of the first public TCP address, whether it is bound
/// or missing.
fn redirect_target(public: &[ListenerStatus]) -> Option<u16> {
    let ports = public.iter().filter_map(|status| status.address.parse::<SocketAddr>().ok());
    // The kernel chooses port 0 when the address is bound.
    ports.map(|address| address.port()).find(|port| *port != 0)
}

/// Gives the last values and the sessions of an earlier version their names of now.
fn adopt_earlier_files(history: &config::History) {
    for (earlier, now) in history.earlier_names() {
        if now.exists() || !earlier.exists() {
            continue;
        }
        // Another database may use the earlier file still. Each writes a new one and renames it, so the two
        // names are of two files then.
        match fs::hard_link(&earlier, &now) {
            Ok(()) => log::info!("{} is {} now", earlier.display(), now.display()),
            Err(error) => log::warn!(
                "cannot take over {} as {}: {error}; copy it, and restart",
                earlier.display(),
                now.display()
            ),
        }
    }
}

/// Returns the path of the sessions' file, which is beside the history.
fn session_file(config: &Config) -> Option<PathBuf> {
    config.history.as_ref().map(config::History::sessions)
}

/// Returns the name and version of the program, and the time of its start.
fn service(start: &Start) -> ServiceInfo {
    ServiceInfo {
        name: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
        started_at: start.at(),
    }
}

fn history_settings(config: &Config, lock: &Arc<DataLock>) -> history::Settings {
    let zone = config.site.timezone.clone();
    let sources = recorded_sources(&config.sources);
    // A reader for each permit of expensive work and one more, but fewer than workers: a disk that
    // hangs must not hold all of these.
    let engine = &config.server.engine;
    let readers = (engine.heavy_permits() + 1).min(engine.workers.saturating_sub(1));
    let readers = readers.clamp(1, MAX_READERS);
    match &config.history {
        Some(file) => history::Settings {
            path: Some(file.path.clone()),
            lock: Arc::clone(lock),
            flush: file.flush,
            keep: Retention { raw: file.keep_raw, quarters: file.keep_15m, days: file.keep_daily },
            zone,
            readers,
            sources,
        },
        None => history::Settings {
            path: None,
            lock: Arc::clone(lock),
            flush: IDLE_FLUSH,
            keep: Retention::default(),
            zone,
            readers,
            sources,
        },
    }
}

/// Returns the sources with the fields that the history recorded under other names.
pub(super) fn recorded_sources(sources: &[config::Source]) -> Vec<SourceFields> {
    let series = |field: &config::RenamedField| RenamedSeries {
        old: field.old,
        new: field.new,
        is_rate: field.is_rate,
    };
    let fields = |source: &config::Source| SourceFields {
        source: source.name.clone(),
        renamed: renamed_fields(source.kind.as_str()).map(series).collect(),
    };
    sources.iter().map(fields).collect()
}

/// Returns the number of connections that are admitted, and warns if it is lower than configured.
fn admitted_or_warn(config: &Config) -> usize {
    let configured = config.server.engine.max_connections;
    let admitted = admitted_connections(config);
    if admitted < configured {
        log::warn!(
            "max_connections lowered from {configured} to {admitted} to fit RLIMIT_NOFILE {}; \
             raise its hard limit by `ulimit -n` or supervisord's minfds",
            descriptors::limit().unwrap_or_default()
        );
    }
    admitted
}

/// Sends the board the recorded samples that the trends of these sources start from.
pub(super) fn backfill_trends(history: &History, sources: &[config::Source], reporter: &Reporter) {
    reporter.backfill(trend_samples(history, sources, Timestamp::now()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::listeners::ListenerState;

    #[test]
    fn redirects_lead_to_the_first_tcp_address_bound_or_missing() {
        let target = |addresses: &[&str]| {
            let status = |address: &&str| ListenerStatus {
                address: (*address).to_owned(),
                state: ListenerState::Listening(None),
                since: Timestamp::now(),
            };
            redirect_target(&addresses.iter().map(status).collect::<Vec<_>>())
        };
        assert_eq!(target(&["192.0.2.7:443", "127.0.0.1:6443"]), Some(443));
        assert_eq!(target(&["unix:/run/x", "[::1]:0", "127.0.0.1:6443"]), Some(6443));
        assert_eq!(target(&["unix:/run/x"]), None);
    }

    #[test]
    fn files_of_an_earlier_version_are_adopted_once() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let history = |name: &str| config::History { path: at(name), ..Default::default() };
        fs::write(at("pump.last.json"), "shared").unwrap();
        adopt_earlier_files(&history("pump.north"));
        assert_eq!(fs::read_to_string(at("pump.north-last.json")).unwrap(), "shared");
        assert!(!at("pump.north-sessions.json").exists());
        fs::remove_file(at("pump.north-last.json")).unwrap();
        fs::write(at("pump.north-last.json"), "own").unwrap();
        adopt_earlier_files(&history("pump.north"));
        assert_eq!(fs::read_to_string(at("pump.north-last.json")).unwrap(), "own");
        adopt_earlier_files(&history("pump.db"));
        assert_eq!(fs::read_to_string(at("pump.last.json")).unwrap(), "shared");
    }
}
