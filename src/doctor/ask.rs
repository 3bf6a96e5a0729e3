//! One question to the admin listener, with a deadline that covers all of it.

use std::io::{self, Read, Write};
use std::time::{Duration, Instant};

use socket2::{Domain, SockAddr, Socket, Type};

use crate::config::ListenAddr;

/// A scoreboard of a thousand workers and as many sources is shorter.
const MOST_BYTES: usize = 4 << 20;

const FIELDS: usize = 32;

/// What came back.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
}

/// Why nothing did.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    /// No connection.
    #[error("{0}")]
    Connect(io::Error),
    /// It accepts nobody: the kernel keeps us waiting, and all places to wait are taken.
    #[error("its accept queue is full")]
    Full,
    /// The deadline passed.
    #[error("no answer in time")]
    Timeout,
    /// The connection broke.
    #[error("the connection broke: {0}")]
    Lost(io::Error),
    /// That is not how we answer.
    #[error("{0}")]
    Broken(&'static str),
}

/// Asks for `path`, and waits for the whole answer until the deadline.
pub(super) fn get(address: &ListenAddr, path: &str, deadline: Instant) -> Result<Answer, AskError> {
    let mut socket = connect(address, deadline)?;
    let question = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n");
    socket.set_write_timeout(Some(left(deadline)?)).map_err(AskError::Lost)?;
    socket.write_all(question.as_bytes()).map_err(lost)?;
    let mut bytes = Vec::new();
    let mut piece = [0; 16 << 10];
    loop {
        socket.set_read_timeout(Some(left(deadline)?)).map_err(AskError::Lost)?;
        match socket.read(&mut piece) {
            Ok(0) => return parse(&bytes)?.ok_or(AskError::Broken("the answer broke off")),
            Ok(length) => bytes.extend_from_slice(&piece[..length]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(lost(error)),
        }
        if let Some(answer) = parse(&bytes)? {
            return Ok(answer);
        }
        if bytes.len() > MOST_BYTES {
            return Err(AskError::Broken("the answer is too long"));
        }
    }
}

fn connect(address: &ListenAddr, deadline: Instant) -> Result<Socket, AskError> {
    match address {
        ListenAddr::Tcp(address) => {
            let socket = Socket::new(Domain::for_address(*address), Type::STREAM, None);
            let socket = socket.map_err(AskError::Connect)?;
            let connected = socket.connect_timeout(&SockAddr::from(*address), left(deadline)?);
            connected.map_err(refused)?;
            Ok(socket)
        }
        ListenAddr::Unix(path) => {
            let socket = Socket::new(Domain::UNIX, Type::STREAM, None);
            let socket = socket.map_err(AskError::Connect)?;
            // A blocking connect(2) would wait for a place in the queue, however long.
            socket.set_nonblocking(true).map_err(AskError::Connect)?;
            let target = SockAddr::unix(path).map_err(AskError::Connect)?;
            socket.connect(&target).map_err(|error| match error.kind() {
                io::ErrorKind::WouldBlock => AskError::Full,
                _ => AskError::Connect(error),
            })?;
            socket.set_nonblocking(false).map_err(AskError::Connect)?;
            Ok(socket)
        }
        ListenAddr::Fd(_) => Err(AskError::Broken("a passed socket has no address to ask at")),
    }
}

fn refused(error: io::Error) -> AskError {
    match error.kind() {
        io::ErrorKind::TimedOut => AskError::Timeout,
        _ => AskError::Connect(error),
    }
}

fn lost(error: io::Error) -> AskError {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => AskError::Timeout,
        _ => AskError::Lost(error),
    }
}

/// Until the deadline; longer than nothing, which to the kernel means for ever.
fn left(deadline: Instant) -> Result<Duration, AskError> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left < Duration::from_millis(1) { Err(AskError::Timeout) } else { Ok(left) }
}

/// The answer, once it is whole.
fn parse(bytes: &[u8]) -> Result<Option<Answer>, AskError> {
    let strange = AskError::Broken("what answers there does not speak HTTP");
    let mut fields = [httparse::EMPTY_HEADER; FIELDS];
    let mut head = httparse::Response::new(&mut fields);
    let start = match head.parse(bytes) {
        Ok(httparse::Status::Complete(start)) => start,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(_) => return Err(strange),
    };
    let length =
        head.headers.iter().find(|field| field.name.eq_ignore_ascii_case("content-length"));
    let length: Option<usize> = length
        .and_then(|field| std::str::from_utf8(field.value).ok())
        .and_then(|text| text.trim().parse().ok());
    let (Some(status), Some(length)) = (head.code, length) else { return Err(strange) };
    let body = start.checked_add(length).and_then(|end| bytes.get(start..end));
    Ok(body.map(|body| Answer { status, body: body.to_vec() }))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::os::unix::net::UnixListener;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(300)
    }

    /// Answers one connection with a piece of text every 50 ms.
    fn answering(pieces: &'static [&'static str]) -> ListenAddr {
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
    fn answers_and_what_is_none() {
        const SHORT: Duration = Duration::from_millis(300);
        const LONG: Duration = Duration::from_secs(20);
        const A: &str = "A: a\r\n";
        for (pieces, bound, expected) in [
            (&["HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n"][..], LONG, "200 ok\n"),
            (&["HTTP/1.1 503 No\r\nContent", "-Length: 2\r\n\r\nn", "o"], LONG, "503 no"),
            (&["HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok\n"], LONG, "the answer broke off"),
            (&[], LONG, "the answer broke off"),
            (&["SSH-2.0-OpenSSH\r\n\r\n"], LONG, "what answers there does not speak HTTP"),
            (&["HTTP/1.0 200 OK\r\n\r\n"], LONG, "what answers there does not speak HTTP"),
            (&["HTTP/1.0 200 OK\r\n", A, A, A, A, A, A, A, A, A], SHORT, "no answer in time"),
        ] {
            let told = match get(&answering(pieces), "/healthz", Instant::now() + bound) {
                Ok(Answer { status, body }) => {
                    format!("{status} {}", String::from_utf8(body).unwrap())
                }
                Err(error) => error.to_string(),
            };
            assert_eq!(told, expected, "{pieces:?}");
        }
    }

    #[test]
    fn nobody_there_silence_and_a_full_queue() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("admin");
        let at = ListenAddr::Unix(path.clone());
        assert!(matches!(get(&at, "/", soon()), Err(AskError::Connect(_))));
        let silent = UnixListener::bind(&path).unwrap();
        assert!(matches!(get(&at, "/", soon()), Err(AskError::Timeout)));
        drop(silent);
        std::fs::remove_file(&path).unwrap();

        let narrow = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        narrow.bind(&SockAddr::unix(&path).unwrap()).unwrap();
        narrow.listen(0).unwrap();
        let waiting: Vec<_> = (0..4).map(|_| get(&at, "/", soon())).collect();
        assert!(matches!(waiting.last(), Some(Err(AskError::Full))), "{waiting:?}");
    }
}
