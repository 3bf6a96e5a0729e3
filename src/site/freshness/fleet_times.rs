//! Times of many sources in one value, from which the caching headers of a body about them follow.

use std::time::{Duration, SystemTime};

use http::HeaderValue;
use jiff::Timestamp;

use super::{Times, is_later, is_older, within_interval};
use crate::board::{SourceView, SourceViews};
use crate::site::conditional::Dates;
use crate::site::content::CachePolicy;

/// Time for which a cache may serve the last response while this server is unreachable, in seconds.
const STALE_IF_ERROR: u32 = 86_400;

/// Times of the sources of a body.
#[derive(Debug, Clone, Copy)]
pub(in crate::site) struct FleetTimes {
    /// Time that divides what has turned stale from what will.
    now: Timestamp,
    /// True if a source has never answered.
    is_incomplete: bool,
    oldest: Option<Timestamp>,
    latest: Option<Timestamp>,
    /// Latest time at which anything of a source changed.
    changed: Option<Timestamp>,
    /// Next poll, or time at which a reading turns stale.
    next: Option<Timestamp>,
    /// Shortest interval of the sources.
    interval: Duration,
}

impl FleetTimes {
    /// Returns the times of no source, as of `now`.
    pub(super) fn new(now: Timestamp) -> FleetTimes {
        FleetTimes {
            now,
            is_incomplete: false,
            oldest: None,
            latest: None,
            changed: None,
            next: None,
            interval: Duration::MAX,
        }
    }

    /// Returns the times of all sources of a snapshot that was published at `published_at`.
    pub(in crate::site) fn of(sources: &SourceViews, published_at: Timestamp) -> FleetTimes {
        let mut fleet = FleetTimes::new(published_at);
        for source in sources {
            let reading = source.reading.as_ref();
            let times = |reading: &crate::board::LastReading| Times {
                observed_at: reading.observed.at,
                stale_at: reading.stale_at,
            };
            fleet.add(source, reading.map(times));
        }
        fleet
    }

    /// Adds a source, with the times of its values that the body has.
    pub(super) fn add(&mut self, source: &SourceView, times: Option<Times>) {
        self.changed = self.changed.max(Some(source.changed_at));
        let latest = source.reading.as_ref().map(|reading| reading.observed.at);
        self.latest = self.latest.max(latest);
        self.is_incomplete |= times.is_none();
        // A source that has not been polled since the start, or a reload, may be polled at any moment.
        let mut next = Some(source.next_poll_at.unwrap_or(self.now));
        if let Some(Times { observed_at, stale_at }) = times {
            self.oldest = earlier(self.oldest, Some(observed_at));
            if self.now >= stale_at {
                self.changed = self.changed.max(Some(stale_at));
            } else {
                // A copy cached beyond this moment would still claim to be fresh.
                next = earlier(next, Some(stale_at));
            }
        }
        self.next = earlier(self.next, next);
        self.interval = self.interval.min(source.interval);
    }

    /// Returns true if every source has answered, and none is older than `max_age` seconds at `now`.
    pub(in crate::site) fn are_within(&self, max_age: u64, now: Timestamp) -> bool {
        let is_old = |at: Timestamp| is_older(at, now, max_age);
        let has_old = self.oldest.is_some_and(is_old);
        // One in the future has no known age.
        !self.is_incomplete && !has_old && !self.latest.is_some_and(|at| is_later(at, now))
    }

    /// Returns the caching headers of the body at `now`.
    pub(in crate::site) fn cache_policy(&self, now: Timestamp) -> CachePolicy {
        // Last-Modified may not be later than Date (RFC 9110 8.8.2.1).
        let observed = self.latest.map(|at| at.min(now));
        let changed = self.changed.max(observed);
        let max_age = self.next.map_or(0, |next| within_interval(self.interval, next, now));
        CachePolicy {
            cache_control: HeaderValue::try_from(format!(
                "max-age={max_age}, stale-if-error={STALE_IF_ERROR}"
            ))
            .expect("words and digits are a header value"),
            last_modified: observed.and_then(http_date),
            dates: changed.map(|changed| Dates { changed, now }),
        }
    }
}

/// Returns the earlier of two times, of those that there are.
fn earlier(one: Option<Timestamp>, other: Option<Timestamp>) -> Option<Timestamp> {
    one.into_iter().chain(other).min()
}

/// Formats an `IMF-fixdate` (RFC 9110 5.6.7).
///
/// The format has four digits for the year, and `httpdate` panics before 1970. A sensor's clock may
/// be that wrong; then there is no date.
fn http_date(at: Timestamp) -> Option<HeaderValue> {
    const YEAR_10000: u64 = 253_402_300_800;
    let seconds = u64::try_from(at.as_second()).ok().filter(|&seconds| seconds < YEAR_10000)?;
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
    HeaderValue::try_from(httpdate::fmt_http_date(time)).ok()
}
