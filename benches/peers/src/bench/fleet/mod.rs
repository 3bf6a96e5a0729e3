//! Fleets: cost of a source among 30, 300, 3,000 and 10,000, effect of hung ones, and cost of rules.
//!
//! Three servers run at the same time, so that other load on the machine affects all of them alike:
//! few sources with a short interval against many with a long one, at about as many polls a second.
//! Each has an upstream of its own in this process.

mod figures;
mod http;
mod names;
mod rules;
mod server;
mod upstream;

use std::error::Error;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use self::figures::{FleetFigures, HungFigures, PageFigures, ScrapeFigures, SizeFigures};
use self::server::{FleetServer, Site};
use self::upstream::{Upstream, evenness};
use crate::load::{self, Load};
use crate::median::median;
use crate::servers::{Places, Server};

/// Numbers of sources. The goals compare the first and the third.
const SIZES: [usize; 4] = [30, 300, 3_000, 10_000];

/// Timeout of a source that hangs, or half of its interval if that is shorter.
const TIMEOUT: Duration = Duration::from_secs(10);

const GZIP: &str = "Accept-Encoding: gzip\r\n";

/// Settings of the measurement.
pub struct Settings {
    /// Largest number of sources.
    pub largest: usize,
    /// Interval of the largest fleets, and length of their measurement.
    pub interval: Duration,
    /// Program that records a day of samples; `None`: the fleets begin without.
    pub recorder: Option<PathBuf>,
}

/// A server of a fleet, and its upstream.
struct Fleet {
    site: Site,
    sources: usize,
    interval: Duration,
    has_day: bool,
    check_millis: f64,
    upstream: Upstream,
    running: FleetServer,
}

/// Polls and processor time in a span.
struct Span {
    polls: u64,
    cpu: Duration,
    begun: Instant,
}

pub fn measure(places: &Places, settings: &Settings) -> Result<FleetFigures, Box<dyn Error>> {
    let sizes = SIZES.map(|size| size.min(settings.largest));
    let second = Duration::from_secs(1);
    let intervals =
        [second, (settings.interval / 6).max(second), settings.interval, settings.interval];
    let empty = Site::create(places, "fleet-empty", "")?.start()?;
    let start = |at: usize| -> io::Result<Fleet> {
        Fleet::start(places, settings, sizes[at], intervals[at], "")
    };
    let fleets = (0..3).map(start).collect::<io::Result<Vec<Fleet>>>()?;
    eprintln!("fleets of {:?} sources: first polls", &sizes[..3]);
    std::thread::sleep(settings.interval + second);
    eprintln!("  {} s of polls", settings.interval.as_secs());
    let idle = Span::of(None, &empty.server);
    let spans: Vec<Span> = fleets.iter().map(Fleet::begin).collect();
    std::thread::sleep(settings.interval);
    let idle_share =
        idle.cpu_since(&empty.server).as_secs_f64() / idle.begun.elapsed().as_secs_f64();
    drop(empty);
    let mut sizes_measured: Vec<Result<SizeFigures, (usize, String)>> = Vec::new();
    let ended: Vec<SizeFigures> =
        fleets.iter().zip(&spans).map(|(fleet, span)| fleet.end(span, idle_share)).collect();
    let mut large = None;
    for (fleet, mut figures) in fleets.into_iter().zip(ended) {
        fleet.measure_pages(settings, &mut figures)?;
        sizes_measured.push(Ok(figures));
        large = Some(fleet);
    }
    let large = large.ok_or("no fleet")?;
    let hung = measure_hung(places, settings, &large).map_err(|error| error.to_string());
    let start = measure_start(large).map_err(|error| error.to_string());
    let (largest, scrape) =
        match measure_largest(places, settings, sizes[3], intervals[3], idle_share) {
            Ok((figures, scrape)) => (Ok(figures), Ok(scrape)),
            Err(error) => (Err((sizes[3], error.to_string())), Err(error.to_string())),
        };
    sizes_measured.push(largest);
    let rules = rules::measure(places, settings).map_err(|error| error.to_string());
    Ok(FleetFigures { sizes: sizes_measured, hung, start, scrape, rules, idle_share })
}

