//! The plain listeners that send everybody to the TLS ones: an engine of their own, so that
//! nothing that happens there costs the site a worker or a place.

use std::net::SocketAddr;
use std::sync::Arc;

use super::Failure;
use super::listen::bind;
use crate::access::Gate;
use crate::config::{Config, ListenAddr};
use crate::engine::{DESCRIPTORS_BEYOND_CAP, Engine, Listener, Settings};
use crate::site::Redirect;

/// Connections at a time: each is over as soon as it is answered.
const CONNECTIONS: usize = 64;

/// Starts it, if the configuration wants one.
pub(super) fn start(
    config: &Config,
    public: &[String],
    gate: &Arc<Gate>,
) -> Result<Option<Engine>, Failure> {
    let addresses = addresses(config);
    if addresses.is_empty() {
        return Ok(None);
    }
    let port = public.iter().find_map(|at| at.parse::<SocketAddr>().ok()).map(|at| at.port());
    let Some(port) = port else {
        return Err("[tls] redirect_listen needs a TCP address in [server] listen to send \
                    visitors to"
            .into());
    };
    let listeners = bind(addresses, config.server.backlog)?;
    for address in listeners.iter().map(Listener::local_addr) {
        log::info!("listening on http://{address}/, for redirects to https");
    }
    let service = Arc::new(Redirect { port, gate: gate.clone() });
    Ok(Some(Engine::start(listeners, settings(config), None, service)?))
}

fn settings(config: &Config) -> Settings {
    Settings {
        threads: "pw-rd",
        workers: 1,
        max_connections: CONNECTIONS,
        max_connections_per_address: None,
        ..config.server.engine.clone()
    }
}

/// Names of its threads, if the configuration wants one.
pub(super) fn thread_names(config: &Config) -> Vec<String> {
    match addresses(config) {
        [] => Vec::new(),
        _ => Engine::thread_names(&settings(config)),
    }
}

/// The descriptors that it takes.
pub(super) fn descriptors(config: &Config) -> usize {
    match addresses(config).len() {
        0 => 0,
        listeners => listeners + CONNECTIONS + DESCRIPTORS_BEYOND_CAP,
    }
}

fn addresses(config: &Config) -> &[ListenAddr] {
    config.tls.as_ref().map_or(&[], |tls| &tls.redirect_listen)
}
