//! `probe`: probes a server's health once, for scripts and supervisors.

use std::process::ExitCode;
use std::time::Duration;

use argh::{ArgsInfo, FromArgs};

use super::options::duration;
use super::outcome::{Failure, print};
use crate::outbound::Target;
use crate::supervisor::probe::Prober;

/// Probe a running server once: exit 0 if it is healthy, else 1.
#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand, name = "probe")]
pub(super) struct Probe {
    /// address to request: http://, https:// or unix:/path; without a path, its /healthz
    /// (default: http://127.0.0.1:6480/healthz)
    #[argh(option, arg_name = "URL", default = "\"http://127.0.0.1:6480/healthz\".to_owned()")]
    url: String,

    /// limit for the whole probe (default: 2s)
    #[argh(
        option,
        arg_name = "DURATION",
        default = "Duration::from_secs(2)",
        from_str_fn(duration)
    )]
    timeout: Duration,

    /// PEM file of certificates to trust for https, such as a self-signed one (default: the
    /// system's)
    #[argh(option, arg_name = "FILE")]
    ca: Option<std::path::PathBuf>,
}

impl Probe {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let target: Target = self.url.parse().map_err(|error| format!("--url: {error}"))?;
        let mut prober = Prober::new(vec![target.clone()], self.ca.as_deref(), self.timeout)?;
        match prober.probe() {
            Ok(statuses) => {
                let statuses: Vec<String> = statuses.iter().map(u16::to_string).collect();
                Ok(print(&format!("healthy: {target} answered {}\n", statuses.join(", "))))
            }
            Err(error) => Err(format!("not healthy: {error}").into()),
        }
    }
}
