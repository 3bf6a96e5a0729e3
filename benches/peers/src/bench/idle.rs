//! Ten thousand TLS connections that have sent one request and stay open.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use rustls::{ClientConfig, ClientConnection};

use crate::load;
use crate::servers::Server;

/// Result of the measurement.
pub struct Idle {
    pub connections: usize,
    pub kib_each: f64,
    /// p99 of fresh connections meanwhile, in milliseconds.
    pub canary_p99: f64,
}

const CANARIES: usize = 50;

pub fn measure(
    server: &Server,
    config: &Arc<ClientConfig>,
    connections: usize,
) -> io::Result<Idle> {
    let before = server.memory();
    let mut held: Vec<(TcpStream, ClientConnection)> = Vec::with_capacity(connections);
    for number in 0..connections {
        held.push(ask(server.address, config, number as u64, "")?);
    }
    // By then the memory of the handshakes has been returned.
    std::thread::sleep(Duration::from_millis(500));
    let kib_each = server.memory().saturating_sub(before) as f64 / connections as f64;
    let mut times = Vec::new();
    for number in 0..CANARIES {
        let begun = Instant::now();
        ask(server.address, config, (connections + number) as u64, "Connection: close\r\n")?;
        times.push(begun.elapsed().as_secs_f64() * 1e3);
        std::thread::sleep(Duration::from_millis(20));
    }
    times.sort_unstable_by(f64::total_cmp);
    Ok(Idle { connections: held.len(), kib_each, canary_p99: times[times.len() * 99 / 100] })
}

/// Opens a connection, sends one request and reads the response.
fn ask(
    address: SocketAddr,
    config: &Arc<ClientConfig>,
    number: u64,
    fields: &str,
) -> io::Result<(TcpStream, ClientConnection)> {
    let mut socket = load::connect(address, number)?;
    let mut tls = load::session(config)?;
    write!(tls.writer(), "GET /ping HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n")?;
    let mut response = Vec::new();
    let begun = Instant::now();
    while !load::is_complete(&response)? {
        if begun.elapsed() > Duration::from_secs(10) {
            return Err(io::ErrorKind::TimedOut.into());
        }
        match step(&mut socket, &mut tls, &mut response) {
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock | io::ErrorKind::NotConnected
                ) =>
            {
                std::thread::yield_now();
            }
            other => other?,
        }
    }
    Ok((socket, tls))
}

fn step(
    socket: &mut TcpStream,
    tls: &mut ClientConnection,
    response: &mut Vec<u8>,
) -> io::Result<()> {
    while tls.wants_write() {
        tls.write_tls(socket)?;
    }
    if tls.read_tls(socket)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let state = tls.process_new_packets().map_err(io::Error::other)?;
    let mut plain = vec![0; state.plaintext_bytes_to_read()];
    tls.reader().read_exact(&mut plain)?;
    response.extend(plain);
    Ok(())
}
