//! Replay of rules over all years.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use pumphouse_web::alert::replay::replay;
use pumphouse_web::config;
use pumphouse_web::history::{DAY, History};

use crate::{NOW, peak_memory};

/// Longest replay of all rules, in seconds.
const GOAL: f64 = 30.0;

/// Largest growth of the process during it, in KiB.
const MAX_GROWTH: u64 = 64 * 1024;

/// Conditions, which the rules have by turns: those that fire often, and those that cost most.
const CONDITIONS: [&str; 5] = [
    "below = 15",
    "above = \"85 %\"\nfor = \"30m\"\nbetween = \"22:00-07:00\"",
    "falls = 20\nwithin = \"6h\"",
    "no_rise = 60\nwithin = \"4d\"",
    "flat = \"12h\"",
];

/// Replays a rule on each series, and adds a line to the report. Returns true if a goal was missed.
pub fn measure(
    history: &History,
    series: usize,
    years: i64,
    report: &mut String,
) -> Result<bool, Box<dyn Error>> {
    let config = config::parse(Path::new("years.toml"), &text(series), &|_| None)?;
    let to = Timestamp::from_second(NOW)?;
    let from = to - SignedDuration::from_secs(years * 365 * DAY);
    let (before, begun) = (peak_memory()?, Instant::now());
    let replayed = replay(history, &config, &config.alerts, (from, to))?;
    let seconds = begun.elapsed().as_secs_f64();
    let growth = peak_memory()?.saturating_sub(before);
    let extents = replayed.alerts.iter().flat_map(|alert| &alert.extents);
    let rows: u64 = extents.filter_map(|extent| extent.rows).sum();
    let incidents: usize = replayed.alerts.iter().map(|alert| alert.incidents.len()).sum();
    let missed = seconds > GOAL || growth > MAX_GROWTH;
    writeln!(
        report,
        "\n`alert replay` of {series} rules over {years} years took {seconds:.1} s, wanted ≤ {GOAL}, and the process \
         grew by {growth} KiB, wanted ≤ {MAX_GROWTH}: {rows} observations, {incidents} incidents. {}",
        if missed { "MISSED" } else { "Reached." },
    )?;
    Ok(missed)
}

/// Returns a configuration with a rule on each series.
fn text(series: usize) -> String {
    let mut text = "[site]\ntimezone = \"America/Los_Angeles\"\n\
                    [[source]]\nname = \"site\"\nkind = \"json\"\nurl = \"http://127.0.0.1:9/\"\n"
        .to_owned();
    for number in 0..series {
        text += &format!("values.field_{number} = {{ pointer = \"/{number}\", unit = \"%\" }}\n");
    }
    for number in 0..series {
        let condition = CONDITIONS[number % CONDITIONS.len()];
        text += &format!(
            "[[alert]]\nname = \"rule_{number}\"\nfield = \"site.field_{number}\"\n{condition}\n"
        );
    }
    text
}
