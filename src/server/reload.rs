//! Reload by HUP: a running server continues with another configuration.
//!
//! The setup has been read and checked as a whole, by the same code as at the start, so a file with
//! an error changes nothing. Each part then applies its share:
//!
//! * The board keeps the readings of sources whose name and kind stay.
//! * Unchanged sources keep their schedule, and their polls are not interrupted. The poll in flight of a source
//!   that was changed or removed reports nothing any more.
//! * The system's certificate authorities are read again, and so are those of each `ca_file`, which count as a
//!   change of their source.
//! * Open connections keep the deadlines that they began with.
//! * Listeners, workers, the history's file and the store need a restart. Their changes are logged and
//!   not applied, so that the next HUP logs them again.

use std::collections::HashMap;
use std::sync::Arc;

use super::alerts::backfill_windows;
use super::data::{backfill_next, fleet, recorded_sources};
use super::reload_thread::ReloadThread;
use super::source_changes::SourceChanges;
use super::{Running, Setup, admitted_connections, effective_limits, program_event};
use crate::alert::{self, RecordedWindows};
use crate::board::{EventKind, SourceInfo};
use crate::certificates::CertificateInfo;
use crate::cluster::Plan;
use crate::config::{Config, ListenAddr, Server, Site, Source, TlsFiles};
use crate::engine::Settings;
use crate::history::TrendSamples;
use crate::upstream::user_agent;
use crate::wall_clock;

impl Running {
    /// Applies the parts of the setup that need no restart, and logs what changed.
    pub(super) fn reload(&mut self, setup: Setup, reload_thread: &ReloadThread) {
        let Setup { mut config, certificates, authorities } = setup;
        share_unchanged(&self.config.sources, &mut config.sources);
        let of_sources = SourceChanges::between(&self.config.sources, &config.sources);
        let mut changes = of_sources.phrases();
        let renewed = of_sources.new_and_changed();
        // First, so that new and changed sources are polled by them.
        if authorities.is_some_and(|authorities| self.pollers.trust(authorities)) {
            changes.push("certificate authorities of the system changed".to_owned());
        }
        if self.config.site != config.site || !of_sources.is_empty() {
            self.renew_sources(&config, renewed, reload_thread);
        }
        changes.extend(site_changes(&self.config.site, &config.site));
        if self.reload_auth(&config) {
            changes.push("[auth] changed".to_owned());
        }
        // At every HUP, as the latest attempt may have failed.
        if let Err(error) = self.start_session_writer() {
            log::error!(
                "HUP: cannot keep sessions through a restart: {error}; send HUP again when that is \
                 fixed"
            );
        }
        if self.reload_alerts(&config, reload_thread) {
            changes.push("alerts changed".to_owned());
        }
        if self.config.log != config.log {
            self.site.set_slow_request(config.log.slow_request);
            changes.push("[log] slow_request changed".to_owned());
        }
        let changed = changed_limits(&self.config.server, &config.server);
        // Polls take descriptors from the connections.
        if !changed.is_empty() || self.config.sources.len() != config.sources.len() {
            let max_connections = admitted_connections(&config);
            self.engine.renew(Settings { max_connections, ..config.server.engine.clone() });
        }
        if !changed.is_empty() {
            changes.push(format!("[server] {} changed", changed.join(", ")));
        }
        let restart = keys_that_need_a_restart(&self.config, &config);
        if let (Some(live), Some(latest)) = (&self.certificates, certificates) {
            latest.infos.iter().for_each(CertificateInfo::log_problems);
            if live.replace(latest) {
                changes.push("certificates renewed".to_owned());
            }
            live.warn_of_expiry(wall_clock::now());
        }
        config.warnings.iter().for_each(|warning| log::warn!("{warning}"));
        self.store_config(config);
        self.configuration.record_applied(effective_limits(&self.config));
        if let Err(error) = self.watch_certificates() {
            log::error!("HUP: the certificate files are not polled for renewals: {error}");
        }
        let summary =
            if changes.is_empty() { "nothing changed".to_owned() } else { changes.join("; ") };
        log::info!("reloaded: {summary}");
        if !restart.is_empty() {
            log::warn!("HUP: {} need a restart to change", restart.join(", "));
        }
        self.change_sender.send(program_event(EventKind::Reloaded, &summary));
    }

