//! The configuration: the file's keys, checked once and turned into the types that the parts
//! think in.
//!
//! The file is read key by key through `section`, which notes what is wrong and goes on; so one
//! run tells of every error, each with its line and column. Relative paths are taken from the
//! working directory.

mod amount;
mod auth;
mod history;
mod kind;
mod load;
mod log;
mod problem;
mod secret;
mod section;
pub mod self_signed;
mod server;
mod socket_paths;
mod source;
mod source_url;
mod tls;
mod trends;

use jiff::tz::TimeZone;

pub use amount::parse_duration;
pub use auth::{Auth, ROUTES};
pub use history::History;
pub use kind::{
    Ambient, Credentials, Json, JsonTime, JsonValue, Kind, NAMES as KINDS, Nws, OpenMeteo,
    PtDevices, PtLevel, TimeFormat,
};
pub use load::{load, load_server, load_to_serve, location, parse, parse_to_serve};
pub use log::Log;
pub use problem::ConfigErrors;
pub use secret::Secret;
pub use server::{ListenAddr, ListenAddrError, NotLocal, Server, admin_address};
pub use source::{DesiredUnits, RateLimit, Source};
pub use source_url::{SourceUrl, SourceUrlError};
pub use tls::{CertificateError, CertificateFiles, CertificateInfo, Certificates, TlsFiles};
pub use trends::{Tank, TrendSettings};

/// A checked configuration: whatever is in here can be run.
#[derive(Debug, Clone)]
pub struct Config {
    /// `[site]`
    pub site: Site,
    /// `[server]`
    pub server: Server,
    /// `[tls]`; absent: plain HTTP.
    pub tls: Option<TlsFiles>,
    /// `[auth]`; absent: everybody who can reach the server may look.
    pub auth: Auth,
    /// `[[source]]`, in the order of the file.
    pub sources: Vec<Source>,
    /// `[history]`; `None`: nothing is kept on disk.
    pub history: Option<History>,
    /// `[log]`
    pub log: Log,
    /// What is no error, but should be known.
    pub notices: Vec<String>,
}

/// What an empty file means.
impl Default for Config {
    fn default() -> Config {
        Config {
            site: Site::default(),
            server: Server::default(),
            tls: None,
            auth: Auth::default(),
            sources: Vec::new(),
            history: Some(History::default()),
            log: Log::default(),
            notices: Vec::new(),
        }
    }
}

/// `[site]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// The page's heading.
    pub title: String,
    /// Whom an upstream's operator may write to, sent in the User-Agent.
    pub contact: Option<String>,
    /// Whose days and hours the page tells; the machine's own unless it is configured.
    pub timezone: TimeZone,
}

impl Default for Site {
    fn default() -> Site {
        Site { title: "Pumphouse".to_owned(), contact: None, timezone: TimeZone::system() }
    }
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
