//! `demo`: everything with simulated upstreams, for a first look.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::process::ExitCode;
use std::time::Duration;

use argh::FromArgs;
use jiff::Timestamp;

use super::Failure;
use crate::config::self_signed::self_signed;
use crate::config::{Certificates, Config, History, ListenAddr, admin_address};
use crate::demo::{self, Upstreams};
use crate::history::import;
use crate::logging::{self, Format};
use crate::server::{Setup, run};
use crate::threads;

/// Serve a dashboard over simulated upstreams: no configuration, no network.
#[derive(FromArgs)]
#[argh(subcommand, name = "demo")]
pub(super) struct Demo {
    /// listen here; may be repeated (default: 127.0.0.1:6443 and [::1]:6443)
    #[argh(option)]
    listen: Vec<ListenAddr>,

    /// serve health and metrics here: loopback or unix:/path (default: 127.0.0.1:6480)
    #[argh(option)]
    admin_listen: Option<ListenAddr>,

    /// log as text, or json: an object a line (default: $PUMPHOUSE_LOG_FORMAT, else text)
    #[argh(option)]
    log_format: Option<Format>,
}

const PORT: u16 = 6443;

/// The demo's history is no memory card's.
const FLUSH: Duration = Duration::from_secs(5);

impl Demo {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        logging::start(self.log_format)?;
        threads::ensure(&demo::thread_names(), 0)?;
        let upstreams = Upstreams::start()
            .map_err(|error| format!("the simulated upstreams cannot start: {error}"))?;
        let mut config = Config { sources: upstreams.sources(), ..Config::default() };
        let folder = tempfile::Builder::new()
            .prefix("pumphouse-demo-")
            .tempdir()
            .map_err(|error| format!("no folder for a temporary history: {error}"))?;
        let path = folder.path().join("pumphouse.db");
        import(&path, &config.site.timezone, demo::history(Timestamp::now()))
            .map_err(|error| format!("the temporary history cannot be made: {error}"))?;
        config.history = Some(History { path, flush: FLUSH, ..History::default() });
        config.site.title = "Pumphouse demo".to_owned();
        config.server.listen = if self.listen.is_empty() { here() } else { self.listen };
        if let Some(address) = self.admin_listen {
            config.server.admin_listen =
                admin_address(address).map_err(|error| format!("--admin-listen: {error}"))?;
        }
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let made = self_signed(&names)?;
        let certificates = Certificates::from_pem(&made.cert_pem, &made.key_pem)?;
        log::info!("the certificate is self-signed: a browser asks once, curl takes -k");
        let outcome = run(Setup { config, certificates: Some(certificates) }, None);
        drop(upstreams);
        outcome
    }
}

/// This machine only, by both of its addresses where it has both.
fn here() -> Vec<ListenAddr> {
    let v4 = ListenAddr::Tcp((Ipv4Addr::LOCALHOST, PORT).into());
    let has_v6 = std::net::TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    let v6 = has_v6.then(|| ListenAddr::Tcp((Ipv6Addr::LOCALHOST, PORT).into()));
    std::iter::once(v4).chain(v6).collect()
}
