//! The configuration file: its keys are checked once and turned into the types that the program uses.
//!
//! The file is read key by key through `section`, which records faults and continues, so that one run
//! lists every error with its line and column. A [`Config`] is therefore valid as a whole. Relative
//! paths start at the working directory.

mod alert;
mod auth;
mod ca_file;
mod configured_path;
mod error_line;
mod errors;

mod group;
mod headers;
mod heartbeat;
mod history;
mod key_list;
mod kind;
mod listen_addr;
mod load;
mod log;
mod machine;
mod name;
mod notify;
mod paths;
mod placeholders;
mod problem;
mod proxy;
mod reader;
mod renamed_fields;
mod replica;
mod scalar;
mod secret;
mod section;
pub mod self_signed;
mod server;
mod simple_value;
mod site_url;
mod socket_paths;
mod source;
mod source_field_types;
mod source_fields;
mod source_url;
mod sources;
mod store;
mod syntax;
mod text_file;
mod tls;
mod trends;
mod values;

use std::path::PathBuf;
use std::sync::Arc;

use jiff::tz::TimeZone;

pub use alert::{
    Alert, AlertRule, DailySpan, DailySpanError, FieldCondition, Limit, Placeholder,
    ServerCondition, Severity, SourceCondition, SourceSelection, Template, TemplateError,
    TemplatePart,
};
pub use auth::Auth;
pub use configured_path::ConfiguredPath;
pub use error_line::ErrorLine;
pub use errors::ConfigErrors;
pub use group::{MAX_GROUP_BYTES, is_within};
pub use heartbeat::Heartbeat;
pub use history::History;
pub use kind::{
    Ambient, BodyFormat, Calibration, Condition, Conditions, Credentials, Json, JsonList,
    JsonPlace, JsonRequest, JsonTime, JsonValue, Kind, ListElement, Login, Mapped, Method,
    NAMES as KINDS, NamedFormat, Nws, OpenMeteo, PtDevices, PtLevel, Query, TimeFormat, ValueMap,
    ValueType,
};
pub use listen_addr::{ListenAddr, ListenAddrError, NotLocalError, admin_address};
pub use load::{
    Listeners, check_beside_server, load, load_listeners, load_to_serve, location, parse,
    parse_to_serve,
};
pub use log::Log;
pub(crate) use name::is_name;
pub use notify::{Channel, ChannelKind, Ntfy, Pushover, Smtp, SmtpSecurity, Telegram, Webhook};
pub use proxy::{HttpProxy, Proxy};
pub use renamed_fields::{RENAMED_FIELDS, RenamedField, renamed_fields};
pub use replica::Replica;
pub use scalar::{parse_duration, written_duration};
pub use secret::Secret;
pub use server::Server;
pub use simple_value::Scalar;
pub use source::{DesiredUnits, RateLimit, Source};
pub use source_field_types::FieldOrigin;
pub use source_url::{SourceUrl, SourceUrlError};
pub use store::Store;
pub use tls::{CertificateFiles, ExpectedName, TlsFiles};
pub use trends::{Tank, TrendSettings, span_suffix};

use crate::access::SiteUrl;
use crate::time_zone;

/// A checked configuration.
#[derive(Debug, Clone)]
pub struct Config {
    /// `[site]`
    pub site: Site,
    /// `[server]`
    pub server: Server,
    /// `[tls]`; absent: plain HTTP.
    pub tls: Option<TlsFiles>,
    /// `[auth]`; absent: every client that can reach the server may read.
    pub auth: Auth,
    /// `[[source]]`, in the order of the file.
    pub sources: Vec<Arc<Source>>,
    /// `[history]`; `None`: nothing is written to disk. With a store, its path is that of the spool.
    pub history: Option<History>,
    /// `[store]`; `None`: the history is in a file, and this is the only replica.
    pub store: Option<Store>,
    /// `replica` in `[server]`.
    pub replica: Replica,
    /// `[[alert]]`, in the order of the file; then the server's own rules, if there is a channel.
    pub alerts: Vec<Arc<Alert>>,
    /// `[[notify]]`, in the order of the file.
    pub channels: Vec<Arc<Channel>>,
    /// `[heartbeat]`
    pub heartbeat: Option<Heartbeat>,
    /// File of the states of alerts and of their messages, beside the history, also if that is disabled.
    pub alert_file: PathBuf,
    /// `[log]`
    pub log: Log,
    /// Settings that are valid but probably unintended, as texts for people.
    pub warnings: Vec<String>,
}

impl Config {
    /// Returns true if a source, a channel or the heartbeat verifies a server by the system's certificate
    /// authorities.
    pub fn trusts_system(&self) -> bool {
        self.sources.iter().any(|source| source.trusts_system())
            || self.channels.iter().any(|channel| channel.trusts_system())
            || self.heartbeat.is_some()
    }
}

/// The configuration of an empty file.
impl Default for Config {
    fn default() -> Config {
        Config {
            site: Site::default(),
            server: Server::default(),
            tls: None,
            auth: Auth::default(),
            sources: Vec::new(),
            history: Some(History::default()),
            store: None,
            replica: Replica::of_host(),
            alerts: Vec::new(),
            channels: Vec::new(),
            heartbeat: None,
            alert_file: History::default().alerts(),
            log: Log::default(),
            warnings: Vec::new(),
        }
    }
}

const DEFAULT_TITLE: &str = "Pumphouse";

/// `[site]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// Heading of the page.
    pub title: String,
    /// Public address, for absolute links and for the path of cookies; `None`: that of each request.
    pub url: Option<SiteUrl>,
    /// Contact for operators of upstreams, sent in the User-Agent field.
    pub contact: Option<String>,
    /// Time zone of days and hours on the page; defaults to the machine's.
    pub timezone: TimeZone,
}

impl Default for Site {
    fn default() -> Site {
        let timezone = time_zone::of_machine().zone;
        Site { title: DEFAULT_TITLE.to_owned(), url: None, contact: None, timezone }
    }
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