impl Fleet {
    fn start(
        places: &Places,
        settings: &Settings,
        sources: usize,
        interval: Duration,
        rules: &str,
    ) -> io::Result<Fleet> {
        let upstream = Upstream::start()?;
        let timeout = TIMEOUT.min(interval);
        let tables = names::tables(sources, upstream.address, interval, timeout) + rules;
        let site =
            Site::create(places, &format!("fleet-{sources}-{}", upstream.address.port()), &tables)?;
        // A day of the largest fleet would take longer than all the rest.
        let recorder = settings.recorder.as_deref().filter(|_| sources < SIZES[3]);
        if let Some(recorder) = recorder {
            eprintln!("recording a day of {sources} sources");
            record_day(recorder, &site.folder, sources)?;
        }
        let check_millis = site.check_millis()?;
        let running = site.start()?;
        let has_day = recorder.is_some();
        Ok(Fleet { site, sources, interval, has_day, check_millis, upstream, running })
    }

    /// Begins a measurement of polls.
    fn begin(&self) -> Span {
        self.upstream.take_polls();
        self.running.take_max_threads();
        Span::of(Some(&self.upstream), &self.running.server)
    }

    /// Ends a measurement of polls.
    fn end(&self, span: &Span, idle_share: f64) -> SizeFigures {
        let cpu = span.cpu_since(&self.running.server);
        let now = Instant::now();
        let taken = now.duration_since(span.begun).as_secs_f64();
        let polls = self.upstream.count() - span.polls;
        let cpu = (cpu.as_secs_f64() - idle_share * taken).max(0.0);
        let memory_kib = self.running.server.memory();
        // Whole intervals, so that each tenth of an interval is covered equally often.
        let intervals = (taken / self.interval.as_secs_f64() + 0.01).floor();
        let until = span.begun + self.interval.mul_f64(intervals);
        let polled = self.upstream.take_polls();
        let evenness = (intervals >= 1.0)
            .then(|| evenness(&polled, self.sources, self.interval, (span.begun, until)));
        SizeFigures {
            sources: self.sources,
            interval_seconds: self.interval.as_secs_f64(),
            has_day: self.has_day,
            check_millis: self.check_millis,
            threads: self.running.take_max_threads(),
            memory_kib,
            cpu_micros: cpu * 1e6 / polls.max(1) as f64,
            polls_per_second: polls as f64 / taken,
            evenness,
            dropped: None,
            page: PageFigures::NONE,
            status: PageFigures::NONE,
        }
    }

    fn measure_pages(&self, settings: &Settings, figures: &mut SizeFigures) -> io::Result<()> {
        let metrics = http::get(self.running.admin, "/metrics", "")?.body;
        figures.dropped = counter(&metrics, "pumphouse_history_dropped_total ");
        figures.page = page(&self.running, "/", settings)?;
        figures.status = page(&self.running, "/api/v1/status", settings)?;
        eprintln!(
            "  {:>5} sources: {:.2} ms/poll, {:.1} polls/s, {} threads, {} MiB, / {} KiB in {:.1} ms",
            figures.sources,
            figures.cpu_micros / 1e3,
            figures.polls_per_second,
            figures.threads,
            figures.memory_kib / 1024,
            figures.page.bytes / 1024,
            figures.page.p99
        );
        Ok(())
    }
}

impl Span {
    fn of(upstream: Option<&Upstream>, server: &Server) -> Span {
        let polls = upstream.map_or(0, Upstream::count);
        Span { polls, cpu: server.cpu(), begun: Instant::now() }
    }

    fn cpu_since(&self, server: &Server) -> Duration {
        server.cpu().saturating_sub(self.cpu)
    }
}

impl PageFigures {
    const NONE: PageFigures = PageFigures { bytes: 0, p99: f64::NAN, per_second: f64::NAN };
}

fn record_day(recorder: &Path, folder: &Path, sources: usize) -> io::Result<()> {
    let mut command = Command::new(recorder);
    command.arg(folder.join("pumphouse.db")).stdin(Stdio::piped());
    let mut child = crate::servers::spawn(&mut command)?;
    let mut names = child.stdin.take().ok_or_else(|| io::Error::other("no standard input"))?;
    names.write_all(names::lines(sources).as_bytes())?;
    drop(names);
    if child.wait()?.success() { Ok(()) } else { Err(io::Error::other("cannot record a day")) }
}

/// Returns the value of a metric without labels.
fn counter(metrics: &[u8], name: &str) -> Option<u64> {
    let text = std::str::from_utf8(metrics).ok()?;
    text.lines().find_map(|line| line.strip_prefix(name))?.parse().ok()
}

fn load_of(server: &FleetServer, path: &'static str, connections: usize, time: Duration) -> Load {
    let address = server.server.address;
    Load { address, tls: None, path, fields: GZIP, connections, keep_alive: true, time }
}

/// Length of one measurement of a path.
fn page_time(settings: &Settings) -> Duration {
    settings.interval / 20
}

