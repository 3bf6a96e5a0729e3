//! One large response over a line with a round-trip time of 600 ms, such as a satellite's.
//!
//! The benchmark runs itself in a network namespace, behind `far_line.py`. That requires root, a TUN
//! device, unshare, ip and Python; without one of them the figure is left out.

use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::PATH;
use crate::median::median;
use crate::servers::{self, Kind, Ours, Places};
use crate::upstream;

pub const ROUND_TRIP_MILLIS: u32 = 600;

const LINE: &str = include_str!("../../far_line.py");

/// Address of the servers, and the address at which clients reach them over the line.
const NEAR: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);
const FAR: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 2);

/// Number of values of the only source, which make the response large.
const VALUES: usize = 50_000;

const ROUNDS: usize = 3;
const TIMEOUT: Duration = Duration::from_secs(60);

/// Servers that are compared.
const KINDS: [Kind; 2] = [Kind::Ours, Kind::Nginx];

/// Median times of a download.
#[derive(Debug, Clone, Copy)]
pub struct Far {
    pub megabytes: f64,
    pub ours_seconds: f64,
    pub nginx_seconds: f64,
}

/// Runs this benchmark again, in a namespace of its own, with `--far`.
///
/// # Errors
/// The namespace or the line cannot be made, or a server does not answer.
pub fn measure(places: &Places) -> Result<Far, Box<dyn Error>> {
    let script = places.folder.join("far_line.py");
    std::fs::write(&script, LINE)?;
    let mut command = Command::new("unshare");
    command.args(["--net", "python3"]).arg(script).arg(ROUND_TRIP_MILLIS.to_string());
    command.arg(std::env::current_exe()?).arg("--far").arg("--ours").arg(&places.ours);
    let child = servers::spawn(command.stdout(Stdio::piped()).stderr(Stdio::inherit()))?;
    let output = child.wait_with_output()?;
    if !output.status.success() {
        return Err(format!("the benchmark over a long line failed: {}", output.status).into());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let figures: Vec<f64> = text.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    let [megabytes, ours_seconds, nginx_seconds] = figures[..] else {
        return Err(format!("not three figures: {text:?}").into());
    };
    Ok(Far { megabytes, ours_seconds, nginx_seconds })
}

/// Measures inside the namespace and prints the three figures of [`Far`].
pub fn run_inside(folder: &Path, ours: PathBuf, peers: PathBuf) -> Result<(), Box<dyn Error>> {
    let places = Places { folder: folder.to_owned(), ours, peers, host: NEAR };
    let upstream = upstream::answering(upstream::body())?;
    let sources = format!("[auth]\nopen = true\n{}", upstream::large_source(upstream, VALUES));
    let server = servers::start_ours(&places, &Ours { tls: false, server: "", sources: &sources })?;
    let body = wait_for_values(server.address)?;
    std::fs::write(places.folder.join("status.json"), &body)?;
    drop(server);
    crate::make_readable_by_all(&places.folder)?;
    let mut seconds = KINDS.map(|_| Vec::new());
    for _ in 0..ROUNDS {
        for (kind, seconds) in KINDS.into_iter().zip(&mut seconds) {
            let server = servers::start(kind, &places, false, &sources)?;
            wait_until_large(server.address, body.len())?;
            let begun = Instant::now();
            let length = download((FAR, server.address.port()).into())?.len();
            if length < body.len() * 9 / 10 {
                return Err(format!("{}: {length} of {} bytes", kind.as_str(), body.len()).into());
            }
            seconds.push(begun.elapsed().as_secs_f64());
        }
    }
    let [ours, nginx] = seconds.map(median);
    println!("{} {ours} {nginx}", body.len() as f64 / 1e6);
    Ok(())
}

/// Returns the status once the source has its values.
fn wait_for_values(address: SocketAddr) -> Result<Vec<u8>, Box<dyn Error>> {
    let begun = Instant::now();
    loop {
        let body = download(address)?;
        if body.len() > VALUES * 10 {
            return Ok(body);
        }
        if begun.elapsed() > TIMEOUT {
            return Err("the source has no values".into());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Waits until the response has about this many bytes.
fn wait_until_large(address: SocketAddr, length: usize) -> io::Result<()> {
    let begun = Instant::now();
    while download(address)?.len() < length * 9 / 10 {
        if begun.elapsed() > TIMEOUT {
            return Err(io::Error::other("the server's response does not become large"));
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Ok(())
}

/// Downloads the status on a fresh connection and returns its body.
fn download(address: SocketAddr) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    write!(stream, "GET {PATH} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut response = Vec::new();
    stream.read_to_end(&mut response)?;
    let end = response.windows(4).position(|window| window == b"\r\n\r\n");
    match end {
        Some(end) if response.starts_with(b"HTTP/1.1 200") => Ok(response.split_off(end + 4)),
        _ => {
            let line = response.split(|byte| *byte == b'\r').next().unwrap_or_default();
            Err(io::Error::other(String::from_utf8_lossy(line).into_owned()))
        }
    }
}
