//! The servers that are compared, each serving the same bytes.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Server to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Ours,
    Nginx,
    Axum,
    TinyHttp,
}

impl Kind {
    pub const ALL: [Kind; 4] = [Kind::Ours, Kind::Nginx, Kind::Axum, Kind::TinyHttp];

    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Ours => "pumphouse-web",
            Kind::Nginx => "nginx",
            Kind::Axum => "axum",
            Kind::TinyHttp => "tiny_http",
        }
    }

    /// Returns true if the server is measured over TLS. The TLS of tiny_http is outdated.
    pub const fn speaks_tls(self) -> bool {
        !matches!(self, Kind::TinyHttp)
    }
}

/// Paths of the benchmark: a folder for files, and the binaries.
pub struct Places {
    pub folder: PathBuf,
    pub ours: PathBuf,
    pub peers: PathBuf,
    /// Address on which servers listen.
    pub host: Ipv4Addr,
}

/// A running server, killed when dropped.
pub struct Server {
    pub child: Child,
    pub address: SocketAddr,
}

/// Configuration of pumphouse-web.
pub struct Ours<'a> {
    pub tls: bool,
    pub server: &'a str,
    pub sources: &'a str,
}

const TIMEOUT: Duration = Duration::from_secs(20);

/// Longest wait for a server to stop; then it is killed. It is longer than `drain_timeout`.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// Starts a server that serves the file `status.json` at `/api/v1/status`.
pub fn start(kind: Kind, places: &Places, tls: bool, sources: &str) -> io::Result<Server> {
    let address = free_address(places.host)?;
    let text = address.to_string();
    let path = |name: &str| places.folder.join(name).display().to_string();
    let child = match kind {
        Kind::Ours => return start_ours(places, &Ours { tls, server: "", sources }),
        Kind::Nginx => {
            let config = nginx_config(&places.folder, address, tls);
            let file = places.folder.join(format!("nginx-{}.conf", address.port()));
            std::fs::write(&file, config)?;
            spawn(quiet(Command::new("nginx").arg("-c").arg(file)))?
        }
        Kind::Axum => {
            let mut command = Command::new(places.peers.join("axum-peer"));
            command.args([&text, &path("status.json")]);
            if tls {
                command.args([path("cert.pem"), path("key.pem")]);
            }
            spawn(quiet(&mut command))?
        }
        Kind::TinyHttp => {
            let mut command = Command::new(places.peers.join("tiny-http-peer"));
            spawn(quiet(command.args([&text, &path("status.json")])))?
        }
    };
    let server = Server { child, address };
    wait_until_open(address)?;
    Ok(server)
}

/// Starts pumphouse-web and waits until it logs that it listens.
pub fn start_ours(places: &Places, ours: &Ours<'_>) -> io::Result<Server> {
    let address = free_address(places.host)?;
    let folder = places.folder.display();
    let tls = format!("[tls]\ncert = \"{folder}/cert.pem\"\nkey = \"{folder}/key.pem\"\n");
    let tls = if ours.tls { &tls } else { "" };
    let rest = format!("{}\n{tls}{}", ours.server, ours.sources);
    let mut command = serve(places, address, &rest)?;
    let mut child = spawn(quiet(&mut command).stderr(Stdio::piped()))?;
    let stderr = child.stderr.take().ok_or_else(|| io::Error::other("no standard error"))?;
    let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
    if !lines.any(|line| line.contains("admin listener on")) {
        return Err(io::Error::other("pumphouse-web did not start"));
    }
    // The log is read to its end, so that the pipe never fills.
    std::thread::spawn(move || lines.for_each(drop));
    Ok(Server { child, address })
}

/// Returns the time from the start of the process to the first byte of a response.
pub fn time_to_first_byte(places: &Places) -> io::Result<Duration> {
    let address = free_address(places.host)?;
    let mut command = serve(places, address, "")?;
    let begun = Instant::now();
    let child = spawn(quiet(&mut command))?;
    let server = Server { child, address };
    let mut stream = loop {
        match TcpStream::connect(address) {
            Ok(stream) => break stream,
            Err(_) if begun.elapsed() < TIMEOUT => std::thread::sleep(Duration::from_micros(200)),
            Err(error) => return Err(error),
        }
    };
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.write_all(b"GET /ping HTTP/1.0\r\n\r\n")?;
    stream.read_exact(&mut [0])?;
    let time = begun.elapsed();
    drop(server);
    Ok(time)
}

