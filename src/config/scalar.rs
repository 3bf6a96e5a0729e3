//! Typed strings: durations, sizes, units, time zones and URLs.

use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

use bytesize::ByteSize;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, SpanRelativeTo};
use strum::VariantNames;

use super::section::{Section, Spanned};
use super::source_url::SourceUrl;
use crate::suggestion::{advice, nearest};
use crate::time_zone;
use crate::units::{Label, MAX_LABEL, System, Unit};

/// Description of a duration in errors.
const DURATION: &str = "a duration such as \"10s\" or \"5m\"";

/// Longest duration of a key other than a retention time.
const MAX_DURATION: Duration = Duration::from_secs(366 * 24 * 60 * 60);

impl Section<'_, '_> {
    /// Reads a duration such as `"10s"`, `"5m"` or `"1h30m"`; zero is refused.
    pub(super) fn duration(&mut self, key: &str) -> Option<Spanned<Duration>> {
        let text = self.text(key, DURATION)?;
        self.duration_in(key, text)
    }

    /// Reads a duration or `word`. Returns `Some(None)` for `word`.
    pub(super) fn duration_or_word(&mut self, key: &str, word: &str) -> Option<Option<Duration>> {
        let text = self.text(key, DURATION)?;
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
                self.report(
                    span,
                    format_args!("\"{key}\" must be at most 366 days; it is {value}"),
                );
                None
            }
            Some(duration) if !duration.is_zero() => Some(Spanned { value: duration, span }),
            _ => {
                let hint = duration_hint(&value);
                self.report(span, format_args!("\"{key}\" must be {DURATION}{hint}"));
                None
            }
        }
    }

    /// Reads a duration of a range, which may begin at zero.
    pub(super) fn duration_within(
        &mut self,
        key: &str,
        default: Duration,
        range: RangeInclusive<Duration>,
    ) -> Duration {
        let Some(Spanned { value, span }) = self.text(key, DURATION) else { return default };
        match parse_duration(&value) {
            Some(duration) if range.contains(&duration) => return duration,
            Some(_) => {
                let (min, max) = (written_duration(*range.start()), written_duration(*range.end()));
                let message =
                    format_args!("\"{key}\" must be between {min} and {max}; it is {value}");
                self.report(span, message);
            }
            None => {
                let hint = duration_hint(&value);
                self.report(span, format_args!("\"{key}\" must be {DURATION}{hint}"));
            }
        }
        default
    }

    pub(super) fn duration_or(&mut self, key: &str, default: Duration) -> Duration {
        self.duration(key).map_or(default, |at| at.value)
    }

    /// Reads a retention time: a duration of any length, or `"forever"`, for which it returns `None`.
    pub(super) fn retention(&mut self, key: &str, default: Option<Duration>) -> Option<Duration> {
        const RETENTION: &str = "a duration such as \"400d\", or \"forever\"";
        let Some(Spanned { value, span }) = self.text(key, RETENTION) else { return default };
        if value == "forever" {
            return None;
        }
        let retention = parse_duration(&value).filter(|time| !time.is_zero());
        if retention.is_none() {
            let hint = duration_hint(&value);
            self.report(span, format_args!("\"{key}\" must be {RETENTION}{hint}"));
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
        const SIZE: &str = "a size such as \"16KiB\"";
        let Some(Spanned { value, span }) = self.text(key, SIZE) else { return default };
        let size = value.parse::<ByteSize>().ok();
        match size.and_then(|size| usize::try_from(size.as_u64()).ok()) {
            Some(size) if range.contains(&size) => return size,
            Some(_) => {
                let name = |size: &usize| ByteSize::b(*size as u64).display().iec().to_string();
                let (min, max) = (name(range.start()), name(range.end()));
                self.report(
                    span,
                    format_args!("\"{key}\" must be between {min} and {max}; it is {value}"),
                );
            }
            None => {
                self.report(span, format_args!("\"{key}\" must be {SIZE}; \"{value}\" is none"));
            }
        }
        default
    }
}

/// Readers of keys that several kinds of sources share.
impl Section<'_, '_> {
    /// Reads `unit` by its name, or by another name that people type.
    pub(super) fn unit(&mut self) -> Option<Unit> {
        let unit = self.string("unit")?;
        self.unit_in(unit, false)
    }

    /// Reads `unit`, or `unit_label`: the name of a unit that the program does not know.
    pub(super) fn unit_or_label(&mut self) -> Option<Unit> {
        let unit = self.string("unit");
        let label = self.string("unit_label");
        match (unit, label) {
            (Some(_), Some(Spanned { span, .. })) => {
                self.report(span, "\"unit\" and \"unit_label\" exclude each other");
                None
            }
            (Some(unit), None) => self.unit_in(unit, true),
            (None, Some(label)) => self.label_in(label),
            (None, None) => None,
        }
    }

