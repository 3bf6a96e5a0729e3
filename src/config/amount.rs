//! Durations and sizes, which are strings with a unit.

use std::ops::RangeInclusive;
use std::time::Duration;

use bytesize::ByteSize;
use jiff::SpanRelativeTo;

use super::section::{At, Section};

impl Section<'_, '_> {
    /// A duration such as `"10s"`, `"5m"`, `"1h30m"`; longer than nothing.
    pub(super) fn duration(&mut self, key: &str) -> Option<At<Duration>> {
        let text = self.string(key)?;
        self.duration_in(key, text)
    }

    /// A duration, or that word, which is `Some(None)`.
    pub(super) fn duration_unless(&mut self, key: &str, word: &str) -> Option<Option<Duration>> {
        let text = self.string(key)?;
        if text.value == word {
            return Some(None);
        }
        self.duration_in(key, text).map(|at| Some(at.value))
    }

    /// An array of durations.
    pub(super) fn durations(&mut self, key: &str) -> Option<Vec<At<Duration>>> {
        let texts = self.strings(key)?;
        Some(texts.into_iter().filter_map(|text| self.duration_in(key, text)).collect())
    }

    fn duration_in(&self, key: &str, At { value, span }: At<String>) -> Option<At<Duration>> {
        match parse_duration(&value) {
            Some(duration) if duration > MOST_DURATION => {
                self.report(span, format_args!("\"{key}\" must be at most 366 days"));
                None
            }
            Some(duration) if !duration.is_zero() => Some(At { value: duration, span }),
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

    /// How long something is kept: a duration, however long, or `"forever"`, which is `None`.
    pub(super) fn keep(&mut self, key: &str, default: Option<Duration>) -> Option<Duration> {
        let Some(At { value, span }) = self.string(key) else { return default };
        if value == "forever" {
            return None;
        }
        let kept = parse_duration(&value).filter(|kept| !kept.is_zero());
        if kept.is_none() {
            self.report(
                span,
                format_args!("\"{key}\" must be a duration such as \"400d\", or \"forever\""),
            );
        }
        kept.or(default)
    }

    /// A size such as `"16KiB"`.
    pub(super) fn size(
        &mut self,
        key: &str,
        default: usize,
        range: RangeInclusive<usize>,
    ) -> usize {
        let Some(At { value, span }) = self.string(key) else { return default };
        let size = value.parse::<ByteSize>().ok();
        match size.and_then(|size| usize::try_from(size.as_u64()).ok()) {
            Some(size) if range.contains(&size) => return size,
            Some(_) => {
                let name = |size: &usize| ByteSize::b(*size as u64).display().iec().to_string();
                let (least, most) = (name(range.start()), name(range.end()));
                self.report(span, format_args!("\"{key}\" must be between {least} and {most}"));
            }
            None => self.report(span, format_args!("\"{key}\" must be a size such as \"16KiB\"")),
        }
        default
    }
}

/// Reads a duration such as `10s`, `5m`, `1h30m` or `2d`; a day has 24 hours.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let span = text.parse::<jiff::Span>().ok()?;
    let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    Duration::try_from(duration).ok()
}

const MOST_DURATION: Duration = Duration::from_secs(366 * 24 * 60 * 60);
