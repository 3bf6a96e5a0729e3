//! The points of a chart for `readout.js`, which shows the one under the pointer or selected by keys.
//!
//! The numbers are texts as the page shows them, and the times are exact. A browser need not know the time
//! zone of the site: it gets the offsets in force ([`clock`]).

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::legend::aggregate;
use super::plot::Plot;
use crate::format::{fixed, scientific, suffix};
use crate::history::DAY;
use crate::order;
use crate::time_zone;
use crate::units::OverTime;

/// Attributes of the element around a chart.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::site) struct Readout {
    /// Window of the chart: two Unix times.
    pub(in crate::site) window: String,
    /// Points, separated by `;`. Each has the seconds since the point before, or since the start of the
    /// window, after `+`, unless they are a `length` above 0; the value; the least and the greatest number of a span,
    /// `-` for both if the value does not lie between others; and the seconds of the span if these are not
    /// `length`.
    pub(in crate::site) points: String,
    /// Seconds of the span of most points; 0 for single observations.
    pub(in crate::site) length: i64,
    /// Words before a span: `mean of`; empty if the latest number of a span is shown.
    pub(in crate::site) aggregate: String,
    /// Unit as it follows a number, with the space before it: see `format::suffix`.
    pub(in crate::site) suffix: String,
    /// Offsets of the clocks: see [`clock`].
    pub(in crate::site) clock: String,
}

impl Readout {
    pub(super) fn of(plot: &Plot, decimals: usize, zone: &TimeZone) -> Readout {
        let frame = plot.frame;
        let length = frame.step.unwrap_or_default();
        let mut points = String::new();
        let mut before = frame.from;
        for point in plot.marks() {
            if !points.is_empty() {
                points.push(';');
            }
            // An aggregate has more digits than its observations, of which few have a meaning.
            let is_computed = point.length > 0 && frame.over_time != OverTime::Max;
            let value =
                if is_computed { rounded(point.value, decimals) } else { exact(point.value) };
            // Without a span to repeat, the seconds are needed even where they are 0.
            if length == 0 || point.at - before != length {
                let _ = write!(points, "+{} ", point.at - before);
            }
            points.push_str(&value);
            let has_own_length = point.length != length;
            match (point.least < point.most, has_own_length) {
                (true, _) => {
                    let _ = write!(points, " {} {}", exact(point.least), exact(point.most));
                }
                (false, true) => points.push_str(" - -"),
                (false, false) => {}
            }
            if has_own_length {
                let _ = write!(points, " {}", point.length);
            }
            before = point.at;
        }
        let aggregate = match (aggregate(frame.over_time), frame.over_time) {
            (Some(name), OverTime::Increase) => format!("{name} over"),
            (Some(name), _) => format!("{name} of"),
            (None, _) => String::new(),
        };
        Readout {
            window: format!("{} {}", frame.from, frame.to),
            points,
            length,
            aggregate,
            suffix: suffix(frame.unit),
            clock: clock(frame.from, frame.to, zone),
        }
    }
}

/// Returns a measured number with up to seven significant digits: all that sensors have.
fn exact(number: f64) -> String {
    const DIGITS: i32 = 7;
    let magnitude = if number == 0.0 { 0 } else { number.abs().log10().floor() as i32 };
    rounded(number, (DIGITS - 1 - magnitude).clamp(0, 20) as usize)
}

/// Returns a measured number as `readout.js` shows it.
pub(super) fn displayed(number: f64) -> String {
    let text = exact(number);
    if text.contains('e') { scientific(number, 6) } else { text }
}

/// Returns a number with at most `decimals` decimals; a very large or small one with an exponent, which
/// `readout.js` shows as a power of ten. `Number` of JavaScript parses it without its commas and
/// with another minus sign.
fn rounded(number: f64, decimals: usize) -> String {
    /// Magnitudes that are readable without an exponent.
    const PLAIN: std::ops::Range<f64> = 1e-6..1e12;
    if number != 0.0 && !PLAIN.contains(&number.abs()) {
        let text = format!("{number:.6e}");
        let (mantissa, exponent) = text.split_once('e').unwrap_or((&text, "0"));
        return format!("{}e{exponent}", mantissa.trim_end_matches('0').trim_end_matches('.'));
    }
    let text = fixed(number, decimals);
    let text = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => &text,
    };
    if text == "−0" { "0".to_owned() } else { text.to_owned() }
}