    /// Passes the rules of alerts, the channels and the heartbeat to their threads. Returns true if one has changed.
    fn reload_alerts(&mut self, config: &Config, reload_thread: &ReloadThread) -> bool {
        let before = &self.config;
        let is_changed = before.alerts != config.alerts
            || before.channels != config.channels
            || before.heartbeat != config.heartbeat;
        // Rules select sources, and messages name the site. A thread that was missing is started.
        if is_changed
            || before.sources != config.sources
            || before.site != config.site
            || !self.alerts.is_complete()
        {
            if let Err(error) = self.alerts.renew(config) {
                log::error!(
                    "HUP: cannot start a thread for alerts: {error}; send HUP again when that is fixed"
                );
            }
            let mut windows = RecordedWindows::new(&alert::Settings::from(config));
            let (history, engine) = (self.history.clone(), self.alerts.sender());
            reload_thread.run(move || while backfill_windows(&history, &mut windows, &engine) {});
        } else {
            // Also if nothing has changed here: the operator may have mended the receiver.
            self.alerts.channels().retry_now();
        }
        is_changed
    }

    /// Passes the rules of access to the gate. Returns true if `[auth]` has changed: the rules also contain the
    /// public address.
    fn reload_auth(&mut self, config: &Config) -> bool {
        if self.config.auth == config.auth {
            return false;
        }
        self.gate.replace(config.auth.rules.clone());
        self.config.auth.rules.site_url.clone_from(&config.site.url);
        self.config.auth != config.auth
    }

    /// Passes the sources and the site's title to the parts that use them. The trends of `renewed` sources start
    /// from the history; those of the others continue.
    fn renew_sources(
        &mut self,
        config: &Config,
        renewed: Vec<Arc<Source>>,
        reload_thread: &ReloadThread,
    ) {
        self.site.rename(&config.site.title);
        // The history and the board before the polls: a new source has no values before its series are in order,
        // and the board ignores reports of sources that it does not know. Those of the earlier configuration end
        // first.
        let (sources, user_agent) = (&config.sources, user_agent(&config.site));
        self.pollers.retire_changed(fleet(config, &user_agent));
        self.history.renew_sources(recorded_sources(sources));
        self.board.renew(sources.iter().map(|source| SourceInfo::from(&**source)).collect());
        self.pollers.renew(fleet(config, &user_agent));
        if let Some(replica) = &self.replica {
            replica.thread.renew(Plan::of(sources));
        }
        if !renewed.is_empty() {
            let (history, reporter) = (self.history.clone(), self.reporter.clone());
            let mut samples = TrendSamples::new(&renewed);
            reload_thread.run(move || while backfill_next(&history, &mut samples, &reporter) {});
        }
    }

    /// Stores the configuration now in force. Keys that need a restart keep their running values, so
    /// that the next HUP logs them again.
    fn store_config(&mut self, config: Config) {
        let running = &self.config.server;
        let Settings { workers, heavy_requests, .. } = running.engine;
        let engine = Settings { workers, heavy_requests, ..config.server.engine };
        self.config = Config {
            server: Server {
                engine,
                names: config.server.names,
                hsts: config.server.hsts,
                ..running.clone()
            },
            site: Site { timezone: self.config.site.timezone.clone(), ..config.site },
            tls: self.config.tls.take().map(|before| merge_tls(before, config.tls)),
            auth: config.auth,
            history: self.config.history.clone(),
            store: self.config.store.clone(),
            replica: self.config.replica.clone(),
            alerts: config.alerts,
            channels: config.channels,
            heartbeat: config.heartbeat,
            alert_file: self.config.alert_file.clone(),
            log: config.log,
            sources: config.sources,
            warnings: config.warnings,
        };
    }
}

