//! Shared parts of the replay: certificates, a crowd of clients, and the listen queue as a bar.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use hostile::canary;
use hostile::client::connect_tls;
use hostile::proc::accept_queue;
use hostile::target::client_config;
use pumphouse_web::engine::tls::server_config;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use socket2::{Domain, Socket, Type};

/// Backlog of the server that failed.
pub const BACKLOG: u32 = 128;

/// Number of silent clients that connect while the server does not accept.
const CROWD: usize = 200;

/// Number of samples of the listen queue, and the time between them.
const SAMPLES: u32 = 4;
const SAMPLE_INTERVAL: Duration = Duration::from_millis(700);

/// Longest time that each step of the probe may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(3);

/// Clock and certificates of the replay.
pub struct Stage {
    begun: Instant,
    pub server: Arc<ServerConfig>,
    pub client: Arc<ClientConfig>,
}

/// State of a server at the end of a rush of clients.
pub struct Outcome {
    pub depth: u32,
    pub limit: u32,
    /// Time until the probe was served; `None` if it timed out.
    pub answered: Option<Duration>,
}

impl Stage {
    pub fn new() -> io::Result<Stage> {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()])
            .map_err(io::Error::other)?;
        let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let server = server_config(cert.as_bytes(), key.as_bytes()).map_err(io::Error::other)?;
        let mut roots = RootCertStore::empty();
        roots.add(made.cert.der().clone()).map_err(io::Error::other)?;
        Ok(Stage { begun: Instant::now(), server, client: client_config(roots) })
    }

    pub fn print_heading(&self, title: &str) {
        println!("\n{title}");
    }

    pub fn print_line(&self, line: &str) {
        println!("{:>6.1} s  {line}", self.begun.elapsed().as_secs_f64());
    }

    /// Sends a request and returns the connection, without waiting for the response.
    pub fn visit_and_wait(&self, address: SocketAddr) -> io::Result<impl Sized + use<>> {
        use std::io::Write as _;
        let mut stream = connect_tls(address, &self.client)?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
        stream.flush()?;
        Ok(stream)
    }

    /// Connects two hundred silent clients, prints samples of the listen queue, and sends a probe.
    pub fn rush(&self, address: SocketAddr, conclusion: &str) -> io::Result<Outcome> {
        self.print_line(&format!("{CROWD} visitors connect."));
        let crowd: Vec<Socket> =
            (0..CROWD).map(|_| begin_to_connect(address)).collect::<io::Result<_>>()?;
        let limit = granted(BACKLOG);
        let mut depth = 0;
        for _ in 0..SAMPLES {
            thread::sleep(SAMPLE_INTERVAL);
            depth = accept_queue(address);
            self.print_line(&format!("listen queue  {depth:>4} / {limit}   {}", bar(depth, limit)));
        }
        let begun = Instant::now();
        let answered = canary::visit(address, &self.client, PROBE_TIMEOUT).ok();
        let answered = answered.map(|()| begun.elapsed());
        match answered {
            Some(time) => {
                self.print_line(&format!("probe: served in {:.1} ms", time.as_secs_f64() * 1e3));
            }
            None => self.print_line(&format!("probe: no answer in {} s", PROBE_TIMEOUT.as_secs())),
        }
        self.print_line(conclusion);
        drop(crowd);
        Ok(Outcome { depth, limit, answered })
    }
}

/// Begins a connect without waiting for it: past a full queue it is never established.
fn begin_to_connect(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    let in_progress = rustix::io::Errno::INPROGRESS.raw_os_error();
    match socket.connect(&address.into()) {
        Err(error) if error.raw_os_error() != Some(in_progress) => Err(error),
        _ => Ok(socket),
    }
}

/// Returns the backlog that the kernel grants.
fn granted(backlog: u32) -> u32 {
    let somaxconn = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap_or_default();
    somaxconn.trim().parse().map_or(backlog, |most: u32| backlog.min(most))
}

fn bar(depth: u32, limit: u32) -> String {
    const WIDTH: u32 = 32;
    let filled = (depth.min(limit) * WIDTH).div_ceil(limit.max(1)) as usize;
    format!("[{}{}]", "#".repeat(filled), " ".repeat(WIDTH as usize - filled))
}

/// Listens with [`BACKLOG`] on a port of the kernel's choice.
pub fn listen() -> io::Result<(std::net::TcpListener, SocketAddr)> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
    socket.listen(BACKLOG as i32)?;
    let listener: std::net::TcpListener = socket.into();
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Sends a request to an upstream and waits for the response.
pub fn request_upstream(upstream: SocketAddr) -> io::Result<()> {
    use std::io::{Read as _, Write as _};
    let mut stream = TcpStream::connect(upstream)?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut answer = [0; 1024];
    stream.read(&mut answer).map(|_| ())
}
