//! A dense history: a year of raw observations, which queries have to scan.

use std::io;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use pumphouse_web::board::{Change, Finite, Sample};
use pumphouse_web::history::{DAY, StoreError, import};
use pumphouse_web::units::Unit;

use crate::config::Source;

/// A year of observations of `site.level`.
#[derive(Debug, Clone, Copy)]
pub struct DenseHistory {
    /// Seconds between two observations.
    pub interval: usize,
}

/// Days that the observations cover. Raw rows are kept for longer.
const DAYS: i64 = 365;

impl DenseHistory {
    /// Number of rows that a scan reads, just below the limit of a query.
    const SCANNED_ROWS: usize = 490_000;

    /// Returns a query that scans as many rows as the server allows. Its step is no multiple of a
    /// quarter of an hour, so that no rollup can answer it. Its points are few enough to be rendered
    /// before the response begins, also for HEAD.
    pub fn scan(self) -> String {
        let days = (DenseHistory::SCANNED_ROWS * self.interval / DAY as usize).min(DAYS as usize);
        format!("/api/v1/history?field=site.level&days={days}&step=20000")
    }

    /// Target of a response of about 200 KB, which the server renders into memory as a whole.
    pub const LARGE: &str = "/api/v1/history?field=site.level&days=20";

    /// Target of a download of every row, which the server streams.
    pub const DOWNLOAD: &str = "/api/v1/history?field=site.level&days=365&step=raw&format=csv";

    /// Writes the observations into a new database, a month in each transaction.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn fill(self, path: &Path) -> Result<(), StoreError> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
        let now = i64::try_from(now).unwrap_or_default();
        for begin in (now - DAYS * DAY..now).step_by(30 * DAY as usize) {
            let moments = (begin..(begin + 30 * DAY).min(now)).step_by(self.interval);
            let samples: Vec<Sample> = moments.filter_map(sample).collect();
            import(path, &TimeZone::UTC, [Change::Observed(samples)])?;
        }
        Ok(())
    }

    /// Writes a current reading of `site` into the file of last values, with this number of fields
    /// beside the level. The page of `site` shows a figure for each.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write_last_values(fields: usize, database: &Path) -> io::Result<()> {
        let value = |name: &str| {
            format!(r#"{{"name":"{name}","datum":{{"number":50.0}},"unit":"%","note":null}}"#)
        };
        let mut values = vec![value("level")];
        values.extend((0..fields).map(|number| value(&format!("field{number}"))));
        let now = Timestamp::now().as_second();
        let json = format!(
            r#"[{{"source":"site","kind":"json","observed_at":{now},"inferred":false,"fetched_at":{now},"values":[{}]}}]"#,
            values.join(",")
        );
        let sum = crc32fast::hash(json.as_bytes());
        let text = format!("pumphouse-web last values 1 crc32 {sum:08x}\n{json}\n");
        std::fs::write(database.with_extension("last.json"), text)
    }

    /// Returns the source `site`, whose upstream refuses connections.
    pub fn source(self) -> Source {
        Source::json("site", "http://127.0.0.1:9/")
            .value("level", "/level", "%")
            .set("interval", "1h")
    }
}

fn sample(at: i64) -> Option<Sample> {
    Some(Sample::new(
        "site".into(),
        "level".into(),
        Timestamp::from_second(at).ok()?,
        Finite::new((at % 997) as f64 / 10.0)?,
        Some(Unit::Percent),
    ))
}
