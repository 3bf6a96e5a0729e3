//! A line to the database that loses what one side sends, as a firewall or a broken switch does.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Relay on loopback. While it is cut, answers are lost; requests arrive, and connections stay open. Its threads end with
/// the process, or with their connections.
pub struct OneWay {
    address: SocketAddr,
    is_cut: Arc<AtomicBool>,
}

impl OneWay {
    /// Starts a relay to a port of 127.0.0.1.
    ///
    /// # Panics
    /// No port is free.
    pub fn start(port: u16) -> OneWay {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let is_cut = Arc::new(AtomicBool::new(false));
        let cut = Arc::clone(&is_cut);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else { continue };
                let (requests, answers) =
                    (client.try_clone().unwrap(), server.try_clone().unwrap());
                let cut = Arc::clone(&cut);
                thread::spawn(move || relay(requests, server, &AtomicBool::new(false)));
                thread::spawn(move || relay(answers, client, &cut));
            }
        });
        OneWay { address, is_cut }
    }

    /// Returns the port of the relay.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Loses all answers from now on, or none.
    pub fn cut(&self, is_cut: bool) {
        self.is_cut.store(is_cut, Ordering::SeqCst);
    }
}

fn relay(mut from: TcpStream, mut to: TcpStream, is_cut: &AtomicBool) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if is_cut.load(Ordering::SeqCst) {
            // What follows a loss would not fit to what came before it.
            while matches!(from.read(&mut buffer), Ok(1..)) {}
            break;
        }
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
    let _ = from.shutdown(std::net::Shutdown::Both);
}
