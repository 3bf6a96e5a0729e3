//! `make bench`: pumphouse-web and other servers side by side in one run.
//!
//! Rounds are interleaved (pumphouse-web, nginx, axum, tiny_http, pumphouse-web, …), so that other
//! load on the machine affects all servers alike. Figures are medians over the rounds; ratios are
//! computed within each round. The load generator and the server share the machine.

mod far;
mod fleet;
mod idle;
mod load;
mod median;
mod pinned;
mod report;
mod servers;
mod upstream;

use std::error::Error;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use argh::FromArgs;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustls::ClientConfig;

use load::{Load, Outcome};
use median::median;
use report::{Figures, OwnFigures, RequestKind};
use servers::{Kind, Ours, Places, Server};

/// Measure pumphouse-web beside nginx, axum and tiny_http.
#[derive(FromArgs)]
struct Arguments {
    /// path of the release binary
    #[argh(option)]
    ours: PathBuf,

    /// seconds for each server, kind of request and round (default: 1)
    #[argh(option, default = "1.0")]
    seconds: f64,

    /// number of rounds (default: 11)
    #[argh(option, default = "11")]
    rounds: usize,

    /// measure only kinds of requests whose name begins with this, or only "fleet"
    #[argh(option)]
    only: Option<String>,

    /// number of idle TLS connections (default: 10000)
    #[argh(option, default = "10000")]
    idle: usize,

    /// program that records a day of a fleet; without it the fleets begin without samples
    #[argh(option)]
    fleet_day: Option<PathBuf>,

    /// largest number of sources of a fleet (default: 10000)
    #[argh(option, default = "10_000")]
    fleet_sources: usize,

    /// seconds of the interval of the largest fleets, and of their measurement (default: 60)
    #[argh(option, default = "60.0")]
    fleet_seconds: f64,

    /// measure one large response over a line with a long round trip; the benchmark starts itself
    /// with this switch, in a network namespace
    #[argh(switch)]
    far: bool,

    /// file to which the tables are written, too
    #[argh(option)]
    output: Option<PathBuf>,
}

const PATH: &str = "/api/v1/status";
const CONNECTIONS: usize = 64;

/// Time after the start by which every source has been polled.
const FIRST_POLLS: Duration = Duration::from_secs(3);

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Arguments = argh::from_env();
    raise_descriptors(arguments.idle.max(arguments.fleet_sources) as u64 + 500)?;
    let folder = tempfile::tempdir()?;
    let peers = std::env::current_exe()?;
    let peers = peers.parent().ok_or("the benchmark has no folder")?.to_owned();
    let ours = arguments.ours.canonicalize();
    let ours =
        ours.map_err(|error| format!("cannot find {}: {error}", arguments.ours.display()))?;
    if arguments.far {
        return far::run_inside(folder.path(), ours, peers);
    }
    let host = Ipv4Addr::LOCALHOST;
    let places = Places { folder: folder.path().to_owned(), ours, peers, host };
    let fleet = || fleet_text(&arguments, &places);
    if arguments.only.as_deref() == Some("fleet") {
        return publish(&arguments, &fleet()?);
    }
    let client = make_certificate(&places)?;
    let body = upstream::body();
    let sources = upstream::sources(upstream::answering(body.clone())?, "1h");
    save_status(&places, &sources)?;

    let mut figures = Vec::new();
    for round in 1..=arguments.rounds {
        eprintln!("round {round} of {}", arguments.rounds);
        let only = arguments.only.as_deref().unwrap_or_default();
        for request in
            RequestKind::ALL.into_iter().filter(|request| request.as_str().starts_with(only))
        {
            for kind in Kind::ALL.into_iter().filter(|kind| kind.speaks_tls() || !request.tls) {
                let time = Duration::from_secs_f64(arguments.seconds);
                figures.push(measure(kind, request, &places, &client, &sources, time)?);
            }
        }
    }
    if arguments.only.is_some() {
        println!("{}", report::figures_table(&figures));
        return Ok(());
    }
    let own = measure_ours_alone(&arguments, &places, &client, &sources, body)?;
    let failed: u64 = figures.iter().map(|it| it.failed).sum();
    let text = format!(
        "Measured by `make bench` on {}; {} rounds of {} s each, {CONNECTIONS} connections, \
         {failed} failed requests.\n\n{}\n{}\n{}",
        report::machine(),
        arguments.rounds,
        arguments.seconds,
        report::goals_table(&figures, &own),
        report::figures_table(&figures),
        fleet()?
    );
    publish(&arguments, &text)
}

/// Prints the tables, and writes them to the file of `--output`.
fn publish(arguments: &Arguments, text: &str) -> Result<(), Box<dyn Error>> {
    println!("{text}");
    if let Some(output) = &arguments.output {
        std::fs::write(output, format!("# Benchmarks\n\n{text}"))
            .map_err(|error| format!("cannot write {}: {error}", output.display()))?;
    }
    Ok(())
}

/// Measures the fleets.
fn fleet_text(arguments: &Arguments, places: &Places) -> Result<String, Box<dyn Error>> {
    let settings = fleet::Settings {
        largest: arguments.fleet_sources,
        interval: Duration::from_secs_f64(arguments.fleet_seconds),
        recorder: arguments.fleet_day.clone(),
    };
    Ok(format!("## Fleets\n\n{}", fleet::measure(places, &settings)?.text()))
}

