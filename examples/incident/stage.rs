//! The stage: a clock, certificates, a crowd, and the listen queue on screen.

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

/// The backlog of the server that failed.
pub const BACKLOG: u32 = 128;

/// Silent clients who come while it does not accept.
const CROWD: usize = 200;

/// How long the queue is looked at, and how often.
const LOOKS: u32 = 4;
const LOOK_EVERY: Duration = Duration::from_millis(700);

/// How long a probe waits.
const PROBE_PATIENCE: Duration = Duration::from_secs(3);

/// What all acts share.
pub struct Stage {
    begun: Instant,
    pub server: Arc<ServerConfig>,
    pub client: Arc<ClientConfig>,
}

/// How a rush ended.
pub struct Outcome {
    pub depth: u32,
    pub limit: u32,
    /// The probe's time; `None` when it timed out.
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

    pub fn act(&self, title: &str) {
        println!("\n{title}");
    }

    pub fn say(&self, line: &str) {
        println!("{:>6.1} s  {line}", self.begun.elapsed().as_secs_f64());
    }

    /// A visitor who sends a request and has not been answered yet.
    pub fn visit_and_wait(&self, address: SocketAddr) -> io::Result<impl Sized + use<>> {
        use std::io::Write as _;
        let mut stream = connect_tls(address, &self.client)?;
        stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
        stream.flush()?;
        Ok(stream)
    }

    /// Two hundred connect and say nothing; then the queue is shown, and a probe is sent.
    pub fn rush(&self, address: SocketAddr, moral: &str) -> io::Result<Outcome> {
        self.say(&format!("{CROWD} visitors connect."));
        let crowd: Vec<Socket> =
            (0..CROWD).map(|_| begin_to_connect(address)).collect::<io::Result<_>>()?;
        let limit = granted(BACKLOG);
        let mut depth = 0;
        for _ in 0..LOOKS {
            thread::sleep(LOOK_EVERY);
            depth = accept_queue(address);
            self.say(&format!("listen queue  {depth:>4} / {limit}   {}", bar(depth, limit)));
        }
        let begun = Instant::now();
        let answered = canary::visit(address, &self.client, PROBE_PATIENCE).ok();
        let answered = answered.map(|()| begun.elapsed());
        match answered {
            Some(time) => {
                self.say(&format!("probe: served in {:.1} ms", time.as_secs_f64() * 1e3));
            }
            None => self.say(&format!("probe: no answer in {} s", PROBE_PATIENCE.as_secs())),
        }
        self.say(moral);
        drop(crowd);
        Ok(Outcome { depth, limit, answered })
    }
}

/// A connection that is not waited for: past a full queue it would never come about.
fn begin_to_connect(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    let in_progress = rustix::io::Errno::INPROGRESS.raw_os_error();
    match socket.connect(&address.into()) {
        Err(error) if error.raw_os_error() != Some(in_progress) => Err(error),
        _ => Ok(socket),
    }
}

/// What the kernel grants of a backlog.
fn granted(backlog: u32) -> u32 {
    let somaxconn = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap_or_default();
    somaxconn.trim().parse().map_or(backlog, |most: u32| backlog.min(most))
}

fn bar(depth: u32, limit: u32) -> String {
    const WIDTH: u32 = 32;
    let filled = (depth.min(limit) * WIDTH).div_ceil(limit.max(1)) as usize;
    format!("[{}{}]", "#".repeat(filled), " ".repeat(WIDTH as usize - filled))
}

/// Listens with the backlog of the server that failed.
pub fn listen() -> io::Result<(std::net::TcpListener, SocketAddr)> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())?;
    socket.listen(BACKLOG as i32)?;
    let listener: std::net::TcpListener = socket.into();
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// Connects to an upstream and waits for what it says.
pub fn ask_upstream(upstream: SocketAddr) -> io::Result<()> {
    use std::io::{Read as _, Write as _};
    let mut stream = TcpStream::connect(upstream)?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut answer = [0; 1024];
    stream.read(&mut answer).map(|_| ())
}
