//! Memory that stalled clients cost a server: while they hold their connections, and 10 s after they
//! have gone.

use std::error::Error;
use std::fmt;
use std::io;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use hostile::config::Config;
use hostile::dense_history::DenseHistory;
use hostile::mode::Mode;
use hostile::proc;
use hostile::program;
use hostile::swarm::{Plan, Swarm};
use hostile::target::{Setup, Target};

/// Memory of a server above its memory at rest, for stalled clients of one mode.
pub struct Row {
    mode: Mode,
    large: Large,
    plain: bool,
    held: usize,
    /// Largest resident memory above rest while clients were held, KiB.
    while_held: u64,
    /// Resident memory above rest after they had gone, KiB.
    afterwards: u64,
    /// Largest memory of the kernel's TCP sockets above rest, KiB.
    kernel: u64,
}

/// Modes that stall a server over plain HTTP and over TLS, each with the large response that its
/// clients request.
const CLIENTS: [(Mode, Large); 13] = [
    (Mode::Silent, Large::None),
    (Mode::DripHead, Large::None),
    (Mode::DripBody, Large::None),
    (Mode::WithheldBody, Large::None),
    (Mode::StalledBody, Large::None),
    (Mode::StalledPost, Large::None),
    (Mode::StalledForm, Large::None),
    (Mode::StalledLogin, Large::None),
    (Mode::NeverRead, Large::Whole),
    (Mode::StalledReader, Large::Whole),
    (Mode::StalledReader, Large::Streamed),
    (Mode::SmallReader, Large::Streamed),
    (Mode::Idle, Large::None),
];

/// Large response that clients request.
#[derive(Debug, Clone, Copy)]
enum Large {
    /// No large response.
    None,
    /// A response that the server renders into memory as a whole.
    Whole,
    /// A response that the server reads in pieces while it sends it.
    Streamed,
}

impl Large {
    const fn target(self) -> &'static str {
        match self {
            Large::None => "/",
            Large::Whole => DenseHistory::LARGE,
            Large::Streamed => DenseHistory::DOWNLOAD,
        }
    }

    /// Returns what it adds to the name of the mode.
    const fn as_str(self) -> &'static str {
        match self {
            Large::None => "",
            Large::Whole => ", made as a whole",
            Large::Streamed => ", streamed",
        }
    }
}

/// Goals, MiB above rest.
const PLAIN: u64 = 96;
const TLS: u64 = 192;
const AFTERWARDS: u64 = 16;

/// Deadlines, which are set so that no client reaches one while it is measured.
const DEADLINES: [&str; 5] =
    ["handshake_timeout", "header_timeout", "body_timeout", "write_timeout", "keep_alive"];

/// Observations for the large responses.
const HISTORY: DenseHistory = DenseHistory { interval: 300 };

/// Time within which all connections are opened; a mode opens up to 600 a second.
const OPENING: Duration = Duration::from_secs(60);
/// Time for which all are held.
const HELD: Duration = Duration::from_secs(5);
/// Time between their end and the last measurement.
const GONE: Duration = Duration::from_secs(10);

/// Measures each mode whose name contains `only`, on a server of its own, over plain HTTP and over
/// TLS. The server allows that many connections, so that none is evicted.
pub fn run(binary: &Path, clients: usize, only: &str) -> Result<Vec<Row>, Box<dyn Error>> {
    let mut rows = Vec::new();
    for plain in [true, false] {
        let chosen =
            |(mode, large): &(Mode, Large)| format!("{}{}", mode, large.as_str()).contains(only);
        for (mode, large) in CLIENTS.into_iter().filter(chosen) {
            let row = measure(binary, mode, large, plain, clients)?;
            println!("{}", Line(&row));
            rows.push(row);
        }
    }
    Ok(rows)
}

fn measure(
    binary: &Path,
    mode: Mode,
    large: Large,
    plain: bool,
    clients: usize,
) -> Result<Row, Box<dyn Error>> {
    let mut config = if plain { Config::http() } else { Config::https() };
    config = config.set("server.max_connections", clients + 16);
    for key in DEADLINES {
        config = config.set(&format!("server.{key}"), "2m");
    }
    if mode == Mode::StalledLogin {
        config = config.push("auth.user", account(binary)?);
    }
    let setup = Setup { history: Some(HISTORY), ..Setup::from(config) };
    let target = Target::start(binary, setup)?;
    // Memory that is allocated once, at the first responses, belongs to the memory at rest.
    target.admin_page("/metrics")?;
    std::thread::sleep(Duration::from_secs(2));
    let resident = || proc::status(target.process(), "VmRSS");
    let (rest, kernel_rest) = (resident(), proc::tcp_memory());
    let mut swarm = Swarm::new(Plan {
        large: large.target().to_owned(),
        ..Plan::new(target.address, &target.config, &[mode], clients)
    })?;
    if plain {
        swarm = swarm.over_plain_http();
    }
    let (mut largest, mut kernel) = (0, 0);
    let mut hold = |swarm: &mut Swarm, time| {
        swarm.run(time, |_| {
            largest = largest.max(resident());
            kernel = kernel.max(proc::tcp_memory());
        });
    };
    let begun = Instant::now();
    while swarm.held() < clients && begun.elapsed() < OPENING {
        hold(&mut swarm, Duration::from_secs(1));
    }
    hold(&mut swarm, HELD);
    let held = swarm.held();
    drop(swarm);
    std::thread::sleep(GONE);
    Ok(Row {
        mode,
        large,
        plain,
        held,
        while_held: largest.saturating_sub(rest),
        afterwards: resident().saturating_sub(rest),
        kernel: kernel.saturating_sub(kernel_rest),
    })
}

/// Returns an account, without which the sign-in page takes no form.
fn account(binary: &Path) -> io::Result<serde_json::Value> {
    let mut command = Command::new(program::resolve(binary)?);
    let output = program::run(command.arg("hash-password"), "correct horse battery staple\n")?;
    let hash = String::from_utf8_lossy(&output.stdout);
    Ok(serde_json::json!({ "name": "anna", "password_hash": hash.trim_end() }))
}

impl Row {
    fn goal(&self) -> u64 {
        if self.plain { PLAIN } else { TLS }
    }

    /// Returns true if both goals are reached.
    pub fn is_reached(&self) -> bool {
        self.while_held <= self.goal() << 10 && self.afterwards <= AFTERWARDS << 10
    }
}

/// A line of the table.
struct Line<'a>(&'a Row);

impl fmt::Display for Line<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Row { mode, large, plain, held, while_held, afterwards, kernel } = self.0;
        let mib = |kib: &u64| *kib as f64 / 1024.0;
        let verdict = if self.0.is_reached() { "reached" } else { "**missed**" };
        write!(
            f,
            "| {}{} | {} | {held} | {:.1} | ≤ {} | {:.1} | ≤ {AFTERWARDS} | {:.1} | {verdict} |",
            mode,
            large.as_str(),
            if *plain { "plain" } else { "TLS" },
            mib(while_held),
            self.0.goal(),
            mib(afterwards),
            mib(kernel),
        )
    }
}

/// Table of all rows.
pub struct Table<'a>(pub &'a [Row]);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| clients | | held | RSS above rest, MiB | wanted | {} s after their end | wanted \
             | kernel sockets of both sides, MiB | |\n\
             | --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | --- |",
            GONE.as_secs()
        )?;
        self.0.iter().try_for_each(|row| writeln!(f, "{}", Line(row)))
    }
}