/// Returns the certificate files of the new configuration, with the redirect listeners that are
/// bound.
fn merge_tls(before: TlsFiles, after: Option<TlsFiles>) -> TlsFiles {
    match after {
        Some(after) => TlsFiles { redirect_listen: before.redirect_listen, ..after },
        None => before,
    }
}

/// Returns a phrase for each key of `[site]` that was changed and is applied.
fn site_changes(before: &Site, after: &Site) -> impl Iterator<Item = String> {
    let keys = [
        ("title", before.title != after.title),
        ("contact", before.contact != after.contact),
        ("url", before.url != after.url),
    ];
    keys.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| format!("{key} changed"))
}

/// Takes sources that have not changed from the configuration in force, which other parts hold too.
fn share_unchanged(before: &[Arc<Source>], after: &mut [Arc<Source>]) {
    let before: HashMap<&str, &Arc<Source>> =
        before.iter().map(|source| (&*source.name, source)).collect();
    for source in after {
        if let Some(earlier) = before.get(&*source.name).filter(|earlier| **earlier == source) {
            *source = Arc::clone(earlier);
        }
    }
}

/// Returns the keys of the limits and deadlines that changed.
fn changed_limits(before: &Server, after: &Server) -> Vec<&'static str> {
    let (a, b) = (&before.engine, &after.engine);
    let keys = [
        ("max_connections", a.max_connections != b.max_connections),
        (
            "max_connections_per_address",
            a.max_connections_per_address != b.max_connections_per_address,
        ),
        ("trusted_proxies", a.trusted_proxies != b.trusted_proxies),
        ("handshake_timeout", a.handshake_timeout != b.handshake_timeout),
        ("header_timeout", a.header_timeout != b.header_timeout),
        ("body_timeout", a.body_timeout != b.body_timeout),
        ("write_timeout", a.write_timeout != b.write_timeout),
        ("keep_alive", a.keep_alive != b.keep_alive),
        ("linger_timeout", a.linger_timeout != b.linger_timeout),
        ("queue_timeout", a.queue_timeout != b.queue_timeout),
        ("drain_timeout", a.drain_timeout != b.drain_timeout),
        ("max_header_bytes", a.max_header_bytes != b.max_header_bytes),
        ("max_headers", a.max_headers != b.max_headers),
        ("max_body_bytes", a.max_body_bytes != b.max_body_bytes),
        ("max_buffered_bytes", a.max_buffered_bytes != b.max_buffered_bytes),
    ];
    keys.into_iter().filter(|(_, changed)| *changed).map(|(key, _)| key).collect()
}

/// Returns the keys that differ and need a restart.
fn keys_that_need_a_restart(before: &Config, after: &Config) -> Vec<&'static str> {
    let (a, b) = (&before.server, &after.server);
    let keys = [
        ("[server] listen", a.listen != b.listen),
        ("admin_listen", a.admin_listen != b.admin_listen),
        ("backlog", a.backlog != b.backlog),
        ("workers", a.engine.workers != b.engine.workers),
        ("heavy_requests", a.engine.heavy_requests != b.engine.heavy_requests),
        ("watchdog_timeout", a.watchdog_timeout != b.watchdog_timeout),
        ("the presence of [tls]", before.tls.is_some() != after.tls.is_some()),
        ("[tls] redirect_listen", redirects(before) != redirects(after)),
        ("[history]", before.history != after.history),
        ("[store]", before.store != after.store),
        ("[server] replica", before.replica != after.replica),
        ("[site] timezone", before.site.timezone != after.site.timezone),
    ];
    keys.into_iter().filter(|(_, differs)| *differs).map(|(key, _)| key).collect()
}

fn redirects(config: &Config) -> &[ListenAddr] {
    config.tls.as_ref().map_or(&[], |tls| &tls.redirect_listen)
}
