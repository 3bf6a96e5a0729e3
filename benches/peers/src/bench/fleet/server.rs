//! pumphouse-web with a fleet of sources, in a folder that outlives it.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::servers::{Places, Server, spawn};

/// Longest wait for a start.
const START_TIMEOUT: Duration = Duration::from_secs(120);

/// Interval of the looks at the number of threads.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// Folder with a configuration, and the data of the last server in it.
pub struct Site {
    binary: PathBuf,
    pub folder: PathBuf,
    address: SocketAddr,
}

/// A running server.
pub struct FleetServer {
    pub server: Server,
    pub admin: SocketAddr,
    threads: Arc<Threads>,
}

#[derive(Default)]
struct Threads {
    max: AtomicUsize,
    ended: AtomicBool,
}

impl Site {
    /// Writes the configuration of a site with these `[[source]]` tables.
    pub fn create(places: &Places, name: &str, tables: &str) -> io::Result<Site> {
        let folder = places.folder.join(name);
        std::fs::create_dir_all(&folder)?;
        let address = TcpListener::bind((places.host, 0))?.local_addr()?;
        let config = format!(
            "[server]\nlisten = [\"{address}\"]\nadmin_listen = \"127.0.0.1:0\"\n[auth]\nopen = true\n\
             [history]\npath = \"pumphouse.db\"\n{tables}"
        );
        std::fs::write(folder.join("pumphouse.toml"), config)?;
        Ok(Site { binary: places.ours.clone(), folder, address })
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.binary);
        command.args(["serve", "--config", "pumphouse.toml"]).current_dir(&self.folder);
        command.env_remove("RUST_LOG").stdin(Stdio::null()).stdout(Stdio::null());
        command
    }

    /// Returns the time that `pumphouse-web check` takes, in milliseconds.
    pub fn check_millis(&self) -> io::Result<f64> {
        let mut command = Command::new(&self.binary);
        command.args(["check", "pumphouse.toml"]).current_dir(&self.folder);
        let begun = Instant::now();
        let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status()?;
        let millis = begun.elapsed().as_secs_f64() * 1e3;
        if status.success() { Ok(millis) } else { Err(io::Error::other("check fails")) }
    }

    /// Starts a server and waits until it listens on both addresses.
    pub fn start(&self) -> io::Result<FleetServer> {
        let mut child = spawn(self.command().stderr(Stdio::piped()))?;
        let stderr = child.stderr.take().ok_or_else(|| io::Error::other("no standard error"))?;
        let server = Server { child, address: self.address };
        let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
        let begun = Instant::now();
        let mut last = String::new();
        let admin =
            lines.by_ref().take_while(|_| begun.elapsed() < START_TIMEOUT).find_map(|line| {
                let address = line.split_once("admin listener on http://");
                let address = address.and_then(|(_, rest)| rest.split('/').next()?.parse().ok());
                last = line;
                address
            });
        let admin = admin.ok_or_else(|| io::Error::other(format!("no start: {last}")))?;
        // The log is read to its end, so that the pipe never fills.
        std::thread::spawn(move || lines.for_each(drop));
        let threads = Arc::<Threads>::default();
        let (shared, process) = (Arc::clone(&threads), server.child.id());
        std::thread::spawn(move || shared.look_on(process));
        Ok(FleetServer { server, admin, threads })
    }

    /// Returns the time from the start of the process to the first byte of a response, in milliseconds.
    pub fn millis_to_first_byte(&self) -> io::Result<f64> {
        let begun = Instant::now();
        let child = spawn(self.command().stderr(Stdio::null()))?;
        let server = Server { child, address: self.address };
        let mut stream = loop {
            match TcpStream::connect(self.address) {
                Ok(stream) => break stream,
                Err(_) if begun.elapsed() < START_TIMEOUT => {
                    std::thread::sleep(Duration::from_micros(200));
                }
                Err(error) => return Err(error),
            }
        };
        stream.set_read_timeout(Some(START_TIMEOUT))?;
        stream.write_all(b"GET /ping HTTP/1.0\r\n\r\n")?;
        stream.read_exact(&mut [0])?;
        let time = begun.elapsed();
        drop(server);
        Ok(time.as_secs_f64() * 1e3)
    }
}

impl Threads {
    /// Notes the largest number of threads until the process ends.
    fn look_on(&self, process: u32) {
        while !self.ended.load(Ordering::Relaxed) {
            self.max.fetch_max(threads(process), Ordering::Relaxed);
            std::thread::sleep(LOOK_INTERVAL);
        }
    }
}

impl FleetServer {
    /// Returns the largest number of threads since the last call.
    pub fn take_max_threads(&self) -> usize {
        self.threads.max.swap(0, Ordering::Relaxed)
    }
}

impl Drop for FleetServer {
    fn drop(&mut self) {
        self.threads.ended.store(true, Ordering::Relaxed);
    }
}

fn threads(process: u32) -> usize {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("Threads:"));
    line.and_then(|line| line.trim().parse().ok()).unwrap_or(0)
}

/// Copies a file of one folder into another, if it exists.
pub fn copy(name: &str, from: &Path, to: &Path) -> io::Result<()> {
    match std::fs::copy(from.join(name), to.join(name)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