/// Returns the offsets of the clocks from a day before the window to a day after it, separated by `;`. Each
/// has the Unix time from which it is in force, the seconds from UTC, and where local times occur twice
/// their distinction: `1793516400 -25200 PDT`.
fn clock(from: i64, to: i64, zone: &TimeZone) -> String {
    let (from, to) = (from - DAY, to + DAY);
    let Ok(start) = Timestamp::from_second(from) else { return String::new() };
    let offset = |at: Timestamp| i64::from(zone.to_offset(at).seconds());
    let mut bounds = vec![from];
    let mut before = offset(start);
    for transition in zone.following(start) {
        let at = transition.timestamp().as_second();
        if at > to {
            break;
        }
        let after = i64::from(transition.offset().seconds());
        // Local times occur twice for as long as the clocks are set back, before and after that.
        let back = (before - after).max(0);
        bounds.extend([at - back, at, at + back]);
        before = after;
    }
    order::sort(&mut bounds);
    bounds.dedup();
    let mut text = String::new();
    let mut last = None;
    for second in bounds.into_iter().filter(|&second| second >= from) {
        let Ok(at) = Timestamp::from_second(second) else { continue };
        let state = (offset(at), time_zone::distinction(zone, at));
        if last.as_ref() == Some(&state) {
            continue;
        }
        if !text.is_empty() {
            text.push(';');
        }
        let _ = write!(text, "{second} {}", state.0);
        if let Some(distinction) = &state.1 {
            let _ = write!(text, " {distinction}");
        }
        last = Some(state);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::super::plot::Frame;
    use super::super::point::Point;
    use super::*;
    use crate::format::local_time;
    use crate::units::Unit;

    fn second(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_second()
    }

    /// Formats a time by the clock's offsets, as `readout.js` does.
    fn read(clock: &str, at: i64) -> String {
        let mut parts = clock.split(';').map(|entry| {
            let mut parts = entry.splitn(3, ' ');
            let mut number = || parts.next().unwrap().parse::<i64>().unwrap();
            (number(), number(), parts.next())
        });
        let (_, offset, distinction) = parts.rfind(|(start, ..)| *start <= at).unwrap();
        let shown = local_time(at + offset, &TimeZone::UTC);
        distinction.map_or(shown.clone(), |distinction| format!("{shown} {distinction}"))
    }

    #[test]
    fn browser_shows_the_local_times_of_the_server_in_every_zone() {
        for name in [
            "UTC",
            "Europe/Zurich",
            "America/Los_Angeles",
            "Australia/Lord_Howe",
            "Pacific/Chatham",
            "America/Santiago",
            "America/Havana",
        ] {
            let zone = TimeZone::get(name).unwrap();
            let to = second("2026-12-01T10:20:00Z");
            for days in [1, 30, 365] {
                let from = to - days * DAY;
                let clock = clock(from, to, &zone);
                assert!(clock.len() < 300, "{name}: {clock}");
                for at in (from - DAY..to + DAY).step_by(15 * 60) {
                    assert_eq!(read(&clock, at), local_time(at, &zone), "{name} {clock}");
                }
            }
        }
        let rule = TimeZone::posix("EST5EDT,M3.2.0,M11.1.0").unwrap();
        let to = second("2026-11-01T12:00:00Z");
        let clock = clock(to - DAY, to, &rule);
        assert_eq!(read(&clock, second("2026-11-01T05:30:00Z")), "Sun 1 Nov 2026, 01:30 EDT");
        assert_eq!(read(&clock, second("2026-11-01T06:30:00Z")), "Sun 1 Nov 2026, 01:30 EST");
    }

    #[test]
    fn points_have_exact_times_and_numbers() {
        let frame = Frame {
            from: 1000,
            to: 1000 + 4 * DAY,
            step: Some(DAY),
            covered: 900,
            unit: Some(Unit::Hectopascal),
            over_time: OverTime::Mean,
        };
        let day = |at, length, value, least, most| Point { at, length, value, least, most };
        let points = [
            day(1200, DAY, 1_013.266_666, 1009.5, 1017.25),
            day(1200 + DAY, DAY + 3600, 1012.0, 1012.0, 1012.0),
            day(4800 + 2 * DAY, DAY, -0.000_123_4, -3.0, 2e-9),
        ];
        let latest = Point::single(1000 + 4 * DAY - 60, 1_013.25);
        let plot = Plot::of(&points, Some(latest), frame);
        let readout = Readout::of(&plot, 2, &TimeZone::UTC);
        assert_eq!(
            readout.points,
            "+200 1,013.27 1,009.5 1,017.25;1,012 - - 90000;\
             +90000 0 −3 2e-9;+168940 1,013.25 - - 0"
        );
        assert_eq!(
            (readout.length, &*readout.aggregate, &*readout.suffix),
            (DAY, "mean of", " hPa")
        );
        for (over_time, aggregate) in [
            (OverTime::Circular, "mean direction of"),
            (OverTime::Sum, "total of"),
            (OverTime::Increase, "increase over"),
            (OverTime::Max, "highest of"),
            (OverTime::Last, ""),
        ] {
            let plot = Plot { frame: Frame { over_time, ..frame }, ..plot.clone() };
            assert_eq!(Readout::of(&plot, 2, &TimeZone::UTC).aggregate, aggregate);
        }
    }

    #[test]
    fn single_observations_have_their_times_from_the_start_of_the_window_on() {
        let frame = Frame {
            from: 1000,
            to: 2000,
            step: None,
            covered: 900,
            unit: Some(Unit::Percent),
            over_time: OverTime::Mean,
        };
        let single = |at, value| Point::single(at, value);
        let points = [single(1000, 5.0), single(1300, 6.0)];
        for (latest, expected) in [
            (None, "+0 5;+300 6"),
            (Some(single(1300, 6.0)), "+0 5;+300 6"),
            // The latest observation in another form, such as another unit's rounding.
            (Some(single(1300, 6.01)), "+0 5;+300 6"),
            (Some(single(1400, 7.0)), "+0 5;+300 6;+100 7"),
        ] {
            let readout = Readout::of(&Plot::of(&points, latest, frame), 2, &TimeZone::UTC);
            assert_eq!((&*readout.points, readout.length), (expected, 0));
        }
    }

    #[test]
    fn number_keeps_the_digits_of_a_sensor() {
        for (number, expected) in [
            (30.05, "30.05"),
            (1013.25, "1,013.25"),
            (12.100_000_000_000_001, "12.1"),
            (0.000_12, "0.00012"),
            (0.0, "0"),
            (-4.5, "−4.5"),
            (1_234_567.0, "1,234,567"),
            (12_345_678.0, "12,345,678"),
            (1.5e300, "1.5e300"),
        ] {
            assert_eq!(exact(number), expected);
        }
        assert_eq!([displayed(30.05), displayed(-1.5e-9)], ["30.05", "−1.5 × 10⁻⁹"]);
    }
}
