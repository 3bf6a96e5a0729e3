//! Builds a running server from a setup: binds the listeners, then starts the parts from the disk
//! and the upstreams to the clients, and the watchdog last.
//!
//! Addresses are bound first, so that a wrong one fails the start before anything was written. The
//! board starts with the last good values, before the first poll. The engine starts after every part
//! that its pages are rendered from.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process;
use std::sync::Arc;
use std::time::Duration;

use super::admin_pages::{AdminSources, admin_pages, ailments, health};
use super::alerts::{Alerts, Surroundings};
use super::data::Data;
use super::descriptor_budget::admin_connections;
use super::late_listeners::{Binding, Role};
use super::replica::{self, PreparedReplica};
use super::stop::Teardown;
use super::watchdog::{INTERNAL_FAILURE, Watchdog, Watched};
use super::{
    Running, Setup, StartError, admitted_connections, earlier_files, effective_limits,
    program_event, redirect,
};
use crate::access::{Gate, NoRandomness};
use crate::admin::configuration::LiveConfiguration;
use crate::admin::listeners::ListenerStatus;
use crate::admin::metrics::RequestMetrics;
use crate::admin::{Admin, AdminPages};
use crate::board::EventKind;
use crate::certificates::{CertificateInfo, CertificateWatcher, LiveCertificates};
use crate::config::{self, Config, ListenAddr};
use crate::data_lock::DataLock;
use crate::engine::{self, Engine, Settings};
use crate::kernel::clock::{Clock, Start};
use crate::kernel::descriptors;
use crate::logging;
use crate::site::{self, CertificateState, Site, SiteService, StoreOutage};
use crate::threads;
use crate::upstream::PollRequest;
use crate::wall_clock;

