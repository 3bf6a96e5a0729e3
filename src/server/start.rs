//! From a setup to a running server.

use std::path::PathBuf;
use std::process;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::Timestamp;

use super::listen::{bind, bind_one, listen_sockets};
use super::stop::Teardown;
use super::{Failure, backfill};
use super::{Running, Setup, admitted_connections, limits, program, redirect, user_agent};
use crate::access::Gate;
use crate::admin::configuration::LiveConfiguration;
use crate::admin::health::Health;
use crate::admin::metrics::{Metrics, RequestMetrics};
use crate::admin::scoreboard::Scoreboard;
use crate::admin::{Admin, AdminSite};
use crate::board::{Board, EventKind, Reporter, ServiceInfo, SourceInfo};
use crate::certificates::{CertificateWatch, LiveCertificates};
use crate::config::{self, Config};
use crate::engine::{Engine, Listener, Settings};
use crate::history::{self, History, Retention};
use crate::kernel::descriptors;
use crate::last_values::{self, Saver};
use crate::logging;
use crate::server::watchdog::{INTERNAL_FAILURE, Watchdog, Watched};
use crate::site::{self, Site};
use crate::upstream::Pollers;

/// Between two looks of a recorder that has nothing to write.
const REST: Duration = Duration::from_secs(60);

impl Running {
    /// Binds what has to be bound and starts every thread.
    pub(super) fn start(setup: Setup) -> Result<Running, Failure> {
        let Setup { config, certificates } = setup;
        config.notices.iter().for_each(|notice| log::warn!("{notice}"));
        let max_connections = lowered(&config);
        let listeners = bind(&config.server.listen, config.server.backlog)?;
        let addresses: Vec<String> = listeners.iter().map(Listener::local_addr).collect();
        let admin_listener = bind_one(&config.server.admin_listen, config.server.backlog)?;
        let gate = Arc::new(match session_file(&config) {
            Some(file) => Gate::with_sessions_of(config.auth.rules.clone(), &file)?,
            None => Gate::new(config.auth.rules.clone())?,
        });
        let redirect = redirect::start(&config, &addresses, &gate)?;
        let sockets = listen_sockets(&listeners, config.server.backlog);
        let service = service();
        let teardown = Teardown::start()?;

        let infos = config.sources.iter().map(SourceInfo::from).collect();
        let file = config.history.as_ref().map(config::History::last_values);
        let kept = file.as_deref().map(last_values::load).unwrap_or_default();
        let (recorder, change_sender, history) = history::prepare(history_settings(&config));
        change_sender.send(program(EventKind::Started, env!("CARGO_PKG_VERSION")));
        let changes = change_sender.clone();
        let changes = Box::new(move |change| changes.send(change));
        let (board, reader, reporter) = Board::start(infos, kept, service.clone(), changes)?;
        // Trends need the past, which is on disk, which may be slow: they get it when it comes.
        let (needs, backfiller) = (backfill::needs(&config.sources), reporter.clone());
        let recorder = recorder.start(Box::new(move |history| {
            backfiller.backfill(backfill::fetch(history, &needs, Timestamp::now()));
        }))?;
        let saver = file.map(|file| Saver::start(file, reader.clone())).transpose()?;
        let pollers = Pollers::start(&config.sources, &reporter, &user_agent(&config.site))?;
        let roster = pollers.roster();
        let counted = Arc::new(RequestMetrics::new()?);
        let (snapshots, polls_wanted) = (reader.clone(), roster.clone());
        let certificates = certificates.map(|certificates| {
            certificates.notices.iter().for_each(|notice| log::warn!("{notice}"));
            LiveCertificates::new(certificates)
        });
        let shown = certificates.clone();
        let site = Site::new(
            site::Settings { title: config.site.title.clone(), service: service.clone() },
            Box::new(move || snapshots.load()),
            Box::new(move |source| polls_wanted.ask(source)),
            history.clone(),
            counted.clone(),
            gate.clone(),
        );
        let site = site.with_expiry(Box::new(move |now| shown.as_ref()?.expires_soon(now)));
        site.warn_of_slow(config.log.slow_request);
        let site = Arc::new(site);

        let tls = certificates.as_ref().map(|live| live.server_config()).transpose()?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        let settings = Settings { max_connections, ..config.server.engine.clone() };
        let engine = Engine::start(listeners, settings, tls, Arc::new(site.clone()))?;
        let health = Arc::new(Health {
            engine: engine.stats(),
            board: reader.clone(),
            polls: roster.clone(),
            history: history.clone(),
            admin: OnceLock::new(),
        });
        let configuration = LiveConfiguration::new(limits(&config));
        let scoreboard = Arc::new(Scoreboard {
            health: health.clone(),
            listeners: sockets.clone(),
            certificates: certificates.clone(),
            configuration: configuration.clone(),
            started_at: service.started_at,
        });
        let metrics = Metrics {
            requests: counted,
            engine: engine.stats(),
            access: gate.stats(),
            board: reader,
            polls: roster,
            history: history.clone(),
            listeners: sockets,
            certificates: certificates.clone(),
            configuration: configuration.clone(),
            health: health.clone(),
            started_at: service.started_at,
        };
        let admin = AdminSite {
            health: health.clone(),
            metrics,
            scoreboard: scoreboard.clone(),
            site: site.clone(),
        };
        let admin = Admin::start(admin_listener, admin)?;
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
        for address in addresses {
            match address.strip_prefix("unix:") {
                Some(_) => log::info!("listening on {address}, {scheme}"),
                None => log::info!("listening on {scheme}://{address}/"),
            }
        }
        log::info!("admin listener on {}", admin.local_addr());
        let mut running = Running {
            config,
            watchdog,
            certificate_watch: None,
            sessions: None,
            certificates,
            configuration,
            engine,
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
            admin,
            teardown,
        };
        running.watch_certificates()?;
        running.keep_sessions()?;
        Ok(running)
    }

