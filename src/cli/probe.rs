//! `probe`: one health probe, for scripts and supervisors.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use argh::FromArgs;
use rustls::crypto::aws_lc_rs;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use super::{Failure, print};
use crate::config::parse_duration;

/// Probe a running server once: exit 0 when it is healthy, 1 when it is not.
#[derive(FromArgs)]
#[argh(subcommand, name = "probe")]
pub(super) struct Probe {
    /// what to ask (default: http://127.0.0.1:6480/healthz)
    #[argh(option, default = "\"http://127.0.0.1:6480/healthz\".to_owned()")]
    url: String,

    /// bound on the whole probe (default: 2s)
    #[argh(option, default = "Duration::from_secs(2)", from_str_fn(duration))]
    timeout: Duration,

    /// PEM file with the certificates to trust for https, such as a self-signed one (default:
    /// the system's)
    #[argh(option)]
    ca: Option<std::path::PathBuf>,
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "not a duration such as 2s or 500ms".to_owned())
}

impl Probe {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_global(Some(self.timeout))
            .max_redirects(0)
            .http_status_as_error(false)
            .proxy(None)
            .user_agent(concat!("pumphouse-web-probe/", env!("CARGO_PKG_VERSION")))
            .tls_config(self.tls()?)
            .build()
            .into();
        let url = &self.url;
        match agent.get(url).call() {
            Ok(response) if response.status().is_success() => {
                Ok(print(&format!("healthy: {url} answered {}\n", response.status().as_u16())))
            }
            Ok(mut response) => {
                let status = response.status().as_u16();
                let body = response.body_mut().with_config().limit(4096).read_to_string();
                let body = body.unwrap_or_default();
                Err(format!("not healthy: {url} answered {status}: {}", body.trim()).into())
            }
            Err(error) => Err(format!("not healthy: {url}: {error}").into()),
        }
    }

    fn tls(&self) -> Result<TlsConfig, Failure> {
        let roots = match &self.ca {
            Some(path) => {
                let pem = std::fs::read(path)
                    .map_err(|error| format!("cannot read {}: {error}", path.display()))?;
                let certificates: Vec<Certificate<'static>> = parse_pem(&pem)
                    .filter_map(|item| match item {
                        Ok(PemItem::Certificate(certificate)) => Some(certificate),
                        _ => None,
                    })
                    .collect();
                if certificates.is_empty() {
                    return Err(format!("{} holds no certificate", path.display()).into());
                }
                certificates
            }
            None => rustls_native_certs::load_native_certs()
                .certs
                .iter()
                .map(|certificate| Certificate::from_der(certificate).to_owned())
                .collect(),
        };
        Ok(TlsConfig::builder()
            .root_certs(RootCerts::Specific(Arc::new(roots)))
            .unversioned_rustls_crypto_provider(Arc::new(aws_lc_rs::default_provider()))
            .build())
    }
}
