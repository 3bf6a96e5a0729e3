//! One request to an admin listener, with a deadline for the whole exchange: for commands of this machine.
//!
//! The HTTP client of [`crate::outbound`] is not used here, because it waits for a place in a full
//! accept queue. A full queue is what `doctor` has to report, and the wait would use up its time.

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use socket2::{Domain, SockAddr, Socket, Type};

use crate::config::{ListenAddr, Secret};

/// Longest response, bytes. The alerts with their incidents are shorter, if two rules fire on each of 10,000 sources,
/// and so is the scoreboard of 1,000 workers and 10,000 failing sources.
const MAX_RESPONSE: usize = 64 << 20;

/// Most header fields of a response.
const MAX_FIELDS: usize = 32;

/// Response of any status.
#[derive(Debug, Clone)]
pub struct Response {
    /// Status code.
    pub status: u16,
    /// Body.
    pub body: Vec<u8>,
}

/// Error of a request.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// No connection was made.
    #[error("{0}")]
    Connect(io::Error),
    /// The accept queue of the unix socket is full.
    #[error("its accept queue is full")]
    Full,
    /// The deadline passed.
    #[error("timed out")]
    Timeout,
    /// The connection broke off.
    #[error("the connection broke: {0}")]
    Lost(io::Error),
    /// The response is not one of this program.
    #[error("{0}")]
    Malformed(&'static str),
}

