//! A fake upstream: one thread that accepts connections and passes each to a script.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A running fake upstream; dropping it stops the thread.
pub(super) struct Upstream {
    pub(super) address: SocketAddr,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Upstream {
    /// Passes each connection to the script, one after the other. A script must end when its client
    /// disconnects.
    pub(super) fn new(mut script: impl FnMut(TcpStream) + Send + 'static) -> Upstream {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let stopped = Arc::new(AtomicBool::new(false));
        let thread = {
            let stopped = stopped.clone();
            thread::spawn(move || {
                for stream in listener.incoming() {
                    if stopped.load(Ordering::SeqCst) {
                        return;
                    }
                    script(stream.unwrap());
                }
            })
        };
        Upstream { address, stopped, thread: Some(thread) }
    }

    /// Sends `response` to every request.
    pub(super) fn responding(response: impl Into<Vec<u8>>) -> Upstream {
        let response = response.into();
        Upstream::new(move |mut stream| {
            head(&mut stream);
            // The client may have disconnected.
            let _ = stream.write_all(&response);
        })
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // A connection wakes the blocked `accept`.
        let _ = TcpStream::connect(self.address);
        let joined = self.thread.take().unwrap().join();
        if !thread::panicking() {
            joined.unwrap();
        }
    }
}

/// Reads the head of a request.
pub(super) fn head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n == 1) {
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

/// Keeps the connection open without sending, until the client disconnects.
pub(super) fn hold(mut stream: TcpStream) {
    let mut bytes = [0; 1024];
    while stream.read(&mut bytes).is_ok_and(|n| n > 0) {}
}

/// Sends a byte every 20 ms, until the client disconnects.
pub(super) fn drip(mut stream: TcpStream, byte: u8) {
    // The read below times out after this, which sets the interval between two bytes.
    stream.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let mut bytes = [0; 1024];
    while stream.write_all(&[byte]).is_ok() {
        match stream.read(&mut bytes) {
            Ok(0) => return,
            Err(error) if !matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return;
            }
            _ => {}
        }
    }
}
