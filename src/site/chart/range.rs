//! The ranges that charts come in.

use crate::history::DAY;

/// A stretch of time up to now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::site) enum Range {
    SixHours,
    Day,
    ThreeDays,
    Week,
    Month,
    Year,
}

impl Range {
    /// Every range, the shortest first.
    pub(in crate::site) const ALL: [Range; 6] =
        [Range::SixHours, Range::Day, Range::ThreeDays, Range::Week, Range::Month, Range::Year];

    /// The name in addresses and on buttons.
    pub(in crate::site) const fn as_str(self) -> &'static str {
        match self {
            Range::SixHours => "6h",
            Range::Day => "24h",
            Range::ThreeDays => "3d",
            Range::Week => "7d",
            Range::Month => "30d",
            Range::Year => "1y",
        }
    }

    /// The range of that name.
    pub(in crate::site) fn parse(name: &str) -> Option<Range> {
        Range::ALL.into_iter().find(|range| range.as_str() == name)
    }

    /// In words, behind "the last".
    pub(in crate::site) const fn words(self) -> &'static str {
        match self {
            Range::SixHours => "6 hours",
            Range::Day => "24 hours",
            Range::ThreeDays => "3 days",
            Range::Week => "7 days",
            Range::Month => "30 days",
            Range::Year => "year",
        }
    }

    /// Seconds.
    pub(in crate::site) const fn seconds(self) -> i64 {
        match self {
            Range::SixHours => DAY / 4,
            Range::Day => DAY,
            Range::ThreeDays => 3 * DAY,
            Range::Week => 7 * DAY,
            Range::Month => 30 * DAY,
            Range::Year => 365 * DAY,
        }
    }

    /// Seconds of a point: about as many points as a chart has room for.
    pub(in crate::site) const fn step(self) -> i64 {
        match self {
            Range::SixHours => 60,
            Range::Day => 5 * 60,
            Range::ThreeDays => 15 * 60,
            Range::Week => 30 * 60,
            Range::Month => 2 * 60 * 60,
            Range::Year => DAY,
        }
    }
}