/// Requests `path`, and returns the whole response before the deadline.
///
/// # Errors
/// There is no response of this program before the deadline.
pub fn get(address: &ListenAddr, path: &str, deadline: Instant) -> Result<Response, RequestError> {
    exchange(address, &format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n"), deadline)
}

/// Sends a command without a body to `target`, and returns the whole response before the deadline. Over TCP it needs
/// a token, which has visible ASCII characters only.
///
/// # Errors
/// There is no response of this program before the deadline.
pub fn post(
    address: &ListenAddr,
    target: &str,
    token: Option<&Secret>,
    deadline: Instant,
) -> Result<Response, RequestError> {
    let authorization = token
        .map(|token| format!("Authorization: Bearer {}\r\n", token.expose()))
        .unwrap_or_default();
    let request = format!(
        "POST {target} HTTP/1.0\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Accept: application/json\r\nContent-Length: 0\r\n{authorization}\r\n"
    );
    exchange(address, &request, deadline)
}

fn exchange(
    address: &ListenAddr,
    request: &str,
    deadline: Instant,
) -> Result<Response, RequestError> {
    let mut socket = connect(address, deadline)?;
    socket.set_write_timeout(Some(time_left(deadline)?)).map_err(RequestError::Lost)?;
    socket.write_all(request.as_bytes()).map_err(io_error)?;
    let mut bytes = Vec::new();
    let mut piece = [0; 16 << 10];
    loop {
        socket.set_read_timeout(Some(time_left(deadline)?)).map_err(RequestError::Lost)?;
        match socket.read(&mut piece) {
            Ok(0) => {
                return parse(&bytes)?.ok_or(RequestError::Malformed("the response broke off"));
            }
            Ok(length) => bytes.extend_from_slice(&piece[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(io_error(error)),
        }
        if let Some(response) = parse(&bytes)? {
            return Ok(response);
        }
        if bytes.len() > MAX_RESPONSE {
            return Err(RequestError::Malformed("the response is too long"));
        }
    }
}

fn connect(address: &ListenAddr, deadline: Instant) -> Result<Socket, RequestError> {
    match address {
        ListenAddr::Tcp(address) => {
            let socket = Socket::new(Domain::for_address(*address), Type::STREAM, None);
            let socket = socket.map_err(RequestError::Connect)?;
            let connected = socket.connect_timeout(&SockAddr::from(*address), time_left(deadline)?);
            connected.map_err(connect_error)?;
            Ok(socket)
        }
        ListenAddr::Unix(path) => {
            let socket = Socket::new(Domain::UNIX, Type::STREAM, None);
            let socket = socket.map_err(RequestError::Connect)?;
            // A blocking connect(2) would wait for a place in the accept queue without a bound.
            socket.set_nonblocking(true).map_err(RequestError::Connect)?;
            let target = SockAddr::unix(path).map_err(RequestError::Connect)?;
            socket.connect(&target).map_err(|error| match error.kind() {
                io::ErrorKind::WouldBlock => RequestError::Full,
                _ => RequestError::Connect(error),
            })?;
            socket.set_nonblocking(false).map_err(RequestError::Connect)?;
            Ok(socket)
        }
        ListenAddr::Fd(_) => Err(RequestError::Malformed(
            "a socket passed by the service manager has no address to connect to",
        )),
    }
}

fn connect_error(error: io::Error) -> RequestError {
    match error.kind() {
        io::ErrorKind::TimedOut => RequestError::Timeout,
        _ => RequestError::Connect(error),
    }
}

fn io_error(error: io::Error) -> RequestError {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => RequestError::Timeout,
        _ => RequestError::Lost(error),
    }
}

/// Returns the time left, of at least 1 ms: to the kernel, a timeout of 0 means none.
fn time_left(deadline: Instant) -> Result<Duration, RequestError> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left < Duration::from_millis(1) { Err(RequestError::Timeout) } else { Ok(left) }
}

/// Returns the response once it is complete.
fn parse(bytes: &[u8]) -> Result<Option<Response>, RequestError> {
    let malformed = RequestError::Malformed("the response is not HTTP");
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut head = httparse::Response::new(&mut fields);
    let start = match head.parse(bytes) {
        Ok(httparse::Status::Complete(start)) => start,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(malformed),
    };
    let length =
        head.headers.iter().find(|field| field.name.eq_ignore_ascii_case("content-length"));
    let length: Option<usize> = length
        .and_then(|field| std::str::from_utf8(field.value).ok())
        .and_then(|text| text.trim().parse().ok());
    let (Some(status), Some(length)) = (head.code, length) else { return Err(malformed) };
    let body = start.checked_add(length).and_then(|end| bytes.get(start..end));
    Ok(body.map(|body| Response { status, body: body.to_vec() }))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::unix::net::UnixListener;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(300)
    }

    /// Answers one connection with one of the pieces every 50 ms.
    fn serve_pieces(pieces: &'static [&'static str]) -> ListenAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let _ = stream.read(&mut [0; 4096]);
            for piece in pieces {
                std::thread::sleep(Duration::from_millis(50));
                let _ = stream.write_all(piece.as_bytes());
            }
        });
        ListenAddr::Tcp(address)
    }

    #[test]
    fn response_is_returned_whole_or_as_an_error() {
        const SHORT: Duration = Duration::from_millis(300);
        const LONG: Duration = Duration::from_secs(20);
        const A: &str = "A: a\r\n";
        for (pieces, bound, expected) in [
            (&["HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"][..], LONG, "200 ok\n"),
            (&["HTTP/1.1 503 No\r\nContent", "-Length: 2\r\n\r\nn", "o"], LONG, "503 no"),
            (&["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok\n"], LONG, "the response broke off"),
            (&[], LONG, "the response broke off"),
            (&["SSH-2.0-OpenSSH\r\n\r\n"], LONG, "the response is not HTTP"),
            (&["HTTP/1.0 200 OK\r\n\r\n"], LONG, "the response is not HTTP"),
            (&["HTTP/1.0 200 OK\r\n", A, A, A, A, A, A, A, A, A], SHORT, "timed out"),
        ] {
            let outcome = match get(&serve_pieces(pieces), "/healthz", Instant::now() + bound) {
                Ok(Response { status, body }) => {
                    format!("{status} {}", String::from_utf8(body).unwrap())
                }
                Err(error) => error.to_string(),
            };
            assert_eq!(outcome, expected, "{pieces:?}");
        }
    }

    #[test]
    fn get_without_a_listener_or_a_response_or_with_a_full_queue_fails_accordingly() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin");
        let at = ListenAddr::Unix(path.clone());
        assert!(matches!(get(&at, "/", soon()), Err(RequestError::Connect(_))));
        let silent = UnixListener::bind(&path).unwrap();
        assert!(matches!(get(&at, "/", soon()), Err(RequestError::Timeout)));
        drop(silent);
        std::fs::remove_file(&path).unwrap();

        let narrow = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        narrow.bind(&SockAddr::unix(&path).unwrap()).unwrap();
        narrow.listen(0).unwrap();
        let waiting: Vec<_> = (0..4).map(|_| get(&at, "/", soon())).collect();
        assert!(matches!(waiting.last(), Some(Err(RequestError::Full))), "{waiting:?}");
    }
}
