//! `serve`: runs the server in the foreground.

use std::path::PathBuf;
use std::process::ExitCode;

use argh::{ArgsInfo, FromArgs};

use super::options::config_path;
use super::outcome::Failure;
use crate::config::ListenAddr;
use crate::logging::Format;
use crate::server::{self, Overrides, SetupLoader};
use crate::supervisor::serve_options::ServeOptions;

/// Serve in the foreground.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "serve",
    example = "By pumphouse.toml in this folder\n$ {command_name}",
    example = "By another file, with a log for a collector\n\
               $ {command_name} /srv/pumphouse/pumphouse.toml --log-format json",
    example = "For this machine only, to try a configuration\n\
               $ {command_name} tank.toml --listen 127.0.0.1:7443 --admin-listen 127.0.0.1:7480",
    note = "The log goes to standard error, filtered by RUST_LOG (default: info; debug has a line for \
            each request). TERM and INT finish requests and stop, HUP reloads the configuration.",
    error_code(0, "stopped by TERM or INT"),
    error_code(1, "the configuration is wrong; a restart does not help"),
    error_code(70, "the watchdog ended a process that could not serve any more"),
    error_code(
        75,
        "the start may succeed later: a port is in use, or threads, descriptors or memory are short"
    ),
    error_code(130, "a second TERM or INT")
)]
pub(super) struct Serve {
    /// configuration file (default: $PUMPHOUSE_CONFIG, else pumphouse.toml)
    #[argh(positional, arg_name = "FILE")]
    file: Option<PathBuf>,

    /// configuration file, in place of FILE
    #[argh(option, arg_name = "FILE")]
    config: Option<PathBuf>,

    /// listen here instead of the configured addresses: an address such as 0.0.0.0:6443 or
    /// [::]:6443, unix:/path or fd:0; may be repeated
    #[argh(option, arg_name = "ADDRESS")]
    listen: Vec<ListenAddr>,

    /// serve health and metrics here instead of the configured address: loopback or unix:/path
    #[argh(option, arg_name = "ADDRESS")]
    admin_listen: Option<ListenAddr>,

    /// serve plain HTTP, even if the configuration has [tls]
    #[argh(switch)]
    no_tls: bool,

    /// log format: text, or json for one object a line (default: $PUMPHOUSE_LOG_FORMAT, else text)
    #[argh(option, arg_name = "text|json")]
    log_format: Option<Format>,
}

impl Serve {
    /// Returns the options that replace keys of the configuration, and decide whether the server starts.
    pub(super) fn options(self) -> ServeOptions {
        ServeOptions { listen: self.listen, no_tls: self.no_tls }
    }

    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let loader = SetupLoader {
            path: config_path(self.file, self.config)?,
            overrides: Overrides {
                listen: self.listen,
                admin_listen: self.admin_listen,
                no_tls: self.no_tls,
            },
        };
        server::start_log(self.log_format, &loader).map_err(Failure::of_start)?;
        server::run(loader.load().map_err(Failure::of_setup)?, Some(loader))
            .map_err(Failure::of_start)?;
        Ok(ExitCode::SUCCESS)
    }
}