impl Running {
    /// Binds the listeners and starts every part.
    pub(super) fn start(setup: Setup) -> Result<Running, StartError> {
        let Setup { config, certificates, authorities } = setup;
        config.warnings.iter().for_each(|warning| log::warn!("{warning}"));

        // The engine accepts from the listeners later; until then connections wait in their queues.
        let max_connections = admitted_or_warn(&config);
        let scheme = if certificates.is_some() { "https" } else { "http" };
        let binding = Binding::bind(addresses(&config, scheme), config.server.backlog)?;
        let listening = listening(&binding, scheme);
        let Binding { public, redirect: redirect_listeners, admin: admin_listener, late } = binding;
        let target = redirect_target(&late.live().statuses()[..config.server.listen.len()]);

        let lock = claim_lock(&config);
        let gate = Arc::new(gate(&config, &lock)?);
        engine::set_date_clock(wall_clock::system_time);
        let redirect = redirect::start(&config, redirect_listeners, target, &gate)?;
        let start = Start::now(Clock::system());
        let teardown = Teardown::start()?;
        let mut data = Data::start(&config, &lock, &start, authorities.unwrap_or_default())?;

        let certificates = certificates.map(|certificates| {
            certificates.infos.iter().for_each(CertificateInfo::log_problems);
            LiveCertificates::new(certificates)
        });
        let requests = Arc::new(RequestMetrics::new()?);
        let around = Surroundings {
            replicated: data.replica.as_ref().map(PreparedReplica::replicated),
            board: data.reader.clone(),
            history: data.history.clone(),
            change_sender: data.change_sender.clone(),
            certificates: certificates.clone(),
            start: &start,
            tls: data.pollers.system_tls(),
            lock: lock.clone(),
        };
        let mut alerts = Alerts::start(&config, around)?;
        // The recorder's thread starts windows from the history as soon as it has opened it.
        let _ = data.alerts.set(alerts.sender());
        let site = site(&config, &data, certificates.as_ref(), &gate, &requests);
        let channels = alerts.channels();
        let channels = Box::new(move || channels.status());
        let site = Arc::new(site.with_alerts(alerts.handle(), channels));
        let tls = certificates.as_ref().map(|live| live.server_config()).transpose()?;
        let settings = Settings { max_connections, ..config.server.engine.clone() };
        let service = Arc::new(SiteService(site.clone()));
        let engine = Engine::start(public, settings, tls, service).map_err(threads::with_limits)?;

        let configuration = LiveConfiguration::new(effective_limits(&config));
        let health = health(&engine, &data, &alerts);
        alerts.start_heartbeat(&config, ailments(&health, &alerts))?;
        let pages = admin_pages(AdminSources {
            engine: &engine,
            data: &data,
            alerts: &alerts,
            health,
            listeners: late.live(),
            certificates: certificates.as_ref(),
            configuration: &configuration,
            gate: &gate,
            requests,
            site: &site,
            start,
        });
        let watched = watched(&pages, config.server.watchdog_timeout);
        let admin = Admin::start(admin_listener, admin_connections(), pages)?;
        let watchdog = Watchdog::start(watched, Box::new(give_up))?;

        let replica = match data.replica.take() {
            None => None,
            Some(replica) => {
                let parts = replica::Parts {
                    board: data.reader.clone(),
                    reporter: data.reporter.clone(),
                    pollers: data.pollers.handles(),
                    alerts: alerts.store(),
                    rules: alerts.sender(),
                };
                Some(replica.start(&config, &lock, gate.clone(), parts)?)
            }
        };

        listening.iter().for_each(|line| log::info!("{line}"));
        let Data { pollers, reporter, saver, board, history, change_sender, recorder, .. } = data;
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
            replica,
            history,
            change_sender,
            recorder,
            alerts,
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
        live.warn_of_expiry(wall_clock::now());
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

/// Returns the log lines about the listeners that are bound.
fn listening(binding: &Binding, scheme: &'static str) -> Vec<String> {
    let redirect = binding.redirect.iter().map(|listener| (Role::Redirect, listener));
    let public = binding.public.iter().map(|listener| (Role::Public(scheme), listener));
    let admin = binding.admin.iter().map(|listener| (Role::Admin, listener));
    let all = redirect.chain(public).chain(admin);
    all.map(|(role, listener)| role.listening(&listener.local_addr())).collect()
}

/// Returns the port that visitors are redirected to: that of the first public TCP address, whether it is bound
/// or missing.
fn redirect_target(public: &[ListenerStatus]) -> Option<u16> {
    let ports = public.iter().filter_map(|status| status.address.parse::<SocketAddr>().ok());
    // The kernel chooses port 0 when the address is bound.
    ports.map(|address| address.port()).find(|port| *port != 0)
}

/// Claims the lock on the files of the history, before any of them is read: a process without it changes none.
fn claim_lock(config: &Config) -> Arc<DataLock> {
    let Some(history) = &config.history else { return Arc::new(DataLock::none()) };
    let lock = DataLock::of_database(&history.path);
    lock.claim();
    if lock.is_ours() {
        earlier_files::adopt(history);
    }
    Arc::new(lock)
}

/// Returns the gate, with the sessions that an earlier run has stored.
fn gate(config: &Config, lock: &DataLock) -> Result<Gate, NoRandomness> {
    let rules = config.auth.rules.clone();
    match session_file(config) {
        Some(file) => Gate::with_sessions_of(rules, &file, lock),
        None => Gate::new(rules),
    }
}

/// Returns the path of the sessions' file, which is beside the history.
fn session_file(config: &Config) -> Option<PathBuf> {
    config.history.as_ref().map(config::History::sessions)
}

/// Returns the site, which is rendered from the data and serves whom the gate admits.
fn site(
    config: &Config,
    data: &Data,
    certificates: Option<&Arc<LiveCertificates>>,
    gate: &Arc<Gate>,
    requests: &Arc<RequestMetrics>,
) -> Site {
    let (snapshots, pollers) = (data.reader.clone(), data.pollers.handles());
    let cluster = data.replica.as_ref().map(PreparedReplica::sender);
    let certificates = certificates.cloned();
    let site = Site::new(
        site::Settings { title: config.site.title.clone() },
        Box::new(move || snapshots.load()),
        Box::new(move |source| {
            let request = pollers.request_poll(source);
            if let (Some(PollRequest::Elsewhere), Some(cluster)) = (&request, &cluster) {
                cluster.request_poll(source.into());
            }
            request
        }),
        data.history.clone(),
        requests.clone(),
        Arc::clone(gate),
    );
    let site = site.with_certificates(Box::new(move |now| {
        let Some(live) = &certificates else { return CertificateState::default() };
        let renewal_failed_since = live.renewal_failure().map(|failure| failure.since);
        CertificateState { days: live.expires_soon(now), renewal_failed_since }
    }));
    site.set_slow_request(config.log.slow_request);
    match &data.replica {
        Some(replica) => {
            let (health, leases) = (Arc::clone(replica.access().health()), replica.reader());
            site.with_store(Box::new(move || {
                let fault = health.fault()?;
                Some(StoreOutage { fault, polled: leases.view().held() })
            }))
        }
        None => site,
    }
}

fn watched(pages: &AdminPages, timeout: Duration) -> Watched {
    let scoreboard = pages.scoreboard.clone();
    Watched {
        health: pages.health.clone(),
        scoreboard: Box::new(move || scoreboard.render_brief()),
        timeout,
    }
}

/// Ends the process, which can serve no request any more.
fn give_up() {
    logging::flush();
    process::exit(INTERNAL_FAILURE.into())
}

/// Returns the number of connections that are admitted, and warns if it is lower than configured.
fn admitted_or_warn(config: &Config) -> usize {
    let configured = config.server.engine.max_connections;
    let admitted = admitted_connections(config);
    if admitted < configured {
        log::warn!(
            "max_connections lowered from {configured} to {admitted} to fit RLIMIT_NOFILE {}; \
             raise its hard limit: {}",
            descriptors::limit().unwrap_or_default(),
            descriptors::SETTINGS
        );
    }
    admitted
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
                since: wall_clock::now(),
            };
            redirect_target(&addresses.iter().map(status).collect::<Vec<_>>())
        };
        assert_eq!(target(&["192.0.2.7:443", "127.0.0.1:6443"]), Some(443));
        assert_eq!(target(&["unix:/run/x", "[::1]:0", "127.0.0.1:6443"]), Some(6443));
        assert_eq!(target(&["unix:/run/x"]), None);
    }
}
