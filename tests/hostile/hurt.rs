//! The ways in which an upstream can hurt its client, and an upstream that can do them all.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use flate2::Compression;
use flate2::write::GzEncoder;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use socket2::{Domain, SockRef, Socket, Type};

/// How an upstream hurts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hurt {
    /// Drops every SYN: its accept queue is full.
    DropsSyn,
    /// Accepts and never says anything.
    NeverSends,
    /// Never goes on with the TLS handshake.
    TlsStalls,
    /// One byte of the head at a time.
    DripsHead,
    /// One byte of the body at a time.
    DripsBody,
    /// A body that never ends.
    EndlessBody,
    /// Little that is a lot when decompressed.
    GzipBomb,
    /// 200 with a page that says it is down.
    ErrorPage,
    /// 200 with nothing.
    Empty,
    /// JSON that breaks off.
    TruncatedJson,
    /// A picture.
    WrongType,
    /// Arrays in arrays in arrays.
    DeepNesting,
    /// Redirects to itself.
    RedirectsForEver,
    /// Redirects from https to http.
    RedirectsToHttp,
    /// Redirects to another host.
    RedirectsElsewhere,
    /// 429 with `Retry-After` in seconds.
    TooMany,
    /// 503 with `Retry-After` as a date.
    Unavailable,
    /// 304 to somebody who knows nothing yet.
    NotModified,
    /// Resets the connection in the middle of the body.
    Resets,
    /// A certificate that has expired.
    CertificateExpired,
    /// A certificate for another name.
    CertificateForAnother,
    /// A clock an hour ahead.
    ClockAhead,
    /// `"NaN"` for a number.
    NotANumber,
    /// 1e999 for a number.
    TooBig,
    /// null for a number.
    Null,
}

/// What comes of a hurt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The poll fails in that kind, and the last value stays.
    Error(&'static str),
    /// The value is null, with a note.
    NoValue,
    /// The value is there, with a note about its time.
    Noted,
}

impl Hurt {
    pub const ALL: [Hurt; 25] = [
        Hurt::DropsSyn,
        Hurt::NeverSends,
        Hurt::TlsStalls,
        Hurt::DripsHead,
        Hurt::DripsBody,
        Hurt::EndlessBody,
        Hurt::GzipBomb,
        Hurt::ErrorPage,
        Hurt::Empty,
        Hurt::TruncatedJson,
        Hurt::WrongType,
        Hurt::DeepNesting,
        Hurt::RedirectsForEver,
        Hurt::RedirectsToHttp,
        Hurt::RedirectsElsewhere,
        Hurt::TooMany,
        Hurt::Unavailable,
        Hurt::NotModified,
        Hurt::Resets,
        Hurt::CertificateExpired,
        Hurt::CertificateForAnother,
        Hurt::ClockAhead,
        Hurt::NotANumber,
        Hurt::TooBig,
        Hurt::Null,
    ];

    pub fn outcome(self) -> Outcome {
        match self {
            Hurt::DropsSyn
            | Hurt::NeverSends
            | Hurt::TlsStalls
            | Hurt::DripsHead
            | Hurt::DripsBody => Outcome::Error("timeout"),
            Hurt::EndlessBody | Hurt::GzipBomb => Outcome::Error("too_large"),
            Hurt::ErrorPage
            | Hurt::Empty
            | Hurt::TruncatedJson
            | Hurt::WrongType
            | Hurt::DeepNesting => Outcome::Error("decode"),
            Hurt::RedirectsForEver
            | Hurt::RedirectsToHttp
            | Hurt::RedirectsElsewhere
            | Hurt::NotModified => Outcome::Error("http"),
            Hurt::TooMany | Hurt::Unavailable => Outcome::Error("rate_limited"),
            Hurt::Resets => Outcome::Error("connect"),
            Hurt::CertificateExpired | Hurt::CertificateForAnother => Outcome::Error("tls"),
            Hurt::ClockAhead => Outcome::Noted,
            Hurt::NotANumber | Hurt::TooBig | Hurt::Null => Outcome::NoValue,
        }
    }

    fn speaks_tls(self) -> bool {
        matches!(
            self,
            Hurt::TlsStalls
                | Hurt::RedirectsToHttp
                | Hurt::CertificateExpired
                | Hurt::CertificateForAnother
        )
    }
}

/// A certificate with its key, ready to be shown.
struct Identity {
    pem: String,
    config: Arc<ServerConfig>,
}

