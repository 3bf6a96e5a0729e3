//! Messages to the board: configuration of sources, results of polls, saved readings.

use std::fmt::{self, Write as _};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::error::PollError;
use super::held::Received;
use super::reading::{FieldName, Reading};
use super::snapshot::{SourceView, State};
use crate::config::{self, TrendSettings};
use crate::kernel::clock::TimePoint;
use crate::units::OverTime;

/// Settings of a source that the board uses.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceInfo {
    /// Unique name, `[a-z][a-z0-9_]*`.
    pub name: Arc<str>,
    /// Title on the page.
    pub title: Arc<str>,
    /// Path by which pages and the API select sources, such as `north/ridge`.
    pub group: Option<Arc<str>>,
    /// Name of the kind as in the configuration.
    pub kind: &'static str,
    /// Time from one poll to the next.
    pub interval: Duration,
    /// Age of the observation at which the source turns stale.
    pub stale_after: Duration,
    /// Fields that the page shows, in this order; empty: all.
    pub show: Arc<[Arc<str>]>,
    /// Trends to derive from its values.
    pub trends: Vec<TrendSettings>,
    /// Ways over time of fields that differ from those of their names and units.
    pub over_time: Vec<(FieldName, OverTime)>,
    /// Checksum of the settings by which answers are requested and decoded.
    pub configuration: u32,
}

impl From<&config::Source> for SourceInfo {
    fn from(source: &config::Source) -> SourceInfo {
        SourceInfo {
            name: source.name.clone(),
            title: source.title.clone(),
            group: source.group.clone(),
            kind: source.kind.as_str(),
            interval: source.interval,
            stale_after: source.stale_after,
            show: source.show.as_slice().into(),
            trends: source.trends.clone(),
            over_time: source.kind.over_time(),
            configuration: configuration(source),
        }
    }
}

impl SourceInfo {
    /// Returns the view of a source without a reading.
    pub(super) fn waiting(&self, is_held: bool) -> SourceView {
        SourceView {
            name: self.name.clone(),
            title: self.title.clone(),
            group: self.group.clone(),
            kind: self.kind,
            show: self.show.clone(),
            state: State::Waiting,
            reading: None,
            interval: self.interval,
            next_poll_at: None,
            error: None,
            configuration: self.configuration,
            is_held,
            is_stale_announced: false,
            version: 0,
            changed_at: Timestamp::UNIX_EPOCH,
        }
    }
}

#[cfg(test)]
impl SourceInfo {
    /// Returns the settings of a source for tests.
    pub(crate) fn example(name: &str) -> SourceInfo {
        SourceInfo {
            name: name.into(),
            title: name.into(),
            group: None,
            kind: "json",
            interval: Duration::from_secs(300),
            stale_after: Duration::from_secs(600),
            show: [].into(),
            trends: Vec::new(),
            over_time: Vec::new(),
            configuration: 1,
        }
    }
}

/// Returns the checksum of the settings by which answers are requested and decoded.
fn configuration(source: &config::Source) -> u32 {
    let config::Source { kind, units, .. } = source;
    let mut checksum = Checksum(crc32fast::Hasher::new());
    // The debug format omits secrets. Those of the URL may distinguish one device from another. A checksum refuses
    // no text.
    let _ = write!(checksum, "{} {kind:?} {units:?}", kind.url().as_str());
    checksum.0.finalize()
}

/// Checksum of a text that is not kept.
struct Checksum(crc32fast::Hasher);

impl fmt::Write for Checksum {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.update(text.as_bytes());
        Ok(())
    }
}

/// Result of a poll.
#[derive(Debug, Clone)]
pub struct Report {
    /// Name of the source.
    pub source: Arc<str>,
    /// Time by both clocks at which the response was complete or the poll failed.
    pub at: TimePoint,
    /// The poll's reading or error.
    pub outcome: Result<Polled, PollError>,
    /// Time of the next poll, by the setting of the wall clock at `at`.
    pub next_poll_at: Timestamp,
}

/// Result of a successful poll.
#[derive(Debug, Clone)]
pub enum Polled {
    /// A reading, which replaces the last one.
    Reading(Reading),
    /// The last reading is still current (304).
    Unchanged,
}

/// A reading that was saved before a restart.
#[derive(Debug, Clone, PartialEq)]
pub struct SavedReading {
    /// Name of the source.
    pub source: Arc<str>,
    /// Name of the source's kind. A reading of another kind is dropped.
    pub kind: String,
    /// Time at which the response was complete, by our clock at that time.
    pub fetched_at: Timestamp,
    /// True if the source was stale, which has been reported as an event.
    pub stale: bool,
    /// Checksum of the source's configuration; `None` in files of earlier versions.
    pub configuration: Option<u32>,
    /// The reading, with its first sights.
    pub received: Received,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn configured_way_over_time_is_that_of_its_field() {
        let text = "[[source]]\nname = \"s\"\nkind = \"json\"\nurl = \"http://h/\"\n\
                    [source.values.water]\npointer = \"/w\"\nunit = \"m3\"\n\
                    over_time = \"increase\"\n\
                    [source.values.depth]\npointer = \"/d\"\nunit = \"m\"\n";
        let config = config::parse("p".as_ref(), text, &|_| None).unwrap();
        let info = SourceInfo::from(&*config.sources[0]);
        assert_eq!(info.over_time, [("water".into(), OverTime::Increase)]);
    }

    #[test]
    fn configuration_is_that_of_requests_and_decoding() {
        let checksum = |head: &str, value: &str| {
            let text = format!(
                "[[source]]\nname = \"s\"\nkind = \"json\"\n{head}\n\
                 [source.values.depth]\npointer = \"/d\"\nunit = \"m\"\n{value}\n"
            );
            let config = config::parse("p".as_ref(), &text, &|_| None).unwrap();
            SourceInfo::from(&*config.sources[0]).configuration
        };
        const URL: &str = "url = \"http://h/?device=1\"";
        let known = checksum(URL, "");
        for presentation in
            ["title = \"T\"", "group = \"g\"", "show = [\"depth\"]", "interval = \"7m\""]
        {
            assert_eq!(checksum(&format!("{URL}\n{presentation}"), ""), known, "{presentation}");
        }
        assert_ne!(checksum("url = \"http://h/?device=2\"", ""), known);
        assert_ne!(checksum(URL, "scale = 2"), known);
        assert_ne!(
            checksum(
                &format!("{URL}\nobserved_at = {{ pointer = \"/t\", format = \"unix\" }}"),
                ""
            ),
            known
        );
    }
}
