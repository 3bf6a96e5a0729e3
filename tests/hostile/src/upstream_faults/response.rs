//! Responses of a faulty upstream, healthy and faulty.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};
use socket2::SockRef;

use super::Fault;

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";

/// Returns the response of a healthy upstream.
pub(super) fn healthy(level: usize) -> String {
    with_level(&level.to_string(), Duration::ZERO)
}

/// Returns a redirect to `location`.
pub(super) fn redirect(location: &str) -> String {
    format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n")
}

/// Reads one request and answers it, with the fault if there is one.
///
/// Does nothing for faults that show before a response: those of the connection and of TLS.
pub(super) fn answer(fault: Option<Fault>, level: usize, mut stream: TcpStream) {
    if stream.read(&mut [0; 4096]).is_err() {
        return;
    }
    let text = match fault {
        None => healthy(level),
        Some(Fault::NeverSends) => return read_until_end(stream),
        Some(Fault::DripsHead) => return drip(stream, "HTTP/1.1 200 OK\r\nX: ", b'x'),
        Some(Fault::DripsBody) => return drip(stream, &format!("{HEAD}\r\n"), b' '),
        Some(Fault::EndlessBody) => {
            let mut written = stream.write_all(format!("{HEAD}\r\n").as_bytes());
            while written.is_ok() {
                written = stream.write_all(&[b' '; 65_536]);
            }
            return;
        }
        Some(Fault::GzipBomb) => return compressed(stream, "gzip", gzip_bomb()),
        Some(Fault::DeflateBomb) => return compressed(stream, "deflate", deflate_bomb()),
        Some(Fault::ErrorPage) => ok("<html><h1>We will be back soon</h1></html>"),
        Some(Fault::EmptyBody) => ok(""),
        Some(Fault::TruncatedJson) => ok(r#"{"at":1,"level":"#),
        Some(Fault::WrongType) => ok("\u{89}PNG\r\n\u{1a}\n"),
        Some(Fault::DeepNesting) => ok(&"[".repeat(100_000)),
        Some(Fault::RedirectLoop) => redirect("/"),
        Some(Fault::RedirectsToAnotherHost) => redirect("http://127.0.0.9/"),
        Some(Fault::TooManyRequests) => {
            "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n"
                .to_owned()
        }
        Some(Fault::Unavailable) => {
            let date = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(1));
            format!(
                "HTTP/1.1 503 Service Unavailable\r\nRetry-After: {date}\r\n\
                 Content-Length: 0\r\n\r\n"
            )
        }
        Some(Fault::NotModified) => "HTTP/1.1 304 Not Modified\r\n\r\n".to_owned(),
        Some(Fault::Resets) => {
            let _ = stream.write_all(format!("{HEAD}Content-Length: 99\r\n\r\n{{").as_bytes());
            let _ = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
            return;
        }
        Some(Fault::ClockAhead) => with_level(&level.to_string(), Duration::from_secs(3600)),
        Some(Fault::NotANumber) => with_level("\"NaN\"", Duration::ZERO),
        Some(Fault::NumberOutOfRange) => with_level("1e999", Duration::ZERO),
        Some(Fault::NullValue) => with_level("null", Duration::ZERO),
        Some(
            Fault::DropsSyn
            | Fault::TlsStalls
            | Fault::RedirectsToHttp
            | Fault::CertificateExpired
            | Fault::CertificateForAnotherName,
        ) => return,
    };
    let _ = stream.write_all(text.as_bytes());
}

/// Reads and discards until the client ends the connection.
pub(super) fn read_until_end(mut stream: TcpStream) {
    while stream.read(&mut [0; 4096]).is_ok_and(|length| length > 0) {}
}

/// Returns 32 MiB of spaces as gzip, which is compressed once and takes a while.
pub(super) fn gzip_bomb() -> &'static [u8] {
    static BOMB: OnceLock<Vec<u8>> = OnceLock::new();
    BOMB.get_or_init(|| {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&vec![b' '; 32 << 20]).unwrap();
        encoder.finish().unwrap()
    })
}

/// Returns 32 MiB of spaces in bare DEFLATE.
pub(super) fn deflate_bomb() -> &'static [u8] {
    static BOMB: OnceLock<Vec<u8>> = OnceLock::new();
    BOMB.get_or_init(|| {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&vec![b' '; 32 << 20]).unwrap();
        encoder.finish().unwrap()
    })
}

fn compressed(mut stream: TcpStream, coding: &str, body: &[u8]) {
    let length = body.len();
    let head = format!("{HEAD}Content-Encoding: {coding}\r\nContent-Length: {length}\r\n\r\n");
    let _ = stream.write_all(&[head.as_bytes(), body].concat());
}

/// Returns a response with this JSON value as the level, observed `ahead` of now.
fn with_level(level: &str, ahead: Duration) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    ok(&format!(r#"{{"at":{},"level":{level}}}"#, (now + ahead).as_secs()))
}

fn ok(body: &str) -> String {
    format!("{HEAD}Content-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

/// Sends `start`, then one byte every 100 ms until the client ends the connection.
fn drip(mut stream: TcpStream, start: &str, byte: u8) {
    let mut written = stream.write_all(start.as_bytes());
    while written.is_ok() {
        std::thread::sleep(Duration::from_millis(100));
        written = stream.write_all(&[byte]);
    }
}
