//! An upstream that records the time of each poll of each source.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Longest wait for the request of a connection.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// Level of all sources while they are low, in percent. Otherwise levels are from 40 to 59 %.
const LOW: usize = 10;

/// A poll as the upstream has seen it.
#[derive(Debug, Clone, Copy)]
pub struct Poll {
    /// Arrival of the request.
    pub at: Instant,
    /// True once the whole answer is in the socket. The replica may have ended before it read it.
    pub is_answered: bool,
}

/// An upstream on loopback for any number of sources. The path names the source. Each answer has the number of the poll
/// of that source, from 1, as `count`, so that every observation shows which poll it is of.
pub struct PollLog {
    address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    polls: Mutex<BTreeMap<String, Vec<Poll>>>,
    /// Wait before each answer.
    delay: Mutex<Duration>,
    /// True while all levels are [`LOW`].
    is_low: AtomicBool,
    is_stopping: AtomicBool,
}

impl PollLog {
    /// Starts the upstream.
    ///
    /// # Panics
    /// No port is free.
    pub fn start() -> PollLog {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared::default());
        let accepted = Arc::clone(&shared);
        let accepting = thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if accepted.is_stopping.load(Ordering::SeqCst) {
                    return;
                }
                // A thread each, since a replica that is stopped holds its connection open.
                let accepted = Arc::clone(&accepted);
                thread::spawn(move || accepted.answer(stream));
            }
        });
        PollLog { address, shared, accepting: Some(accepting) }
    }

    /// Returns the URL of a source.
    pub fn url(&self, source: &str) -> String {
        format!("http://{}/{source}", self.address)
    }

    /// Waits this long before each later answer.
    pub fn delay(&self, delay: Duration) {
        *self.shared.delay.lock().unwrap() = delay;
    }

    /// Answers with levels that are low, or no longer.
    pub fn set_low(&self, is_low: bool) {
        self.shared.is_low.store(is_low, Ordering::SeqCst);
    }

    /// Returns the polls of each source so far.
    pub fn all(&self) -> BTreeMap<String, Vec<Poll>> {
        self.shared.polls().clone()
    }

    /// Returns the polls of a source so far.
    pub fn of(&self, source: &str) -> Vec<Poll> {
        self.shared.polls().get(source).cloned().unwrap_or_default()
    }
}

impl Shared {
    fn polls(&self) -> MutexGuard<'_, BTreeMap<String, Vec<Poll>>> {
        self.polls.lock().unwrap()
    }

    /// Answers the only request of a connection. The head of a poll fits into one read.
    fn answer(&self, mut stream: TcpStream) {
        let _ = stream.set_read_timeout(Some(REQUEST_TIMEOUT));
        let mut request = [0; 4096];
        let length = stream.read(&mut request).unwrap_or(0);
        let head = String::from_utf8_lossy(&request[..length]);
        let Some(source) = head.strip_prefix("GET /").and_then(|rest| rest.split(' ').next())
        else {
            return;
        };
        let count = {
            let mut polls = self.polls();
            let polls = polls.entry(source.to_owned()).or_default();
            polls.push(Poll { at: Instant::now(), is_answered: false });
            polls.len()
        };
        let delay = *self.delay.lock().unwrap();
        thread::sleep(delay);
        let is_low = self.is_low.load(Ordering::SeqCst);
        let level = if is_low { LOW } else { 40 + count % 20 };
        let json = format!(r#"{{"level": {level}, "count": {count}}}"#);
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n{json}",
            json.len()
        );
        if stream.write_all(answer.as_bytes()).is_ok()
            && let Some(poll) = self.polls().get_mut(source).and_then(|all| all.get_mut(count - 1))
        {
            poll.is_answered = true;
        }
    }
}

impl Drop for PollLog {
    fn drop(&mut self) {
        self.shared.is_stopping.store(true, Ordering::SeqCst);
        // Wakes the thread that blocks in accept.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}
