//! Measures the cost of years of history.
//!
//! Fills one database with ten years of twenty series and another one with a month of them, and
//! queries both by turns. Then it replays a rule on each of the twenty series over all years. `make bench` runs it.
#![allow(clippy::print_stdout)] // The table is printed.

mod rules;

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use argh::FromArgs;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use pumphouse_web::board::{Change, Finite, Sample};
use pumphouse_web::history::{DAY, History, Step, Window, import};
use pumphouse_web::units::Unit;

/// Measure the cost of years of history.
#[derive(FromArgs)]
struct Arguments {
    /// years in the large database (default 10)
    #[argh(option, default = "10")]
    years: i64,

    /// number of series in both databases (default 20)
    #[argh(option, default = "20")]
    series: usize,

    /// report goals of speed, but do not fail for them: for a short run on a busy machine
    #[argh(switch)]
    untimed: bool,

    /// file to which the table is written, too
    #[argh(option)]
    output: Option<PathBuf>,
}

/// Seconds between observations.
const INTERVAL: i64 = 300;

/// Number of times that each query runs; the median counts.
const ROUNDS: usize = 41;

/// Largest ratio of a query of any window to a query of a month in the database of a month.
const GOAL: f64 = 2.0;

/// Fixed current time, so that the result does not depend on the clock.
const NOW: i64 = 1_790_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Arguments = argh::from_env();
    let folder = tempfile::tempdir()?;
    let (large, small) = (folder.path().join("years.db"), folder.path().join("month.db"));
    let begun = Instant::now();
    let rows = fill(&large, arguments.series, arguments.years * 365 * DAY)?;
    let took = begun.elapsed();
    fill(&small, arguments.series, 31 * DAY)?;
    let bytes = std::fs::metadata(&large)?.len();
    let mut report = String::new();
    writeln!(
        report,
        "{} years of {} series, an observation each {INTERVAL} s: {rows} rows, written at {:.0} a \
         second into {:.0} MB, {:.1} bytes for each with its rollups.\n",
        arguments.years,
        arguments.series,
        rows as f64 / took.as_secs_f64(),
        bytes as f64 / 1e6,
        bytes as f64 / rows as f64,
    )?;
    let (large, small) = (open(&large), open(&small));
    let mut missed = false;
    writeln!(report, "| window | points | median | ratio to a month in a database of a month | |")?;
    writeln!(report, "| --- | --- | --- | --- | --- |")?;
    for (name, days) in [
        ("6 h", 0.25),
        ("24 h", 1.0),
        ("3 d", 3.0),
        ("7 d", 7.0),
        ("30 d", 30.0),
        ("90 d", 90.0),
        ("1 y", 365.0),
        ("10 y", 3650.0),
    ] {
        let length = (days * DAY as f64) as i64;
        let (mut times, mut baseline) = (Vec::new(), Vec::new());
        let mut points = 0;
        for round in 0..ROUNDS {
            let series = round % arguments.series;
            let (time, count) = query(&large, series, length)?;
            times.push(time);
            points = count;
            baseline.push(query(&small, series, 30 * DAY)?.0);
        }
        let (median, month) = (median(&mut times), median(&mut baseline));
        let ratio = median.as_secs_f64() / month.as_secs_f64();
        missed |= ratio > GOAL;
        let verdict = if ratio > GOAL { "MISSED" } else { "reached" };
        writeln!(
            report,
            "| {name} | {points} | {:.2} ms | {ratio:.2} of {:.2} ms, wanted ≤ {GOAL} | {verdict} |",
            median.as_secs_f64() * 1e3,
            month.as_secs_f64() * 1e3,
        )?;
    }
    let peak_before = peak_memory()?;
    let year = read_all(&large, 365 * DAY)?;
    writeln!(
        report,
        "\nWhile a year of raw observations was read, {year} rows, the process grew by {} KiB.",
        peak_memory()?.saturating_sub(peak_before),
    )?;
    missed |= rules::measure(&large, arguments.series, arguments.years, &mut report)?;
    println!("{report}");
    if let Some(output) = &arguments.output {
        let text =
            format!("# The cost of years of history\n\nMeasured by `make bench`.\n\n{report}");
        std::fs::write(output, text)
            .map_err(|error| format!("cannot write {}: {error}", output.display()))?;
    }
    if missed && !arguments.untimed { Err("a goal was missed".into()) } else { Ok(()) }
}

/// Writes a database with `length` seconds of observations up to now, a month in each import.
fn fill(path: &Path, series: usize, length: i64) -> Result<u64, Box<dyn Error>> {
    let mut rows = 0;
    let mut from = NOW - length;
    while from < NOW {
        let to = (from + 30 * DAY).min(NOW);
        let changes = (from..to).step_by(INTERVAL as usize).map(|at| observations(at, series));
        rows += import(path, &TimeZone::UTC, changes)?;
        from += (to - from) / INTERVAL * INTERVAL;
        if to == NOW {
            break;
        }
    }
    Ok(rows)
}

/// Returns an observation of each series, with as many digits as sensors have.
fn observations(at: i64, series: usize) -> Change {
    let sample = |number: usize| {
        let phase = at as f64 / 86_400.0 * std::f64::consts::TAU + number as f64;
        let value = (500.0 + 400.0 * phase.sin() + (at * 7 % 13) as f64).round() / 10.0;
        Some(Sample::new(
            "site".into(),
            format!("field_{number}").into(),
            Timestamp::from_second(at).ok()?,
            Finite::new(value)?,
            Some(Unit::Percent),
        ))
    };
    Change::Observed((0..series).filter_map(sample).collect())
}

fn open(path: &Path) -> History {
    History::read_only(path, TimeZone::UTC)
}

fn window(series: usize, length: i64, step: Step) -> Window {
    let (source, field) = ("site".to_owned(), format!("field_{series}"));
    Window { source, field, from: NOW - length, to: NOW, step }
}

/// Queries a window; returns the time and the number of points.
fn query(
    history: &History,
    series: usize,
    length: i64,
) -> Result<(Duration, usize), Box<dyn Error>> {
    let begun = Instant::now();
    let points = history.points(window(series, length, Step::Auto))?;
    let count = points.ok_or("the series does not exist")?.map_while(Result::ok).count();
    Ok((begun.elapsed(), count))
}

fn read_all(history: &History, length: i64) -> Result<usize, Box<dyn Error>> {
    let points = history.points(window(0, length, Step::Raw))?;
    Ok(points.ok_or("the series does not exist")?.map_while(Result::ok).count())
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// Returns the peak resident memory of this process, KiB.
fn peak_memory() -> Result<u64, Box<dyn Error>> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
