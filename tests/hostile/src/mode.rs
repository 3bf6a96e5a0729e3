//! Behaviours of hostile clients.

use std::time::Duration;

use pumphouse_web::engine::Settings;
use strum::Display;

/// Behaviour of a hostile client. Displays as its name in tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Display)]
pub enum Mode {
    /// Connects and sends nothing.
    #[strum(to_string = "silent")]
    Silent,
    /// Sends the first half of a ClientHello.
    #[strum(to_string = "half ClientHello")]
    HalfClientHello,
    /// Sends bytes that begin like a TLS record and are not one.
    #[strum(to_string = "garbage TLS")]
    GarbageTls,
    /// Sends a second ClientHello in the middle of the handshake. A server that accepted it would
    /// compute handshakes without end.
    #[strum(to_string = "second ClientHello")]
    SecondClientHello,
    /// Completes the handshake and sends a head one byte at a time, without end.
    #[strum(to_string = "dripping head")]
    DripHead,
    /// Sends a complete head, and the body one byte at a time.
    #[strum(to_string = "dripping body")]
    DripBody,
    /// Sends a head of 64 KiB.
    #[strum(to_string = "over-long head")]
    LongHead,
    /// Requests large responses and reads none.
    #[strum(to_string = "never reads")]
    NeverRead,
    /// Pipelines eight requests a second without waiting for responses.
    #[strum(to_string = "pipelining flood")]
    PipelineFlood,
    /// Pipelines more requests as soon as responses arrive, so that a worker always finds another
    /// request to serve.
    #[strum(to_string = "endless pipeline")]
    EndlessPipeline,
    /// Reads one response and keeps the connection open.
    #[strum(to_string = "idle keep-alive")]
    Idle,
    /// Sends half a request and shuts down its sending side.
    #[strum(to_string = "half-closed")]
    CloseHalfway,
    /// Connects and resets the connection, in a loop.
    #[strum(to_string = "connect and reset")]
    ConnectReset,
    /// Opens silent connections from one address, each again as soon as it is closed.
    #[strum(to_string = "one address")]
    OneAddress,
    /// Sends half a request line.
    #[strum(to_string = "half a head")]
    HalfHead,
    /// Sends a head that announces a body, and withholds the body.
    #[strum(to_string = "withheld body")]
    WithheldBody,
    /// Sends all but the last byte of the largest body, to a route that takes none.
    #[strum(to_string = "stalled body, to a route without one")]
    StalledBody,
    /// Sends the same to a POST route that takes no body.
    #[strum(to_string = "stalled body, to a POST without one")]
    StalledPost,
    /// Sends the same to a POST route that takes a smaller form, and rejects this one.
    #[strum(to_string = "stalled body, to a form")]
    StalledForm,
    /// Sends all but the last byte of the largest form that the sign-in page takes.
    #[strum(to_string = "stalled body, to a form that takes it")]
    StalledLogin,
    /// Requests one large response and never reads, with the kernel's own socket buffers.
    #[strum(to_string = "stalled reader of one large response")]
    StalledReader,
    /// Does the same with the smallest receive buffer, so that the server holds more of the
    /// response.
    #[strum(to_string = "stalled reader with a small buffer")]
    SmallReader,
    /// Announces a body of 10^15 bytes.
    #[strum(to_string = "Content-Length of 10^15")]
    HugeLength,
    /// Sends a head of 33,000 fields.
    #[strum(to_string = "33,000 fields")]
    ManyFields,
}

impl Mode {
    /// Modes of an attack on the public listener.
    pub const ATTACK: [Mode; 12] = [
        Mode::Silent,
        Mode::HalfClientHello,
        Mode::GarbageTls,
        Mode::SecondClientHello,
        Mode::DripHead,
        Mode::DripBody,
        Mode::LongHead,
        Mode::NeverRead,
        Mode::PipelineFlood,
        Mode::Idle,
        Mode::ConnectReset,
        Mode::OneAddress,
    ];

    /// Modes of an attack on the admin listener, over plain HTTP.
    pub const ADMIN: [Mode; 8] = [
        Mode::Silent,
        Mode::Idle,
        Mode::HalfHead,
        Mode::LongHead,
        Mode::WithheldBody,
        Mode::HugeLength,
        Mode::ManyFields,
        Mode::NeverRead,
    ];

    /// Returns true if the client completes a TLS handshake first, where the server speaks TLS.
    pub const fn completes_handshake(self) -> bool {
        match self {
            Mode::Silent
            | Mode::HalfClientHello
            | Mode::GarbageTls
            | Mode::SecondClientHello
            | Mode::ConnectReset
            | Mode::OneAddress => false,
            Mode::DripHead
            | Mode::DripBody
            | Mode::LongHead
            | Mode::NeverRead
            | Mode::PipelineFlood
            | Mode::EndlessPipeline
            | Mode::Idle
            | Mode::CloseHalfway
            | Mode::HalfHead
            | Mode::WithheldBody
            | Mode::StalledBody
            | Mode::StalledPost
            | Mode::StalledForm
            | Mode::StalledLogin
            | Mode::StalledReader
            | Mode::SmallReader
            | Mode::HugeLength
            | Mode::ManyFields => true,
        }
    }