fn page(server: &FleetServer, path: &'static str, settings: &Settings) -> io::Result<PageFigures> {
    let bytes = http::get(server.server.address, path, GZIP)?.body.len();
    let mut outcome = load::run(&load_of(server, path, 2, page_time(settings)))?;
    Ok(PageFigures { bytes, p99: outcome.quantile(0.99), per_second: outcome.per_second() })
}

/// Starts as many sources as `well` has, with its kept values, whose upstream never answers.
fn measure_hung(
    places: &Places,
    settings: &Settings,
    well: &Fleet,
) -> Result<HungFigures, Box<dyn Error>> {
    let interval = (settings.interval / 3).max(Duration::from_secs(2));
    let upstream = Upstream::start_hung()?;
    let tables = names::tables(well.sources, upstream.address, interval, TIMEOUT.min(interval / 2));
    let site = Site::create(places, "fleet-hung", &tables)?;
    server::copy("pumphouse.last.json", &well.site.folder, &site.folder)?;
    let hung = site.start()?;
    eprintln!("{} sources that hang", well.sources);
    // By then each source has been polled, and many are in the middle of their timeout.
    std::thread::sleep(interval);
    upstream.take_polls();
    hung.take_max_threads();
    let begun = Instant::now();
    let mut ratios = Vec::new();
    while begun.elapsed() < interval * 2 {
        let p99 = |server: &FleetServer| -> io::Result<f64> {
            Ok(load::run(&load_of(server, "/", 2, page_time(settings)))?.quantile(0.99))
        };
        let baseline = p99(&well.running)?;
        ratios.push(p99(&hung)? / baseline);
    }
    let end = begun + interval * 2;
    let polls = upstream.take_polls();
    Ok(HungFigures {
        sources: well.sources,
        threads: hung.take_max_threads(),
        memory_kib: hung.server.memory(),
        evenness: evenness(&polls, well.sources, interval, (begun, end)),
        p99_over_well: median(ratios),
    })
}

/// Stops the server and measures starts in its folder.
fn measure_start(fleet: Fleet) -> io::Result<(usize, f64)> {
    let Fleet { site, sources, running, .. } = fleet;
    drop(running);
    eprintln!("starts with {sources} sources");
    let starts = (0..3).map(|_| site.millis_to_first_byte()).collect::<io::Result<Vec<f64>>>()?;
    Ok((sources, median(starts)))
}

fn measure_largest(
    places: &Places,
    settings: &Settings,
    sources: usize,
    interval: Duration,
    idle_share: f64,
) -> Result<(SizeFigures, ScrapeFigures), Box<dyn Error>> {
    eprintln!("a fleet of {sources} sources");
    let fleet = Fleet::start(places, settings, sources, interval, "")?;
    std::thread::sleep(interval + Duration::from_secs(1));
    let span = fleet.begin();
    std::thread::sleep(interval / 3);
    let mut figures = fleet.end(&span, idle_share);
    fleet.measure_pages(settings, &mut figures)?;
    let scrape = measure_scrapes(settings, &fleet)?;
    Ok((figures, scrape))
}

fn measure_scrapes(settings: &Settings, fleet: &Fleet) -> io::Result<ScrapeFigures> {
    let admin = fleet.running.admin;
    let mut scrapes = Vec::new();
    for _ in 0..3 {
        scrapes.push(http::get(admin, "/metrics", "")?);
        // A page is rendered once a second.
        std::thread::sleep(Duration::from_millis(1100));
    }
    let scoreboard = http::get(admin, "/scoreboard", "")?;
    let ping = || -> io::Result<f64> {
        Ok(load::run(&load_of(&fleet.running, "/ping", 2, page_time(settings)))?.quantile(0.99))
    };
    let (mut ratios, mut during) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let without = ping()?;
        let ended = AtomicBool::new(false);
        let with = std::thread::scope(|scope| {
            scope.spawn(|| {
                while !ended.load(Ordering::Relaxed) {
                    // A scrape that fails was reported above.
                    let _ = http::get(admin, "/metrics", "");
                    std::thread::sleep(Duration::from_millis(100));
                }
            });
            let with = ping();
            ended.store(true, Ordering::Relaxed);
            with
        })?;
        ratios.push(with / without);
        during.push(with);
    }
    Ok(ScrapeFigures {
        sources: fleet.sources,
        millis: median(scrapes.iter().map(|scrape| scrape.millis).collect()),
        bytes: scrapes.first().map_or(0, |scrape| scrape.body.len()),
        scoreboard_bytes: scoreboard.body.len(),
        scoreboard_millis: scoreboard.millis,
        light_p99_ratio: median(ratios),
        light_p99: median(during),
    })
}
