//! The redirect from plain HTTP to HTTPS (`[tls] redirect_listen`).
//!
//! A separate engine with one worker and few connections serves it, so that its clients take no worker
//! and no connection from the site.

use std::sync::Arc;

use super::StartError;
use crate::access::Gate;
use crate::config::{Config, ListenAddr};
use crate::engine::{DESCRIPTORS_BEYOND_CAP, Engine, Listener, Settings};
use crate::site::Redirect;
use crate::threads;

/// Maximum number of connections; each ends as soon as it is answered.
const MAX_CONNECTIONS: usize = 64;

/// Starts the engine on the listeners that are bound, if the configuration has redirect listeners.
/// `target` is the port that they redirect to.
pub(super) fn start(
    config: &Config,
    listeners: Vec<Listener>,
    target: Option<u16>,
    gate: &Arc<Gate>,
) -> Result<Option<Engine>, StartError> {
    if addresses(config).is_empty() {
        return Ok(None);
    }
    let port = target.ok_or(StartError::NoRedirectTarget)?;
    let service = Arc::new(Redirect { port, gate: gate.clone() });
    let engine = Engine::start(listeners, settings(config), None, service);
    Ok(Some(engine.map_err(threads::with_limits)?))
}

fn settings(config: &Config) -> Settings {
    Settings {
        threads: "pw-rd",
        workers: 1,
        max_connections: MAX_CONNECTIONS,
        max_connections_per_address: None,
        ..config.server.engine.clone()
    }
}

/// Returns the names of the engine's threads; none without redirect listeners.
pub(super) fn thread_names(config: &Config) -> Vec<String> {
    match addresses(config) {
        [] => Vec::new(),
        _ => Engine::thread_names(&settings(config)),
    }
}

/// Returns the number of descriptors that the engine may hold.
pub(super) fn descriptors(config: &Config) -> usize {
    match addresses(config).len() {
        0 => 0,
        listeners => listeners + MAX_CONNECTIONS + DESCRIPTORS_BEYOND_CAP,
    }
}

/// Returns the addresses of the redirect listeners.
pub(super) fn addresses(config: &Config) -> &[ListenAddr] {
    config.tls.as_ref().map_or(&[], |tls| &tls.redirect_listen)
}
