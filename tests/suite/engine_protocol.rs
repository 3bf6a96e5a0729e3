//! HTTP and TLS over real sockets.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use hostile::client::{TEST_TIMEOUT, connect_tls, read_response};
use pumphouse_web::engine::{Body, Engine, Listener, Request, Response, Settings, StreamBody};

use crate::harness::{Program, TestEngine, get, plain_program};

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

fn ask(stream: &mut (impl Read + Write), request: &str) -> String {
    stream.write_all(request.as_bytes()).unwrap();
    text(read_response(stream).unwrap())
}

#[test]
fn connection_kept_alive_serves_many_requests() {
    let server = TestEngine::https(Settings::default(), Program(plain_program));
    let mut stream = connect_tls(server.address, &server.client).unwrap();
    for number in 0..50 {
        let answer = ask(&mut stream, &get(&format!("/{number}")));
        assert!(answer.ends_with(&format!("\r\n\r\n/{number}")), "{answer}");
    }
    assert_eq!(server.stats.accepted(), 1);
}

#[test]
fn tls_session_is_http_1_1_and_can_be_resumed() {
    let server = TestEngine::https(Settings::default(), Program(plain_program));
    let mut config = (*server.client).clone();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let config = Arc::new(config);
    let mut kinds = Vec::new();
    for _ in 0..2 {
        let mut stream = connect_tls(server.address, &config).unwrap();
        assert_eq!(stream.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
        ask(&mut stream, &get("/"));
        kinds.push(stream.conn.handshake_kind().unwrap());
    }
    assert_eq!(kinds[1], rustls::HandshakeKind::Resumed, "first {:?}", kinds[0]);
}

#[test]
fn plain_http_on_the_tls_port_gets_400() {
    let server = TestEngine::https(Settings::default(), Program(plain_program));
    let mut stream = TcpStream::connect(server.address).unwrap();
    let answer = ask(&mut stream, &get("/"));
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("https"), "{answer}");
}

#[test]
fn garbage_in_place_of_tls_is_closed() {
    let server = TestEngine::https(Settings::default(), Program(plain_program));
    for garbage in [&b"\x16\x03\x01\xff\xff garbage that is no handshake"[..], &[0; 64]] {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
        stream.write_all(garbage).unwrap();
        let mut alert = Vec::new();
        stream.read_to_end(&mut alert).unwrap();
        assert_eq!(alert.first(), Some(&21), "no TLS alert");
    }
}

#[test]
fn large_body_over_tls_and_plain_arrives_whole() {
    let expected = 32 << 20;
    let length = |answer: Vec<u8>| {
        let head = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap();
        answer.len() - head - 4
    };
    let https = TestEngine::https(Settings::default(), Program(plain_program));
    let mut stream = connect_tls(https.address, &https.client).unwrap();
    stream.write_all(get("/large").as_bytes()).unwrap();
    assert_eq!(length(read_all(&mut stream, expected)), expected);

    let http = TestEngine::http(Settings::default(), Program(plain_program));
    let mut stream = TcpStream::connect(http.address).unwrap();
    stream.write_all(get("/large").as_bytes()).unwrap();
    assert_eq!(length(read_all(&mut stream, expected)), expected);
}

/// Reads at least this many bytes of a body, faster than `read_response`.
fn read_all(stream: &mut impl Read, body: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 1 << 20];
    while bytes.len() <= body || !bytes.ends_with(b"x") || bytes.len() < body + 50 {
        match stream.read(&mut buffer).unwrap() {
            0 => break,
            length => bytes.extend_from_slice(&buffer[..length]),
        }
    }
    bytes
}

#[test]
fn streamed_body_arrives_whole() {
    struct Counting(u32);
    impl StreamBody for Counting {}
    impl Read for Counting {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            if self.0 == 100_000 {
                return Ok(0);
            }
            self.0 += 1;
            let line = format!("{:>9}\n", self.0);
            buffer[..line.len()].copy_from_slice(line.as_bytes());
            Ok(line.len())
        }
    }
    let server = TestEngine::http(
        Settings::default(),
        Program(|_: &Request| Response::new(Body::Stream(Box::new(Counting(0))))),
    );
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let lines: Vec<u32> = body.lines().map(|line| line.trim().parse().unwrap()).collect();
    assert!(lines.iter().copied().eq(1..=100_000));
}

#[test]
fn refused_upload_can_read_its_response_whole() {
    let server = TestEngine::http(Settings::default(), Program(plain_program));
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
    let body = vec![b'x'; 200_000];
    let head = format!("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
    stream.write_all(head.as_bytes()).unwrap();
    // The server may stop reading during this write. The response must arrive all the same.
    let _ = stream.write_all(&body);
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 413") && answer.contains("connection: close"), "{answer}");
}

#[test]
fn listeners_of_every_kind_serve_side_by_side() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("engine.sock");
    let v4 = Listener::tcp((Ipv4Addr::LOCALHOST, 0).into(), 16).unwrap();
    let v6 = Listener::tcp((Ipv6Addr::LOCALHOST, 0).into(), 16).unwrap();
    let unix = Listener::unix(&path, 16).unwrap();
    let (v4_address, v6_address) = (v4.local_addr(), v6.local_addr());
    assert_eq!(unix.local_addr(), format!("unix:{}", path.display()));
    let service = Arc::new(Program(|request: &Request| {
        Response::new(Body::from(if request.peer.address.is_some() { "tcp" } else { "unix" }))
    }));
    let engine = Engine::start(vec![v4, v6, unix], Settings::default(), None, service).unwrap();
    for address in [v4_address, v6_address] {
        assert!(ask(&mut TcpStream::connect(address).unwrap(), &get("/")).ends_with("tcp"));
    }
    assert!(ask(&mut UnixStream::connect(&path).unwrap(), &get("/")).ends_with("unix"));

    let taken = Listener::unix(&path, 16).unwrap_err();
    assert_eq!(
        taken.kind(),
        std::io::ErrorKind::AddrInUse,
        "the socket of a live server was replaced"
    );
    engine.drain();
    assert!(!path.exists(), "the file of the socket is left behind");
}

#[test]
fn abandoned_socket_file_is_replaced() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("engine.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    Listener::unix(&path, 16).unwrap();
}

#[test]
fn certificate_with_another_key_is_refused() {
    use pumphouse_web::engine::tls::{TlsError, server_config};
    let one = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let chain = one.cert.pem();
    let key = other.signing_key.serialize_pem();
    let made = |chain: &str, key: &str| server_config(chain.as_bytes(), key.as_bytes());
    assert!(matches!(made(&chain, &key), Err(TlsError::Mismatch(_))));
    assert!(matches!(made("", &key), Err(TlsError::NoCertificate)));
    assert!(matches!(made(&chain, ""), Err(TlsError::Key(_))));
    assert!(made(&chain, &one.signing_key.serialize_pem()).is_ok());
}
