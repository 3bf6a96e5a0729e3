//! The same history in a file and in PostgreSQL: copies, queries and the drain of a spool.

use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use hostile::client::read_response;
use hostile::cluster::{Cluster, Replica, eventually};
use hostile::config::{Config, Source};
use hostile::postgres::Postgres;
use hostile::program;
use hostile::target::Target;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use pumphouse_web::board::{Change, Finite, Sample};
use pumphouse_web::history::{DAY, import};
use pumphouse_web::units::Unit;

/// Number of series.
const SERIES: usize = 20;

/// Seconds between observations.
const INTERVAL: i64 = 300;

/// Number of times that each query runs; the median counts.
const ROUNDS: usize = 41;

/// Windows of the queries, in hours.
const WINDOWS: [(&str, i64); 6] = [
    ("6 h", 6),
    ("24 h", 24),
    ("7 d", 7 * 24),
    ("30 d", 30 * 24),
    ("90 d", 90 * 24),
    ("1 y", 8760),
];

/// Sources that fill the spool, each with [`SERIES`] values a second.
const SPOOLED_SOURCES: usize = 50;

/// Time that the database is stopped while the spool fills.
const OUTAGE: Duration = Duration::from_secs(30);

/// Appends the tables.
pub fn measure(binary: &Path, days: i64, report: &mut String) -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let (file, back) = (folder.path().join("pumphouse.db"), folder.path().join("back.db"));
    let rows = fill(&file, days)?;
    let server = Postgres::start();
    let database = server.database();
    file_config(&file).write(folder.path());
    let to_server = copy(binary, folder.path(), &database.socket_url)?;
    let stored = server_config(&database.url);
    stored.write(folder.path());
    let to_file = copy(binary, folder.path(), &back.to_string_lossy())?;
    let rate = |took: Duration| rows as f64 / took.as_secs_f64();
    writeln!(
        report,
        "## History\n\n{days} days of {SERIES} series, an observation each {INTERVAL} s, {rows} rows. `history copy` \
         wrote {:.0} of them a second into PostgreSQL, and {:.0} a second back into a file.\n",
        rate(to_server),
        rate(to_file),
    )?;
    let single = Target::start(binary, file_config(&file))?;
    let mut replica = Replica::new("a", binary, folder.path(), stored);
    replica.start();
    queries(single.address, replica.address, days, report)?;
    drop(replica);
    let (waited, took) = drain(binary)?;
    writeln!(
        report,
        "\nAfter the database had been stopped for {} s, {waited} records of {SERIES} observations waited in \
         the spool of one replica. They were written in {:.1} s, {:.0} observations a second, beside new ones.\n",
        OUTAGE.as_secs(),
        took.as_secs_f64(),
        waited * SERIES as f64 / took.as_secs_f64(),
    )?;
    Ok(())
}

/// Writes a file with `days` of observations up to now, a month in each import.
fn fill(path: &Path, days: i64) -> Result<u64, Box<dyn Error>> {
    let now = Timestamp::now().as_second() / INTERVAL * INTERVAL;
    let mut rows = 0;
    for from in (now - days * DAY..now).step_by(30 * DAY as usize) {
        let to = (from + 30 * DAY).min(now);
        let times = (from..to).step_by(INTERVAL as usize);
        rows += import(path, &TimeZone::UTC, times.map(observations))?;
    }
    Ok(rows)
}

/// Returns an observation of each series, with as many digits as sensors have.
fn observations(at: i64) -> Change {
    let sample = |number: usize| {
        let phase = at as f64 / DAY as f64 * std::f64::consts::TAU + number as f64;
        let value = (500.0 + 400.0 * phase.sin() + (at * 7 % 13) as f64).round() / 10.0;
        let at = Timestamp::from_second(at).ok()?;
        let field = format!("field_{number}").into();
        Some(Sample::new("site".into(), field, at, Finite::new(value)?, Some(Unit::Percent)))
    };
    Change::Observed((0..SERIES).filter_map(sample).collect())
}

fn file_config(file: &Path) -> Config {
    site().set("history.path", file.to_string_lossy())
}

fn server_config(url: &str) -> Config {
    site().set("store.url", url)
}

