//! `doctor`: one page for whoever has to find out why it does not answer.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use argh::FromArgs;

use super::{Failure, print};
use crate::config::{self, ListenAddr, Server, admin_address, parse_duration};
use crate::doctor::{self, Report};

/// Tell on one page how a server is, and what to do about what is wrong.
///
/// It asks the admin listener. When that is silent it asks the kernel: which process listens,
/// how many wait at its accept queue, where its threads wait. That works for any program; run as
/// root it sees other users' processes, too.
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "doctor",
    example = "Is all well here?\n$ {command_name}",
    example = "What holds the program that listens on port 8443, whatever it is?\n\
               $ sudo {command_name} --listen 0.0.0.0:8443",
    example = "In a script\n\
               $ {command_name} --json | jq -r '.findings[] | select(.mark == \"wrong\") | .detail'",
    error_code(1, "Something is wrong.")
)]
pub(super) struct Doctor {
    /// the configuration that says where the server listens (default: $PUMPHOUSE_CONFIG, else
    /// pumphouse.toml if there is one)
    #[argh(option)]
    config: Option<PathBuf>,

    /// the admin listener: 127.0.0.1:6480 or unix:/path (default: the configuration's)
    #[argh(option)]
    admin: Option<ListenAddr>,

    /// a public listener; may be repeated (default: the configuration's)
    #[argh(option)]
    listen: Vec<ListenAddr>,

    /// bound on the whole examination (default: 2s)
    #[argh(option, default = "Duration::from_secs(2)", from_str_fn(duration))]
    timeout: Duration,

    /// print JSON: findings, the scoreboard, what the kernel knows
    #[argh(switch)]
    json: bool,
}

fn duration(text: &str) -> Result<Duration, String> {
    let duration = parse_duration(text).filter(|duration| !duration.is_zero());
    duration.ok_or_else(|| "not a duration such as 2s or 500ms".to_owned())
}

impl Doctor {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let json = self.json;
        let report = self.addresses()?.examine();
        let printed = print(&if json { report.json() } else { page(&report) });
        Ok(if report.is_well() { printed } else { ExitCode::FAILURE })
    }

    fn addresses(self) -> Result<doctor::Doctor, Failure> {
        let path = config::location(self.config.as_deref());
        let complete = self.admin.is_some() && !self.listen.is_empty();
        // A file that nobody has named need not be there: a demo has none.
        let server = if complete || (self.config.is_none() && !path.exists()) {
            Server::default()
        } else {
            config::load_server(&path)?
        };
        let admin = match self.admin {
            Some(address) => admin_address(address.clone())
                .map_err(|error| format!("--admin {address}: {error}"))?,
            None => server.admin_listen,
        };
        let listen = if self.listen.is_empty() { server.listen } else { self.listen };
        Ok(doctor::Doctor { listen, admin, timeout: self.timeout })
    }
}

fn page(report: &Report) -> String {
    let admin = &report.admin;
    let how = if report.answered { "as the server tells" } else { "as the kernel tells" };
    format!("pumphouse-web doctor, {how}; admin listener {admin}\n\n{report}")
}