fn measure(
    kind: Kind,
    request: RequestKind,
    places: &Places,
    client: &Arc<ClientConfig>,
    sources: &str,
    time: Duration,
) -> Result<Figures, Box<dyn Error>> {
    let server = servers::start(kind, places, request.tls, sources)?;
    let load = load_of(&server, request, client, CONNECTIONS, time);
    // A warm-up, so that no server is measured during its first allocations.
    load::run(&Load { time: time / 10, ..load.clone() })?;
    let before = server.cpu();
    let mut outcome = load::run(&load)?;
    let cpu = server.cpu() - before;
    let figures = Figures {
        request,
        kind,
        per_second: outcome.per_second(),
        p50: outcome.quantile(0.5),
        p99: outcome.quantile(0.99),
        cpu_micros: cpu.as_secs_f64() * 1e6 / outcome.served.max(1) as f64,
        memory_kib: server.memory(),
        failed: outcome.failed,
    };
    eprintln!(
        "  {:<30} {:<14} {:>9.0}/s  p99 {:>7.2} ms  {:>6.1} µs",
        request.as_str(),
        kind.as_str(),
        figures.per_second,
        figures.p99,
        figures.cpu_micros
    );
    Ok(figures)
}

fn load_of(
    server: &Server,
    request: RequestKind,
    client: &Arc<ClientConfig>,
    connections: usize,
    time: Duration,
) -> Load {
    Load {
        address: server.address,
        tls: request.tls.then(|| Arc::clone(client)),
        path: PATH,
        fields: "",
        connections,
        keep_alive: request.keep_alive,
        time,
    }
}

fn measure_ours_alone(
    arguments: &Arguments,
    places: &Places,
    client: &Arc<ClientConfig>,
    sources: &str,
    body: String,
) -> Result<OwnFigures, Box<dyn Error>> {
    let limits =
        format!("max_connections = {0}\nmax_connections_per_address = {0}", arguments.idle + 200);
    eprintln!("{} idle TLS connections", arguments.idle);
    let server = servers::start_ours(places, &Ours { tls: true, server: &limits, sources })?;
    std::thread::sleep(Duration::from_secs(1));
    let at_rest_kib = server.memory();
    let idle = idle::measure(&server, client, arguments.idle)?;
    drop(server);
    eprintln!("all upstreams hung");
    let hung_over_well = hung_over_well(arguments, places, client, sources, body)?;
    eprintln!("one large response over a line of {} ms", far::ROUND_TRIP_MILLIS);
    let far = far::measure(places).inspect_err(|error| eprintln!("  not measured: {error}")).ok();
    let starts = (0..9).map(|_| servers::time_to_first_byte(places));
    let starts = starts.collect::<Result<Vec<_>, _>>()?;
    Ok(OwnFigures {
        idle_connections: idle.connections,
        idle_kib_each: idle.kib_each,
        idle_canary_p99: idle.canary_p99,
        hung_over_well,
        far,
        at_rest_kib,
        start_millis: median(starts.iter().map(|time| time.as_secs_f64() * 1e3).collect()),
        binary_bytes: std::fs::metadata(&places.ours)?.len(),
    })
}

/// Returns the ratio of the p99 with every upstream hung to the p99 with all upstreams healthy,
/// measured by turns.
fn hung_over_well(
    arguments: &Arguments,
    places: &Places,
    client: &Arc<ClientConfig>,
    sources: &str,
    body: String,
) -> Result<f64, Box<dyn Error>> {
    let hung_sources = upstream::sources(upstream::hung(body)?, "1s");
    let start = |sources| servers::start_ours(places, &Ours { tls: true, server: "", sources });
    let (well, hung) = (start(sources)?, start(&hung_sources)?);
    // By then both servers have their values, and one has its first failures.
    std::thread::sleep(FIRST_POLLS);
    let request = RequestKind { tls: true, keep_alive: true };
    let time = Duration::from_secs_f64(arguments.seconds);
    let p99 = |server: &Server| -> io::Result<f64> {
        let mut outcome: Outcome = load::run(&load_of(server, request, client, 8, time))?;
        Ok(outcome.quantile(0.99))
    };
    let mut ratios = Vec::new();
    for _ in 0..arguments.rounds.max(3) {
        let baseline = p99(&well)?;
        ratios.push(p99(&hung)? / baseline);
    }
    Ok(median(ratios))
}

/// Creates the P-256 certificate that all servers present, and a client that trusts it.
fn make_certificate(places: &Places) -> Result<Arc<ClientConfig>, Box<dyn Error>> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])?;
    std::fs::write(places.folder.join("cert.pem"), made.cert.pem())?;
    std::fs::write(places.folder.join("key.pem"), made.signing_key.serialize_pem())?;
    Ok(pinned::client(made.cert.der().clone())?)
}

/// Stores the body that pumphouse-web serves, so that the other servers serve the same.
fn save_status(places: &Places, sources: &str) -> Result<(), Box<dyn Error>> {
    use std::io::{Read as _, Write as _};
    let server = servers::start_ours(places, &Ours { tls: false, server: "", sources })?;
    std::thread::sleep(FIRST_POLLS);
    let mut stream = std::net::TcpStream::connect(server.address)?;
    write!(stream, "GET {PATH} HTTP/1.0\r\n\r\n")?;
    let mut response = String::new();
    stream.read_to_string(&mut response)?;
    let (_, body) = response.split_once("\r\n\r\n").ok_or("no body")?;
    std::fs::write(places.folder.join("status.json"), body)?;
    Ok(make_readable_by_all(&places.folder)?)
}

/// Opens a folder to every user, because nginx's workers can run as another user.
fn make_readable_by_all(folder: &Path) -> io::Result<()> {
    let readable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(folder, readable)
}

fn raise_descriptors(needed: u64) -> Result<(), Box<dyn Error>> {
    let limit = getrlimit(Resource::Nofile);
    if limit.maximum.is_some_and(|most| most < needed) {
        return Err(format!(
            "{needed} open files are needed, the hard limit is lower: raise `ulimit -Hn`"
        )
        .into());
    }
    Ok(setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum: limit.maximum })?)
}
