//! A relay in front of a receiver, with the faults of networks.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use socket2::{Domain, Socket, Type};

/// Time between two bytes of a response that drips.
const DRIP: Duration = Duration::from_millis(200);

/// Bound on each read and write of a relay.
const MAX_SILENCE: Duration = Duration::from_secs(60);

/// Fault of the way to a receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrontFault {
    /// Connections are refused. Only at the begin: a port that was opened stays open.
    Refuses,
    /// Connections are accepted, and nothing is read or sent.
    Hangs,
    /// Responses come byte by byte.
    Drips,
    /// Connections are closed once the client has sent this number of bytes.
    DropsAfter(usize),
    /// The receiver takes the message, and its response is lost.
    LosesResponse,
}

/// A relay on loopback.
pub struct Front {
    address: SocketAddr,
    listener: Arc<Socket>,
    state: Arc<State>,
    accepting: Mutex<Option<JoinHandle<()>>>,
}

struct State {
    to: SocketAddr,
    fault: Mutex<Option<FrontFault>>,
    connections: AtomicUsize,
    stopping: AtomicBool,
    /// Connections that hang, held open until the fault ends.
    hung: Mutex<Vec<TcpStream>>,
}

impl Front {
    /// Starts a relay to a receiver, with a fault from the begin on.
    pub fn start(to: SocketAddr, fault: Option<FrontFault>) -> Front {
        // The port is reserved at once. Connections are refused until the socket listens.
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        let address = listener.local_addr().unwrap().as_socket().unwrap();
        let state = Arc::new(State {
            to,
            fault: Mutex::new(fault),
            connections: AtomicUsize::new(0),
            stopping: AtomicBool::new(false),
            hung: Mutex::default(),
        });
        let front =
            Front { address, listener: Arc::new(listener), state, accepting: Mutex::default() };
        if fault != Some(FrontFault::Refuses) {
            front.open();
        }
        front
    }

    fn open(&self) {
        let mut accepting = self.accepting.lock().unwrap();
        if accepting.is_none() {
            self.listener.listen(64).unwrap();
            let (listener, state) = (Arc::clone(&self.listener), Arc::clone(&self.state));
            *accepting = Some(std::thread::spawn(move || accept(&listener, &state)));
        }
    }

    /// Returns the address for clients.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Number of connections accepted so far.
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }

    /// Begins a fault with the next connection.
    ///
    /// # Panics
    /// The fault is [`FrontFault::Refuses`].
    pub fn inject(&self, fault: FrontFault) {
        assert_ne!(fault, FrontFault::Refuses, "a port that was opened stays open");
        *self.state.fault.lock().unwrap() = Some(fault);
    }

    /// Ends the fault, and closes the connections that hang.
    pub fn recover(&self) {
        *self.state.fault.lock().unwrap() = None;
        self.state.hung.lock().unwrap().clear();
        self.open();
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.state.stopping.store(true, Ordering::SeqCst);
        if let Some(accepting) = self.accepting.lock().unwrap().take() {
            // Wakes the thread that blocks in accept.
            let _ = TcpStream::connect(self.address);
            let _ = accepting.join();
        }
    }
}

fn accept(listener: &Socket, state: &Arc<State>) {
    while let Ok((client, _)) = listener.accept() {
        if state.stopping.load(Ordering::SeqCst) {
            return;
        }
        state.connections.fetch_add(1, Ordering::SeqCst);
        let client = TcpStream::from(client);
        let fault = *state.fault.lock().unwrap();
        if fault == Some(FrontFault::Hangs) {
            state.hung.lock().unwrap().push(client);
            continue;
        }
        let to = state.to;
        // The threads end with their connection, whose reads and writes are bounded.
        std::thread::spawn(move || relay(client, to, fault));
    }
}

/// Relays one connection until either side closes it.
fn relay(client: TcpStream, to: SocketAddr, fault: Option<FrontFault>) {
    let Ok(server) = TcpStream::connect(to) else { return };
    for stream in [&client, &server] {
        let _ = stream.set_read_timeout(Some(MAX_SILENCE));
        let _ = stream.set_write_timeout(Some(MAX_SILENCE));
        let _ = stream.set_nodelay(true);
    }
    let (Ok(from), Ok(back)) = (client.try_clone(), server.try_clone()) else { return };
    let responses = std::thread::spawn(move || copy_responses(back, client, fault));
    copy_requests(from, server, fault);
    let _ = responses.join();
}

fn copy_requests(mut from: TcpStream, mut to: TcpStream, fault: Option<FrontFault>) {
    let mut left = match fault {
        Some(FrontFault::DropsAfter(length)) => length,
        _ => usize::MAX,
    };
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        let passed = length.min(left);
        if to.write_all(&buffer[..passed]).is_err() {
            break;
        }
        left -= passed;
        if left == 0 {
            let _ = from.shutdown(Shutdown::Both);
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
}

fn copy_responses(mut from: TcpStream, mut to: TcpStream, fault: Option<FrontFault>) {
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        let sent = match fault {
            Some(FrontFault::LosesResponse) => break,
            Some(FrontFault::Drips) => drip(&mut to, &buffer[..length]),
            _ => to.write_all(&buffer[..length]),
        };
        if sent.is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

fn drip(to: &mut TcpStream, bytes: &[u8]) -> std::io::Result<()> {
    for byte in bytes {
        to.write_all(&[*byte])?;
        std::thread::sleep(DRIP);
    }
    Ok(())
}
