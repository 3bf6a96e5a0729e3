//! One turn of a connection, with an engine's lanes but without its threads.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};

use super::*;
use crate::limits::Settings;
use crate::message::{Body, Request, RequestHead, Response};
use crate::refusal::Refusal;
use crate::scheduler::Place;
use crate::service::{Lane, Reply, Service};
use crate::shared::fixture::shared;
use crate::socket::Stream;
use crate::turn_budget::MAX_STEPS;

/// Service that streams without end at `/stream`, and answers all else by expensive work that ends at
/// once.
struct QuickWork;

impl Service for QuickWork {
    fn call(&self, request: &Request, _: &Activity) -> Reply {
        if request.target.path() == "/stream" {
            return Response::new(Body::Stream(Box::new(io::repeat(b'x')))).into();
        }
        let work = Box::new(|_: &Request, _: &Activity| Response::new(Body::from("done")).into());
        Reply::Heavy { lane: Lane::Bulk, work }
    }

    fn refuse(&self, _: Refusal, _: Option<RequestHead<'_>>) -> Response {
        unreachable!("every request is whole")
    }
}

struct Harness {
    shared: Arc<Shared>,
    client: TcpStream,
    slot: Arc<Slot<Session>>,
}

impl Harness {
    /// Returns a connection whose client has sent `requests`.
    fn new(requests: &str) -> Harness {
        let (shared, ..) = shared(QuickWork, Settings::default());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let server = listener.accept().unwrap().0;
        server.set_nonblocking(true).unwrap();
        client.write_all(requests.as_bytes()).unwrap();

        let settings = shared.settings.load_full();
        let stream = Stream::Tcp(mio::net::TcpStream::from_std(server));
        let session = Session::new(stream, None, &settings, &shared.memory, None, Instant::now());
        let mut slots = shared.scheduler.slots();
        let state = session.state();
        let slot = Arc::new(Slot::new(slots.next_token(), None, session, state, 0, 0));
        slots.insert(Arc::clone(&slot));
        drop(slots);
        shared.scheduler.signal(&slot, Ready::READ);
        Harness { shared, client, slot }
    }

    fn drive(&self) {
        let edges = self.slot.take_queued().unwrap();
        let (activity, scratch) = (Activity::default(), &mut Scratch::new());
        let now = Instant::now();
        drive(&self.shared, &activity, &self.slot, Task::Serve, edges, now, scratch);
    }

    /// Closes the server's end as the end of the process does, and returns all that the client
    /// receives.
    fn close(mut self) -> io::Result<Vec<u8>> {
        drop(self.slot.session().take());
        let mut received = Vec::new();
        self.client.read_to_end(&mut received).map(|_| received)
    }
}

#[test]
fn requests_that_enter_a_lane_share_one_turn() {
    let harness = Harness::new(&"GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(10 * MAX_STEPS));
    harness.drive();
    assert_eq!(harness.slot.place(), Place::Queued, "it has more to do");
    // Requests that the kernel still holds make the close a reset.
    let mut received = vec![0; 64 << 10];
    let length = (&harness.client).read(&mut received).unwrap();
    let text = String::from_utf8_lossy(&received[..length]);
    let answered = text.matches("HTTP/1.1 200").count();
    assert!((1..=MAX_STEPS).contains(&answered), "{answered} in one turn");
}

#[test]
fn body_that_the_end_of_the_process_truncates_ends_in_a_reset() {
    for (version, is_delimited_by_close) in [("1.0", true), ("1.1", false)] {
        let harness = Harness::new(&format!("GET /stream HTTP/{version}\r\nHost: x\r\n\r\n"));
        harness.drive();
        harness.shared.reset_truncated();
        assert_eq!(harness.close().is_err(), is_delimited_by_close, "HTTP/{version}");
    }
}
