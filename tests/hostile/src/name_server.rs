//! A name server that answers, or drops queries, as the test chooses.

use std::io;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// A name server that resolves every name to 127.0.0.1, or drops queries.
pub struct NameServer {
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    answering: AtomicBool,
    queries: AtomicUsize,
}

impl NameServer {
    /// Starts a name server at this address; the resolver of the system uses port 53.
    ///
    /// # Errors
    /// The address cannot be bound.
    pub fn start(address: &str) -> io::Result<NameServer> {
        let socket = UdpSocket::bind(address)?;
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        // The thread ends with the test program.
        std::thread::spawn(move || {
            let mut query = [0; 512];
            while let Ok((length, client)) = socket.recv_from(&mut query) {
                shared.queries.fetch_add(1, Ordering::SeqCst);
                if shared.answering.load(Ordering::SeqCst)
                    && let Some(answer) = answer(&query[..length])
                {
                    let _ = socket.send_to(&answer, client);
                }
            }
        });
        Ok(NameServer { state })
    }

    /// Answers later queries, or drops them.
    pub fn answer(&self, answering: bool) {
        self.state.answering.store(answering, Ordering::SeqCst);
    }

    /// Number of queries so far.
    pub fn queries(&self) -> usize {
        self.state.queries.load(Ordering::SeqCst)
    }
}

/// Returns the response to a query (RFC 1035 section 4.1): an address for type A, and no records for
/// other types.
fn answer(query: &[u8]) -> Option<Vec<u8>> {
    const HEADER: usize = 12;
    const A: [u8; 4] = [0, 1, 0, 1];
    let name = query.get(HEADER..)?.iter().position(|byte| *byte == 0)? + 1;
    let kind = query.get(HEADER + name..HEADER + name + 4)?;
    let has_address = kind == A;
    let mut answer = query[..2].to_vec();
    // A response without error to one question, and its number of records.
    answer.extend([0x81, 0x80, 0, 1, 0, u8::from(has_address), 0, 0, 0, 0]);
    answer.extend(&query[HEADER..HEADER + name + 4]);
    if has_address {
        // Pointer to the name in the question, type and class, a TTL of 60 s, four bytes.
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
    }
    Some(answer)
}
