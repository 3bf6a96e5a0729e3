//! Puts the parts together, runs them until asked to stop, and takes them apart.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Receiver;
use jiff::Timestamp;
use rustls::ServerConfig;

use super::{Failure, past};
use crate::access::Gate;
use crate::board::{Board, Change, Event, EventKind, ServiceInfo, SourceInfo};
use crate::config::{self, CertificateInfo, Config, History, ListenAddr};
use crate::history::{self, Retention};
use crate::http::{Drained, Engine, Listener, Settings};
use crate::last_values::{self, Keeping};
use crate::ops::admin::{Admin, AdminSite};
use crate::ops::health::Health;
use crate::ops::listen_queue::{ListenSocket, granted_backlog};
use crate::ops::metrics::{Metrics, RequestMetrics};
use crate::ops::scoreboard::Scoreboard;
use crate::ops::{descriptors, signals};
use crate::site::{self, Site};
use crate::upstream::Pollers;

/// What the public listeners speak TLS with.
pub(super) struct Tls {
    pub(super) server: Arc<ServerConfig>,
    pub(super) certificate: CertificateInfo,
}

/// Between two looks of a recorder that has nothing to write.
const REST: Duration = Duration::from_secs(60);

/// A certificate that expires sooner is warned of.
const EXPIRES_SOON_DAYS: i64 = 14;

/// Sent to upstreams, so that they know whom to ask.
pub(super) fn user_agent(site: &config::Site) -> String {
    let product = concat!("pumphouse-web/", env!("CARGO_PKG_VERSION"));
    match &site.contact {
        Some(contact) => format!("{product} ({contact})"),
        None => product.to_owned(),
    }
}

/// Serves until TERM or INT.
pub(super) fn run(config: &Config, tls: Option<Tls>) -> Result<ExitCode, Failure> {
    let max_connections = lowered(config);
    let (listeners, sources) = (config.server.listen.len(), config.sources.len());
    if let Err(error) = descriptors::make_room(max_connections, listeners, sources) {
        log::debug!("the table of descriptors will grow when it must: {error}");
    }
    // Before any thread is made, so that none of them meets a signal unprepared.
    let requests = signals::listen().map_err(|error| format!("cannot watch signals: {error}"))?;
    for notice in &config.notices {
        log::warn!("{notice}");
    }
    let listeners = bind(config)?;
    let addresses: Vec<String> = listeners.iter().map(Listener::local_addr).collect();
    let sockets = listen_sockets(&listeners, config.server.backlog);
    let scheme = if tls.is_some() { "https" } else { "http" };
    let started_at = Timestamp::now();
    let service = ServiceInfo {
        name: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
        started_at,
    };

    let infos = config.sources.iter().map(SourceInfo::from).collect();
    let file = config.history.as_ref().map(History::last_values);
    let kept = file.as_deref().map(last_values::load).unwrap_or_default();
    let (recorder, intake, history) = history::prepare(history_settings(config));
    intake.take(program(EventKind::Started, env!("CARGO_PKG_VERSION")));
    let changes = intake.clone();
    let changes = Box::new(move |change| changes.take(change));
    let (board, reader, reporter) = Board::start(infos, kept, service.clone(), changes)?;
    // Trends need the past, which is on disk, which may be slow: they get it when it comes.
    let (needs, teller) = (past::needs(&config.sources), reporter.clone());
    let recorder = recorder.start(Box::new(move |history| {
        teller.remember(past::fetch(history, &needs, Timestamp::now()));
    }))?;
    let keeping = file.map(|file| Keeping::start(file, reader.clone())).transpose()?;
    let pollers = Pollers::start(&config.sources, &reporter, &user_agent(&config.site))?;
    let counted = Arc::new(RequestMetrics::new()?);
    let snapshots = reader.clone();
    let polls_wanted = pollers.requests();
    let gate = Arc::new(Gate::new(config.auth.rules.clone())?);
    let site = Arc::new(Site::new(
        site::Settings { title: config.site.title.clone(), service },
        Box::new(move || snapshots.load()),
        Box::new(move |source| polls_wanted.ask(source)),
        history.clone(),
        counted.clone(),
        gate.clone(),
    ));
    if let Some(tls) = &tls {
        warn_of_expiry(&tls.certificate);
    }
    let settings = Settings { max_connections, ..config.server.engine.clone() };
    let engine = Engine::start(listeners, settings, tls.map(|tls| tls.server), site.clone())?;
    let polls = pollers.stats().to_vec();
    let health = Health {
        engine: engine.stats(),
        board: reader.clone(),
        polls: polls.clone(),
        history: history.clone(),
    };
    let scoreboard =
        Scoreboard { engine: engine.stats(), polls: polls.clone(), listeners: sockets.clone() };
    let metrics = Metrics {
        requests: counted,
        engine: engine.stats(),
        access: gate.stats(),
        board: reader,
        polls,
        history: history.clone(),
        listeners: sockets,
        started_at,
    };
    let admin_address = &config.server.admin_listen;
    let admin = Admin::start(admin_address, AdminSite { health, metrics, scoreboard, site })
        .map_err(|error| cannot_listen(admin_address, &error))?;
    for address in addresses {
        match address.strip_prefix("unix:") {
            Some(_) => log::info!("listening on {address}, {scheme}"),
            None => log::info!("listening on {scheme}://{address}/"),
        }
    }
    log::info!("admin listener on {}", admin.local_addr());

    wait_for_stop(&requests);
    match engine.drain() {
        Drained::Complete => log::info!("stopped: every request in flight was answered"),
        Drained::TimedOut => {
            log::info!("stopped: drain_timeout passed, and open connections were cut");
        }
    }
    drop(admin);
    drop(pollers);
    drop(reporter);
    drop(keeping);
    drop(board);
    intake.take(program(EventKind::Stopped, ""));
    drop(recorder);
    Ok(ExitCode::SUCCESS)
}

