//! `watch`: restarts a server that runs but does not answer.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use argh::{ArgsInfo, FromArgs};

use super::options::duration;
use super::outcome::Failure;
use crate::config::Secret;
use crate::logging::{self, Format};
use crate::outbound::{Endpoint, Target};
use crate::supervisor::restart_policy::RestartLimits;
use crate::supervisor::{RestartMethod, WatchSettings, watch};

/// Watch a server from outside, and restart it if it runs but does not answer.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "watch",
    note = "Under supervisord it is an event listener (see examples/supervisord.conf):

  [eventlistener:pumphouse-watch]
  command=pumphouse-web watch --program pumphouse-web
  events=TICK_5

At each tick it requests /healthz from the admin listener and from every --url. After --failures
failed probes in a row it logs the server's /scoreboard and has supervisord stop and start the
program. Upstreams have no influence, as /healthz does not depend on them. A program that
supervisord does not report as RUNNING is left alone, so a program that an operator has stopped
stays stopped.

supervisord passes its address in $SUPERVISOR_SERVER_URL. If it demands a password, set
SUPERVISOR_USERNAME and SUPERVISOR_PASSWORD in the listener's environment=.

Without supervisord it has a tick of its own every 5 s:

  pumphouse-web watch --exec 'systemctl restart pumphouse-web'

The log goes to standard error, filtered by RUST_LOG (default: info).",
    error_code(0, "stopped by a signal, or supervisord has ended"),
    error_code(1, "the options contradict each other, or a file cannot be read")
)]
pub(super) struct Watch {
    /// program that supervisord restarts: NAME, or GROUP:NAME for a member of a group
    #[argh(option, arg_name = "NAME")]
    program: Option<String>,

    /// restart by this shell command instead; for use without supervisord
    #[argh(option, arg_name = "COMMAND")]
    exec: Option<String>,

    /// admin listener: http://HOST:PORT or unix:/path (default: http://127.0.0.1:6480)
    #[argh(
        option,
        arg_name = "ADDRESS",
        default = "Endpoint::Web(\"http://127.0.0.1:6480\".to_owned())"
    )]
    admin: Endpoint,

    /// also probe this address, as a visitor would, and verify its certificate; without a path,
    /// its /healthz; may be repeated
    #[argh(option, arg_name = "URL")]
    url: Vec<Target>,

    /// PEM file of certificates to trust for https, such as a self-signed one (default: the
    /// system's)
    #[argh(option, arg_name = "FILE")]
    ca: Option<PathBuf>,

    /// limit for all probes of a tick together (default: 2s)
    #[argh(
        option,
        arg_name = "DURATION",
        default = "Duration::from_secs(2)",
        from_str_fn(duration)
    )]
    timeout: Duration,

    /// failed probes in a row before a restart (default: 3)
    #[argh(option, arg_name = "NUMBER", default = "3")]
    failures: u32,

    /// maximum number of restarts in an hour; beyond it, an alarm is logged each minute; 0: alarms
    /// only (default: 4)
    #[argh(option, arg_name = "NUMBER", default = "4")]
    max_restarts: u32,

    /// time after a start in which failures do not count (default: 15s)
    #[argh(
        option,
        arg_name = "DURATION",
        default = "Duration::from_secs(15)",
        from_str_fn(duration)
    )]
    grace: Duration,

    /// limit for a restart; longer than the program's stopwaitsecs (default: 60s)
    #[argh(
        option,
        arg_name = "DURATION",
        default = "Duration::from_secs(60)",
        from_str_fn(duration)
    )]
    restart_timeout: Duration,

    /// address of supervisord: unix:///path or http://HOST:PORT (default: $SUPERVISOR_SERVER_URL)
    #[argh(option, arg_name = "ADDRESS")]
    server_url: Option<String>,

    /// restart nothing; log when a restart would be due
    #[argh(switch)]
    dry_run: bool,

    /// log format: text, or json for one object a line (default: $PUMPHOUSE_LOG_FORMAT, else text)
    #[argh(option, arg_name = "text|json")]
    log_format: Option<Format>,
}

impl Watch {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        logging::start(self.log_format)?;
        if self.failures == 0 {
            return Err("--failures must be at least 1".into());
        }
        let method = self.method()?;
        watch(WatchSettings {
            method,
            admin: self.admin,
            urls: self.url,
            ca: self.ca,
            timeout: self.timeout,
            limits: RestartLimits {
                failures: self.failures,
                max_restarts: self.max_restarts,
                grace: self.grace,
            },
            restart_timeout: self.restart_timeout,
            dry_run: self.dry_run,
        })?;
        Ok(ExitCode::SUCCESS)
    }

    /// Returns the way to restart the server, from the options and supervisord's environment.
    fn method(&self) -> Result<RestartMethod, Failure> {
        match (&self.program, &self.exec) {
            (Some(program), None) => self.supervisord(program.clone()),
            (None, Some(command)) => Ok(RestartMethod::Command(command.clone())),
            _ => Err("give either --program NAME, under supervisord, or --exec COMMAND; see \
                      `pumphouse-web watch --help`"
                .into()),
        }
    }

    fn supervisord(&self, program: String) -> Result<RestartMethod, Failure> {
        let environment = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let url = self.server_url.clone().or_else(|| environment("SUPERVISOR_SERVER_URL"));
        let Some(url) = url else {
            return Err("supervisord's address is not known: have supervisord run this command, \
                        with a [unix_http_server] or [inet_http_server] in its configuration, or \
                        give --server-url; without supervisord, use --exec"
                .into());
        };
        if std::io::stdin().is_terminal() {
            return Err("--program needs supervisord at standard input, and that is a terminal; \
                        use --exec"
                .into());
        }
        let address: Endpoint = url
            .strip_suffix("/RPC2")
            .unwrap_or(&url)
            .parse()
            .map_err(|error| format!("supervisord's address: {error}"))?;
        if matches!(&address, Endpoint::Web(address) if !address.starts_with("http://")) {
            return Err("supervisord's address: supervisord speaks no TLS; use http://".into());
        }
        let password = Secret::new(environment("SUPERVISOR_PASSWORD").unwrap_or_default());
        let user = environment("SUPERVISOR_USERNAME").map(|name| (name, password));
        Ok(RestartMethod::Supervisord { program, address, user })
    }
}
