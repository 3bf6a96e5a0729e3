//! A site with a recorded history, and time zones, for tests of charts and pages.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::board::{Change, Finite, Sample};
use crate::history::{History, import};
use crate::site::Site;
use crate::site::fixture::{now, site_with, tank};
use crate::units::Unit;

/// Zones whose clocks differ: UTC, an hour's change, half an hour's, an offset with quarters, and a midnight that is skipped.
pub(super) const ZONES: [&str; 6] = [
    "UTC",
    "Europe/Zurich",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "America/Santiago",
    "America/Havana",
];

/// A site and the folder of its history.
pub(in crate::site) struct RecordedSite {
    pub(in crate::site) folder: tempfile::TempDir,
    pub(in crate::site) site: Site,
}

/// Returns a site with two days of a level, recorded each five minutes, with a gap of four hours.
pub(in crate::site) fn recorded_site(title: &str) -> RecordedSite {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pumphouse.db");
    let end = now().as_second() - 840;
    let times = (0..576).map(|n| end - n * 300).rev();
    let samples = times.filter(|at| !(end - 40_000..end - 25_600).contains(at)).map(|at| {
        Sample::new(
            "tank".into(),
            "level".into(),
            Timestamp::from_second(at).unwrap(),
            Finite::new(40.0 + (at / 300 % 20) as f64).unwrap(),
            Some(Unit::Percent),
        )
    });
    import(&path, &TimeZone::UTC, [Change::Observed(samples.collect())]).unwrap();
    let history = History::read_only(&path, TimeZone::UTC);
    let mut source = tank();
    source.title = title.into();
    RecordedSite { folder, site: site_with(vec![source], history) }
}