    /// Parses a unit. The error names `unit_label` if the section may have it.
    fn unit_in(
        &self,
        Spanned { value, span }: Spanned<String>,
        may_be_label: bool,
    ) -> Option<Unit> {
        let unit = Unit::from_input(&value);
        if unit.is_none() {
            let names = Unit::NAMES.iter().copied();
            let label = format!("unit_label = \"{value}\"");
            let advice = match nearest(&value, names.clone()) {
                _ if !may_be_label => advice(&value, names),
                Some(near) => format!("did you mean \"{near}\", or {label}?"),
                None => {
                    let known = Unit::NAMES.join(", ");
                    format!("write {label} for a unit that is none of {known}")
                }
            };
            self.report(span, format_args!("\"unit\": \"{value}\" is unknown; {advice}"));
        }
        unit
    }

    fn label_in(&self, Spanned { value, span }: Spanned<String>) -> Option<Unit> {
        if let Some(unit) = Unit::from_input(&value) {
            let message = format_args!(
                "\"unit_label\": \"{value}\" is a known unit; write unit = \"{unit}\""
            );
            self.report(span, message);
            return None;
        }
        let label = Label::new(&value).map(Unit::Label);
        if label.is_none() {
            let message = format_args!(
                "\"unit_label\" must have 1 to {MAX_LABEL} visible characters, without blanks at its \
                 ends, quotation marks and backslashes"
            );
            self.report(span, message);
        }
        label
    }

    /// Reads a string that is one of the names of an enumeration.
    pub(super) fn choice<T: FromStr + VariantNames>(&mut self, key: &str) -> Option<Spanned<T>> {
        let Spanned { value, span } = self.string(key)?;
        match value.parse() {
            Ok(value) => Some(Spanned { value, span }),
            Err(_) => {
                let all = T::VARIANTS.join(", ");
                let hint = match nearest(&value, T::VARIANTS.iter().copied()) {
                    Some(near) => format!("; did you mean \"{near}\"?"),
                    None => String::new(),
                };
                self.report(span, format_args!("\"{key}\": \"{value}\" is none of {all}{hint}"));
                None
            }
        }
    }

    /// Reads `timezone`, the zone of the clock that `clock` names.
    pub(super) fn clock_zone(&mut self, clock: &str) -> Option<TimeZone> {
        let Spanned { value, span } = self.string("timezone")?;
        let zone = TimeZone::get(&value).ok();
        if zone.is_none() {
            let near = time_zone::nearest(&value).unwrap_or_else(|| "America/Denver".to_owned());
            let message = format_args!(
                "\"timezone\": \"{value}\" is not a time zone; write the one of {clock}, such as \"{near}\""
            );
            self.report(span, message);
        }
        zone
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

    /// Reads the URL of a share page, which is a secret: given by `url`, or in a file by `url_file`.
    pub(super) fn secret_url(&mut self) -> Option<SourceUrl> {
        let at = self.span_of("url").or(self.span_of("url_file")).unwrap_or_default();
        // The link is a capability: who has it reads the source.
        if let Some(span) = self.inline_text_of("url") {
            self.note_inline_secret(span, "url");
        }
        let url = self.secret("url");
        let url = self.require("url", url)?;
        url.expose().parse().map_err(|error| self.report(at, format_args!("\"url\": {error}"))).ok()
    }

    /// Reads `url`, with a default.
    pub(super) fn url_or(&mut self, default: &str) -> Option<SourceUrl> {
        self.parsed("url").map(|at| at.value).or_else(|| default.parse().ok())
    }
}

/// Texts by which other programs switch a setting off.
pub(super) const OFF_WORDS: [&str; 6] = ["none", "off", "direct", "false", "no", "disabled"];

/// Returns what to write in place of a text that is no duration.
fn duration_hint(text: &str) -> String {
    let text = text.trim();
    if text.parse::<f64>().is_ok_and(|number| number.is_finite() && number >= 0.0) {
        return format!(
            "; \"{text}\" has no unit: write \"{text}s\" for seconds, \"{text}m\" for minutes"
        );
    }
    if text.starts_with('-') {
        return format!("; \"{text}\" is negative");
    }
    if parse_duration(text).is_some() {
        return "; it must be longer than 0".to_owned();
    }
    if OFF_WORDS.iter().any(|word| text.eq_ignore_ascii_case(word)) {
        return "; it cannot be switched off: for the default, delete the key".to_owned();
    }
    format!("; \"{text}\" is none: its units are s, m, h and d")
}

/// Parses a duration such as `10s`, `5m`, `1h30m` or `2d`; a day has 24 hours.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let span = text.parse::<jiff::Span>().ok()?;
    let duration = span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?;
    Duration::try_from(duration).ok()
}

/// Returns a duration as the configuration writes it: whole days as such, `4d`, and others in hours, `36h`.
pub fn written_duration(duration: Duration) -> String {
    const DAY: u64 = 24 * 60 * 60;
    let seconds = duration.as_secs();
    if duration.subsec_nanos() == 0 && seconds > 0 && seconds.is_multiple_of(DAY) {
        return format!("{}d", seconds / DAY);
    }
    SignedDuration::try_from(duration)
        .map_or_else(|_| format!("{duration:?}"), |duration| format!("{duration:#}"))
}
