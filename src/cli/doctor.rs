//! `doctor`: reports on one page why a server does not answer, or what is wrong with it.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use argh::{ArgsInfo, FromArgs};

use super::options::{named_config, positive_duration};
use super::outcome::{Failure, print};
use crate::config::{self, ListenAddr, Server, admin_address};
use crate::doctor::{self, Report};

/// Report on one page what is wrong with a server, and what to do about it.
///
/// It queries the admin listener. If that does not answer, it reads from the kernel which process
/// listens, how many connections wait in its accept queue, and where its threads wait. That works
/// for any program; run as root to examine processes of other users.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "doctor",
    example = "Examine the configured server\n$ {command_name}",
    example = "Examine any program that listens on port 8443\n\
               $ sudo {command_name} --listen 0.0.0.0:8443",
    example = "In a script\n\
               $ {command_name} --json | jq -r '.findings[] | select(.mark == \"wrong\") | .detail'",
    error_code(0, "all is well"),
    error_code(1, "something is wrong")
)]
pub(super) struct Doctor {
    /// configuration file with the server's addresses (default: $PUMPHOUSE_CONFIG, else
    /// pumphouse.toml if there is one)
    #[argh(positional, arg_name = "FILE")]
    file: Option<PathBuf>,

    /// configuration file, in place of FILE
    #[argh(option, arg_name = "FILE")]
    config: Option<PathBuf>,

    /// the admin listener: 127.0.0.1:6480 or unix:/path (default: the configuration's)
    #[argh(option, arg_name = "ADDRESS")]
    admin: Option<ListenAddr>,

    /// a public listener; may be repeated (default: the configuration's)
    #[argh(option, arg_name = "ADDRESS")]
    listen: Vec<ListenAddr>,

    /// limit for the whole examination (default: 2s)
    #[argh(
        option,
        arg_name = "DURATION",
        default = "Duration::from_secs(2)",
        from_str_fn(positive_duration)
    )]
    timeout: Duration,

    /// print JSON: findings, the scoreboard, and facts from the kernel
    #[argh(switch)]
    json: bool,
}

impl Doctor {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let json = self.json;
        let report = self.addresses()?.examine();
        let printed = print(&if json { report.json() } else { page(&report) });
        Ok(if report.is_well() { printed } else { ExitCode::FAILURE })
    }

    fn addresses(self) -> Result<doctor::Doctor, Failure> {
        let named = named_config(self.file, self.config)?;
        let complete = self.admin.is_some() && !self.listen.is_empty();
        let configured = if complete { None } else { config::load_listeners(named.as_deref())? };
        let server = configured.map_or_else(Server::default, |(_, listeners)| listeners.server);
        let admin = match self.admin {
            Some(address) => admin_address(address.clone())
                .map_err(|error| Failure::usage(format!("--admin {address}: {error}")))?,
            None => server.admin_listen,
        };
        let listen = if self.listen.is_empty() { server.listen } else { self.listen };
        Ok(doctor::Doctor { listen, admin, timeout: self.timeout })
    }
}

fn page(report: &Report) -> String {
    let admin = &report.admin;
    let from = if report.answered { "the server" } else { "the kernel" };
    format!("pumphouse-web doctor, facts from {from}; admin listener {admin}\n\n{report}")
}
