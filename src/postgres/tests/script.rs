//! A server that plays a script.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread::{self, JoinHandle};

use crate::postgres::Target;

/// A server for one connection. Its script runs on a thread.
pub(super) struct Impostor {
    port: u16,
    thread: JoinHandle<()>,
}

impl Impostor {
    /// Starts a server that runs `script` on the first connection.
    pub(super) fn start(script: impl FnOnce(TcpStream) + Send + 'static) -> Impostor {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let thread = thread::spawn(move || script(listener.accept().unwrap().0));
        Impostor { port, thread }
    }

    /// Returns the target, which encrypts as this mode says.
    pub(super) fn target(&self, ssl_mode: &str) -> Target {
        let port = self.port;
        Target::parse(&format!("postgresql://a:s3cret@127.0.0.1:{port}/b?sslmode={ssl_mode}"))
            .unwrap()
    }

    /// Waits for the end of the script.
    pub(super) fn join(self) {
        self.thread.join().unwrap();
    }
}

/// Reads a message without a type, which begins a connection.
pub(super) fn read_first(stream: &mut TcpStream) -> Vec<u8> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).unwrap();
    let mut body = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap() - 4];
    stream.read_exact(&mut body).unwrap();
    body
}

/// Reads a message.
pub(super) fn read_message(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let mut kind = [0];
    stream.read_exact(&mut kind).unwrap();
    (kind[0], read_first(stream))
}

/// Reads up to the end of a call.
pub(super) fn read_call(stream: &mut TcpStream) {
    while read_message(stream).0 != b'S' {}
}

/// Returns a message.
pub(super) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap();
    [&[kind][..], &length.to_be_bytes(), body].concat()
}

/// Returns the message ReadyForQuery, outside of a transaction.
pub(super) fn ready() -> Vec<u8> {
    message(b'Z', b"I")
}

/// Returns the messages that stand before the rows of a result with columns of these types.
pub(super) fn described(types: &[u32]) -> Vec<u8> {
    let mut body = u16::try_from(types.len()).unwrap().to_be_bytes().to_vec();
    for oid in types {
        body.extend(b"c\0\0\0\0\0\0\0");
        body.extend(oid.to_be_bytes());
        body.extend([0, 8, 0xff, 0xff, 0xff, 0xff, 0, 1]);
    }
    [message(b'1', b""), message(b'2', b""), message(b'T', &body)].concat()
}

/// Returns a row.
pub(super) fn row(values: &[&[u8]]) -> Vec<u8> {
    let mut body = u16::try_from(values.len()).unwrap().to_be_bytes().to_vec();
    for value in values {
        body.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
        body.extend(*value);
    }
    message(b'D', &body)
}

/// Plays the start of a session with a primary, up to the answer to the check of the session.
pub(super) fn start_session(stream: &mut TcpStream) {
    read_first(stream);
    let begin = [message(b'R', &[0; 4]), message(b'K', &[0; 8]), ready()].concat();
    stream.write_all(&begin).unwrap();
    read_call(stream);
    let version = 150_004u64.to_be_bytes();
    let answer = [
        described(&[16, 16, 20]),
        row(&[&[0], &[0], &version]),
        message(b'C', b"SELECT 1\0"),
        ready(),
    ];
    stream.write_all(&answer.concat()).unwrap();
}

/// Waits until the client closes the connection.
pub(super) fn wait_for_end(stream: &mut TcpStream) {
    let mut sink = [0; 4096];
    while stream.read(&mut sink).is_ok_and(|read| read > 0) {}
}