impl Identity {
    fn new(name: &str, expired: bool) -> Identity {
        let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        if expired {
            params.not_before = rcgen::date_time_ymd(2020, 1, 1);
            params.not_after = rcgen::date_time_ymd(2021, 1, 1);
        }
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let private = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)
            .unwrap();
        Identity { pem: certificate.pem(), config: Arc::new(config) }
    }
}

/// An upstream that is well until it is told to hurt.
pub struct HurtfulUpstream {
    hurt: Hurt,
    address: SocketAddr,
    state: Arc<State>,
    accepting: Option<JoinHandle<()>>,
}

struct State {
    hurting: AtomicBool,
    /// What it tells while it is well.
    level: AtomicUsize,
    stopping: AtomicBool,
    good: Identity,
    bad: Identity,
}

impl HurtfulUpstream {
    pub fn new(hurt: Hurt) -> HurtfulUpstream {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        // The kernel lets one more in than it is told.
        listener.listen(if hurt == Hurt::DropsSyn { 1 } else { 64 }).unwrap();
        let address = listener.local_addr().unwrap().as_socket().unwrap();
        if hurt == Hurt::GzipBomb {
            bomb();
        }
        let bad_name = match hurt {
            Hurt::CertificateForAnother => "elsewhere.test",
            _ => "127.0.0.1",
        };
        let state = Arc::new(State {
            hurting: AtomicBool::new(false),
            level: AtomicUsize::new(50),
            stopping: AtomicBool::new(false),
            good: Identity::new("127.0.0.1", false),
            bad: Identity::new(bad_name, hurt == Hurt::CertificateExpired),
        });
        let accepted = Arc::clone(&state);
        let accepting = std::thread::spawn(move || accept(hurt, &listener, address, &accepted));
        HurtfulUpstream { hurt, address, state, accepting: Some(accepting) }
    }

    pub fn hurt(&self) -> Hurt {
        self.hurt
    }

    pub fn url(&self) -> String {
        let scheme = if self.hurt.speaks_tls() { "https" } else { "http" };
        format!("{scheme}://{}/", self.address)
    }

    /// The certificates to trust, in PEM: those that it shows when well and when not.
    pub fn authorities(&self) -> String {
        format!("{}{}", self.state.good.pem, self.state.bad.pem)
    }

    /// From now on it hurts.
    pub fn hurt_now(&self) {
        self.state.hurting.store(true, Ordering::SeqCst);
    }

    /// From now on it is well, and tells another level.
    pub fn heal(&self, level: usize) {
        self.state.level.store(level, Ordering::SeqCst);
        self.state.hurting.store(false, Ordering::SeqCst);
    }
}

impl Drop for HurtfulUpstream {
    fn drop(&mut self) {
        self.state.hurting.store(false, Ordering::SeqCst);
        self.state.stopping.store(true, Ordering::SeqCst);
        // Ends the wait in accept.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

fn accept(hurt: Hurt, listener: &Socket, address: SocketAddr, state: &Arc<State>) {
    loop {
        if hurt == Hurt::DropsSyn && state.hurting.load(Ordering::SeqCst) {
            let filling: Vec<Socket> = (0..4).filter_map(|_| begin_connect(address)).collect();
            while state.hurting.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(5));
            }
            drop(filling);
        }
        let Ok((stream, _)) = listener.accept() else { return };
        if state.stopping.load(Ordering::SeqCst) {
            return;
        }
        let state = Arc::clone(state);
        // Each ends when its client gives up, which it does within its bound.
        std::thread::spawn(move || serve(hurt, TcpStream::from(stream), &state));
    }
}

fn begin_connect(address: SocketAddr) -> Option<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).ok()?;
    socket.set_nonblocking(true).ok()?;
    let _ = socket.connect(&address.into());
    Some(socket)
}

fn serve(hurt: Hurt, stream: TcpStream, state: &State) {
    let hurting = state.hurting.load(Ordering::SeqCst);
    let hurt_now = hurting.then_some(hurt);
    let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
    let _ = stream.set_write_timeout(Some(Duration::from_secs(5)));
    if hurt_now == Some(Hurt::TlsStalls) {
        return wait_for_end(stream);
    }
    let level = state.level.load(Ordering::SeqCst);
    if !hurt.speaks_tls() {
        return answer(hurt_now, level, stream);
    }
    let bad = matches!(hurt_now, Some(Hurt::CertificateExpired | Hurt::CertificateForAnother));
    let identity = if bad { &state.bad } else { &state.good };
    let session = ServerConnection::new(Arc::clone(&identity.config)).unwrap();
    let mut tls = StreamOwned::new(session, stream);
    if tls.read(&mut [0; 4096]).is_ok() {
        let answer = match hurt_now {
            Some(Hurt::RedirectsToHttp) => {
                "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1/\r\nContent-Length: 0\r\n\r\n"
                    .to_owned()
            }
            _ => well(level, 0),
        };
        let _ = tls.write_all(answer.as_bytes());
        tls.conn.send_close_notify();
        let _ = tls.flush();
    }
}

