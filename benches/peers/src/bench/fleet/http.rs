//! Single requests: their time and their size.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

const TIMEOUT: Duration = Duration::from_secs(60);

/// Response to one request.
pub struct Response {
    pub body: Vec<u8>,
    /// Time from the connect to the last byte, in milliseconds.
    pub millis: f64,
}

/// Sends a GET request on a connection of its own. `fields` are further fields, each with its CRLF.
pub fn get(address: SocketAddr, path: &str, fields: &str) -> io::Result<Response> {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{fields}\r\n")?;
    let mut response = Vec::new();
    stream.read_to_end(&mut response)?;
    let millis = begun.elapsed().as_secs_f64() * 1e3;
    let end = response.windows(4).position(|window| window == b"\r\n\r\n");
    match end {
        Some(end) if response.starts_with(b"HTTP/1.1 200 ") => {
            Ok(Response { body: response.split_off(end + 4), millis })
        }
        _ => {
            let line = response.split(|&byte| byte == b'\r').next().unwrap_or_default();
            let line = String::from_utf8_lossy(line);
            Err(io::Error::other(format!("GET {path}: \"{line}\"")))
        }
    }
}
