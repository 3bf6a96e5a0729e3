//! The axis of time: the finest steps of local time whose labels fit.

use jiff::tz::TimeZone;

use super::text_width::width;
use super::tick::Tick;
use super::time_step::TimeStep;

/// Horizontal extent of an axis in a picture.
#[derive(Debug, Clone, Copy)]
pub(super) struct Extent {
    /// Place of the window's start.
    pub(super) left: f64,
    /// Place of the window's end.
    pub(super) right: f64,
    /// Width of the picture, which labels may not leave.
    pub(super) width: f64,
    /// Size of the font of labels.
    pub(super) font: f64,
}

/// Returns the ticks of a window of time. Where a label would overlap or leave the picture, it is empty.
pub(super) fn ticks(from: i64, to: i64, zone: &TimeZone, extent: Extent) -> Vec<Tick<i64>> {
    let place = |at: i64| {
        let share = (at - from) as f64 / (to - from).max(1) as f64;
        extent.left + share * (extent.right - extent.left)
    };
    let mut best = Vec::new();
    for step in TimeStep::ALL {
        let Some(mut ticks) = step.ticks(from, to, zone) else { continue };
        // Steps get coarser: the first without overlaps is the finest that fits. The few labels with
        // the abbreviation of the zone do not count.
        let mut plain: Vec<Tick<i64>> = ticks.clone();
        plain.iter_mut().for_each(|tick| tick.label.truncate(plain_length(&tick.label)));
        let is_fit = fit(&mut plain, place, extent, SPACED) == 0;
        fit(&mut ticks, place, extent, APART);
        let is_labelled = ticks.iter().any(|tick| !tick.label.is_empty());
        if is_labelled || best.is_empty() {
            best = ticks;
        }
        if is_fit {
            break;
        }
    }
    best
}

/// Space between the labels of a step that fits, as a multiple of the size of their font.
const SPACED: f64 = 1.4;

/// Least space between two labels.
const APART: f64 = 0.5;

/// Removes labels that leave the picture or are too close to the one before. Returns the number of the
/// latter.
fn fit(ticks: &mut [Tick<i64>], place: impl Fn(i64) -> f64, extent: Extent, gap: f64) -> usize {
    let mut end = f64::NEG_INFINITY;
    let mut overlapping = 0;
    for tick in ticks {
        let half = width(&tick.label) * extent.font / 2.0;
        let (left, right) = (place(tick.at) - half, place(tick.at) + half);
        if left < 0.0 || right > extent.width {
            tick.label.clear();
        } else if left < end + gap * extent.font {
            tick.label.clear();
            overlapping += 1;
        } else {
            end = right;
        }
    }
    overlapping
}

