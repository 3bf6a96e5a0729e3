//! The state machine in tables: what comes in, in which pieces, and what must come of it.

mod chunks;
mod targets;

use std::time::Duration;

use http::StatusCode;

use super::super::activity::Activity;
use super::super::limits::SPARE_ROOM;
use super::super::message::Body;
use super::*;

/// A connection with a program behind it that says back what it was asked.
pub(super) struct Conversation {
    connection: Connection,
    now: Instant,
    started: Instant,
    answers: Vec<u8>,
    closing: Option<Closing>,
}

/// What a conversation came to, for comparison between ways to cut the same bytes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) answers: String,
    /// Whether it lingers depends on what has come already, and is no part of the verdict.
    pub(super) closing: Option<CloseReason>,
}

fn settings() -> Settings {
    Settings { max_header_bytes: 256, max_headers: 8, max_body_bytes: 16, ..Settings::default() }
}

fn echo(request: &Request) -> Response {
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

/// The refusal, and what was asked for as far as that is known.
fn word(refused: &Refused) -> Response {
    let Refused { refusal, head } = refused;
    let asked = head.as_ref().map_or_else(String::new, |head| format!(" {}", head.target));
    let mut response = Response::new(Body::from(format!("{}{asked}", refusal.detail())));
    *response.status_mut() = refusal.status();
    response
}

impl Conversation {
    fn new() -> Conversation {
        Conversation::with(settings())
    }

    fn with(settings: Settings) -> Conversation {
        let started = Instant::now();
        let peer = Peer { address: None, tls: false };
        Conversation {
            connection: Connection::new(Arc::new(settings), peer, started),
            now: started,
            started,
            answers: Vec::new(),
            closing: None,
        }
    }

    /// Lets the machine run until it waits for its client. The client takes all output.
    fn run(&mut self) {
        loop {
            match self.connection.poll(self.now) {
                Action::Read => return,
                Action::Write => self.take_output(),
                Action::Call(call) => self.run_call(call),
                Action::Refuse(refused) => {
                    self.connection.refuse(word(&refused), CloseReason::Refused, self.now);
                }
                Action::Close(closing) => {
                    self.closing = Some(closing);
                    return;
                }
            }
        }
    }

    /// POST and PUT read the body, except at `/ignored`; all else is answered at once.
    fn run_call(&mut self, call: ServiceCall) {
        let ServiceCall { request, step } = call;
        let wants_body = matches!(request.method, Method::POST | Method::PUT)
            && request.target.path() != "/ignored";
        match step {
            Step::Begin if wants_body => {
                let then = Box::new(|request: &Request, _: &Activity| echo(request).into());
                if let Err(refused) = self.connection.read_body(request, usize::MAX, then) {
                    self.connection.refuse(word(&refused), CloseReason::Refused, self.now);
                }
            }
            _ => self.connection.respond(echo(&request), self.now),
        }
    }

    fn take_output(&mut self) {
        loop {
            let pieces = self.connection.output().unwrap();
            let length = pieces.iter().map(|piece| piece.len()).sum();
            self.answers.extend(pieces.concat());
            self.connection.taken(length);
            if self.connection.output_is_taken() {
                self.connection.written(self.now);
                return;
            }
        }
    }

    fn say(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        self.connection.receive(bytes.as_ref());
        self.run();
        self
    }

    fn pass(&mut self, time: Duration) -> &mut Self {
        self.now += time;
        if self.connection.deadline().passed(self.now) {
            let reason = self.connection.expiry();
            match self.connection.expire() {
                Action::Refuse(refused) => self.connection.refuse(word(&refused), reason, self.now),
                Action::Close(closing) => self.closing = Some(closing),
                other => panic!("an expired connection wishes {other:?}"),
            }
            self.run();
        }
        self
    }

    /// Without what depends on when the bytes came: the date, and whether a client that waits for
    /// 100 Continue had to.
    pub(super) fn verdict(&self) -> Verdict {
        let answers = String::from_utf8_lossy(&self.answers)
            .lines()
            .filter(|line| !line.starts_with("date: "))
            .fold(String::new(), |text, line| text + line + "\n");
        let answers = answers.replace("HTTP/1.1 100 Continue\n\n", "");
        Verdict { answers, closing: self.closing.map(|closing| closing.reason) }
    }

    /// The status codes of the answers, in order.
    pub(super) fn statuses(&self) -> Vec<u16> {
        let text = self.text();
        let codes = text.match_indices("HTTP/1.1 ").filter_map(|(at, _)| text[at + 9..].get(..3));
        codes.filter_map(|code| code.parse().ok()).collect()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.answers).into_owned()
    }
}