    /// Returns the bytes that the client sends first, after the handshake if it completes one.
    /// `large` is a target with a large response, `hello` a ClientHello.
    pub fn opening(self, large: &str, hello: &[u8]) -> Vec<u8> {
        let get = |target: &str| format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let post = |target: &str, length: u64| {
            format!("POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n")
        };
        let stalled = |target: &str, length: usize| {
            let body = "x".repeat(length - 1);
            (post(target, length as u64) + &body).into_bytes()
        };
        match self {
            Mode::DripHead => "GET / HTTP/1.1\r\nHost: localhost\r\nX-Drip: ".into(),
            Mode::DripBody => {
                "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n".into()
            }
            Mode::LongHead => {
                let padding = "p".repeat(64 << 10);
                format!("GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: {padding}").into_bytes()
            }
            Mode::NeverRead => get(large).repeat(NEVER_READ_REQUESTS).into_bytes(),
            Mode::Idle => get("/ping").into_bytes(),
            Mode::CloseHalfway => "GET / HTTP/1.1\r\nHost: loc".into(),
            Mode::HalfHead => "GET /heal".into(),
            Mode::WithheldBody => post("/", 100).into_bytes(),
            Mode::StalledBody => stalled("/", LARGEST_BODY),
            Mode::StalledPost => stalled("/api/v1/sources/site/poll", LARGEST_BODY),
            Mode::StalledForm => stalled("/login", LARGEST_BODY),
            Mode::StalledLogin => stalled("/login", LARGEST_FORM),
            Mode::StalledReader | Mode::SmallReader => get(large).into_bytes(),
            Mode::HugeLength => post("/", 1_000_000_000_000_000).into_bytes(),
            Mode::ManyFields => {
                let fields = "a:\r\n".repeat(33_000);
                format!("GET / HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n").into_bytes()
            }
            Mode::GarbageTls => b"\x16\x03\x01\xff\xff this was never a handshake".to_vec(),
            Mode::HalfClientHello => hello[..hello.len() / 2].to_vec(),
            Mode::SecondClientHello => hello.repeat(2),
            Mode::Silent
            | Mode::PipelineFlood
            | Mode::EndlessPipeline
            | Mode::ConnectReset
            | Mode::OneAddress => Vec::new(),
        }
    }

    /// Returns the bytes that the client sends once a second afterwards.
    pub fn drip(self) -> &'static [u8] {
        match self {
            Mode::DripHead | Mode::DripBody => b"x",
            Mode::PipelineFlood => FLOOD.as_bytes(),
            _ => b"",
        }
    }

    /// Returns the requests that the client sends whenever responses have arrived.
    pub fn again(self) -> Option<Vec<u8>> {
        (self == Mode::EndlessPipeline).then(|| FLOOD.repeat(8).into_bytes())
    }

    /// Returns the time after which a server with these limits closes the connection: zero if it
    /// rejects the client at once, `None` if the client violates no limit, ends the connection
    /// itself, or is limited by the route.
    pub fn allowance(self, limits: &Settings) -> Option<Duration> {
        match self {
            Mode::Silent | Mode::HalfClientHello | Mode::OneAddress => {
                Some(limits.handshake_timeout)
            }
            Mode::DripHead | Mode::HalfHead => Some(limits.header_timeout),
            Mode::DripBody | Mode::WithheldBody | Mode::StalledLogin => Some(limits.body_timeout),
            Mode::NeverRead | Mode::StalledReader | Mode::SmallReader => Some(limits.write_timeout),
            Mode::Idle => Some(limits.keep_alive),
            Mode::GarbageTls
            | Mode::SecondClientHello
            | Mode::LongHead
            | Mode::CloseHalfway
            | Mode::HugeLength
            | Mode::ManyFields => Some(Duration::ZERO),
            Mode::PipelineFlood
            | Mode::EndlessPipeline
            | Mode::ConnectReset
            | Mode::StalledBody
            | Mode::StalledPost
            | Mode::StalledForm => None,
        }
    }

    /// Returns true if the client reads responses.
    pub const fn reads(self) -> bool {
        !matches!(self, Mode::NeverRead | Mode::StalledReader | Mode::SmallReader)
    }

    /// Returns true if the client gives its socket the smallest receive buffer.
    pub const fn has_small_buffer(self) -> bool {
        matches!(self, Mode::NeverRead | Mode::SmallReader)
    }
}

/// Default of `max_body_bytes`.
const LARGEST_BODY: usize = 64 << 10;

/// Largest body of `POST /login`.
const LARGEST_FORM: usize = 8 << 10;

/// Number of requests of [`Mode::NeverRead`], whose responses exceed the buffers of any socket.
const NEVER_READ_REQUESTS: usize = 400;

/// Requests that [`Mode::PipelineFlood`] sends in one write.
const FLOOD: &str = concat!(
    "GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n",
);