/// Something that happened to the program itself.
fn program(kind: EventKind, detail: &str) -> Change {
    let (at, detail) = (Timestamp::now(), detail.into());
    Change::Happened(Event { at, kind, source: None, detail })
}

fn history_settings(config: &Config) -> history::Settings {
    let zone = config.site.timezone.clone();
    // Half of the workers: a disk that hangs must not hold all of them.
    let readers = (config.server.engine.workers / 2).max(1);
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

fn wait_for_stop(requests: &Receiver<signals::Request>) {
    for request in requests {
        match request {
            signals::Request::Stop => {
                log::info!("stopping: finishing requests in flight; a second signal cuts them");
                return;
            }
            signals::Request::Reload => {
                log::warn!("HUP: this version cannot reload; restart it to apply changes");
            }
        }
    }
}

fn bind(config: &Config) -> Result<Vec<Listener>, Failure> {
    let backlog = config.server.backlog;
    let bind = |address: &ListenAddr| {
        let bound = match address {
            ListenAddr::Tcp(address) => Listener::tcp(*address, backlog),
            ListenAddr::Unix(path) => Listener::unix(path, backlog),
            ListenAddr::Fd(number) => Listener::inherited(*number, backlog),
        };
        bound.map_err(|error| cannot_listen(address, &error).into())
    };
    config.server.listen.iter().map(bind).collect()
}

/// What the metrics follow of the public listeners.
fn listen_sockets(listeners: &[Listener], backlog: u32) -> Vec<ListenSocket> {
    let limit = granted_backlog(backlog);
    let sockets = listeners.iter().filter_map(|listener| {
        let inode = listener.tcp_inode()?;
        Some(ListenSocket { address: listener.local_addr(), inode, limit })
    });
    sockets.collect()
}

fn cannot_listen(address: &ListenAddr, error: &std::io::Error) -> String {
    let hint = match (error.kind(), address) {
        (std::io::ErrorKind::AddrInUse, _) => {
            "; another program has it: stop that one, or choose another by --listen or \
             --admin-listen"
        }
        (std::io::ErrorKind::PermissionDenied, ListenAddr::Tcp(_)) => {
            "; ports below 1024 need privileges"
        }
        (std::io::ErrorKind::AddrNotAvailable, _) => "; this machine has no such address",
        _ => "",
    };
    format!("cannot listen on {address}: {error}{hint}")
}

/// How many connections there is room for.
pub(super) fn admitted_connections(config: &Config) -> usize {
    descriptors::fit(
        config.server.engine.max_connections,
        descriptors::limit(),
        config.server.listen.len(),
        config.sources.len(),
    )
}

fn lowered(config: &Config) -> usize {
    let configured = config.server.engine.max_connections;
    let admitted = admitted_connections(config);
    if admitted < configured {
        log::warn!(
            "max_connections lowered from {configured} to {admitted} to fit RLIMIT_NOFILE {}; \
             raise that by `ulimit -n` or supervisord's minfds",
            descriptors::limit().unwrap_or_default()
        );
    }
    admitted
}

fn warn_of_expiry(certificate: &CertificateInfo) {
    let days = certificate.days_left(Timestamp::now());
    if days < 0 {
        log::error!("the certificate has expired: clients will refuse it");
    } else if days < EXPIRES_SOON_DAYS {
        log::warn!("the certificate expires in {days} days");
    }
}
