//! `serve`: the server, in the foreground.

use std::path::PathBuf;
use std::process::ExitCode;

use argh::FromArgs;

use super::Failure;
use crate::config::{self, Config, ListenAddr, TlsFiles, admin_address};
use crate::logging::{self, Format, StartError};
use crate::server::{Setup, ensure_threads_with_log, run};

/// Serve in the foreground; logs go to standard error, filtered by RUST_LOG (default: info; debug
/// has a line for each request).
#[derive(FromArgs)]
#[argh(subcommand, name = "serve")]
pub(super) struct Serve {
    /// the configuration (default: $PUMPHOUSE_CONFIG, else pumphouse.toml)
    #[argh(option)]
    config: Option<PathBuf>,

    /// listen here instead: an address such as 0.0.0.0:6443 or [::]:6443, unix:/path or fd:0;
    /// may be repeated
    #[argh(option)]
    listen: Vec<ListenAddr>,

    /// serve health and metrics here instead: loopback or unix:/path
    #[argh(option)]
    admin_listen: Option<ListenAddr>,

    /// serve plain HTTP, even when the configuration has [tls]
    #[argh(switch)]
    no_tls: bool,

    /// text, or json: an object a line (default: $PUMPHOUSE_LOG_FORMAT, else text)
    #[argh(option)]
    log_format: Option<Format>,
}

impl Serve {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        self.start_log()?;
        let setup = self.read()?;
        run(setup, Some(Box::new(move || self.read())))
    }

    /// Starts the log. If the system has no thread even for that, the error names how many the
    /// whole server needs.
    fn start_log(&self) -> Result<(), Failure> {
        let started = logging::start(self.log_format);
        if let Err(StartError::Thread(_)) = started
            && let Ok(setup) = self.read()
        {
            ensure_threads_with_log(&setup)?;
        }
        Ok(started?)
    }

    /// The configuration and the certificates that it names.
    fn read(&self) -> Result<Setup, Failure> {
        let path = config::location(self.config.as_deref());
        let mut config = config::load_to_serve(&path, &self.listen)?;
        self.apply(&mut config)?;
        let certificates = config.tls.as_ref().map(TlsFiles::load).transpose()?;
        Ok(Setup { config, certificates })
    }

    /// What is said on the command line goes before the file; where to listen has done so already.
    fn apply(&self, config: &mut Config) -> Result<(), Failure> {
        if let Some(address) = &self.admin_listen {
            config.server.admin_listen = admin_address(address.clone())
                .map_err(|error| format!("--admin-listen {address}: {error}"))?;
        }
        if self.no_tls {
            config.tls = None;
        }
        Ok(())
    }
}
