//! Quarters of an hour and days in place of observations.

use super::*;

/// A tank that is full, dips below the threshold for a minute, and empties within a quarter of an hour later.
fn volumes() -> Vec<(i64, f64)> {
    (0..96 * 15)
        .map(|n| match n {
            100 => (n, 250.0),
            ..700 => (n, 600.0),
            700..720 => (n, 600.0 - (n - 700) as f64 * 15.0),
            _ => (n, 290.0),
        })
        .collect()
}

const RULES: &str = "[[alert]]\nname = \"low\"\nfield = \"tank.volume\"\nbelow = \"300 gal\"\n\
                     [[alert]]\nname = \"jump\"\nfield = \"tank.volume\"\nrises = \"100 gal\"\nwithin = \"1h\"\n";

#[test]
fn short_dip_is_found_in_quarters_and_marked() {
    let recorded = Recorded::volumes("UTC", &volumes());
    let config = config("UTC", RULES);
    let fine = recorded.replay(&config, 1500);
    assert_eq!(minutes(&fine.alerts[0]), [(100, Some(101)), (720, None)]);
    assert!(fine.alerts[0].extents[0].quarters_before.is_none());
    // The observations of the first half are deleted.
    recorded.execute(&format!("DELETE FROM raw WHERE at < {}", minute(750).as_second()));
    let coarse = recorded.replay(&config, 1500);
    let low = &coarse.alerts[0];
    // The dip is in the quarter from minute 90 to 105, and the fall in that from 720 to 735.
    let quarters: Vec<(i64, Option<i64>)> =
        minutes(low).iter().map(|(at, end)| (at / 15 * 15, end.map(|end| end / 15 * 15))).collect();
    assert_eq!(quarters, [(90, Some(90)), (720, None)]);
    assert!(low.incidents.iter().all(|incident| incident.is_from_quarters));
    assert_eq!(low.extents[0].quarters_before, Some(minute(750)));
    assert_eq!(low.extents[0].days_before, None);
    assert_eq!(low.extents[0].rows, Some(750 / 15 + 1440 - 750));
    // All observations are deleted.
    recorded.execute("DELETE FROM raw");
    let coarse = recorded.replay(&config, 1500);
    assert_eq!(coarse.alerts[0].incidents.len(), 2);
    assert_eq!(coarse.alerts[0].extents[0].rows, Some(96));
}

#[test]
fn quarters_invent_no_rise() {
    // A fall within a quarter, which has no rise.
    let volumes: Vec<(i64, f64)> =
        (0..60).map(|n| (n, if n < 37 { 600.0 } else { 400.0 })).collect();
    let recorded = Recorded::volumes("UTC", &volumes);
    recorded.execute("DELETE FROM raw");
    assert_eq!(minutes(&recorded.replay(&config("UTC", RULES), 100).alerts[1]), []);
}

#[test]
fn days_are_not_replayed() {
    let volumes: Vec<(i64, f64)> = (0..96 * 3).map(|n| (n * 15, 290.0)).collect();
    let recorded = Recorded::volumes("UTC", &volumes);
    let second: i64 = minute(2 * 1440 - 480).as_second();
    recorded.execute(&format!(
        "DELETE FROM raw WHERE at < {0}; DELETE FROM quarter WHERE at < {0}",
        second
    ));
    let replayed = recorded.replay(&config("UTC", RULES), 3 * 1440);
    let extent = &replayed.alerts[0].extents[0];
    assert_eq!(extent.days_before.map(Timestamp::as_second), Some(second));
    assert_eq!(minutes(&replayed.alerts[0]), [(2 * 1440 - 480, None)]);
}
