//! Exchanges with faulty upstreams: each fault is reported as its kind of error within the deadline.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};
use ureq::http::header::{ACCEPT, HeaderValue};

use super::fake::{Upstream, drip, head, hold};
use crate::board::ErrorKind;
use crate::config::Method;
use crate::outbound::{ThreadedResolver, tls};
use crate::upstream::fetch::{FetchError, Fetched, Fetcher, MAX_BODY, Request};
use crate::upstream::secrets::Secrets;

/// Deadline of one exchange in these tests.
pub(super) const TIMEOUT: Duration = Duration::from_millis(400);

/// Deadline that no exchange should reach, and bound for those that end at [`TIMEOUT`].
pub(super) const BOUND: Duration = Duration::from_secs(10);

pub(super) fn fetcher(timeout: Duration) -> Fetcher {
    let tls = tls::trusting(&[]);
    Fetcher::new(timeout, "pumphouse-web/test", tls, None, ThreadedResolver::system())
}

pub(super) fn request(url: String) -> Request {
    Request {
        method: Method::Get,
        url,
        headers: vec![(ACCEPT, HeaderValue::from_static("application/json"))],
        body: None,
        digest: None,
        redirect: None,
        conditional: false,
        reason: |body| String::from_utf8(body.to_vec()).ok(),
        secrets: Secrets::default(),
    }
}

/// Fetches with a generous deadline.
fn fetch(url: String) -> Result<Fetched, FetchError> {
    fetcher(BOUND).fetch(&request(url), None)
}

/// Returns the body of a response.
pub(super) fn body(url: String) -> Vec<u8> {
    match fetch(url).unwrap() {
        Fetched::Body { body, .. } => body,
        Fetched::NotModified => panic!("the request was not conditional"),
    }
}

pub(super) fn kind(result: Result<Fetched, FetchError>) -> ErrorKind {
    result.unwrap_err().error.kind
}

/// Checks that the exchange with an upstream ends at its deadline.
fn times_out(upstream: &Upstream) {
    let started = Instant::now();
    let url = upstream.url("/s/secret");
    let error = fetcher(TIMEOUT).fetch(&request(url), None).unwrap_err().error;
    assert_eq!(error.kind, ErrorKind::Timeout, "{error}");
    assert_eq!(error.message, "no complete response within 0.4 s");
    assert!(started.elapsed() < BOUND);
}

#[test]
fn request_has_the_configured_headers_and_its_body_is_returned() {
    let (sender, requests) = crossbeam_channel::unbounded();
    let upstream = Upstream::new(move |mut stream| {
        sender.send(head(&mut stream)).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi").unwrap();
    });
    assert_eq!(body(upstream.url("/a?b=c")), b"hi");
    let request = requests.recv().unwrap().to_ascii_lowercase();
    for line in [
        "get /a?b=c http/1.1\r\n",
        "\r\nuser-agent: pumphouse-web/test\r\n",
        "\r\naccept: application/json\r\n",
        "\r\naccept-encoding: gzip\r\n",
    ] {
        assert!(request.contains(line), "{request}");
    }
}

#[test]
fn upstream_that_never_sends_times_out() {
    times_out(&Upstream::new(hold));
}

#[test]
fn endless_head_times_out() {
    let upstream = Upstream::new(|mut stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nX: ").unwrap();
        drip(stream, b'x');
    });
    times_out(&upstream);
}

#[test]
fn dripping_body_times_out() {
    let upstream = Upstream::new(|mut stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        drip(stream, b'x');
    });
    times_out(&upstream);
}

#[test]
fn redirects_share_one_deadline() {
    // Each response arrives within the deadline. If each redirect had a deadline of its own, the error would
    // be that there are too many of them.
    let upstream = Upstream::new(|mut stream| {
        head(&mut stream);
        stream.set_read_timeout(Some(TIMEOUT * 3 / 4)).unwrap();
        let _ = stream.read(&mut [0]);
        let _ = stream.write_all(b"HTTP/1.1 302 Found\r\nLocation: /\r\n\r\n");
    });
    times_out(&upstream);
}

