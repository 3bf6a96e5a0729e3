//! A dense history: a year of single observations, so that queries have rows to scan.

use std::io;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use pumphouse_web::board::{Change, Finite, Sample};
use pumphouse_web::history::{DAY, StoreError, import};
use pumphouse_web::units::Unit;

/// A year of observations of `site.level`.
#[derive(Debug, Clone, Copy)]
pub struct DenseHistory {
    /// Seconds between two observations.
    pub interval: usize,
}

/// Days that the observations cover; raw rows are kept for longer than that.
const DAYS: i64 = 365;

impl DenseHistory {
    /// Observations that a scan joins: almost as many as the server allows.
    const SCANNED: usize = 490_000;

    /// Returns a query that scans as many rows as the server allows: its step is no multiple of a
    /// quarter of an hour, so no rollup can answer it, and its points are few enough to be
    /// rendered before the response begins, for HEAD, too.
    pub fn scan(self) -> String {
        let days = (DenseHistory::SCANNED * self.interval / DAY as usize).min(DAYS as usize);
        format!("/api/v1/history?field=site.level&days={days}&step=20000")
    }

    /// A response of about 200 KB that costs a server little to make, and is in memory as a whole.
    pub const LARGE: &str = "/api/v1/history?field=site.level&days=20";

    /// A download of every row, of tens of bytes each.
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

    /// Writes a reading of `site` from just now, of so many fields beside the level, as if kept from
    /// before a restart: its page shows a figure for each.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn keep_reading(fields: usize, database: &Path) -> io::Result<()> {
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

    /// Returns the `[[source]]` table of `site`, whose upstream refuses connections.
    pub fn source(self) -> &'static str {
        "[[source]]\nname = \"site\"\nkind = \"json\"\nurl = \"http://127.0.0.1:9/\"\n\
         interval = \"1h\"\nvalues = { level = { pointer = \"/level\", unit = \"%\" } }\n"
    }
}

fn sample(at: i64) -> Option<Sample> {
    Some(Sample {
        source: "site".into(),
        field: "level".into(),
        at: Timestamp::from_second(at).ok()?,
        value: Finite::new((at % 997) as f64 / 10.0)?,
        unit: Some(Unit::Percent),
    })
}
