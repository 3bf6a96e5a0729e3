//! `demo`: serves a dashboard over simulated upstreams.

use std::process::ExitCode;

use argh::{ArgsInfo, FromArgs};

use super::outcome::Failure;
use crate::config::ListenAddr;
use crate::demo;
use crate::logging::{self, Format};
use crate::server::{self, Setup};

/// Serve a dashboard over simulated upstreams: no configuration, no network.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "demo",
    example = "Then open https://localhost:6443/\n$ {command_name}",
    example = "On another port, and for other machines\n$ {command_name} --listen 0.0.0.0:7443",
    note = "The log goes to standard error, filtered by RUST_LOG (default: info).",
    error_code(0, "stopped by TERM or INT"),
    error_code(75, "the start may succeed later, as when a port is in use")
)]
pub(super) struct Demo {
    /// listen here; may be repeated (default: 127.0.0.1:6443 and [::1]:6443)
    #[argh(option, arg_name = "ADDRESS")]
    listen: Vec<ListenAddr>,

    /// serve health and metrics here: loopback or unix:/path (default: 127.0.0.1:6480)
    #[argh(option, arg_name = "ADDRESS")]
    admin_listen: Option<ListenAddr>,

    /// log format: text, or json for one object a line (default: $PUMPHOUSE_LOG_FORMAT, else text)
    #[argh(option, arg_name = "text|json")]
    log_format: Option<Format>,
}

impl Demo {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        logging::start(self.log_format).map_err(Failure::of_log)?;
        let demo::Demo { config, certificates, backing } =
            demo::Demo::prepare(self.listen, self.admin_listen)?;
        log::info!("the certificate is self-signed: confirm it in the browser, call curl with -k");
        let outcome = server::run(
            Setup { config, certificates: Some(certificates), authorities: None },
            None,
        );
        drop(backing);
        outcome.map_err(Failure::of_start)?;
        Ok(ExitCode::SUCCESS)
    }
}