#[test]
fn body_over_the_limit_is_too_large() {
    let endless = Upstream::new(|mut stream| {
        head(&mut stream);
        let mut more = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while more.is_ok() {
            more = stream.write_all(&[b'x'; 65_536]);
        }
    });
    assert_eq!(kind(fetch(endless.url("/"))), ErrorKind::TooLarge);

    let announced = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", MAX_BODY + 1);
    assert_eq!(kind(fetch(Upstream::responding(announced).url("/"))), ErrorKind::TooLarge);

    let mut largest = b"HTTP/1.1 200 OK\r\n\r\n".to_vec();
    largest.resize(largest.len() + MAX_BODY as usize, b'x');
    assert_eq!(body(Upstream::responding(largest).url("/")).len() as u64, MAX_BODY);
}

#[test]
fn head_over_the_limit_is_an_error() {
    let response = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    assert_eq!(kind(fetch(Upstream::responding(response).url("/"))), ErrorKind::TooLarge);
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn body_of_every_coding_is_decompressed_up_to_the_limit() {
    for (coding, pack) in [
        ("gzip", gzipped as fn(&[u8]) -> Vec<u8>),
        ("X-GZip, identity", gzipped),
        ("deflate", deflated),
    ] {
        let response = |packed: &[u8]| {
            let mut response = format!(
                "HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {}\r\n\r\n",
                packed.len()
            )
            .into_bytes();
            response.extend_from_slice(packed);
            Upstream::responding(response)
        };
        assert_eq!(body(response(&pack(b"small")).url("/")), b"small", "{coding}");
        let bomb = pack(&vec![0; 32 * 1024 * 1024]);
        assert!((bomb.len() as u64) < MAX_BODY);
        assert_eq!(kind(fetch(response(&bomb).url("/"))), ErrorKind::TooLarge, "{coding}");
        let garbage = response(b"\xffnot compressed at all");
        assert_eq!(kind(fetch(garbage.url("/"))), ErrorKind::Decode, "{coding}");
    }
    let brotli = "HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 1\r\n\r\n!";
    assert_eq!(kind(fetch(Upstream::responding(brotli).url("/"))), ErrorKind::Decode);
}

#[test]
fn endless_gzip_stops_at_the_limit() {
    // Empty gzip members: the compressed size exceeds the limit, and no Content-Length announces it.
    let upstream = Upstream::new(|mut stream| {
        head(&mut stream);
        let start =
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n";
        let _ = stream.write_all(start);
        let empty_member = gzipped(b"");
        let chunk = empty_member.repeat(1000);
        let size = format!("{:x}\r\n", chunk.len());
        // Far more than the limit, but finite, so that a client that ignores the limit ends too.
        for _ in 0..200 {
            let parts = [size.as_bytes(), &chunk, b"\r\n"].concat();
            if stream.write_all(&parts).is_err() {
                return;
            }
        }
    });
    assert_eq!(kind(fetch(upstream.url("/"))), ErrorKind::TooLarge);
}

#[test]
fn broken_connection_is_an_error() {
    let closed_mid_body =
        Upstream::responding("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nten bytes.");
    assert_eq!(kind(fetch(closed_mid_body.url("/"))), ErrorKind::Connect);

    let reset_mid_body = Upstream::new(|mut stream| {
        head(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nten bytes.").unwrap();
        // With a linger time of zero, closing sends a reset.
        socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    });
    assert_eq!(kind(fetch(reset_mid_body.url("/"))), ErrorKind::Connect);

    let closed_at_once = Upstream::new(drop);
    assert_eq!(kind(fetch(closed_at_once.url("/"))), ErrorKind::Connect);

    // A bound socket that does not listen reserves a port that refuses connections.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let port = socket.local_addr().unwrap().as_socket().unwrap().port();
    assert_eq!(kind(fetch(format!("http://127.0.0.1:{port}/"))), ErrorKind::Connect);
}

#[test]
fn response_that_is_not_http_is_an_error() {
    for garbage in ["SSH-2.0-OpenSSH_9.2\r\n\r\n", "HTTP/9.9 ok\r\n\r\n"] {
        assert_eq!(kind(fetch(Upstream::responding(garbage).url("/"))), ErrorKind::Http);
    }
}

#[test]
fn redirect_is_followed_within_the_origin_only() {
    for (location, message) in [
        ("http://elsewhere.test/s?token=secret", "elsewhere.test"),
        ("/again", "more than 3 redirects"),
        ("", "without a usable location"),
    ] {
        let response =
            format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
        let error = fetch(Upstream::responding(response).url("/s/secret")).unwrap_err().error;
        assert_eq!(error.kind, ErrorKind::Http, "{location}");
        assert!(error.message.contains(message), "{error}");
        assert!(!error.message.contains("secret"), "{error}");
    }
    let upstream = Upstream::new(|mut stream| {
        let response: &[u8] = if head(&mut stream).starts_with("GET /there ") {
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
        } else {
            b"HTTP/1.1 307 Temporary Redirect\r\nLocation: there\r\nContent-Length: 0\r\n\r\n"
        };
        stream.write_all(response).unwrap();
    });
    assert_eq!(body(upstream.url("/here")), b"hi");
}

#[test]
fn error_status_is_reported_with_its_retry_after() {
    for (status, header, expected, wait) in [
        ("429 Too Many Requests", "Retry-After: 120", ErrorKind::RateLimited, Some(120)),
        ("429 Too Many Requests", "X: y", ErrorKind::RateLimited, None),
        ("429 Too Many Requests", "Retry-After: soon", ErrorKind::RateLimited, None),
        (
            "503 Service Unavailable",
            "Retry-After: Tue, 31 Dec 2199 23:59:59 GMT",
            ErrorKind::RateLimited,
            Some(3600),
        ),
        ("503 Service Unavailable", "X: y", ErrorKind::Http, None),
        ("500 Internal Server Error", "Retry-After: 5", ErrorKind::Http, Some(5)),
        ("404 Not Found", "X: y", ErrorKind::Http, None),
        ("304 Not Modified", "X: unconditional", ErrorKind::Http, None),
        ("300 Multiple Choices", "Location: /", ErrorKind::Http, None),
    ] {
        let upstream = Upstream::responding(format!("HTTP/1.1 {status}\r\n{header}\r\n\r\n"));
        let error = fetch(upstream.url("/")).unwrap_err();
        assert_eq!(error.error.kind, expected, "{status}");
        assert_eq!(error.retry_after, wait.map(Duration::from_secs), "{status} {header}");
        assert!(error.error.message.contains(status), "{}", error.error);
    }
}

#[test]
fn reason_of_a_refusal_is_reported() {
    let upstream =
        Upstream::responding("HTTP/1.1 400 Bad Request\r\nContent-Length: 8\r\n\r\nlatitude");
    let error = fetch(upstream.url("/")).unwrap_err().error;
    assert_eq!(error.message, "the response was 400 Bad Request: latitude");
}

#[test]
fn unchanged_response_is_not_modified() {
    let upstream = Upstream::new(|mut stream| {
        let head = head(&mut stream).to_ascii_lowercase();
        let is_current = head.contains("if-none-match: \"v1\"")
            && head.contains("if-modified-since: sat, 31 jan 2026 17:16:00 gmt");
        let response: &[u8] = if is_current {
            b"HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\n\r\n"
        } else {
            b"HTTP/1.1 200 OK\r\nETag: \"v1\"\r\nLast-Modified: Sat, 31 Jan 2026 17:16:00 GMT\r\n\
              Content-Length: 2\r\n\r\nhi"
        };
        stream.write_all(response).unwrap();
    });
    let request = Request { conditional: true, ..request(upstream.url("/")) };
    let fetcher = fetcher(BOUND);
    let Fetched::Body { validators, .. } = fetcher.fetch(&request, None).unwrap() else {
        panic!("the first request has no validators");
    };
    assert!(matches!(fetcher.fetch(&request, Some(&validators)), Ok(Fetched::NotModified)));
    let unconditional = Request { conditional: false, ..request };
    assert!(matches!(fetcher.fetch(&unconditional, Some(&validators)), Ok(Fetched::Body { .. })));
}
