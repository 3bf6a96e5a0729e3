//! Time ranges that charts cover.

use strum::{EnumCount, EnumString, IntoStaticStr, VariantArray, VariantNames};

use crate::history::DAY;

/// Range of a chart, which ends now. Names are those in addresses and on buttons.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    EnumCount,
    EnumString,
    IntoStaticStr,
    VariantArray,
    VariantNames,
)]
pub(in crate::site) enum Range {
    #[strum(serialize = "6h")]
    SixHours,
    #[strum(serialize = "24h")]
    Day,
    #[strum(serialize = "3d")]
    ThreeDays,
    #[strum(serialize = "7d")]
    Week,
    #[strum(serialize = "30d")]
    Month,
    #[strum(serialize = "1y")]
    Year,
}

impl Range {
    /// Returns the name: `24h`.
    pub(in crate::site) fn as_str(self) -> &'static str {
        self.into()
    }

    /// Returns the query of a page with charts of this range; empty for the default range.
    pub(in crate::site) fn query(self) -> String {
        match self {
            Range::Day => String::new(),
            range => format!("?range={}", range.as_str()),
        }
    }

    /// Returns the words that follow "the last": `24 hours`.
    pub(in crate::site) const fn in_words(self) -> &'static str {
        match self {
            Range::SixHours => "6 hours",
            Range::Day => "24 hours",
            Range::ThreeDays => "3 days",
            Range::Week => "7 days",
            Range::Month => "30 days",
            Range::Year => "year",
        }
    }

    /// Returns the length in seconds.
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

    /// Returns the seconds that one point of the line covers, so that a chart has 288 to 365
    /// points.
    pub(super) const fn step(self) -> i64 {
        match self {
            Range::SixHours => 60,
            Range::Day => 5 * 60,
            Range::ThreeDays => 15 * 60,
            Range::Week => 30 * 60,
            Range::Month => 2 * 60 * 60,
            Range::Year => DAY,
        }
    }

    /// Returns the seconds that one row of the table and one bar cover, so that there are 24 to 30.
    pub(super) const fn row_step(self) -> i64 {
        match self {
            Range::SixHours => 15 * 60,
            Range::Day => 60 * 60,
            Range::ThreeDays => 3 * 60 * 60,
            Range::Week => 6 * 60 * 60,
            Range::Month => DAY,
            Range::Year => 14 * DAY,
        }
    }

    /// Returns the seconds after which a chart is drawn again: about the time that one pixel
    /// covers.
    pub(super) fn redraw_after(self) -> i64 {
        (self.seconds() / 600).clamp(5, 900)
    }
}
