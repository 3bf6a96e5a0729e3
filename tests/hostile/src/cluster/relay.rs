//! A relay to the database, so that packets of one replica can be lost by a port of their own.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;

/// Relay on loopback. Its threads end with the process, or with their connections.
pub struct Relay {
    address: SocketAddr,
}

impl Relay {
    /// Starts a relay to a port of 127.0.0.1.
    ///
    /// # Panics
    /// No port is free.
    pub fn start(port: u16) -> Relay {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { continue };
                let (requests, answers) =
                    (client.try_clone().unwrap(), server.try_clone().unwrap());
                thread::spawn(move || relay(requests, server));
                thread::spawn(move || relay(answers, client));
            }
        });
        Relay { address }
    }

    /// Returns the port of the relay.
    pub fn port(&self) -> u16 {
        self.address.port()
    }
}

fn relay(mut from: TcpStream, mut to: TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(std::net::Shutdown::Both);
    let _ = from.shutdown(std::net::Shutdown::Both);
}