/// Returns the length of the time of day in a label such as `02:00 CEST`, and of all of any other label.
fn plain_length(label: &str) -> usize {
    match label.split_once(' ') {
        Some((time, _)) if time.contains(':') => time.len(),
        _ => label.len(),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::super::fixture::ZONES;
    use super::*;

    const DAY: i64 = 24 * 3600;

    /// Extents of the pages' two sizes and of the smallest and a large picture.
    const EXTENTS: [(&str, Extent); 4] = [
        ("wide", Extent { left: 60.0, right: 708.0, width: 720.0, font: 15.0 }),
        ("narrow", Extent { left: 38.0, right: 308.0, width: 320.0, font: 12.0 }),
        ("smallest", Extent { left: 46.0, right: 148.0, width: 160.0, font: 13.0 }),
        ("largest", Extent { left: 90.0, right: 2388.0, width: 2400.0, font: 13.0 }),
    ];

    fn zone(name: &str) -> TimeZone {
        TimeZone::get(name).unwrap()
    }

    fn second(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_second()
    }

    /// Returns the labels that are shown, with their moments.
    fn shown(to: &str, seconds: i64, zone: &TimeZone, extent: Extent) -> Vec<(i64, String)> {
        let to = second(to);
        let ticks = ticks(to - seconds, to, zone, extent);
        let shown = ticks.into_iter().filter(|tick| !tick.label.is_empty());
        shown.map(|tick| (tick.at, tick.label)).collect()
    }

    fn labels(to: &str, seconds: i64, zone: &TimeZone, extent: Extent) -> Vec<String> {
        shown(to, seconds, zone, extent).into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn time_ticks_are_at_round_local_times_as_dense_as_the_size_permits() {
        let zone = zone("America/Los_Angeles");
        let now = "2026-01-31T17:20:00Z";
        let [(_, wide), (_, narrow), (_, smallest), (_, largest)] = EXTENTS;
        for (extent, seconds, expected) in [
            (wide, DAY / 4, &["04:00", "05:00", "06:00", "07:00", "08:00", "09:00"][..]),
            (wide, DAY, &["12:00", "16:00", "20:00", "Sat 31", "04:00", "08:00"]),
            (wide, 3 * DAY, &["12:00", "Thu 29", "12:00", "Fri 30", "12:00", "Sat 31"]),
            (wide, 30 * DAY, &["6 Jan", "11 Jan", "16 Jan", "21 Jan", "26 Jan"]),
            (wide, 365 * DAY, &["Mar", "May", "Jul", "Sep", "Nov", "Jan 2026"]),
            (narrow, DAY / 4, &["04:00", "06:00", "08:00"]),
            (narrow, DAY, &["12:00", "18:00", "Sat 31", "06:00"]),
            (narrow, 3 * DAY, &["Thu 29", "Fri 30", "Sat 31"]),
            (narrow, 7 * DAY, &["25 Jan", "27 Jan", "29 Jan"]),
            (narrow, 30 * DAY, &["11 Jan", "21 Jan"]),
            (narrow, 365 * DAY, &["Apr", "Jul", "Oct", "Jan 2026"]),
            (smallest, DAY, &["Sat 31"]),
            (smallest, 365 * DAY, &["Jul"]),
        ] {
            assert_eq!(labels(now, seconds, &zone, extent), expected, "{extent:?} {seconds}");
        }
        assert_eq!(labels(now, 7 * DAY, &zone, wide).len(), 7);
        assert_eq!(labels(now, 365 * DAY, &zone, largest).len(), 24);
    }

    #[test]
    fn no_label_leaves_the_picture_or_overlaps_another() {
        // Around changes of the clocks, the end of a year and of a month.
        let moments = [
            "2026-01-31T17:20:00Z",
            "2026-03-08T12:00:00Z",
            "2026-04-05T03:30:00Z",
            "2026-10-25T02:00:00Z",
            "2026-11-01T12:00:00Z",
            "2027-01-01T00:10:00Z",
        ];
        let mut tried = 0;
        for name in ZONES {
            for to in moments {
                for hours in [1, 6, 24, 72, 7 * 24, 30 * 24, 365 * 24, 3650 * 24] {
                    for (size, extent) in EXTENTS {
                        let (zone, seconds) = (zone(name), hours * 3600);
                        let from = second(to) - seconds;
                        let shown = shown(to, seconds, &zone, extent);
                        let mut end = 0.0;
                        for (at, label) in &shown {
                            let share = (at - from) as f64 / seconds as f64;
                            let place = extent.left + share * (extent.right - extent.left);
                            let half = width(label) * extent.font / 2.0;
                            let context = format!("{name} {to} {hours} h {size}: {shown:?}");
                            assert!(place - half >= end, "{context}");
                            assert!(place + half <= extent.width, "{context}");
                            end = place + half;
                        }
                        assert!(
                            size == "smallest" || !shown.is_empty(),
                            "{name} {to} {hours} {size}"
                        );
                        tried += 1;
                    }
                }
            }
        }
        assert_eq!(tried, ZONES.len() * moments.len() * 8 * EXTENTS.len());
    }

    #[test]
    fn ticks_follow_a_change_of_the_clocks() {
        let [(_, wide), ..] = EXTENTS;
        for (name, to, hours, expected) in [
            // Forward at 2:00, which does not exist.
            (
                "Europe/Zurich",
                "2026-03-29T04:20:00Z",
                6,
                &["Sun 29", "01:00", "03:00", "04:00", "05:00", "06:00"][..],
            ),
            // Back at 3:00.
            (
                "Europe/Zurich",
                "2026-10-25T03:20:00Z",
                6,
                &["Sun 25", "01:00", "02:00 CEST", "02:00 CET", "03:00", "04:00"],
            ),
            (
                "America/Los_Angeles",
                "2026-11-01T22:00:00Z",
                24,
                &["16:00", "20:00", "Sun 1", "04:00", "08:00", "12:00"],
            ),
            // Forward at midnight, so the day starts at 1:00.
            (
                "America/Havana",
                "2026-03-08T09:20:00Z",
                6,
                &["23:00", "Sun 8", "02:00", "03:00", "04:00", "05:00"],
            ),
            // Back at 1:00: midnight occurs twice, and the day starts at the first.
            (
                "America/Havana",
                "2026-11-01T08:20:00Z",
                6,
                &["23:00", "Sun 1", "00:00 CST", "01:00", "02:00", "03:00"],
            ),
            // Back at midnight: 23:00 occurs twice. The zone has no abbreviations.
            (
                "America/Santiago",
                "2026-04-05T07:20:00Z",
                6,
                &["23:00 UTC−03:00", "Sun 5", "01:00", "02:00", "03:00"],
            ),
            (
                "Asia/Kathmandu",
                "2026-03-29T04:50:00Z",
                6,
                &["05:00", "06:00", "07:00", "08:00", "09:00", "10:00"],
            ),
        ] {
            let found = labels(to, hours * 3600, &zone(name), wide);
            assert_eq!(found, expected, "{name} {to}");
        }
    }
}