    /// Starts to write sessions down, once there are accounts that can sign in or a file of an
    /// earlier run.
    pub(super) fn keep_sessions(&mut self) -> Result<(), Failure> {
        if let (None, Some(file)) = (&self.sessions, session_file(&self.config)) {
            self.sessions = self.gate.keep_sessions(&file, self.config.server.engine.workers)?;
        }
        Ok(())
    }

    /// Begins to look for renewed files of the certificates, if they are in files.
    pub(super) fn watch_certificates(&mut self) -> Result<(), Failure> {
        let Some(live) = &self.certificates else { return Ok(()) };
        live.warn_of_expiry(Timestamp::now());
        let Some(files) = &self.config.tls else { return Ok(()) };
        if let Some(watch) = &self.certificate_watch {
            if let Some(hung) = watch.follow(files.clone()) {
                log::error!(
                    "a read of the certificate files has not ended for {} s: renewed files are not \
                     noticed until it ends; check their file system, and send HUP to load them",
                    hung.as_secs()
                );
            }
            return Ok(());
        }
        let change_sender = self.change_sender.clone();
        let renewed = Box::new(move || {
            log::info!("the certificates were renewed, and are in use");
            change_sender.send(program(EventKind::Reloaded, "certificates renewed"));
        });
        let watch = CertificateWatch::start(files.clone(), live.clone(), renewed)?;
        self.certificate_watch = Some(watch);
        Ok(())
    }
}

/// The file of sessions, beside the history.
fn session_file(config: &Config) -> Option<PathBuf> {
    config.history.as_ref().map(config::History::sessions)
}

/// Who answers. Made once, as it says since when.
fn service() -> ServiceInfo {
    ServiceInfo {
        name: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
        started_at: Timestamp::now(),
    }
}

fn history_settings(config: &Config) -> history::Settings {
    let zone = config.site.timezone.clone();
    // One for each piece of work that may read at the same time, but never as many as workers: a
    // disk that hangs must not hold all of them.
    let engine = &config.server.engine;
    let readers = (engine.heavy_permits() + 1).min(engine.workers.saturating_sub(1));
    let readers = readers.clamp(1, descriptors::MOST_READERS);
    match &config.history {
        Some(kept) => history::Settings {
            path: Some(kept.path.clone()),
            flush: kept.flush,
            keep: Retention { raw: kept.keep_raw, quarters: kept.keep_15m, days: kept.keep_daily },
            zone,
            readers,
        },
        None => {
            history::Settings { path: None, flush: REST, keep: Retention::default(), zone, readers }
        }
    }
}

fn lowered(config: &Config) -> usize {
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

/// Tells trends about the past of sources, as far as the history knows it.
pub(super) fn remember(history: &History, sources: &[config::Source], reporter: &Reporter) {
    let needs = backfill::needs(sources);
    reporter.backfill(backfill::fetch(history, &needs, Timestamp::now()));
}
