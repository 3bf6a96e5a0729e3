//! The ways in which a client can try to hold a server, or wear it down.

use std::time::Duration;

use pumphouse_web::engine::Settings;

/// How a client behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Connects and says nothing.
    Silent,
    /// Sends the first half of a ClientHello.
    HalfClientHello,
    /// Sends bytes that begin like TLS and are none.
    GarbageTls,
    /// Begins a handshake, and in the middle of it begins anew: a renegotiation, which would have
    /// the server pay for a handshake again and again.
    SecondClientHello,
    /// After the handshake, sends a request's head one byte at a time, for ever.
    DripHead,
    /// Sends a whole head, and its body one byte at a time.
    DripBody,
    /// Sends a head that is longer than any server should take.
    LongHead,
    /// Asks for large responses and reads none.
    NeverRead,
    /// Asks again and again without waiting for the answers.
    PipelineFlood,
    /// Pipelines the next requests as soon as responses come, so that a worker always has more to do
    /// for it.
    EndlessPipeline,
    /// Takes one response and stays.
    Idle,
    /// Sends half a request and ends its half of the connection.
    CloseHalfway,
    /// Connects and resets at once, again and again.
    ConnectReset,
    /// Silent connections, all from one address, opened again as soon as they are closed.
    OneAddress,
    /// Sends half a request line.
    HalfHead,
    /// Sends a head that announces a body, and withholds the body.
    WithheldBody,
    /// Sends all but the last byte of the largest body, to a route that takes none.
    StalledBody,
    /// The same, to a route for POST that takes no body.
    StalledPost,
    /// The same, to a route for POST that takes a smaller form: it is refused.
    StalledForm,
    /// Sends all but the last byte of the largest form that the sign-in page takes.
    StalledLogin,
    /// Requests one large response and never reads, with the kernel's own socket buffers.
    StalledReader,
    /// The same, with the smallest receive buffer, so that the server holds more of the response.
    SmallReader,
    /// Announces a body of 10^15 bytes.
    HugeLength,
    /// Sends a head of 33,000 fields.
    ManyFields,
}

impl Mode {
    /// Those that an attack is made of.
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

    /// Clients of an admin listener, over plain HTTP.
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

    /// The name in tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Mode::Silent => "silent",
            Mode::HalfClientHello => "half ClientHello",
            Mode::GarbageTls => "garbage TLS",
            Mode::SecondClientHello => "second ClientHello",
            Mode::DripHead => "dripping head",
            Mode::DripBody => "dripping body",
            Mode::LongHead => "over-long head",
            Mode::NeverRead => "never reads",
            Mode::PipelineFlood => "pipelining flood",
            Mode::EndlessPipeline => "endless pipeline",
            Mode::Idle => "idle keep-alive",
            Mode::CloseHalfway => "closes half way",
            Mode::ConnectReset => "connect and reset",
            Mode::OneAddress => "one address",
            Mode::HalfHead => "half a head",
            Mode::WithheldBody => "withheld body",
            Mode::StalledBody => "stalled body, to a route without one",
            Mode::StalledPost => "stalled body, to a POST without one",
            Mode::StalledForm => "stalled body, to a form",
            Mode::StalledLogin => "stalled body, to a form that takes it",
            Mode::StalledReader => "stalled reader of one large response",
            Mode::SmallReader => "stalled reader with a small buffer",
            Mode::HugeLength => "Content-Length of 10^15",
            Mode::ManyFields => "33,000 fields",
        }
    }

    /// Returns true if it completes a TLS handshake first, where the server speaks TLS.
    pub const fn shakes_hands(self) -> bool {
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

    /// What it says, after the handshake if it makes one, before it begins to hold. `large` is a
    /// target whose response is large, `hello` a ClientHello.
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
            Mode::NeverRead => get(large).repeat(NEVER_READ).into_bytes(),
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

    /// What it says once a second while it holds.
    pub fn drip(self) -> &'static [u8] {
        match self {
            Mode::DripHead | Mode::DripBody => b"x",
            Mode::PipelineFlood => FLOOD.as_bytes(),
            _ => b"",
        }
    }

    /// Returns the requests that it sends whenever responses have come.
    pub fn again(self) -> Option<Vec<u8>> {
        (self == Mode::EndlessPipeline).then(|| FLOOD.repeat(8).into_bytes())
    }

    /// How long a server with these limits lets it live: not at all where it is refused at once;
    /// `None` where it breaks no rule, ends by itself, or the route decides.
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

    /// Whether it takes what the server sends.
    pub const fn reads(self) -> bool {
        !matches!(self, Mode::NeverRead | Mode::StalledReader | Mode::SmallReader)
    }

    /// Returns true if it gives its socket the smallest receive buffer.
    pub const fn has_small_buffer(self) -> bool {
        matches!(self, Mode::NeverRead | Mode::SmallReader)
    }
}

/// Default of `max_body_bytes`.
const LARGEST_BODY: usize = 64 << 10;

/// Largest body of `POST /login`.
const LARGEST_FORM: usize = 8 << 10;

/// Requests of [`Mode::NeverRead`]: their answers are more than any socket's buffers hold.
const NEVER_READ: usize = 400;

/// Requests that [`Mode::PipelineFlood`] sends in one go.
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
