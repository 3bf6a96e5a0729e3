//! `watch`: restarts a server that runs but does not answer.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use argh::{ArgsInfo, FromArgs};

use super::options::{duration, named_config, whole_number};
use super::outcome::Failure;
use crate::config::Secret;
use crate::logging::{self, Format};
use crate::outbound::{Endpoint, Target};
use crate::supervisor::plan::ProbeSettings;
use crate::supervisor::restart_policy::RestartLimits;
use crate::supervisor::{RestartMethod, WatchError, WatchSettings, watch};

/// Watch a server from outside, and restart it if it runs but does not answer.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "watch",
    example = "Restart by systemd, and pass alarms on by mail\n\
               $ {command_name} --exec 'systemctl restart pumphouse-web' \\\n\
               --alarm-exec 'mail -s \"$PUMPHOUSE_ALARM\" root </dev/null'",
    example = "See what it would do\n$ {command_name} --exec true --dry-run",
    note = "Under supervisord it is an event listener (see examples/supervisord.conf):

  [eventlistener:pumphouse-watch]
  command=pumphouse-web watch --program pumphouse-web
  events=TICK_5,PROCESS_STATE_FATAL

At each tick it requests /healthz from the admin listener and from every public listener of the
configuration, as a visitor would. After --failures failed probes in a row it logs the server's
/scoreboard and has supervisord stop and start the program. Upstreams have no influence, as
/healthz does not depend on them. A program that supervisord does not report as RUNNING is left
alone, so a program that an operator has stopped stays stopped.

A restart cures no certificate, name, clock or address. If one of these is wrong, or supervisord
has given up the program or cannot be called, or the restarts are used up, it raises an alarm: a
line at level ERROR that begins with ALARM:, when it begins and then once a minute, and a line when
it is over. --alarm-exec COMMAND passes alarms on: when they begin, once an hour while they last,
and when they end. A certificate that expires soon is logged and passed on once a day. COMMAND gets
the text in $PUMPHOUSE_ALARM, a name such as certificate_expired in $PUMPHOUSE_ALARM_KIND, and
begins, lasts or over in $PUMPHOUSE_ALARM_STATE. It is killed after 60 s.

supervisord passes its address in $SUPERVISOR_SERVER_URL. If it demands a password, set
SUPERVISOR_USERNAME and SUPERVISOR_PASSWORD in the listener's environment=.

Without supervisord it has a tick of its own every 5 s:

  pumphouse-web watch --exec 'systemctl restart pumphouse-web'

Changes of the configuration and of certificates are noticed; HUP has them read at once. They restart
nothing: the addresses at which the server has answered count until it answers at the new ones. A
server that would not start again raises an alarm instead. Only
[server] and the certificates of [tls] are read.

The log goes to standard error, filtered by RUST_LOG (default: info).",
    error_code(0, "stopped by a signal, or supervisord has ended"),
    error_code(1, "the configuration or another file cannot be read"),
    error_code(2, "the options contradict each other"),
    error_code(75, "the system refuses a thread or a signal handler")
)]
pub(super) struct Watch {
    /// configuration file of the server (default: $PUMPHOUSE_CONFIG, else pumphouse.toml if there
    /// is one)
    #[argh(positional, arg_name = "FILE")]
    file: Option<PathBuf>,

    /// configuration file, in place of FILE
    #[argh(option, arg_name = "FILE")]
    config: Option<PathBuf>,

    /// program that supervisord restarts: NAME, or GROUP:NAME for a member of a group
    #[argh(option, arg_name = "NAME")]
    program: Option<String>,

    /// restart by this shell command instead; for use without supervisord
    #[argh(option, arg_name = "COMMAND")]
    exec: Option<String>,

    /// shell command that passes alarms on, such as: mail -s \"$PUMPHOUSE_ALARM\" root </dev/null
    #[argh(option, arg_name = "COMMAND")]
    alarm_exec: Option<String>,

    /// admin listener: http://HOST:PORT or unix:/path (default: the configuration's, else
    /// http://127.0.0.1:6480)
    #[argh(option, arg_name = "ADDRESS")]
    admin: Option<Endpoint>,

    /// probe this address in place of the configuration's public listeners, and verify that its
    /// certificate is for its host; without a path, its /healthz; may be repeated
    #[argh(option, arg_name = "URL")]
    url: Vec<Target>,

    /// PEM file of certificates to trust for https (default: the configured certificate, and the
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
    #[argh(option, arg_name = "NUMBER", default = "3", from_str_fn(whole_number))]
    failures: u32,

    /// maximum number of restarts in an hour; beyond it, an alarm is raised; 0: alarms only
    /// (default: 4)
    #[argh(option, arg_name = "NUMBER", default = "4", from_str_fn(whole_number))]
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
        logging::start(self.log_format).map_err(Failure::of_log)?;
        if self.failures == 0 {
            return Err(Failure::usage("--failures must be at least 1"));
        }
        let method = self.method()?;
        let settings = WatchSettings {
            method,
            probes: ProbeSettings {
                config: named_config(self.file, self.config)?,
                admin: self.admin,
                urls: self.url,
                ca: self.ca,
                urls_alone: false,
            },
            timeout: self.timeout,
            limits: RestartLimits {
                failures: self.failures,
                max_restarts: self.max_restarts,
                grace: self.grace,
            },
            restart_timeout: self.restart_timeout,
            alarm_exec: self.alarm_exec,
            dry_run: self.dry_run,
            read_options: super::serve_options,
        };
        match watch(settings) {
            Ok(()) => Ok(ExitCode::SUCCESS),
            Err(error @ WatchError::Plan(_)) => Err(error.into()),
            // The system may have what is missing later.
            Err(error) => Err(Failure::temporary(error)),
        }
    }

    /// Returns the way to restart the server, from the options and supervisord's environment.
    fn method(&self) -> Result<RestartMethod, Failure> {
        match (&self.program, &self.exec) {
            (Some(program), None) => self.supervisord(program.clone()),
            (None, Some(command)) => Ok(RestartMethod::Command(command.clone())),
            _ => Err(Failure::usage(
                "give either --program NAME, under supervisord, or --exec COMMAND; see \
                 `pumphouse-web watch --help`",
            )),
        }
    }

    fn supervisord(&self, program: String) -> Result<RestartMethod, Failure> {
        let environment = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let url = self.server_url.clone().or_else(|| environment("SUPERVISOR_SERVER_URL"));
        let Some(url) = url else {
            return Err(Failure::usage(
                "supervisord's address is not known: have supervisord run this command, with the \
                 section [unix_http_server] in its configuration (file=/run/supervisor.sock, \
                 chmod=0770, chown=root:GROUP), or give --server-url; without supervisord, use \
                 --exec",
            ));
        };
        if std::io::stdin().is_terminal() {
            return Err(Failure::usage(
                "--program needs supervisord at standard input, and that is a terminal; use --exec",
            ));
        }
        let address: Endpoint = url
            .strip_suffix("/RPC2")
            .unwrap_or(&url)
            .parse()
            .map_err(|error| Failure::usage(format!("supervisord's address: {error}")))?;
        if matches!(&address, Endpoint::Web(address) if !address.starts_with("http://")) {
            return Err(Failure::usage(
                "supervisord's address: supervisord speaks no TLS; use http://",
            ));
        }
        let password = Secret::new(environment("SUPERVISOR_PASSWORD").unwrap_or_default());
        let user = environment("SUPERVISOR_USERNAME").map(|name| (name, password));
        Ok(RestartMethod::Supervisord { program, address, user })
    }
}