/// Reads what comes until the client goes.
fn wait_for_end(mut stream: TcpStream) {
    while stream.read(&mut [0; 4096]).is_ok_and(|length| length > 0) {}
}

fn unix_now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn well(level: usize, ahead: u64) -> String {
    ok(&format!(r#"{{"at":{},"level":{level}}}"#, unix_now() + ahead))
}

fn with_level(level: &str) -> String {
    ok(&format!(r#"{{"at":{},"level":{level}}}"#, unix_now()))
}

fn ok(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )
}

fn answer(hurt: Option<Hurt>, level: usize, mut stream: TcpStream) {
    if stream.read(&mut [0; 4096]).is_err() {
        return;
    }
    const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";
    let text = match hurt {
        None => well(level, 0),
        Some(Hurt::NeverSends) => return wait_for_end(stream),
        Some(Hurt::DripsHead) => return drip(stream, "HTTP/1.1 200 OK\r\nX: ", b'x'),
        Some(Hurt::DripsBody) => return drip(stream, &format!("{HEAD}\r\n"), b' '),
        Some(Hurt::EndlessBody) => {
            let mut more = stream.write_all(format!("{HEAD}\r\n").as_bytes());
            while more.is_ok() {
                more = stream.write_all(&[b' '; 65_536]);
            }
            return;
        }
        Some(Hurt::GzipBomb) => {
            let body = bomb();
            let head =
                format!("{HEAD}Content-Encoding: gzip\r\nContent-Length: {}\r\n\r\n", body.len());
            let _ = stream.write_all(&[head.as_bytes(), body].concat());
            return;
        }
        Some(Hurt::ErrorPage) => ok("<html><h1>We will be back soon</h1></html>"),
        Some(Hurt::Empty) => ok(""),
        Some(Hurt::TruncatedJson) => ok(r#"{"at":1,"level":"#),
        Some(Hurt::WrongType) => ok("\u{89}PNG\r\n\u{1a}\n"),
        Some(Hurt::DeepNesting) => ok(&"[".repeat(100_000)),
        Some(Hurt::RedirectsForEver) => {
            "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n".to_owned()
        }
        Some(Hurt::RedirectsElsewhere) => {
            "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.9/\r\nContent-Length: 0\r\n\r\n"
                .to_owned()
        }
        Some(Hurt::TooMany) => {
            "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"
                .to_owned()
        }
        Some(Hurt::Unavailable) => {
            let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(1));
            format!(
                "HTTP/1.1 503 Service Unavailable\r\nRetry-After: {date}\r\n\
                 Content-Length: 0\r\n\r\n"
            )
        }
        Some(Hurt::NotModified) => "HTTP/1.1 304 Not Modified\r\n\r\n".to_owned(),
        Some(Hurt::Resets) => {
            let _ = stream.write_all(format!("{HEAD}Content-Length: 99\r\n\r\n{{").as_bytes());
            let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
            return;
        }
        Some(Hurt::ClockAhead) => well(level, 3600),
        Some(Hurt::NotANumber) => with_level("\"NaN\""),
        Some(Hurt::TooBig) => with_level("1e999"),
        Some(Hurt::Null) => with_level("null"),
        Some(
            Hurt::DropsSyn
            | Hurt::TlsStalls
            | Hurt::RedirectsToHttp
            | Hurt::CertificateExpired
            | Hurt::CertificateForAnother,
        ) => return,
    };
    let _ = stream.write_all(text.as_bytes());
}

/// Much that is little when compressed, which takes a while and is done once.
fn bomb() -> &'static [u8] {
    static BOMB: OnceLock<Vec<u8>> = OnceLock::new();
    BOMB.get_or_init(|| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&vec![b' '; 32 << 20]).unwrap();
        encoder.finish().unwrap()
    })
}

/// Says the start, and then one byte again and again until the client goes.
fn drip(mut stream: TcpStream, start: &str, byte: u8) {
    let mut more = stream.write_all(start.as_bytes());
    while more.is_ok() {
        std::thread::sleep(Duration::from_millis(100));
        more = stream.write_all(&[byte]);
    }
}
