//! `watch`: restarts a server that is alive but silent.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use argh::FromArgs;
use crossbeam_channel::bounded;

use super::{Failure, duration};
use crate::config::Secret;
use crate::kernel::signals;
use crate::logging::{self, Format};
use crate::outbound::{Endpoint, Target};
use crate::supervisor::command_output::CommandOutput;
use crate::supervisor::event_listener;
use crate::supervisor::monitor::{Monitor, ProbedServer, TickSource};
use crate::supervisor::probe::Prober;
use crate::supervisor::restart::{CommandRestarter, ProgramRestarter, Restarter};
use crate::supervisor::restart_policy::RestartLimits;
use crate::supervisor::rpc::Supervisord;
use crate::threads;

/// Watch a server from outside, and restart it when it is alive but does not answer.
#[derive(FromArgs)]
#[argh(
    subcommand,
    name = "watch",
    note = "Under supervisord it is an event listener (see examples/supervisord.conf):

  [eventlistener:pumphouse-watch]
  command=pumphouse-web watch --program pumphouse-web
  events=TICK_5

Each tick it asks the admin listener, and every --url, for /healthz. After --failures failed
probes in a row it writes the server's /scoreboard into its log and has supervisord stop and
start the program. Upstreams play no part: /healthz does not depend on them. A program that
supervisord does not call RUNNING is left alone, so what an operator has stopped stays stopped.

supervisord tells where it is by $SUPERVISOR_SERVER_URL. If it wants a password, put
SUPERVISOR_USERNAME and SUPERVISOR_PASSWORD into the listener's environment=.

Everywhere else, with a tick of its own every 5 s:

  pumphouse-web watch --exec 'systemctl restart pumphouse-web'

The log goes to standard error, filtered by RUST_LOG (default: info).",
    error_code(0, "asked to stop, or supervisord has gone"),
    error_code(1, "the options make no sense, or a file cannot be read")
)]
pub(super) struct Watch {
    /// the program to restart by supervisord: NAME, or GROUP:NAME for a member of a group
    #[argh(option)]
    program: Option<String>,

    /// restart by this command, which sh runs, instead; for use outside supervisord
    #[argh(option)]
    exec: Option<String>,

    /// the admin listener: http://HOST:PORT or unix:/path (default: http://127.0.0.1:6480)
    #[argh(option, default = "Endpoint::Web(\"http://127.0.0.1:6480\".to_owned())")]
    admin: Endpoint,

    /// also probe this address, as a visitor would, with its certificate checked; without a path
    /// it is asked for /healthz; may be repeated
    #[argh(option)]
    url: Vec<Target>,

    /// PEM file with the certificates to trust for https, such as a self-signed one (default:
    /// the system's)
    #[argh(option)]
    ca: Option<PathBuf>,

    /// bound on all probes of a tick together (default: 2s)
    #[argh(option, default = "Duration::from_secs(2)", from_str_fn(duration))]
    timeout: Duration,

    /// failed probes in a row before a restart (default: 3)
    #[argh(option, default = "3")]
    failures: u32,

    /// restarts within an hour; beyond, it raises an alarm in the log each minute; 0: alarms only
    /// (default: 4)
    #[argh(option, default = "4")]
    max_restarts: u32,

    /// after a start, how long failures do not count (default: 15s)
    #[argh(option, default = "Duration::from_secs(15)", from_str_fn(duration))]
    grace: Duration,

    /// bound on a restart; more than the program's stopwaitsecs (default: 60s)
    #[argh(option, default = "Duration::from_secs(60)", from_str_fn(duration))]
    restart_timeout: Duration,

    /// supervisord's address: unix:///path or http://HOST:PORT (default: $SUPERVISOR_SERVER_URL)
    #[argh(option)]
    server_url: Option<String>,

    /// restart nothing, only say when it would
    #[argh(switch)]
    dry_run: bool,

    /// text, or json: an object a line (default: $PUMPHOUSE_LOG_FORMAT, else text)
    #[argh(option)]
    log_format: Option<Format>,
}