/// Returns the command that starts pumphouse-web at this address, in a folder of its own.
fn serve(places: &Places, address: SocketAddr, rest: &str) -> io::Result<Command> {
    let folder = places.folder.join(format!("ours-{}", address.port()));
    std::fs::create_dir_all(&folder)?;
    let file = folder.join("pumphouse.toml");
    let config =
        format!("[server]\nlisten = [\"{address}\"]\nadmin_listen = \"127.0.0.1:0\"\n{rest}");
    std::fs::write(&file, config)?;
    let mut command = Command::new(&places.ours);
    command.args(["serve", "--config"]).arg(file).current_dir(folder);
    Ok(command)
}

fn quiet(command: &mut Command) -> &mut Command {
    command.env_remove("RUST_LOG").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null())
}

/// Spawns a program; the error names it.
pub fn spawn(command: &mut Command) -> io::Result<Child> {
    command.spawn().map_err(|error| {
        let program = command.get_program().display();
        io::Error::new(error.kind(), format!("cannot start {program}: {error}"))
    })
}

fn free_address(host: Ipv4Addr) -> io::Result<SocketAddr> {
    TcpListener::bind((host, 0))?.local_addr()
}

fn wait_until_open(address: SocketAddr) -> io::Result<()> {
    let begun = Instant::now();
    while TcpStream::connect(address).is_err() {
        if begun.elapsed() > TIMEOUT {
            return Err(io::Error::other(format!("nothing listens on {address}")));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Returns a configuration of nginx: a worker for each processor, no log, the file kept open.
fn nginx_config(folder: &Path, address: SocketAddr, tls: bool) -> String {
    let folder = folder.display();
    let ssl = if tls { " ssl" } else { "" };
    let certificate = if tls {
        format!(
            "ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem; \
             ssl_protocols TLSv1.3; ssl_session_cache off; ssl_session_tickets off;"
        )
    } else {
        String::new()
    };
    format!(
        "daemon off; worker_processes auto; pid {folder}/nginx-{port}.pid; error_log /dev/null;\n\
         events {{ worker_connections 8192; }}\n\
         http {{\n  access_log off; keepalive_requests 100000000; open_file_cache max=10;\n\
         default_type application/json; sendfile on; tcp_nopush on;\n\
         server {{ listen {address}{ssl} backlog=1024; {certificate}\n\
         location = /api/v1/status {{ alias {folder}/status.json; }} }}\n}}\n",
        port = address.port()
    )
}

impl Server {
    /// Returns the process and its children.
    fn processes(&self) -> Vec<u32> {
        let mut processes = vec![self.child.id()];
        let children = format!("/proc/{0}/task/{0}/children", self.child.id());
        let children = std::fs::read_to_string(children).unwrap_or_default();
        processes.extend(children.split_whitespace().filter_map(|id| id.parse::<u32>().ok()));
        processes
    }

    /// Returns the processor time used so far.
    pub fn cpu(&self) -> Duration {
        self.processes().into_iter().map(cpu_time).sum()
    }

    /// Returns the resident memory, KiB.
    pub fn memory(&self) -> u64 {
        self.processes().into_iter().map(memory).sum()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Killing the process alone would leave the workers of nginx running.
        let term = rustix::process::Signal::TERM;
        if let Some(pid) = rustix::process::Pid::from_raw(self.child.id() as i32) {
            let _ = rustix::process::kill_process(pid, term);
        }
        let begun = Instant::now();
        while begun.elapsed() < STOP_TIMEOUT {
            if let Ok(Some(_)) = self.child.try_wait() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn cpu_time(process: u32) -> Duration {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split(' ').collect();
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<u64>().ok()).unwrap_or(0);
    // utime and stime, in hundredths of a second (proc(5)).
    Duration::from_millis((ticks(12) + ticks(13)) * 10)
}

fn memory(process: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}
