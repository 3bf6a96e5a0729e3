//! Thousands of connects at once.

use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use crate::proc;

/// What came of a burst of connects.
#[derive(Debug, Clone, Copy)]
pub struct Burst {
    /// How long the connects took.
    pub took: Duration,
    /// The most connections seen to wait for accept.
    pub fullest_queue: u32,
    /// Connections that the server still held a moment later.
    pub held: usize,
    /// Those that it had closed by then.
    pub closed: usize,
}

/// Connects so many times, from two hundred addresses, and says nothing. Then waits until no
/// more than `cap` are held, or for `patience`.
///
/// # Errors
/// A connect failed: the kernel refused it, or the accept queue was full.
pub fn burst(
    target: SocketAddr,
    count: usize,
    cap: usize,
    patience: Duration,
) -> io::Result<Burst> {
    let watching = Arc::new(AtomicBool::new(true));
    let watched = Arc::clone(&watching);
    let watcher = std::thread::spawn(move || {
        let mut fullest = 0;
        while watched.load(Ordering::Relaxed) {
            fullest = fullest.max(proc::accept_queue(target));
            std::thread::sleep(Duration::from_millis(1));
        }
        fullest
    });
    let begun = Instant::now();
    let streams: io::Result<Vec<TcpStream>> =
        (0..count).map(|number| connect(target, number)).collect();
    let took = begun.elapsed();
    let streams = streams?;
    let is_open = |stream: &&TcpStream| matches!((&mut &**stream).read(&mut [0]), Err(error) if error.kind() == io::ErrorKind::WouldBlock);
    let held = loop {
        let held = streams.iter().filter(is_open).count();
        if held <= cap || begun.elapsed() > took + patience {
            break held;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    watching.store(false, Ordering::Relaxed);
    let fullest_queue = watcher.join().expect("the watcher does not panic");
    Ok(Burst { took, fullest_queue, held, closed: count - held })
}

/// A finished connect, on a socket that does not block from then on.
fn connect(target: SocketAddr, number: usize) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(target), Type::STREAM, None)?;
    if target.is_ipv4() {
        let host = 1 + (number % 200) as u8;
        socket.bind(&SocketAddr::from((Ipv4Addr::new(127, 8, 0, host), 0)).into())?;
    }
    socket.connect_timeout(&target.into(), Duration::from_secs(10))?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}
