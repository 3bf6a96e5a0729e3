//! A name server that is silent until it is told to answer.

use std::io;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Answers for every name that it is at 127.0.0.1, or takes questions and says nothing.
pub struct NameServer {
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    answering: AtomicBool,
    questions: AtomicUsize,
}

impl NameServer {
    /// Takes questions at that address, which for the system's resolver has port 53.
    ///
    /// # Errors
    /// The address cannot be had.
    pub fn start(address: &str) -> io::Result<NameServer> {
        let socket = UdpSocket::bind(address)?;
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        // Ends with the test program.
        std::thread::spawn(move || {
            let mut question = [0; 512];
            while let Ok((length, client)) = socket.recv_from(&mut question) {
                shared.questions.fetch_add(1, Ordering::SeqCst);
                if shared.answering.load(Ordering::SeqCst)
                    && let Some(answer) = answer(&question[..length])
                {
                    let _ = socket.send_to(&answer, client);
                }
            }
        });
        Ok(NameServer { state })
    }

    /// From now on it answers, or it does not.
    pub fn answer(&self, answering: bool) {
        self.state.answering.store(answering, Ordering::SeqCst);
    }

    /// Questions taken so far.
    pub fn questions(&self) -> usize {
        self.state.questions.load(Ordering::SeqCst)
    }
}

/// The answer (RFC 1035 4.1): an address to a question for one, else that there is none.
fn answer(question: &[u8]) -> Option<Vec<u8>> {
    const HEADER: usize = 12;
    const A: [u8; 4] = [0, 1, 0, 1];
    let name = question.get(HEADER..)?.iter().position(|byte| *byte == 0)? + 1;
    let kind = question.get(HEADER + name..HEADER + name + 4)?;
    let has_address = kind == A;
    let mut answer = question[..2].to_vec();
    // A response without error to one question, with so many records in it.
    answer.extend([0x81, 0x80, 0, 1, 0, u8::from(has_address), 0, 0, 0, 0]);
    answer.extend(&question[HEADER..HEADER + name + 4]);
    if has_address {
        // The name as in the question, kind and class, a minute to live, four bytes.
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
    }
    Some(answer)
}
