//! Warnings that a dependency logs about what clients send.

use std::io::{Read, Write};
use std::net::TcpStream;

use hostile::client::{TEST_TIMEOUT, client_hello};
use hostile::config::Config;

use crate::server::Server;

/// Returns a ClientHello with another server name, in records of at most 16 KiB.
fn hello_for(hello: &[u8], name: &[u8]) -> Vec<u8> {
    const OLD: &[u8] = b"localhost";
    // After the record header. The name follows its length, its type and two more lengths.
    let message = &hello[5..];
    let at = message.windows(OLD.len()).position(|window| window == OLD).unwrap();
    let mut changed = [&message[..at], name, &message[at + OLD.len()..]].concat();
    let grown = name.len() - OLD.len();
    let mut grow = |at: usize| {
        let length = u16::from_be_bytes([changed[at], changed[at + 1]]);
        let length = length + u16::try_from(grown).unwrap();
        changed[at..at + 2].copy_from_slice(&length.to_be_bytes());
    };
    // The name, the list of names, the extension; and the handshake message.
    [at - 2, at - 5, at - 7, 2].into_iter().for_each(&mut grow);
    grow(extensions_length_at(message));
    let record = |part: &[u8]| {
        let length = u16::try_from(part.len()).unwrap().to_be_bytes();
        [&hello[..3], &length, part].concat()
    };
    changed.chunks(16 * 1024).flat_map(record).collect()
}

/// Returns the offset of the extensions' length in a ClientHello message.
fn extensions_length_at(message: &[u8]) -> usize {
    let session_id = 4 + 2 + 32;
    let suites = session_id + 1 + usize::from(message[session_id]);
    let suites_length = u16::from_be_bytes([message[suites], message[suites + 1]]);
    let compression = suites + 2 + usize::from(suites_length);
    compression + 1 + usize::from(message[compression])
}

#[test]
fn warnings_of_a_dependency_are_few_short_and_escaped() {
    const CONNECTIONS: usize = 40;
    let mut server = Server::start(&Config::https());
    let hello = client_hello(&server.client);
    let hello = hello_for(&hello, &[b'\x1b'; 50_000]);
    for _ in 0..CONNECTIONS {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
        stream.write_all(&hello).unwrap();
        // A ServerHello or an alert: the server has read the name.
        assert!(stream.read(&mut [0; 1]).unwrap() > 0);
    }
    let suppressed = server.metric("pumphouse_log_lines_suppressed_total");
    assert!(suppressed >= CONNECTIONS - 10, "{suppressed}");
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    server.wait_for_log("more lines from rustls::msgs::handshake:");
    let log = server.log();
    let about: Vec<&String> = log.iter().filter(|line| line.contains("Illegal SNI")).collect();
    assert_eq!(about.len(), CONNECTIONS - suppressed);
    for line in &log {
        assert!(line.len() < 1200, "{}", line.len());
        assert!(!line.contains('\u{1b}'), "{line:?}");
    }
    assert!(about[0].contains(" bytes cut]"), "{}", about[0]);
}
