//! Scenarios: a connection, a service that echoes, a client that reads everything, and a clock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Method;

use crate::activity::Activity;
use crate::http1::action::Refused;
use crate::http1::{Action, CallStep, Closing, Connection, ServiceCall};
use crate::limits::Settings;
use crate::message::{Body, Peer, Request, Response};
use crate::stats::CloseReason;

/// One connection, with a service that echoes requests.
pub(super) struct Scenario {
    pub(super) connection: Connection,
    pub(super) now: Instant,
    pub(super) started: Instant,
    responses: Vec<u8>,
    pub(super) closing: Option<Closing>,
}

/// Result of a scenario, for comparison between cuts of the same input.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Transcript {
    pub(super) responses: String,
    /// The reason alone: lingering depends on the input that has arrived.
    pub(super) closing: Option<CloseReason>,
}

pub(super) fn settings() -> Settings {
    Settings { max_header_bytes: 256, max_headers: 8, max_body_bytes: 16, ..Settings::default() }
}

pub(super) fn echo(request: &Request) -> Response {
    let text = format!(
        "[{} {} {}]",
        request.method,
        request.target,
        String::from_utf8_lossy(&request.body)
    );
    let body = match request.target.path() {
        "/stream" => Body::Stream(Box::new(std::io::Cursor::new(text))),
        "/long" => Body::from(vec![b'x'; 100_000]),
        _ => Body::from(text),
    };
    Response::new(body)
}

/// Renders a refusal, with the target if the head was parsed.
fn render(refused: &Refused) -> Response {
    let Refused { refusal, head } = refused;
    let asked = head.as_ref().map_or_else(String::new, |head| format!(" {}", head.target));
    let mut response = Response::new(Body::from(format!("{}{asked}", refusal.detail())));
    *response.status_mut() = refusal.status();
    response
}

impl Scenario {
    pub(super) fn new() -> Scenario {
        Scenario::with(settings())
    }

    pub(super) fn with(settings: Settings) -> Scenario {
        let started = Instant::now();
        let peer = Peer { address: None, tls: false, user: None };
        Scenario {
            connection: Connection::new(Arc::new(settings), peer, started),
            now: started,
            started,
            responses: Vec::new(),
            closing: None,
        }
    }

    /// Runs the connection until it waits for its client, which reads all output.
    pub(super) fn run(&mut self) {
        loop {
            match self.connection.poll(self.now) {
                Action::Read => return,
                Action::Write => self.take_output(),
                Action::Call(call) => self.run_call(call),
                Action::Refuse(refused) => {
                    self.connection.refuse(render(&refused), CloseReason::Refused, self.now);
                }
                Action::Close(closing) => {
                    self.closing = Some(closing);
                    return;
                }
            }
        }
    }

    /// Requests the body of POST and PUT, except at `/ignored`. Answers all else at once.
    fn run_call(&mut self, call: ServiceCall) {
        let ServiceCall { request, step } = call;
        let wants_body = matches!(request.method, Method::POST | Method::PUT)
            && request.target.path() != "/ignored";
        match step {
            CallStep::Begin if wants_body => {
                let then = Box::new(|request: &Request, _: &Activity| echo(request).into());
                if let Err(refused) = self.connection.read_body(request, usize::MAX, then) {
                    self.connection.refuse(render(&refused), CloseReason::Refused, self.now);
                }
            }
            _ => self.connection.respond(echo(&request), self.now),
        }
    }

    fn take_output(&mut self) {
        loop {
            let pieces = self.connection.output().unwrap();
            let length = pieces.iter().map(|piece| piece.len()).sum();
            self.responses.extend(pieces.concat());
            self.connection.consume_output(length);
            if self.connection.output_is_empty() {
                self.connection.output_written(self.now);
                return;
            }
        }
    }

    pub(super) fn receive(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.connection.receive(bytes.as_ref());
        self.run();
        self
    }

    pub(super) fn advance_clock(&mut self, time: Duration) -> &mut Self {
        self.now += time;
        if self.connection.deadline().passed(self.now) {
            let reason = self.connection.expiry_reason();
            match self.connection.expire() {
                Action::Refuse(refused) => {
                    self.connection.refuse(render(&refused), reason, self.now)
                }
                Action::Close(closing) => self.closing = Some(closing),
                other => panic!("an expired connection returns {other:?}"),
            }
            self.run();
        }
        self
    }

    /// Returns the result without what depends on time and on cuts: the date, and 100 Continue.
    pub(super) fn transcript(&self) -> Transcript {
        let responses = String::from_utf8_lossy(&self.responses)
            .lines()
            .filter(|line| !line.starts_with("date: "))
            .fold(String::new(), |text, line| text + line + "\n");
        let responses = responses.replace("HTTP/1.1 100 Continue\n\n", "");
        Transcript { responses, closing: self.closing.map(|closing| closing.reason) }
    }

    /// Returns the status codes of the responses, in order.
    pub(super) fn statuses(&self) -> Vec<u16> {
        let text = self.text();
        let codes = text.match_indices("HTTP/1.1 ").filter_map(|(at, _)| text[at + 9..].get(..3));
        codes.filter_map(|code| code.parse().ok()).collect()
    }

    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.responses).into_owned()
    }
}

pub(super) fn feed<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Scenario {
    let mut scenario = Scenario::new();
    for piece in pieces {
        scenario.receive(piece);
    }
    scenario
}

/// Name, input, statuses of the responses, and true if the connection persists.
pub(super) type Case = (&'static str, &'static [u8], &'static [u16], bool);

pub(super) const REQUEST: &str = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

pub(super) fn check_statuses(cases: &[Case]) {
    for (name, bytes, statuses, persists) in cases {
        let scenario = feed([*bytes]);
        assert_eq!(scenario.statuses(), *statuses, "{name}: {}", scenario.text());
        assert_eq!(scenario.closing.is_none(), *persists, "{name}");
        assert_eq!(scenario.text().contains("connection: close"), !*persists, "{name}");
    }
}

pub(super) fn check_cuts(cases: &[Case]) {
    for (name, bytes, ..) in cases {
        let whole = feed([*bytes]).transcript();
        for at in 1..bytes.len() {
            let (front, back) = bytes.split_at(at);
            assert_eq!(feed([front, back]).transcript(), whole, "{name}, cut at {at}");
        }
        assert_eq!(feed(bytes.chunks(1)).transcript(), whole, "{name}, byte by byte");
        for length in [2, 3, 7] {
            assert_eq!(feed(bytes.chunks(length)).transcript(), whole, "{name}, by {length}");
        }
    }
}
