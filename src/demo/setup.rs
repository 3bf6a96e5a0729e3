//! Assembles the demo: simulated upstreams, a history in a temporary folder, a self-signed
//! certificate, and the configuration that names them.

use std::error::Error;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::time::Duration;

use tempfile::TempDir;

use super::alerts::alerts;
use super::history::history;
use super::upstreams::{Upstreams, thread_names};
use crate::certificates::Certificates;
use crate::config::self_signed::{SelfSignedError, self_signed};
use crate::config::{Config, History, ListenAddr, NotLocalError, admin_address};
use crate::history::{StoreError, import};
use crate::threads;
use crate::wall_clock;

const PORT: u16 = 6443;

/// Interval between two writes of the history. It is short, since a temporary file need not spare a memory
/// card.
const FLUSH: Duration = Duration::from_secs(5);

/// Configuration and certificates of the demo, with the resources that must live as long as the server.
pub struct Demo {
    /// Configuration.
    pub config: Config,
    /// Self-signed certificate of the public listeners.
    pub certificates: Certificates,
    /// Upstreams and history. Dropping it stops the upstreams and removes the history.
    pub backing: Backing,
}

/// Upstreams and history of a running demo.
pub struct Backing {
    _upstreams: Upstreams,
    _folder: TempDir,
}

/// Reason why the demo cannot start.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The system has too few threads for the upstreams.
    #[error(transparent)]
    Threads(#[from] threads::Shortage),
    /// The simulated upstreams cannot bind a port or create a thread.
    #[error("cannot start the simulated upstreams: {0}")]
    Upstreams(#[source] io::Error),
    /// The folder for the history cannot be created.
    #[error("cannot create a temporary folder for the history: {0}")]
    Folder(#[source] io::Error),
    /// The history cannot be written.
    #[error("cannot write the temporary history: {0}")]
    History(#[source] StoreError),
    /// The admin listener would be reachable from other machines.
    #[error("--admin-listen: {0}")]
    AdminListen(#[source] NotLocalError),
    /// The certificate cannot be generated.
    #[error(transparent)]
    SelfSigned(#[from] SelfSignedError),
    /// The generated certificate cannot be used.
    #[error(transparent)]
    Certificates(#[from] Box<dyn Error>),
}

impl Demo {
    /// Starts the upstreams, writes the history, and returns the configuration that uses both.
    ///
    /// # Errors
    /// A part of the demo cannot be started, as the variants of [`DemoError`] list.
    pub fn prepare(
        listen: Vec<ListenAddr>,
        admin_listen: Option<ListenAddr>,
    ) -> Result<Demo, DemoError> {
        threads::ensure(&thread_names(), 0)?;
        let upstreams = Upstreams::start().map_err(DemoError::Upstreams)?;
        let mut config =
            Config { sources: upstreams.sources(), alerts: alerts(), ..Config::default() };
        let folder = tempfile::Builder::new()
            .prefix("pumphouse-demo-")
            .tempdir()
            .map_err(DemoError::Folder)?;
        let path = folder.path().join("pumphouse.db");
        import(&path, &config.site.timezone, history(wall_clock::now()))
            .map_err(DemoError::History)?;
        let history = History { path: path.into(), flush: FLUSH, ..History::default() };
        config.alert_file = history.alerts();
        config.history = Some(history);
        config.site.title = "Pumphouse demo".to_owned();
        config.server.listen = if listen.is_empty() { loopback() } else { listen };
        if let Some(address) = admin_listen {
            config.server.admin_listen = admin_address(address).map_err(DemoError::AdminListen)?;
        }
        let pair = self_signed(&["localhost", "127.0.0.1", "::1"].map(str::to_owned))?;
        let certificates = Certificates::from_pem(&pair.cert_pem, &pair.key_pem)?;
        let backing = Backing { _upstreams: upstreams, _folder: folder };
        Ok(Demo { config, certificates, backing })
    }
}

/// Returns the loopback addresses of this machine: IPv4, and IPv6 if available.
fn loopback() -> Vec<ListenAddr> {
    let v4 = ListenAddr::Tcp((Ipv4Addr::LOCALHOST, PORT).into());
    let has_v6 = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    let v6 = has_v6.then(|| ListenAddr::Tcp((Ipv6Addr::LOCALHOST, PORT).into()));
    std::iter::once(v4).chain(v6).collect()
}
