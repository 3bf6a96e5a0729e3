//! A fake HTTP server, which keeps the requests that it gets.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A request.
#[derive(Debug, Clone)]
pub(super) struct Received {
    /// Request line and header fields, each with its CRLF.
    pub(super) head: String,
    /// Body.
    pub(super) body: String,
}

impl Received {
    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// Answer of the server to a request.
#[derive(Debug, Clone)]
pub(super) enum Reply {
    /// Sends these bytes, and closes the connection.
    Bytes(Vec<u8>),
    /// Sends nothing.
    Hang,
    /// Takes the request after this time.
    Late(Duration),
    /// Sends a byte every 20 ms.
    Drip,
}

impl Reply {
    pub(super) fn with(status: &str, fields: &str, body: &str) -> Reply {
        let length = body.len();
        let text = format!("HTTP/1.1 {status}\r\n{fields}Content-Length: {length}\r\n\r\n{body}");
        Reply::Bytes(text.into_bytes())
    }

    pub(super) fn ok(body: &str) -> Reply {
        Reply::with("200 OK", "", body)
    }
}

/// A running server; dropping it stops its thread.
pub(super) struct Server {
    address: SocketAddr,
    requests: Arc<Mutex<Vec<Received>>>,
    stopped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(super) fn new(reply: Reply) -> Server {
        Server::scripted(vec![reply])
    }

    /// Replies to each request in turn, and by the last reply to those that follow.
    pub(super) fn scripted(replies: Vec<Reply>) -> Server {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let stopped = Arc::new(AtomicBool::new(false));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let thread = {
            let (stopped, requests) = (stopped.clone(), requests.clone());
            thread::spawn(move || {
                for (number, stream) in listener.incoming().enumerate() {
                    if stopped.load(Ordering::SeqCst) {
                        return;
                    }
                    let reply = replies.get(number).or(replies.last()).unwrap();
                    serve(stream.unwrap(), reply, &requests);
                }
            })
        };
        Server { address, requests, stopped, thread: Some(thread) }
    }

    pub(super) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(super) fn requests(&self) -> Vec<Received> {
        self.requests.lock().unwrap().clone()
    }
}

fn serve(mut stream: TcpStream, reply: &Reply, requests: &Mutex<Vec<Received>>) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|n| n == 1) {
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).unwrap();
    let body = String::from_utf8(body).unwrap();
    requests.lock().unwrap().push(Received { head, body });
    // The client may have disconnected.
    match reply {
        Reply::Bytes(bytes) => drop(stream.write_all(bytes)),
        Reply::Hang => drop(stream.read(&mut byte)),
        Reply::Late(time) => {
            thread::sleep(*time);
            drop(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
        }
        Reply::Drip => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nX: ");
            while stream.write_all(b"x").is_ok() {
                thread::sleep(Duration::from_millis(20));
            }
        }
    }
}

impl Drop for Server {
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
