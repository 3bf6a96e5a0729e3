//! A client that opens connections in a loop and sends nothing.

use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use socket2::{Domain, Socket, Type};

/// One thread of connects, as fast as the kernel completes them.
pub struct Churn {
    /// Server to connect to.
    pub target: SocketAddr,
    /// Address to connect from.
    pub source: Ipv4Addr,
    /// Number of connections to hold; beyond it the oldest is reset.
    pub held: usize,
}

/// Bound on each connect.
const TIMEOUT: Duration = Duration::from_secs(5);

impl Churn {
    /// Connects until `stop` is set. Returns the number of connections that were opened.
    pub fn run(&self, stop: &AtomicBool) -> u64 {
        let mut held = VecDeque::with_capacity(self.held + 1);
        let mut opened = 0;
        while !stop.load(Ordering::Relaxed) {
            match self.connect() {
                Ok(stream) => {
                    opened += 1;
                    held.push_back(stream);
                    if held.len() > self.held {
                        held.pop_front();
                    }
                }
                // Out of ports, or refused: pauses rather than retrying in a busy loop.
                Err(_) => std::thread::sleep(Duration::from_millis(10)),
            }
        }
        opened
    }

    fn connect(&self) -> std::io::Result<TcpStream> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.bind(&SocketAddr::from((self.source, 0)).into())?;
        // A close by reset leaves no socket in TIME_WAIT, which would use up the ports.
        socket.set_linger(Some(Duration::ZERO))?;
        socket.connect_timeout(&self.target.into(), TIMEOUT)?;
        Ok(socket.into())
    }
}
