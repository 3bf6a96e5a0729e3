//! Upstreams that answer, and upstreams that hang.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// An upstream on loopback whose manners can be changed while it runs.
pub struct Upstream {
    address: SocketAddr,
    state: Arc<State>,
    accepting: Option<JoinHandle<()>>,
}

struct State {
    /// What it answers with; `None`: accepts, and never says anything.
    answer: Mutex<Option<String>>,
    connections: AtomicUsize,
    stopping: AtomicBool,
    /// The latest request that was answered.
    asked: Mutex<String>,
    /// Kept open for as long as the upstream lives.
    hung: Mutex<Vec<TcpStream>>,
}

impl Upstream {
    /// Accepts connections and never says a word.
    pub fn hung() -> Upstream {
        Upstream::start(None)
    }

    /// Answers every request with that JSON.
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
            asked: Mutex::default(),
            hung: Mutex::new(Vec::new()),
        });
        let accepted = Arc::clone(&state);
        let accepting = std::thread::spawn(move || accept(&listener, &accepted));
        Upstream { address, state, accepting: Some(accepting) }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// From now on answers with that JSON, or hangs.
    pub fn set(&self, answer: Option<&str>) {
        *self.state.answer.lock().unwrap() = answer.map(str::to_owned);
    }

    /// The latest request that was answered.
    pub fn asked(&self) -> String {
        self.state.asked.lock().unwrap().clone()
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.state.stopping.store(true, Ordering::SeqCst);
        // Ends the wait in accept.
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

/// Reads what has come of a request and answers it.
fn answer_once(mut stream: TcpStream, json: &str, state: &State) {
    let mut request = [0; 4096];
    let Ok(length) = stream.read(&mut request) else { return };
    *state.asked.lock().unwrap() = String::from_utf8_lossy(&request[..length]).into_owned();
    let _ = write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{json}",
        json.len()
    );
}
