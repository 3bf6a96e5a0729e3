//! A relay to the database, so that packets of one replica can be lost by a port of their own, or be late.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// Relay on loopback. Its threads end with the process, or with their connections.
pub struct Relay {
    address: SocketAddr,
    turns: Arc<Turns>,
}

/// Counts how often a client sends after an answer: round trips.
#[derive(Default)]
struct Turns {
    count: AtomicUsize,
    has_answered: AtomicBool,
}

impl Relay {
    /// Starts a relay to a port of 127.0.0.1.
    ///
    /// # Panics
    /// No port is free.
    pub fn start(port: u16) -> Relay {
        Relay::delayed(port, Duration::ZERO)
    }

    /// Starts a relay to a port of 127.0.0.1, which delays all that is sent either way.
    ///
    /// # Panics
    /// No port is free.
    pub fn delayed(port: u16, delay: Duration) -> Relay {
        let turns = Arc::new(Turns::default());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let counted = turns.clone();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { continue };
                let (requests, answers) =
                    (client.try_clone().unwrap(), server.try_clone().unwrap());
                let turns = counted.clone();
                let request = move || {
                    let is_turn = turns.has_answered.swap(false, Ordering::Relaxed);
                    turns.count.fetch_add(is_turn.into(), Ordering::Relaxed);
                };
                let turns = counted.clone();
                let answer = move || turns.has_answered.store(true, Ordering::Relaxed);
                thread::spawn(move || relay(requests, server, delay, request));
                thread::spawn(move || relay(answers, client, delay, answer));
            }
        });
        Relay { address, turns }
    }

    /// Returns how often clients have sent after an answer, which is the number of round trips of one client.
    pub fn turns(&self) -> usize {
        self.turns.count.load(Ordering::Relaxed)
    }

    /// Returns the port of the relay.
    pub fn port(&self) -> u16 {
        self.address.port()
    }
}

fn relay(mut from: TcpStream, mut to: TcpStream, delay: Duration, each: impl Fn()) {
    let _ = to.set_nodelay(true);
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        each();
        thread::sleep(delay);
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
    let _ = from.shutdown(std::net::Shutdown::Both);
}
