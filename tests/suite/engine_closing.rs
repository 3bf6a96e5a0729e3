//! The last response of a connection reaches its client, whatever the client still sends.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hostile::client::TEST_TIMEOUT;
use pumphouse_web::engine::{Body, CloseReason, ConnectionState, Request, Response, Settings};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use socket2::{Domain, Socket, Type};

use crate::harness::{Program, TestEngine, eventually};

/// Size of a response: more than a small receive buffer, and little more than the kernel buffers for a
/// client that does not read.
const BODY: usize = 77 << 10;

const LAST_REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

fn page(_: &Request) -> Response {
    Response::new(Body::from(vec![b'x'; BODY]))
}

/// Connects with a small receive buffer, so that most of a response stays in the server's kernel.
fn connect_narrow(address: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    socket.connect(&address.into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
    stream.set_write_timeout(Some(TEST_TIMEOUT)).unwrap();
    stream
}

/// Reads until the server has written the whole response, of which the client still lacks a part.
fn read_until_written(server: &TestEngine, stream: &mut impl Read) -> Vec<u8> {
    let mut read = Vec::new();
    eventually("the response is written", || {
        let lingering = server.stats.connections(ConnectionState::Lingering);
        let written = lingering + server.stats.closed(CloseReason::Done) > 0;
        if !written && read.len() < BODY / 2 {
            let mut piece = [0; 1024];
            let length = stream.read(&mut piece).unwrap();
            read.extend_from_slice(&piece[..length]);
        }
        written
    });
    assert!(read.len() < BODY * 3 / 4, "{} bytes read", read.len());
    read
}

fn assert_whole(response: &[u8]) {
    let head = response.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
    assert_eq!(response.len() - head - 4, BODY);
}

#[test]
fn last_response_to_client_that_sends_more_is_read_whole() {
    let server = TestEngine::http(Settings::default(), Program(page));
    let mut stream = connect_narrow(server.address);
    stream.write_all(LAST_REQUEST).unwrap();
    let mut response = read_until_written(&server, &mut stream);
    stream.write_all(b"GET /more HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    stream.read_to_end(&mut response).unwrap();
    assert_whole(&response);
    drop(stream);
    eventually("the connection ends", || server.stats.closed(CloseReason::Done) == 1);
}

#[test]
fn last_response_to_tls_client_that_sends_close_notify_is_read_whole() {
    let server = TestEngine::https(Settings::default(), Program(page));
    let name = ServerName::try_from("localhost").unwrap();
    let session = ClientConnection::new(Arc::clone(&server.client), name).unwrap();
    let mut stream = StreamOwned::new(session, connect_narrow(server.address));
    stream.write_all(LAST_REQUEST).unwrap();
    stream.flush().unwrap();
    let mut response = read_until_written(&server, &mut stream);
    stream.conn.send_close_notify();
    while stream.conn.wants_write() {
        stream.conn.write_tls(&mut stream.sock).unwrap();
    }
    stream.read_to_end(&mut response).unwrap();
    assert_whole(&response);
}

/// Sends 4 MiB before it reads, and requires a 413 that closes the connection.
fn assert_upload_gets_413(mut stream: impl Read + Write) {
    let body = vec![b'x'; 4 << 20];
    let head = format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(&body).unwrap();
    stream.flush().unwrap();
    let mut response = String::new();
    stream.read_to_string(&mut response).unwrap();
    assert!(response.starts_with("HTTP/1.1 413 "), "{response}");
    assert!(response.contains("connection: close"), "{response}");
}

#[test]
fn refusal_of_an_upload_is_read_after_megabytes() {
    let server = TestEngine::http(Settings::default(), Program(page));
    let stream = TcpStream::connect(server.address).unwrap();
    stream.set_write_timeout(Some(TEST_TIMEOUT)).unwrap();
    assert_upload_gets_413(stream);
}

#[test]
fn refusal_of_an_upload_over_tls_is_read_after_megabytes() {
    let server = TestEngine::https(Settings::default(), Program(page));
    let name = ServerName::try_from("localhost").unwrap();
    let session = ClientConnection::new(Arc::clone(&server.client), name).unwrap();
    let stream = TcpStream::connect(server.address).unwrap();
    stream.set_write_timeout(Some(TEST_TIMEOUT)).unwrap();
    // The server's close_notify may arrive during the upload, which rustls continues.
    assert_upload_gets_413(StreamOwned::new(session, stream));
}

#[test]
fn lingering_connection_at_the_cap_is_evicted_before_an_idle_one() {
    let settings = Settings { max_connections: 2, ..Settings::default() };
    let server = TestEngine::http(settings, Program(|_: &Request| Response::new(Body::empty())));
    let ask = |close: bool| {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
        let request = if close { LAST_REQUEST } else { b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" };
        stream.write_all(request).unwrap();
        let mut piece = [0; 1024];
        assert!(stream.read(&mut piece).unwrap() > 0);
        stream
    };
    let mut idle = ask(false);
    let state = |state| server.stats.connections(state);
    eventually("one connection is idle", || state(ConnectionState::Idle) == 1);
    let _lingering = ask(true);
    eventually("one connection lingers", || state(ConnectionState::Lingering) == 1);
    let _newcomer = ask(false);
    assert_eq!(server.stats.closed(CloseReason::Evicted), 1);
    idle.write_all(LAST_REQUEST).unwrap();
    assert!(idle.read(&mut [0; 1024]).unwrap() > 0, "the idle connection is still served");
}

#[test]
fn lingering_connection_ends_at_linger_timeout() {
    let linger_timeout = Duration::from_millis(300);
    let settings = Settings { linger_timeout, ..Settings::default() };
    let server = TestEngine::http(settings, Program(page));
    let mut stream = TcpStream::connect(server.address).unwrap();
    let begun = Instant::now();
    stream.write_all(LAST_REQUEST).unwrap();
    // The client keeps sending and does not close.
    eventually("the connection ends", || {
        let _ = stream.write_all(b"x");
        server.stats.closed(CloseReason::Done) == 1
    });
    assert!(begun.elapsed() >= linger_timeout, "closed after {:?}", begun.elapsed());
    assert!(begun.elapsed() < Settings::default().linger_timeout, "{:?}", begun.elapsed());
}