pub(super) fn converse<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Conversation {
    let mut conversation = Conversation::new();
    for piece in pieces {
        conversation.say(piece);
    }
    conversation
}

/// Name, request, statuses of the responses, and whether the connection lasts.
type Case = (&'static str, &'static [u8], &'static [u16], bool);

/// Requests, good and bad.
const CASES: &[Case] = &[
    ("a plain GET", b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n", &[200], true),
    ("empty lines before it", b"\r\n\r\nGET /a HTTP/1.1\r\nHost: x\r\n\r\n", &[200], true),
    ("HEAD", b"HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n", &[200], true),
    ("HTTP/1.0", b"GET /a HTTP/1.0\r\n\r\n", &[200], false),
    ("HTTP/1.0 kept", b"GET /a HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", &[200], true),
    ("asked to close", b"GET /a HTTP/1.1\r\nHost: x\r\nConnection: x, close\r\n\r\n", &[200], false),
    ("absolute form", b"GET http://x/a HTTP/1.1\r\nHost: x\r\n\r\n", &[200], true),
    ("asterisk form", b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", &[200], true),
    ("an empty Host", b"GET /a HTTP/1.1\r\nHost:\r\n\r\n", &[200], true),
    (
        "three in a row",
        b"GET /1 HTTP/1.1\r\nHost: x\r\n\r\nPOST /2 HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcGET /3 HTTP/1.1\r\nHost: x\r\n\r\n",
        &[200, 200, 200],
        true,
    ),
    ("a long body behind the head", b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n", &[200], true),
    ("a stream", b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n", &[200], true),
    ("a stream to 1.0", b"GET /stream HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", &[200], false),
    ("a body", b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello", &[200], true),
    ("no body", b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", &[200], true),
    (
        "chunks with extension and trailer",
        b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n5;a=b\r\nhello\r\n0A\r\n0123456789\r\n0\r\nT: v\r\n\r\n",
        &[200],
        true,
    ),
    // Malformed heads (RFC 9112 2 to 5).
    ("no Host", b"GET /a HTTP/1.1\r\n\r\n", &[400], false),
    ("two Hosts", b"GET /a HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", &[400], false),
    ("a bad Host", b"GET /a HTTP/1.1\r\nHost: x y\r\n\r\n", &[400], false),
    ("a Host with user", b"GET /a HTTP/1.1\r\nHost: u@x\r\n\r\n", &[400], false),
    ("bare LF throughout", b"GET /a HTTP/1.1\nHost: x\n\n", &[400], false),
    ("one bare LF", b"GET /a HTTP/1.1\r\nHost: x\nA: b\r\n\r\n", &[400], false),
    ("bare LF at the end", b"GET /a HTTP/1.1\r\nHost: x\r\n\nGET /b HTTP/1.1\r\n\r\n", &[400], false),
    ("a bare CR", b"GET /a HTTP/1.1\r\nHost: x\r\nA: b\rc\r\n\r\n", &[400], false),
    ("a folded line", b"GET /a HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n", &[400], false),
    ("a space before the colon", b"GET /a HTTP/1.1\r\nHost : x\r\n\r\n", &[400], false),
    ("a field without name", b"GET /a HTTP/1.1\r\nHost: x\r\n: b\r\n\r\n", &[400], false),
    ("a NUL in a value", b"GET /a HTTP/1.1\r\nHost: x\r\nA: \0\r\n\r\n", &[400], false),
    ("no target", b"GET HTTP/1.1\r\nHost: x\r\n\r\n", &[400], false),
    ("a relative target", b"GET a HTTP/1.1\r\nHost: x\r\n\r\n", &[400], false),
    ("an asterisk for GET", b"GET * HTTP/1.1\r\nHost: x\r\n\r\n", &[400], false),
    ("two spaces", b"GET  /a HTTP/1.1\r\nHost: x\r\n\r\n", &[400], false),
    ("a TLS hello", b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n", &[400], false),
    ("HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &[505], false),
    // Framing in which two readers could differ (RFC 9112 6.1 to 6.3).
    (
        "both lengths",
        b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        &[400],
        false,
    ),
    (
        "both lengths, the other way round",
        b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        &[400],
        false,
    ),
    (
        "two lengths that differ",
        b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        &[400],
        false,
    ),
    (
        "two lengths that agree",
        b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        &[400],
        false,
    ),
    ("a list of lengths", b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 5, 5\r\n\r\nhello", &[400], false),
    ("a signed length", b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: +5\r\n\r\nhello", &[400], false),
    ("a negative length", b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\nhello", &[400], false),
    ("a hexadecimal length", b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 0x5\r\n\r\nhello", &[400], false),
    ("an empty length", b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length:\r\n\r\n", &[400], false),
    ("chunked in 1.0", b"POST /a HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", &[400], false),
    ("chunked twice", b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, chunked\r\n\r\n", &[400], false),
    ("chunked not last", b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", &[400], false),
    ("no coding", b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: ,\r\n\r\n", &[400], false),
    ("gzip, chunked", b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", &[501], false),
    ("identity", b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: identity\r\n\r\n", &[501], false),
    ("xchunked", b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n", &[501], false),
    // Chunks that lenient decoders let pass (RFC 9112 7.1).
    ("a signed chunk size", b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n", &[400], false),
    ("a space before a chunk size", b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n 5\r\nhello\r\n0\r\n\r\n", &[400], false),
    ("a space behind a chunk size", b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n0\r\n\r\n", &[400], false),
    ("0x in a chunk size", b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n", &[400], false),
    ("an empty chunk size", b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n\r\nhello\r\n0\r\n\r\n", &[400], false),
    ("bare LF after a chunk size", b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n0\r\n\r\n", &[400], false),
    ("a bare CR in an extension", b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;a\rb\r\nhello\r\n0\r\n\r\n", &[400], false),
    ("a chunk longer than it says", b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhello\r\n0\r\n\r\n", &[400], false),
    ("bare LF after a chunk", b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\n0\r\n\r\n", &[400], false),
    ("bare LF in the trailer", b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\n\r\n", &[400], false),
    ("a chunk size past 64 bits", b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n0\r\n\r\n", &[413], false),
    // Limits.
    ("too long a body", b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 17\r\n\r\n0123456789abcdefg", &[413], false),
    ("a length past 64 bits", b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551616\r\n\r\n", &[413], false),
    ("too long a chunked body", b"POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n01234567\r\n9\r\n012345678\r\n0\r\n\r\n", &[413], false),
    ("too many fields", b"GET /a HTTP/1.1\r\nHost: x\r\na:\r\nb:\r\nc:\r\nd:\r\ne:\r\nf:\r\ng:\r\nh:\r\n\r\n", &[431], false),
    ("another expectation", b"POST /a HTTP/1.1\r\nHost: x\r\nExpect: coffee\r\nContent-Length: 1\r\n\r\n1", &[417], false),
];

#[test]
fn every_case_gets_its_answer() {
    check_answers(CASES);
}

fn check_answers(cases: &[Case]) {
    for (name, bytes, statuses, lasts) in cases {
        let conversation = converse([*bytes]);
        assert_eq!(conversation.statuses(), *statuses, "{name}: {}", conversation.text());
        assert_eq!(conversation.closing.is_none(), *lasts, "{name}");
        assert_eq!(conversation.text().contains("connection: close"), !*lasts, "{name}");
    }
}

#[test]
fn every_split_point_gives_the_same_verdict() {
    check_split_points(CASES);
}

fn check_split_points(cases: &[Case]) {
    for (name, bytes, ..) in cases {
        let whole = converse([*bytes]).verdict();
        for at in 1..bytes.len() {
            let (front, back) = bytes.split_at(at);
            assert_eq!(converse([front, back]).verdict(), whole, "{name}, cut at {at}");
        }
        assert_eq!(converse(bytes.chunks(1)).verdict(), whole, "{name}, byte by byte");
        for length in [2, 3, 7] {
            assert_eq!(converse(bytes.chunks(length)).verdict(), whole, "{name}, by {length}");
        }
    }
}

#[test]
fn over_long_heads_are_refused_wherever_they_are_cut() {
    let padding = "p".repeat(300);
    let heads = [
        (414, format!("GET /{padding} HTTP/1.1\r\nHost: x\r\n\r\n")),
        (414, format!("GET /{padding}")),
        (414, format!("GET http://x/{padding} HTTP/1.1\r\nHost: x\r\n\r\n")),
        // The line fits, and the fields do not.
        (431, format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", &padding[..238])),
        (431, format!("GET / HTTP/1.1\r\nHost: x\r\nA: {padding}\r\n\r\n")),
        (431, "\r\n".repeat(300)),
        (501, format!("{padding} / HTTP/1.1\r\nHost: x\r\n\r\n")),
        (400, format!("\x16\x03\x01{padding}")),
        (400, format!(" {padding}")),
    ];
    for (status, head) in heads {
        let whole = converse([head.as_bytes()]);
        assert_eq!(whole.statuses(), [status], "{head}");
        assert_eq!(converse(head.as_bytes().chunks(1)).verdict(), whole.verdict());
    }
    let broken = format!("GET / HTTP/1.1\r\nHost x\r\nA: {padding}\r\n\r\n");
    for length in [1, 5, 400] {
        assert_eq!(converse(broken.as_bytes().chunks(length)).statuses(), [400]);
    }
}

#[test]
fn a_chunked_trailer_has_its_bound() {
    let mut conversation = Conversation::new();
    conversation.say("POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n");
    for _ in 0..40 {
        conversation.say("Trailer: value\r\n");
    }
    assert_eq!(conversation.statuses(), [431]);
}

#[test]
fn nothing_behind_a_refused_request_is_read() {
    let smuggled = b"POST /a HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
    let conversation = converse([&smuggled[..]]);
    assert_eq!(conversation.statuses(), [400]);
    let closing = conversation.closing.unwrap();
    assert!(closing.linger, "the answer must outlive what the client still sends");
}

#[test]
fn a_client_that_waits_for_100_continue_gets_it_once() {
    let head = "POST /a HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
    let mut patient = Conversation::new();
    patient.say(head);
    assert_eq!(patient.statuses(), [100]);
    patient.say("he").say("llo");
    assert_eq!(patient.statuses(), [100, 200]);

    let mut hasty = Conversation::new();
    hasty.say(format!("{head}hello"));
    assert_eq!(hasty.statuses(), [200]);

    let mut too_long = Conversation::new();
    too_long.say(head.replace('5', "17"));
    assert_eq!(too_long.statuses(), [413], "refused before the body is sent");

    let mut old = Conversation::new();
    old.say("POST /a HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n").say("1");
    assert_eq!(old.statuses(), [200]);
}

#[test]
fn head_tells_the_length_and_sends_no_body() {
    let conversation = converse([&b"HEAD /a HTTP/1.1\r\nHost: x\r\n\r\n"[..]]);
    let text = conversation.text();
    assert!(text.contains("content-length: 10\r\n"), "{text}");
    assert!(text.ends_with("\r\n\r\n"), "{text}");
}

#[test]
fn a_refusal_is_worded_for_the_request_as_far_as_that_is_known() {
    let ask = |fields: &str| format!("POST /a?b HTTP/1.1\r\nHost: x\r\n{fields}\r\n\r\n");
    let chunked = ask("Transfer-Encoding: chunked");
    for (status, request, known) in [
        (400, ask("A : b"), false),
        (400, ask("Content-Length: 5, 5"), true),
        (400, format!("{chunked}+5\r\n"), true),
        (413, ask("Content-Length: 17"), true),
        (413, format!("{chunked}ff\r\n"), true),
        (417, ask("Expect: coffee"), true),
        (501, ask("Transfer-Encoding: gzip"), true),
    ] {
        let conversation = converse([request.as_bytes()]);
        let text = conversation.text();
        assert_eq!(conversation.statuses(), [status], "{request}");
        assert_eq!(text.ends_with(" /a?b"), known, "{request}: {text}");
    }
    let mut late = Conversation::new();
    late.say(ask("Content-Length: 5")).pass(settings().body_timeout);
    assert!(late.statuses() == [408] && late.text().ends_with(" /a?b"), "{}", late.text());

    let head = converse([&b"HEAD / HTTP/1.1\r\nHost: x\r\nContent-Length: 17\r\n\r\n"[..]]);
    assert!(head.statuses() == [413] && head.text().ends_with("\r\n\r\n"), "{}", head.text());
}

#[test]
fn statuses_without_body_have_no_length() {
    for status in [StatusCode::NO_CONTENT, StatusCode::NOT_MODIFIED] {
        let mut conversation = Conversation::new();
        conversation.connection.receive(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        let Action::Call(_) = conversation.connection.poll(conversation.now) else {
            panic!("no request")
        };
        let mut response = Response::new(Body::from("forgotten"));
        *response.status_mut() = status;
        conversation.connection.respond(response, conversation.now);
        conversation.run();
        let text = conversation.text();
        assert!(!text.contains("content-length") && text.ends_with("\r\n\r\n"), "{text}");
    }
}

#[test]
fn streams_are_chunked_or_end_with_the_connection() {
    let chunked = converse([&b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n"[..]]).text();
    assert!(chunked.ends_with("\r\n\r\ne\r\n[GET /stream ]\r\n0\r\n\r\n"), "{chunked}");
    let plain = converse([&b"GET /stream HTTP/1.0\r\n\r\n"[..]]).text();
    assert!(plain.ends_with("\r\n\r\n[GET /stream ]"), "{plain}");
}

#[test]
fn a_program_cannot_contradict_the_framing() {
    let mut conversation = Conversation::new();
    conversation.connection.receive(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    let Action::Call(_) = conversation.connection.poll(conversation.now) else {
        panic!("no request")
    };
    let response = http::Response::builder()
        .header("Content-Length", "999")
        .header("Transfer-Encoding", "chunked")
        .header("Connection", "close")
        .body(Body::from("four"))
        .unwrap();
    conversation.connection.respond(response, conversation.now);
    conversation.run();
    let text = conversation.text();
    assert!(text.contains("content-length: 4\r\n"), "{text}");
    assert!(
        !text.contains("999") && !text.contains("chunked") && !text.contains("close"),
        "{text}"
    );
}

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";

#[test]
fn each_phase_ends_at_its_own_deadline() {
    let limits = settings();
    let just_before = |limit: Duration| limit - Duration::from_millis(1);
    let rest = Duration::from_millis(1);

    // Nothing sent: closed without a word, as a 408 might be taken for the answer to a
    // request that is on its way.
    let mut silent = Conversation::new();
    silent.pass(just_before(limits.header_timeout));
    assert_eq!(silent.closing, None);
    silent.pass(rest);
    assert_eq!(silent.closing.unwrap().reason, CloseReason::HeaderTimeout);
    assert_eq!(silent.statuses(), [0_u16; 0]);

    let mut half_head = Conversation::new();
    half_head.say("GET / HT").pass(limits.header_timeout);
    assert_eq!(half_head.closing.unwrap().reason, CloseReason::HeaderTimeout);
    assert_eq!(half_head.statuses(), [408]);

    let mut half_body = Conversation::new();
    half_body.say("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhel");
    half_body.pass(just_before(limits.body_timeout));
    assert_eq!(half_body.closing, None);
    half_body.pass(rest);
    assert_eq!(half_body.closing.unwrap().reason, CloseReason::BodyTimeout);
    assert_eq!(half_body.statuses(), [408]);

    let mut idle = Conversation::new();
    idle.say(REQUEST).pass(just_before(limits.keep_alive));
    assert_eq!(idle.closing, None);
    idle.pass(rest);
    assert_eq!(idle.closing.unwrap().reason, CloseReason::KeepAlive);
    assert_eq!(idle.statuses(), [200]);
}

#[test]
fn no_byte_moves_a_deadline() {
    let limits = settings();
    let second = Duration::from_secs(1);

    let mut head = Conversation::new();
    let mut sent = 0;
    for byte in REQUEST.as_bytes().iter().cycle() {
        head.say([*byte]).pass(second);
        sent += 1;
        if head.closing.is_some() {
            break;
        }
    }
    assert_eq!(sent, limits.header_timeout.as_secs());

    let mut body = Conversation::new();
    body.say("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    let begun = body.now;
    for byte in b"1;".iter().chain(std::iter::repeat(&b'x')) {
        body.say([*byte]).pass(second);
        if body.closing.is_some() {
            break;
        }
    }
    assert_eq!(body.now - begun, limits.body_timeout);

    // The next request's head is due from its first byte, not from the last response.
    let mut second_head = Conversation::new();
    second_head.say(REQUEST).pass(limits.keep_alive / 2);
    let begun = second_head.now;
    while second_head.closing.is_none() {
        second_head.say("G").pass(second);
    }
    assert_eq!(second_head.now - begun, limits.header_timeout);
}

#[test]
fn a_reader_that_takes_a_byte_now_and_then_is_cut_off() {
    let limits = settings();
    let mut conversation = Conversation::new();
    conversation.connection.receive(b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n");
    let Action::Call(ServiceCall { request, .. }) = conversation.connection.poll(conversation.now)
    else {
        panic!("no request")
    };
    conversation.connection.respond(echo(&request), conversation.now);
    let due = conversation.now + limits.write_timeout;
    while conversation.now < due {
        assert!(matches!(conversation.connection.poll(conversation.now), Action::Write));
        assert_eq!(conversation.connection.deadline().at(), due);
        conversation.connection.output().unwrap();
        conversation.connection.taken(1);
        conversation.now += Duration::from_secs(1);
    }
    assert_eq!(conversation.connection.expiry(), CloseReason::WriteTimeout);
}

#[test]
fn pipelined_requests_wait_once_much_output_is_pending() {
    let mut conversation = Conversation::new();
    conversation.connection.receive("GET /long HTTP/1.1\r\nHost: x\r\n\r\n".repeat(3).as_bytes());
    let Action::Call(ServiceCall { request, .. }) = conversation.connection.poll(conversation.now)
    else {
        panic!("no request")
    };
    conversation.connection.respond(echo(&request), conversation.now);
    assert!(matches!(conversation.connection.poll(conversation.now), Action::Write));
    conversation.run();
    assert_eq!(conversation.statuses(), [200, 200, 200]);
}

#[test]
fn a_client_that_has_ended_its_half_still_gets_its_answers() {
    let mut conversation = Conversation::new();
    conversation.connection.receive(REQUEST.repeat(2).as_bytes());
    conversation.connection.end_of_input();
    conversation.run();
    assert_eq!(conversation.statuses(), [200, 200]);
    assert_eq!(conversation.closing.unwrap().reason, CloseReason::Done);

    let mut broken_off = Conversation::new();
    broken_off.say("GET / HT");
    broken_off.connection.end_of_input();
    broken_off.run();
    assert_eq!(broken_off.statuses(), [0_u16; 0]);
    assert_eq!(broken_off.closing.unwrap().reason, CloseReason::ClientGone);
}

#[test]
fn a_stopping_server_answers_once_more_and_says_so() {
    let mut fresh = Conversation::new();
    fresh.connection.set_last_response(fresh.now);
    assert!(fresh.connection.deadline().at() <= fresh.now + DRAIN_GRACE);
    fresh.say(REQUEST.repeat(2));
    assert_eq!(fresh.statuses(), [200]);
    assert!(fresh.text().contains("connection: close"));
    let closing = fresh.closing.unwrap();
    assert_eq!((closing.reason, closing.linger), (CloseReason::Drain, true));

    let mut idle = Conversation::new();
    idle.say(REQUEST);
    // The client may send another request before it sees the end.
    let closing = idle.connection.close_if_idle(CloseReason::Drain);
    assert_eq!(closing, Some(Closing { reason: CloseReason::Drain, linger: true }));
    let mut busy = Conversation::new();
    busy.say("GET");
    assert!(busy.connection.close_if_idle(CloseReason::Drain).is_none());
}

#[test]
fn connection_lingers_behind_whatever_was_its_last_response() {
    let close = "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    for (input, reason) in [
        (close.to_owned(), CloseReason::Done),
        (close.repeat(2), CloseReason::Done),
        ("GET / HTTP/1.0\r\n\r\n".to_owned(), CloseReason::Done),
        ("GET\r\n\r\n".to_owned(), CloseReason::Refused),
        (
            "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n".to_owned(),
            CloseReason::Refused,
        ),
        (
            "PUT /ignored HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n"
                .to_owned(),
            CloseReason::Done,
        ),
    ] {
        let conversation = converse([input.as_bytes()]);
        assert_eq!(conversation.closing, Some(Closing { reason, linger: true }), "{input}");
        assert_eq!(conversation.started, conversation.now);
    }
    let mut idle = Conversation::new();
    idle.say(REQUEST).pass(Duration::from_secs(100));
    assert_eq!(idle.closing, Some(Closing { reason: CloseReason::KeepAlive, linger: true }));
    let mut empty_line = Conversation::new();
    empty_line.say(REQUEST).say("\r\n").pass(Duration::from_secs(100));
    let closing = Closing { reason: CloseReason::HeaderTimeout, linger: true };
    assert_eq!(empty_line.closing, Some(closing));
    let mut silent = Conversation::new();
    silent.pass(Duration::from_secs(100));
    assert_eq!(silent.closing, Some(Closing { reason: CloseReason::HeaderTimeout, linger: false }));
}

#[test]
fn waiting_connection_holds_what_has_come_and_little_more() {
    let body = |target: &str, length: usize, sent: usize| {
        format!("PUT {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n")
            + &"b".repeat(sent)
    };
    let field = |length: usize| format!("GET / HTTP/1.1\r\nHost: x\r\nA: {}", "a".repeat(length));
    let chunks = "PUT / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n".to_owned()
        + &format!("400\r\n{}\r\n", "b".repeat(1024)).repeat(30);
    // Input, and the least and the most that is held then.
    for (input, least, most) in [
        (REQUEST.to_owned(), 0, 0),
        (REQUEST.repeat(10), 0, 0),
        (field(3000), 3000, 3000 + 3 * SPARE_ROOM),
        (field(15_000), 15_000, 15_000 + 3 * SPARE_ROOM),
        (REQUEST.repeat(500) + &field(3000), 3000, 3000 + 3 * SPARE_ROOM),
        // The head keeps the allocation in which it came.
        (body("/", 60_000, 59_999), 59_999, 60_000 + 20_000),
        (body("/", 60_000, 10), 10, 4096),
        (chunks, 30 << 10, (64 << 10) + 20_000),
        (body("/ignored", 60_000, 59_999), 0, 0),
        (body("/ignored", 1000, 999), 0, 4096),
    ] {
        let settings = Settings { max_header_bytes: 16 << 10, ..Settings::default() };
        let mut conversation = Conversation::with(settings);
        // As much at a time as a session reads.
        for piece in input.as_bytes().chunks(18 << 10) {
            conversation.say(piece);
        }
        let held = conversation.connection.shrink();
        let what = &input[..input.len().min(60)];
        assert!(
            (least..=most).contains(&held),
            "{held} bytes are held, not {least}..={most}: {what}"
        );
        assert_eq!(conversation.connection.shrink(), held, "a second time: {what}");
    }
}

#[test]
fn head_that_comes_byte_by_byte_is_read_whole_though_its_buffer_is_cut_each_time() {
    let mut conversation = Conversation::new();
    for byte in format!("{REQUEST}GET /two HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes() {
        conversation.say([*byte]);
        conversation.connection.shrink();
    }
    assert_eq!(conversation.statuses(), [200, 200]);
    assert!(conversation.text().ends_with("[GET /two ]"));
}

#[test]
fn unread_output_is_held_until_it_is_taken() {
    let mut connection = Conversation::new().connection;
    connection.receive(b"GET /long HTTP/1.1\r\nHost: x\r\n\r\n");
    let now = Instant::now();
    let Action::Call(call) = connection.poll(now) else { panic!("the request is whole") };
    connection.respond(echo(&call.request), now);
    let total = 100_000;
    assert!((total..total + 4096).contains(&connection.shrink()));
    let mut left: usize = connection.output().unwrap().iter().map(|piece| piece.len()).sum();
    while left > 0 {
        let some = left.min(30_000);
        connection.taken(some);
        left -= some;
        let held = connection.shrink();
        // An allocation stays whole until its last byte is taken.
        let expected = if left == 0 { 0..1 } else { total..total + 4096 };
        assert!(expected.contains(&held), "{held} bytes are held, {left} are left");
    }
}
