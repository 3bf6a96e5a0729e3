//! Settings of all rules: what a configuration says of alerts, and of the sources that they watch.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;

use crate::board::OverTimes;
use crate::config::{Alert, Config};

/// Settings of all rules.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The rules, the server's own last.
    pub alerts: Vec<Arc<Alert>>,
    /// Names of the channels.
    pub channels: Vec<Arc<str>>,
    /// The sources.
    pub sources: Vec<SourceFacts>,
    /// Title of the site, used for the server itself.
    pub title: Arc<str>,
    /// Time zone of the site.
    pub zone: TimeZone,
}

/// Facts of a source that rules need and snapshots lack.
#[derive(Debug, Clone)]
pub struct SourceFacts {
    /// Name.
    pub name: Arc<str>,
    /// Title on the page.
    pub title: Arc<str>,
    /// Group.
    pub group: Option<Arc<str>>,
    /// Age of an observation at which the source turns stale.
    pub stale_after: Duration,
    /// Ways over time of its fields.
    pub over_times: OverTimes,
}

impl From<&Config> for Settings {
    fn from(config: &Config) -> Settings {
        let facts = |source: &Arc<crate::config::Source>| SourceFacts {
            name: source.name.clone(),
            title: source.title.clone(),
            group: source.group.clone(),
            stale_after: source.stale_after,
            over_times: source.kind.over_time().into(),
        };
        Settings {
            alerts: config.alerts.clone(),
            channels: config.channels.iter().map(|channel| channel.name.clone()).collect(),
            sources: config.sources.iter().map(facts).collect(),
            title: config.site.title.as_str().into(),
            zone: config.site.timezone.clone(),
        }
    }
}
