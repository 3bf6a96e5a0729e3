//! A burst of connects.

use std::io::{self, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::proc;
use crate::transport::connect_from;

/// Result of a burst of connects.
#[derive(Debug, Clone, Copy)]
pub struct Burst {
    /// Duration of the connects.
    pub took: Duration,
    /// Largest number of connections that waited to be accepted.
    pub fullest_queue: u32,
    /// Number of connections still open at the end.
    pub held: usize,
    /// Number of connections closed by the server.
    pub closed: usize,
}

/// Opens `count` connections from two hundred addresses and sends nothing. Then waits until at most
/// `cap` are open, or for `timeout`.
///
/// # Errors
/// A connect failed: the kernel refused it, or the accept queue was full.
pub fn burst(target: SocketAddr, count: usize, cap: usize, timeout: Duration) -> io::Result<Burst> {
    let sampling = Arc::new(AtomicBool::new(true));
    let is_sampling = Arc::clone(&sampling);
    let sampler = std::thread::spawn(move || {
        let mut fullest = 0;
        while is_sampling.load(Ordering::Relaxed) {
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
        if held <= cap || begun.elapsed() > took + timeout {
            break held;
        }
        std::thread::sleep(Duration::from_millis(10));
    };
    sampling.store(false, Ordering::Relaxed);
    let fullest_queue = sampler.join().expect("the sampler does not panic");
    Ok(Burst { took, fullest_queue, held, closed: count - held })
}

/// Returns an established connection on a non-blocking socket.
fn connect(target: SocketAddr, number: usize) -> io::Result<TcpStream> {
    let source = Ipv4Addr::new(127, 8, 0, 1 + (number % 200) as u8);
    let socket = connect_from(source, target, Duration::from_secs(10))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}
