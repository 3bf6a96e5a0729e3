//! An upstream that answers every request, or hangs, as the test chooses.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// An upstream on loopback. [`Upstream::set`] changes its behaviour while it runs.
pub struct Upstream {
    address: SocketAddr,
    state: Arc<State>,
    accepting: Option<JoinHandle<()>>,
}

struct State {
    /// Body of every answer; `None`: accept connections and send nothing.
    answer: Mutex<Option<String>>,
    connections: AtomicUsize,
    stopping: AtomicBool,
    /// Latest request that was answered.
    request: Mutex<String>,
    /// Unanswered connections, held open until the upstream is dropped.
    hung: Mutex<Vec<TcpStream>>,
}

impl Upstream {
    /// Starts an upstream that accepts connections and sends nothing.
    pub fn hung() -> Upstream {
        Upstream::start(None)
    }

    /// Starts an upstream that answers every request with this JSON.
    pub fn answering(json: &str) -> Upstream {
        Upstream::start(Some(json.to_owned()))
    }

    fn start(answer: Option<String>) -> Upstream {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            answer: Mutex::new(answer),
            connections: AtomicUsize::new(0),
            stopping: AtomicBool::new(false),
            request: Mutex::default(),
            hung: Mutex::new(Vec::new()),
        });
        let accepted = Arc::clone(&state);
        let accepting = std::thread::spawn(move || accept(&listener, &accepted));
        Upstream { address, state, accepting: Some(accepting) }
    }

    /// Returns its address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns its URL.
    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Answers later requests with this JSON; `None`: hang.
    pub fn set(&self, answer: Option<&str>) {
        *self.state.answer.lock().unwrap() = answer.map(str::to_owned);
    }

    /// Returns the latest request that was answered.
    pub fn latest_request(&self) -> String {
        self.state.request.lock().unwrap().clone()
    }

    /// Number of connections accepted so far.
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.state.stopping.store(true, Ordering::SeqCst);
        // Wakes the thread that blocks in accept.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

fn accept(listener: &TcpListener, state: &State) {
    for stream in listener.incoming().map_while(Result::ok) {
        if state.stopping.load(Ordering::SeqCst) {
            return;
        }
        state.connections.fetch_add(1, Ordering::SeqCst);
        let answer = state.answer.lock().unwrap().clone();
        match answer {
            Some(json) => answer_once(stream, &json, state),
            None => state.hung.lock().unwrap().push(stream),
        }
    }
}

/// Reads one request and answers it. The head of a poll fits into one read.
fn answer_once(mut stream: TcpStream, json: &str, state: &State) {
    let mut request = [0; 4096];
    let Ok(length) = stream.read(&mut request) else { return };
    *state.request.lock().unwrap() = String::from_utf8_lossy(&request[..length]).into_owned();
    let _ = write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{json}",
        json.len()
    );
}
