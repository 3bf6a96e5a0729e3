//! The configuration: the file's keys, checked once and turned into the types that the parts
//! think in.
//!
//! The file is read key by key through `section`, which notes what is wrong and goes on; so one
//! run tells of every error, each with its line and column. Relative paths are taken from the
//! working directory.

mod kind;
mod load;
mod problem;
mod secret;
mod section;
pub mod self_signed;
mod server;
mod source;
mod source_url;
mod tls;

use std::path::PathBuf;

pub use kind::{
    Ambient, Credentials, Json, JsonTime, JsonValue, Kind, Nws, OpenMeteo, PtDevices, PtLevel,
    TimeFormat,
};
pub use load::{load, location, parse};
pub use problem::ConfigErrors;
pub use secret::Secret;
pub use section::parse_duration;
pub use server::{ListenAddr, ListenAddrError, NotLocal, Server, admin_address};
pub use source::{DesiredUnits, RateLimit, Source};
pub use source_url::{SourceUrl, SourceUrlError};
pub use tls::{CertificateError, CertificateInfo, TlsFiles};

/// A checked configuration: whatever is in here can be run.
#[derive(Debug, Clone)]
pub struct Config {
    /// `[site]`
    pub site: Site,
    /// `[server]`
    pub server: Server,
    /// `[tls]`; absent: plain HTTP.
    pub tls: Option<TlsFiles>,
    /// `[[source]]`, in the order of the file.
    pub sources: Vec<Source>,
    /// `[history]`; `None`: nothing is kept on disk.
    pub history: Option<History>,
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
            sources: Vec::new(),
            history: Some(History::default()),
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
}

impl Default for Site {
    fn default() -> Site {
        Site { title: "Pumphouse".to_owned(), contact: None }
    }
}

/// `[history]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History {
    /// The database.
    pub path: PathBuf,
}

impl Default for History {
    fn default() -> History {
        History { path: "pumphouse.db".into() }
    }
}

impl History {
    /// The file beside the database in which the last good values survive a restart.
    pub fn last_values(&self) -> PathBuf {
        self.path.with_extension("last.json")
    }
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
