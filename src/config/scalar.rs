//! Typed strings: durations, sizes, units and URLs.

use std::ops::RangeInclusive;
use std::time::Duration;

use bytesize::ByteSize;
use jiff::SpanRelativeTo;

use super::problem::nearest;
use super::section::{Section, Spanned};
use super::source_url::SourceUrl;
use crate::units::{System, Unit};

/// Longest duration of a key other than a retention time.
const MAX_DURATION: Duration = Duration::from_secs(366 * 24 * 60 * 60);

impl Section<'_, '_> {
    /// Reads a duration such as `"10s"`, `"5m"` or `"1h30m"`; zero is refused.
    pub(super) fn duration(&mut self, key: &str) -> Option<Spanned<Duration>> {
        let text = self.string(key)?;
        self.duration_in(key, text)
    }

    /// Reads a duration or `word`. Returns `Some(None)` for `word`.
    pub(super) fn duration_or_word(&mut self, key: &str, word: &str) -> Option<Option<Duration>> {
        let text = self.string(key)?;
        if text.value == word {
            return Some(None);
        }
        self.duration_in(key, text).map(|at| Some(at.value))
    }

    /// Reads an array of durations.
    pub(super) fn durations(&mut self, key: &str) -> Option<Vec<Spanned<Duration>>> {
        let texts = self.strings(key)?;
        Some(texts.into_iter().filter_map(|text| self.duration_in(key, text)).collect())
    }

    fn duration_in(
        &self,
        key: &str,
        Spanned { value, span }: Spanned<String>,
    ) -> Option<Spanned<Duration>> {
        match parse_duration(&value) {
            Some(duration) if duration > MAX_DURATION => {
                self.report(span, format_args!("\"{key}\" must be at most 366 days"));
                None
            }
            Some(duration) if !duration.is_zero() => Some(Spanned { value: duration, span }),
            _ => {
                self.report(
                    span,
                    format_args!("\"{key}\" must be a duration such as \"10s\" or \"5m\""),
                );
                None
            }
        }
    }

    pub(super) fn duration_or(&mut self, key: &str, default: Duration) -> Duration {
        self.duration(key).map_or(default, |at| at.value)
    }

    /// Reads a retention time: a duration of any length, or `"forever"`, for which it returns `None`.
    pub(super) fn retention(&mut self, key: &str, default: Option<Duration>) -> Option<Duration> {
        let Some(Spanned { value, span }) = self.string(key) else { return default };
        if value == "forever" {
            return None;
        }
        let retention = parse_duration(&value).filter(|time| !time.is_zero());
        if retention.is_none() {
            self.report(
                span,
                format_args!("\"{key}\" must be a duration such as \"400d\", or \"forever\""),
            );
        }
        retention.or(default)
    }

    /// Reads a size such as `"16KiB"`.
    pub(super) fn size(
        &mut self,
        key: &str,
        default: usize,
        range: RangeInclusive<usize>,
    ) -> usize {
        let Some(Spanned { value, span }) = self.string(key) else { return default };
        let size = value.parse::<ByteSize>().ok();
        match size.and_then(|size| usize::try_from(size.as_u64()).ok()) {
            Some(size) if range.contains(&size) => return size,
            Some(_) => {
                let name = |size: &usize| ByteSize::b(*size as u64).display().iec().to_string();
                let (min, max) = (name(range.start()), name(range.end()));
                self.report(span, format_args!("\"{key}\" must be between {min} and {max}"));
            }
            None => self.report(span, format_args!("\"{key}\" must be a size such as \"16KiB\"")),
        }
        default
    }
}

/// Readers of keys that several kinds of sources share.
impl Section<'_, '_> {
    /// Reads `unit` by its name.
    pub(super) fn unit(&mut self) -> Option<Unit> {
        let Spanned { value, span } = self.string("unit")?;
        let unit = Unit::from_input(&value);
        if unit.is_none() {
            let hint = match nearest(&value, Unit::NAMES.iter().copied()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("known are {};", Unit::NAMES.join(", ")),
            };
            self.report(span, format_args!("\"unit\": \"{value}\" is unknown; {hint}"));
        }
        unit
    }

    /// Reads `units`, of a source or of `[site]`.
    pub(super) fn unit_system(&mut self) -> Option<System> {
        let Spanned { value, span } = self.string("units")?;
        let system = value.parse().ok();
        if system.is_none() {
            let message = format_args!("\"units\": \"{value}\" is neither \"us\" nor \"metric\"");
            self.report(span, message);
        }
        system
    }

    /// Reads `url`, which is required.
    pub(super) fn url(&mut self) -> Option<SourceUrl> {
        let url = self.parsed("url").map(|at| at.value);
        self.require("url", url)
    }

    /// Reads `url`, with a default.
    pub(super) fn url_or(&mut self, default: &str) -> Option<SourceUrl> {
        self.parsed("url").map(|at| at.value).or_else(|| default.parse().ok())
    }
}

/// Parses a duration such as `10s`, `5m`, `1h30m` or `2d`; a day has 24 hours.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let span = text.parse::<jiff::Span>().ok()?;
    let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    Duration::try_from(duration).ok()
}