impl Watch {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        logging::start(self.log_format)?;
        if self.failures == 0 {
            return Err("--failures must be at least 1".into());
        }
        threads::ensure(&self.thread_names(), 0)?;
        let requests =
            signals::listen().map_err(|error| format!("cannot watch signals: {error}"))?;
        let mut targets = vec![Target::health(&self.admin)];
        targets.extend(self.url.iter().cloned());
        let addresses: Vec<String> = targets.iter().map(Target::to_string).collect();
        let prober = Prober::new(targets, self.ca.as_deref(), self.timeout)?;
        let server = ProbedServer { prober, admin: self.admin.clone() };
        let (name, restarter, ticks) = self.restarter()?;
        log::info!(
            "watching {name} at {}: --failures {}, --max-restarts {} an hour{}",
            addresses.join(", "),
            self.failures,
            self.max_restarts,
            if self.dry_run { ", --dry-run" } else { "" }
        );
        let limits = RestartLimits {
            failures: self.failures,
            max_restarts: self.max_restarts,
            grace: self.grace,
        };
        Monitor::new(name, Box::new(server), restarter, limits, self.dry_run)
            .run(&ticks, &requests);
        Ok(ExitCode::SUCCESS)
    }

    /// Returns the names of the threads that it needs at the same time, beside that of the log. Without
    /// one of them it could not probe or restart the server later.
    fn thread_names(&self) -> Vec<String> {
        let for_restarts =
            if self.exec.is_some() { threads::COMMAND_OUTPUT } else { threads::LISTENER };
        let probes = 1 + self.url.len();
        [threads::SIGNALS, for_restarts]
            .into_iter()
            .map(str::to_owned)
            .chain((0..probes).map(|_| threads::PROBE.to_owned()))
            .chain(Prober::lookup_threads(probes))
            .collect()
    }

    /// Returns the server's name for the log, its restarter, and the source of ticks.
    fn restarter(&self) -> Result<(String, Box<dyn Restarter>, TickSource), Failure> {
        let timeout = self.restart_timeout;
        match (&self.program, &self.exec) {
            (Some(program), None) => {
                let restarter = self.program_restarter(program)?;
                // An error of the connection to supervisord is logged before a restart needs it.
                match restarter.info() {
                    Ok(info) => log::info!("supervisord says {program} is {}", info.state),
                    Err(error) => log::error!("{program} could not be restarted: {error}"),
                }
                Ok((program.clone(), Box::new(restarter), supervisord_ticks()?))
            }
            (None, Some(command)) => {
                let output = CommandOutput::start()
                    .map_err(|error| format!("cannot read the command's output: {error}"))?;
                let restarter = CommandRestarter { command: command.clone(), timeout, output };
                Ok(("the server".to_owned(), Box::new(restarter), TickSource::Timer))
            }
            _ => Err("give either --program NAME, under supervisord, or --exec COMMAND; \
                      `pumphouse-web watch --help` explains"
                .into()),
        }
    }

    fn program_restarter(&self, program: &str) -> Result<ProgramRestarter, Failure> {
        let environment = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        let url = self.server_url.clone().or_else(|| environment("SUPERVISOR_SERVER_URL"));
        let Some(url) = url else {
            return Err("supervisord's address is not known: it has to run this itself, with a \
                        [unix_http_server] or [inet_http_server] in its configuration, or give \
                        --server-url; outside supervisord, use --exec"
                .into());
        };
        if std::io::stdin().is_terminal() {
            return Err("--program is for supervisord, which talks to it over standard input; at \
                        a terminal, use --exec"
                .into());
        }
        let endpoint: Endpoint = url
            .strip_suffix("/RPC2")
            .unwrap_or(&url)
            .parse()
            .map_err(|error| format!("supervisord's address: {error}"))?;
        if matches!(&endpoint, Endpoint::Web(address) if !address.starts_with("http://")) {
            return Err("supervisord's address: it speaks no TLS; write http://".into());
        }
        let user = environment("SUPERVISOR_USERNAME");
        let password = Secret::new(environment("SUPERVISOR_PASSWORD").unwrap_or_default());
        let user = user.as_deref().map(|user| (user, &password));
        let supervisord = Supervisord::new(endpoint, user);
        Ok(ProgramRestarter::new(supervisord, program.to_owned(), self.restart_timeout, self.grace))
    }
}

/// Starts the thread of the event listener protocol. It is detached, as nothing interrupts a read of
/// standard input: it ends with that, or with the process.
fn supervisord_ticks() -> Result<TickSource, Failure> {
    let (sender, ticks) = bounded(1);
    threads::spawn_detached(threads::LISTENER, move || {
        event_listener::listen(std::io::stdin().lock(), std::io::stdout().lock(), &sender);
    })?;
    Ok(TickSource::Supervisord(ticks))
}
