//! One turn of a connection, with the lanes of an engine but without its threads.

use std::io::Write;
use std::os::unix::net::UnixStream;

use crossbeam_channel::{bounded, unbounded};
use mio::{Poll, Waker};

use super::*;
use crate::http::budget::Budget;
use crate::http::limits::{MAX_BURST, Settings};
use crate::http::message::{Body, Refusal, Request, RequestHead, Response, Service};
use crate::http::queue::Queue;
use crate::http::reply::{Lane, Reply};
use crate::http::shared::Channels;
use crate::http::slot::Place;
use crate::http::socket::Stream;
use crate::http::stats::Stats;
use crate::http::watch::Watch;

/// Answers each request by expensive work that ends at once.
struct QuickWork;

impl Service for QuickWork {
    fn call(&self, _: &Request, _: &Activity) -> Reply {
        let work = Box::new(|_: &Request, _: &Activity| Response::new(Body::from("done")).into());
        Reply::Heavy { lane: Lane::Bulk, work }
    }

    fn refuse(&self, _: Refusal, _: Option<RequestHead<'_>>) -> Response {
        unreachable!("every request is whole")
    }
}

#[test]
fn requests_that_enter_a_lane_share_one_turn() {
    let poll = Poll::new().unwrap();
    let shared = Arc::new(Shared::new(
        Arc::new(QuickWork),
        Settings::default(),
        Stats::new(1),
        Queue::default(),
        Watch::new().unwrap(),
        Waker::new(poll.registry(), Token(0)).unwrap(),
        Channels { errands: unbounded().0, calls: bounded(1).0, closed: unbounded().0 },
    ));
    let (mut client, server) = UnixStream::pair().unwrap();
    client.set_nonblocking(true).unwrap();
    server.set_nonblocking(true).unwrap();
    let requests = 10 * MAX_BURST;
    client.write_all("GET / HTTP/1.1\r\nHost: x\r\n\r\n".repeat(requests).as_bytes()).unwrap();

    let settings = Arc::new(Settings::default());
    let (stream, budget) =
        (Stream::Unix(mio::net::UnixStream::from_std(server)), Arc::new(Budget::new(1 << 20)));
    let session = Session::new(stream, None, &settings, &budget, None, Instant::now());
    let slot = Arc::new(Slot::new(0, None, session, 0, 0));
    slot.signal(Ready::READ, 0);
    let edges = slot.take_queued().unwrap();
    drive(&shared, &Activity::default(), &slot, Order::Serve, edges, &mut Scratch::new());
    assert_eq!(slot.place(), Place::Queued, "it has more to do");

    let mut received = Vec::new();
    std::io::Read::read_to_end(&mut client, &mut received).unwrap_err();
    let answered = String::from_utf8(received).unwrap().matches("HTTP/1.1 200").count();
    assert!((1..=MAX_BURST).contains(&answered), "{answered} in one turn");
}