/// Returns a configuration of the recorded source, which is never polled again.
fn site() -> Config {
    let source = Source::json("site", "http://127.0.0.1:9/").set("interval", "1h");
    let source = (0..SERIES).fold(source, |source, number| {
        source.value(&format!("field_{number}"), &format!("/{number}"), "%")
    });
    Config::http().open().set("site.timezone", "UTC").source(source)
}

/// Copies the history of the configuration in a folder; returns the time.
fn copy(binary: &Path, folder: &Path, to: &str) -> Result<Duration, Box<dyn Error>> {
    let begun = Instant::now();
    let mut command = Command::new(binary);
    command.args(["history", "copy", "--config", "pumphouse.toml", "--to", to]);
    program::run(command.current_dir(folder), "")?;
    Ok(begun.elapsed())
}

/// Appends a table of queries that both servers answer by turns, each over one connection.
fn queries(
    single: SocketAddr,
    replica: SocketAddr,
    days: i64,
    report: &mut String,
) -> Result<(), Box<dyn Error>> {
    writeln!(report, "| window | points | SQLite | PostgreSQL | ratio |")?;
    writeln!(report, "| --- | --- | --- | --- | --- |")?;
    let mut connections = [TcpStream::connect(single)?, TcpStream::connect(replica)?];
    for connection in &connections {
        connection.set_nodelay(true)?;
        connection.set_read_timeout(Some(Duration::from_secs(20)))?;
    }
    for connection in &mut connections {
        // A history is opened after the start.
        let opened = "/api/v1/history?field=site.field_0&hours=1";
        eventually("the history is served", || query(connection, opened).is_ok());
    }
    for (name, hours) in WINDOWS.into_iter().filter(|(_, hours)| *hours <= days * 24) {
        let mut times = [const { Vec::new() }; 2];
        let mut points = [0; 2];
        for round in 0..ROUNDS {
            let number = round % SERIES;
            let target = format!("/api/v1/history?field=site.field_{number}&hours={hours}");
            for at in 0..2 {
                let begun = Instant::now();
                points[at] = query(&mut connections[at], &target)?;
                times[at].push(begun.elapsed());
            }
        }
        if points[0] != points[1] {
            return Err(format!("the stores have {points:?} points of {name}").into());
        }
        let [file, server] = times.map(|mut times| {
            times.sort_unstable();
            times[times.len() / 2].as_secs_f64() * 1e3
        });
        let (points, ratio) = (points[0], server / file);
        writeln!(report, "| {name} | {points} | {file:.2} ms | {server:.2} ms | {ratio:.2} |")?;
    }
    Ok(())
}

/// Requests a history; returns the number of its points.
fn query(connection: &mut TcpStream, target: &str) -> Result<usize, Box<dyn Error>> {
    write!(connection, "GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    let response = String::from_utf8(read_response(connection)?)?;
    if !response.starts_with("HTTP/1.1 200 ") {
        return Err(format!("{target}: {response}").into());
    }
    Ok(response.matches("{\"at\":").count())
}

/// Fills the spool of a replica, and lets it be drained; returns the number of records and the time.
fn drain(binary: &Path) -> Result<(f64, Duration), Box<dyn Error>> {
    const ROWS: &str = "pumphouse_spool_rows";
    let mut cluster = Cluster::new(binary, SPOOLED_SOURCES, Duration::from_secs(1));
    let upstream = cluster.upstream.url("all");
    let sources = cluster.sources.iter().map(|name| {
        let source = Source::json(name, &upstream).set("interval", "1s");
        (0..SERIES).fold(source, |source, number| source.value(&format!("v{number}"), "/count", ""))
    });
    let config = Config::new().open().set("store.url", cluster.database.url.as_str());
    let config = config.sources(sources);
    let replica = cluster.add("a");
    replica.configure(config);
    replica.start();
    let replica = &cluster.replicas[0];
    thread::sleep(Duration::from_secs(10));
    cluster.server.pause();
    thread::sleep(OUTAGE);
    cluster.server.resume();
    let (begun, mut waited) = (Instant::now(), replica.metric(ROWS));
    let mut present = waited;
    while present > 0.0 || waited == 0.0 {
        if begun.elapsed() > Duration::from_secs(120) {
            return Err(format!("{present} of {waited} records still wait").into());
        }
        thread::sleep(Duration::from_millis(50));
        present = replica.metric(ROWS);
        waited = waited.max(present);
    }
    Ok((waited, begun.elapsed()))
}
