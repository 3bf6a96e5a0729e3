//! `probe`: probes a server's health once, for scripts and supervisors.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use argh::{ArgsInfo, FromArgs};

use super::options::{duration, named_config};
use super::outcome::{Failure, print, remark};
use crate::outbound::{Endpoint, Target};
use crate::supervisor::fault::{Outcome, Verdict};
use crate::supervisor::plan::{Planner, ProbeSettings};
use crate::supervisor::probe::Prober;
use crate::wall_clock;

/// Probe a running server once: exit 0 if it is healthy, else 1.
///
/// It requests /healthz from the admin listener and from every public listener of the configuration,
/// as a visitor would who uses the server's own name. The certificate must be the configured one, or
/// one that the system trusts, and be valid now. A certificate that expires soon, or lacks a name or its chain,
/// is a note on standard error: the server is healthy, though browsers may refuse it.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    subcommand,
    name = "probe",
    example = "Probe the configured server\n$ {command_name}",
    example = "Probe one address, whose certificate must be for its host\n\
               $ {command_name} --url https://tank.example:6443",
    error_code(0, "the server is healthy"),
    error_code(1, "the server is not healthy, or a file cannot be read")
)]
pub(super) struct Probe {
    /// configuration file of the server (default: $PUMPHOUSE_CONFIG, else pumphouse.toml if there
    /// is one)
    #[argh(positional, arg_name = "FILE")]
    file: Option<PathBuf>,

    /// configuration file, in place of FILE
    #[argh(option, arg_name = "FILE")]
    config: Option<PathBuf>,

    /// probe this address alone: http://, https:// or unix:/path; without a path, its /healthz;
    /// may be repeated
    #[argh(option, arg_name = "URL")]
    url: Vec<Target>,

    /// admin listener: http://HOST:PORT or unix:/path (default: the configuration's, else
    /// http://127.0.0.1:6480)
    #[argh(option, arg_name = "ADDRESS")]
    admin: Option<Endpoint>,

    /// limit for the whole probe (default: 2s)
    #[argh(
        option,
        arg_name = "DURATION",
        default = "Duration::from_secs(2)",
        from_str_fn(duration)
    )]
    timeout: Duration,

    /// PEM file of certificates to trust for https (default: the configured certificate, and the
    /// system's)
    #[argh(option, arg_name = "FILE")]
    ca: Option<PathBuf>,
}

impl Probe {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let mut planner = Planner::new(ProbeSettings {
            config: named_config(self.file, self.config)?,
            admin: self.admin,
            urls: self.url,
            ca: self.ca,
            urls_alone: true,
        });
        // The first plan differs from none.
        let plan = planner.load(false)?.unwrap_or_default();
        if let Some(reason) = plan.nothing_to_probe() {
            return Err(reason.into());
        }
        for note in plan.notes_for_people(wall_clock::now()) {
            remark(&format!("note: {note}\n"));
        }
        let outcomes = Prober::new(plan, self.timeout).probe_once();
        let is_healthy = |outcome: &&Outcome| outcome.verdict == Verdict::Healthy;
        let unhealthy: Vec<&Outcome> =
            outcomes.iter().filter(|outcome| !is_healthy(outcome)).collect();
        if unhealthy.is_empty() {
            return Ok(print(&format!(
                "healthy: {}\n",
                texts(&outcomes.iter().collect::<Vec<_>>())
            )));
        }
        Err(format!("not healthy: {}", texts(&unhealthy)).into())
    }
}

fn texts(outcomes: &[&Outcome]) -> String {
    let texts: Vec<&str> = outcomes.iter().map(|outcome| outcome.text.as_str()).collect();
    texts.join("; ")
}
