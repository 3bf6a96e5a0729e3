//! Rejection of plain connections beyond the connection cap, which have no slot.
//!
//! Each gets a 503 by one write that does not block, and is closed a second later. A close at once
//! would turn a request that still arrives into a reset, which can destroy the response (RFC 9112 9.6).
//! A TLS client would need a handshake first, so its connection is closed without an answer.

use std::collections::VecDeque;
use std::io::{IoSlice, Read, Write};
use std::time::{Duration, Instant};

use super::http1::{Output, ResponseContext};
use super::limits::MAX_REJECTIONS;
use super::refusal::Refusal;
use super::service::Service;
use super::socket::Stream;

/// Time between the 503 and the close.
const REJECTION_LINGER: Duration = Duration::from_secs(1);

/// Number of bytes that are read and dropped at once.
const PIECE: usize = 4096;

/// Most reads of one connection before its close: more than the head of a request takes.
const MAX_READS: usize = 16;

/// Rejected connections that linger: at most [`MAX_REJECTIONS`], beyond which the oldest is closed.
#[derive(Default)]
pub(super) struct Rejections {
    lingering: VecDeque<(Instant, Stream)>,
}

impl Rejections {
    /// Answers a connection with 503.
    pub(super) fn reject(&mut self, mut stream: Stream, service: &dyn Service, now: Instant) {
        discard(&mut stream);
        let mut output = Output::default();
        let response = service.refuse(Refusal::Overloaded, None);
        output.push_response(response, ResponseContext::refused(false));
        let Ok(slices) = output.slices() else { return };
        let written = stream.write_vectored(&slices.map(IoSlice::new));
        if written.is_err() || stream.shutdown_write().is_err() {
            return;
        }
        if self.lingering.len() >= MAX_REJECTIONS {
            self.close_oldest();
        }
        self.lingering.push_back((now + REJECTION_LINGER, stream));
    }

    /// Returns the time at which the next connection is due to be closed.
    pub(super) fn next_close(&self) -> Option<Instant> {
        self.lingering.front().map(|(at, _)| *at)
    }

    /// Closes the connections that are due.
    pub(super) fn close_due(&mut self, now: Instant) {
        while self.next_close().is_some_and(|at| at <= now) {
            self.close_oldest();
        }
    }

    fn close_oldest(&mut self) {
        if let Some((_, mut stream)) = self.lingering.pop_front() {
            discard(&mut stream);
        }
    }
}

/// Reads and drops the bytes that have arrived. Unread bytes would turn the close into a reset.
fn discard(stream: &mut Stream) {
    let mut piece = [0; PIECE];
    for _ in 0..MAX_READS {
        if !matches!(stream.read(&mut piece), Ok(length) if length > 0) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::super::activity::Activity;
    use super::super::message::{Body, Request, RequestHead, Response};
    use super::super::service::Reply;
    use super::*;

    struct Busy;

    impl Service for Busy {
        fn call(&self, _: &Request, _: &Activity) -> Reply {
            unreachable!("no request is read")
        }

        fn refuse(&self, refusal: Refusal, _: Option<RequestHead<'_>>) -> Response {
            let mut response = Response::new(Body::from(refusal.detail()));
            *response.status_mut() = refusal.status();
            response
        }
    }

    /// Returns a client and the server's end of its connection.
    fn connection(listener: &TcpListener) -> (TcpStream, Stream) {
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let server = listener.accept().unwrap().0;
        server.set_nonblocking(true).unwrap();
        (client, Stream::Tcp(mio::net::TcpStream::from_std(server)))
    }

    #[test]
    fn request_behind_a_rejection_does_not_reset_the_connection() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (mut rejections, now) = (Rejections::default(), Instant::now());
        let (mut client, server) = connection(&listener);
        rejections.reject(server, &Busy, now);
        client.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
        let mut response = String::new();
        client.read_to_string(&mut response).unwrap();
        assert!(response.starts_with("HTTP/1.1 503 "), "{response}");

        assert_eq!(rejections.next_close(), Some(now + REJECTION_LINGER));
        rejections.close_due(now + REJECTION_LINGER);
        assert_eq!(rejections.next_close(), None);
    }

    #[test]
    fn rejection_beyond_the_limit_closes_the_oldest() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut rejections = Rejections::default();
        let mut clients = Vec::new();
        for _ in 0..MAX_REJECTIONS + 3 {
            let (client, server) = connection(&listener);
            rejections.reject(server, &Busy, Instant::now());
            clients.push(client);
        }
        assert_eq!(rejections.lingering.len(), MAX_REJECTIONS);
    }
}
