//! Processor time of idle replicas, and of the database under three replicas and four.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use hostile::cluster::Cluster;
use hostile::config::{Config, Source};
use hostile::proc::cpu_time;
use hostile::target::Target;

/// Number of sources of idle servers.
const IDLE_SOURCES: usize = 12;

/// Interval of the sources of idle servers, which are polled once.
const NEVER: Duration = Duration::from_secs(24 * 3600);

/// Interval of the sources under load.
const INTERVAL: Duration = Duration::from_secs(20);

/// Time after a start that is not measured.
const SETTLING: Duration = Duration::from_secs(20);

/// Processor time in milliseconds a second.
#[derive(Default)]
struct Used {
    /// Processor time of one replica, on average.
    replica: f64,
    /// Processor time of all processes of the database.
    database: f64,
}

/// Appends the tables.
pub fn measure(
    binary: &Path,
    sources: usize,
    seconds: u64,
    report: &mut String,
) -> Result<(), Box<dyn Error>> {
    let time = Duration::from_secs(seconds);
    let single = single(binary, time)?;
    let idle = Cluster::start(binary, 3, IDLE_SOURCES, NEVER);
    let idle = used(&idle, time);
    writeln!(
        report,
        "## Processor time\n\nMilliseconds a second, over {seconds} s each.\n\n\
         | | a replica | the database |\n| --- | --- | --- |\n\
         | a single server at rest, {IDLE_SOURCES} sources | {single:.2} | |\n\
         | three replicas at rest, {IDLE_SOURCES} sources | {:.2} | {:.2} |",
        idle.replica, idle.database,
    )?;
    let mut cluster = Cluster::start(binary, 3, sources, INTERVAL);
    cluster.wait_for_holders(&["a", "b", "c"]);
    let three = used(&cluster, time);
    cluster.add("d").start();
    cluster.wait_for_holders(&["a", "b", "c", "d"]);
    let four = used(&cluster, time);
    let interval = INTERVAL.as_secs();
    for (count, used) in [("three", &three), ("four", &four)] {
        writeln!(
            report,
            "| {count} replicas, {sources} sources each {interval} s | {:.2} | {:.2} |",
            used.replica, used.database,
        )?;
    }
    writeln!(
        report,
        "\nA fourth replica costs the database {:.2} times the processor time of three.",
        four.database / three.database
    )?;
    Ok(())
}

/// Returns the processor time of a server without a database, in milliseconds a second.
fn single(binary: &Path, time: Duration) -> Result<f64, Box<dyn Error>> {
    let source = |number| {
        Source::json(&format!("s{number}"), "http://127.0.0.1:9/")
            .value("level", "/level", "%")
            .set("interval", "1d")
    };
    let server =
        Target::start(binary, Config::http().open().sources((0..IDLE_SOURCES).map(source)))?;
    thread::sleep(SETTLING);
    let (begun, before) = (Instant::now(), cpu_time(server.process()));
    thread::sleep(time);
    Ok(a_second(cpu_time(server.process()) - before, begun))
}

fn used(cluster: &Cluster, time: Duration) -> Used {
    thread::sleep(SETTLING);
    let replicas =
        || -> Duration { cluster.replicas.iter().map(|it| cpu_time(it.process())).sum() };
    let (begun, before) = (Instant::now(), (replicas(), cluster.server.cpu_time()));
    thread::sleep(time);
    Used {
        replica: a_second(replicas() - before.0, begun) / cluster.replicas.len() as f64,
        database: a_second(cluster.server.cpu_time() - before.1, begun),
    }
}

fn a_second(used: Duration, begun: Instant) -> f64 {
    used.as_secs_f64() * 1e3 / begun.elapsed().as_secs_f64()
}
