//! Requests of sources of kind `json`: method, body, query, and digest credentials.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use aws_lc_rs::digest::SHA256;
use crossbeam_channel::{Receiver, unbounded};
use md5::{Digest as _, Md5};

use super::fake::{Upstream, head};
use crate::board::ErrorKind;
use crate::config;
use crate::outbound::{ThreadedResolver, tls};
use crate::upstream::fetch::{Fetched, Fetcher, Request};
use crate::upstream::kind;

const BOUND: Duration = Duration::from_secs(20);

fn fetcher(timeout: Duration) -> Fetcher {
    Fetcher::new(timeout, "test", tls::trusting(&[]), None, ThreadedResolver::system())
}

/// Returns the request of a source with these keys.
fn request(url: &str, keys: &str) -> Request {
    let text = format!(
        "[[source]]\nname = \"x\"\nkind = \"json\"\nurl = \"{url}\"\nvalues.v.pointer = \"/v\"\n{keys}"
    );
    let config = config::parse("p".as_ref(), &text, &|_| None).unwrap();
    kind::request(&config.sources[0])
}

fn body(fetched: Fetched) -> Vec<u8> {
    match fetched {
        Fetched::Body { body, .. } => body,
        Fetched::NotModified => panic!("the request was not conditional"),
    }
}

/// Reads a request: its head, and the body of the length that it states.
fn whole_request(stream: &mut TcpStream) -> String {
    let mut request = head(stream);
    let length = request.to_ascii_lowercase();
    let length = length
        .split_once("content-length: ")
        .map_or(0, |(_, rest)| rest.lines().next().unwrap_or_default().parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    request.push_str(std::str::from_utf8(&body).unwrap());
    request
}

/// Starts an upstream that records each request and answers with the next of the responses, or the last.
fn recording(responses: &[&'static str]) -> (Upstream, Receiver<String>) {
    let (sender, requests) = unbounded();
    let mut responses = responses.to_vec();
    let upstream = Upstream::new(move |mut stream| {
        sender.send(whole_request(&mut stream)).unwrap();
        let next = if responses.len() > 1 { responses.remove(0) } else { responses[0] };
        let _ = stream.write_all(next.as_bytes());
    });
    (upstream, requests)
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

#[test]
fn method_body_and_query_are_sent_as_configured() {
    const JSON: &str = "content-type: application/json\r\n";
    for (path, keys, line, header, body) in [
        ("/", "", "GET / HTTP/1.1\r\n", None, ""),
        ("/", "method = \"GET\"", "GET / HTTP/1.1\r\n", None, ""),
        ("/", "method = \"POST\"", "POST / HTTP/1.1\r\n", Some("content-length: 0\r\n"), ""),
        ("/", "method = \"PUT\"\nbody = \"x\"", "PUT / HTTP/1.1\r\n", None, "x"),
        ("/", "body = '{\"id\":1}'", "POST / HTTP/1.1\r\n", Some(JSON), "{\"id\":1}"),
        ("/", "method = \"GET\"\nbody = '[1]'", "GET / HTTP/1.1\r\n", Some(JSON), "[1]"),
        (
            "/",
            "body = '[1]'\nheaders.content-type = \"text/plain\"",
            "POST / HTTP/1.1\r\n",
            Some("content-type: text/plain\r\n"),
            "[1]",
        ),
        (
            "/a?b=c",
            "query = { d = \"e f&g=\u{e4}+\", n = 1, x = 2.5, t = true }",
            "GET /a?b=c&d=e%20f%26g%3D%C3%A4%2B&n=1&x=2.5&t=true HTTP/1.1\r\n",
            None,
            "",
        ),
        ("", "query = { d = 1 }", "GET /?d=1 HTTP/1.1\r\n", None, ""),
    ] {
        let (upstream, requests) = recording(&[OK]);
        let fetched = fetcher(BOUND).fetch(&request(&upstream.url(path), keys), None);
        assert_eq!(self::body(fetched.unwrap()), b"hi", "{keys}");
        let sent = requests.recv().unwrap();
        assert!(sent.starts_with(line), "{keys}: {sent}");
        let (head, sent_body) = sent.split_once("\r\n\r\n").unwrap();
        assert_eq!(sent_body, body, "{keys}");
        let head = format!("{}\r\n", head.to_ascii_lowercase());
        match header {
            Some(header) => assert!(head.contains(header), "{keys}: {sent}"),
            None => assert!(!head.contains("content-type"), "{keys}: {sent}"),
        }
        assert_eq!(
            head.matches("content-type:").count(),
            usize::from(head.contains("content-type"))
        );
    }
}

#[test]
fn redirect_of_a_post_keeps_its_body_only_where_the_status_says_so() {
    for (status, keys, line, body) in [
        ("307", "body = \"[1]\"", "POST /b ", "[1]"),
        ("308", "body = \"[1]\"", "POST /b ", "[1]"),
        ("301", "body = \"[1]\"", "GET /b ", ""),
        ("302", "body = \"[1]\"", "GET /b ", ""),
        ("303", "body = \"[1]\"", "GET /b ", ""),
        ("302", "method = \"PUT\"\nbody = \"[1]\"", "PUT /b ", "[1]"),
        ("303", "method = \"PUT\"\nbody = \"[1]\"", "GET /b ", ""),
    ] {
        let (sender, requests) = unbounded();
        let upstream = Upstream::new(move |mut stream| {
            let request = whole_request(&mut stream);
            let response = match request.contains(" /a ") {
                true => format!("HTTP/1.1 {status} X\r\nLocation: b\r\nContent-Length: 0\r\n\r\n"),
                false => OK.to_owned(),
            };
            sender.send(request).unwrap();
            let _ = stream.write_all(response.as_bytes());
        });
        let fetched = fetcher(BOUND).fetch(&request(&upstream.url("/a"), keys), None);
        assert_eq!(self::body(fetched.unwrap()), b"hi", "{status} {keys}");
        let second = requests.iter().nth(1).unwrap();
        assert!(second.starts_with(line), "{status} {keys}: {second}");
        assert_eq!(second.split_once("\r\n\r\n").unwrap().1, body, "{status} {keys}");
        let has_type = second.to_ascii_lowercase().contains("content-type");
        assert_eq!(has_type, !body.is_empty(), "{status} {keys}: {second}");
    }
}

/// An upstream that asks for digests, as devices do.
struct DigestDevice {
    algorithm: &'static str,
    /// Rest of the challenge.
    parameters: &'static str,
    /// Number of requests for which a nonce is valid.
    nonce_uses: u32,
    /// Number of nonces made.
    nonces: u32,
    /// Requests that the current nonce was used for.
    uses: u32,
}

impl DigestDevice {
    const PASSWORD: &str = "s3cret";

    fn new(algorithm: &'static str, parameters: &'static str, nonce_uses: u32) -> DigestDevice {
        DigestDevice { algorithm, parameters, nonce_uses, nonces: 0, uses: 0 }
    }

    fn hash(&self, text: &str) -> String {
        let bytes = match self.algorithm.starts_with("SHA-256") {
            true => aws_lc_rs::digest::digest(&SHA256, text.as_bytes()).as_ref().to_vec(),
            false => Md5::digest(text.as_bytes()).to_vec(),
        };
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Returns the response, and true if the digest is right.
    fn answer(&mut self, request: &str) -> (String, bool) {
        let is_right = self.accepts(request);
        if is_right && self.uses < self.nonce_uses {
            self.uses += 1;
            return (OK.to_owned(), true);
        }
        self.nonces += 1;
        self.uses = 0;
        let (algorithm, parameters, nonce) = (self.algorithm, self.parameters, self.nonces);
        let stale = if is_right { ", stale=true" } else { "" };
        let response = format!(
            "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"b\"\r\n\
             WWW-Authenticate: Digest realm=\"shelly\", nonce=\"{nonce}\"{algorithm}{parameters}{stale}\r\n\
             Content-Length: 0\r\n\r\n",
            algorithm = match algorithm {
                "" => String::new(),
                name => format!(", algorithm={name}"),
            },
        );
        (response, false)
    }

    fn accepts(&self, request: &str) -> bool {
        let mut lines = request.lines();
        let mut line = lines.next().unwrap().split(' ');
        let (method, target) = (line.next().unwrap(), line.next().unwrap());
        let is_authorization =
            |line: &&str| line.to_ascii_lowercase().starts_with("authorization:");
        let Some(field) = lines.find(is_authorization) else { return false };
        let (_, parameters) = field.split_once(": Digest ").expect("only a digest may be sent");
        let parameters: HashMap<&str, &str> = parameters
            .split(", ")
            .filter_map(|pair| pair.split_once('='))
            .map(|(name, value)| (name, value.trim_matches('"')))
            .collect();
        let get = |name: &str| parameters.get(name).copied().unwrap_or_default();
        let nonce = self.nonces.to_string();
        let mut key = self.hash(&format!("me:shelly:{}", Self::PASSWORD));
        if self.algorithm.ends_with("-sess") {
            key = self.hash(&format!("{key}:{nonce}:{}", get("cnonce")));
        }
        let asked = self.hash(&format!("{method}:{target}"));
        let count = format!("{:08x}", self.uses + 1);
        let proof = match self.parameters.contains("qop") {
            true => self.hash(&format!("{key}:{nonce}:{count}:{}:auth:{asked}", get("cnonce"))),
            false => self.hash(&format!("{key}:{nonce}:{asked}")),
        };
        get("username") == "me"
            && get("uri") == target
            && get("algorithm") == self.algorithm
            && get("response") == proof
    }
}

/// Starts the device, and returns the results of its checks: for each request with a digest, whether it is
/// right.
fn device(mut device: DigestDevice) -> (Upstream, Receiver<Option<bool>>) {
    let (sender, results) = unbounded();
    let upstream = Upstream::new(move |mut stream| {
        let request = whole_request(&mut stream);
        assert!(!request.contains(DigestDevice::PASSWORD), "the password is sent: {request}");
        let (response, is_right) = device.answer(&request);
        let has_digest = request.to_ascii_lowercase().contains("\r\nauthorization: digest ");
        sender.send(has_digest.then_some(is_right)).unwrap();
        let _ = stream.write_all(response.as_bytes());
    });
    (upstream, results)
}

const LOGIN: &str = "digest = { username = \"me\", password = \"s3cret\" }";

#[test]
fn digest_is_accepted_in_every_variant_and_its_nonce_is_used_again() {
    for (algorithm, parameters) in [
        ("SHA-256", ", qop=\"auth\""),
        ("SHA-256-sess", ", qop=\"auth\", opaque=\"o\""),
        ("MD5", ", qop=\"auth,auth-int\""),
        ("MD5-sess", ", qop=\"auth\""),
        ("", ", qop=auth"),
        ("MD5", ""),
        ("", ""),
    ] {
        for keys in
            [LOGIN.to_owned(), format!("{LOGIN}\nbody = \"[1]\"\nquery = {{ a = \"b c\" }}")]
        {
            let (upstream, results) = device(DigestDevice::new(algorithm, parameters, 3));
            let request = request(&upstream.url("/rpc?x=1"), &keys);
            let fetcher = fetcher(BOUND);
            for _ in 0..5 {
                assert_eq!(body(fetcher.fetch(&request, None).unwrap()), b"hi", "{algorithm}");
            }
            // The nonce is valid for three requests, and stale for the fourth.
            let results: Vec<Option<bool>> = results.try_iter().collect();
            let (right, stale) = (Some(true), Some(false));
            let expected = [None, right, right, right, stale, right, right];
            assert_eq!(results, expected, "{algorithm} {parameters}");
        }
    }
}

#[test]
fn wrong_password_is_tried_once_a_poll() {
    let (upstream, results) = device(DigestDevice::new("SHA-256", ", qop=\"auth\"", 9));
    let wrong = request(&upstream.url("/"), &LOGIN.replace("s3cret", "wr0ng"));
    let fetcher = fetcher(BOUND);
    for _ in 0..3 {
        let error = fetcher.fetch(&wrong, None).unwrap_err().error;
        assert_eq!(error.kind, ErrorKind::Http);
        assert!(error.message.contains("401 Unauthorized"), "{error}");
    }
    // Each poll sends one request without a digest, and one with it.
    let sent = results.try_iter().map(|result| result.is_some());
    assert_eq!(sent.collect::<Vec<_>>(), [false, true, false, true, false, true]);
}

#[test]
fn digest_that_cannot_be_made_is_an_error_that_says_why() {
    for (challenge, message) in [
        ("Digest realm=\"r\", nonce=\"n\", algorithm=SHA3", "algorithm SHA3"),
        ("Digest realm=\"r\", nonce=\"n\", qop=\"auth-int\"", "qop auth-int"),
        ("Digest realm=\"r\"", "has no nonce"),
        ("Basic realm=\"r\"", "401 Unauthorized"),
    ] {
        let response = format!(
            "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: {challenge}\r\nContent-Length: 0\r\n\r\n"
        );
        let upstream = Upstream::responding(response);
        let error = fetcher(BOUND).fetch(&request(&upstream.url("/"), LOGIN), None).unwrap_err();
        assert_eq!(error.error.kind, ErrorKind::Http, "{challenge}");
        assert!(error.error.message.contains(message), "{}", error.error);
    }
}

#[test]
fn digest_is_not_sent_to_another_origin() {
    let (other, requests) = recording(&[OK]);
    let location = format!("HTTP/1.1 302 Found\r\nLocation: {}\r\n\r\n", other.url("/"));
    let upstream = Upstream::responding(location);
    let error = fetcher(BOUND).fetch(&request(&upstream.url("/"), LOGIN), None).unwrap_err().error;
    assert!(error.message.contains("redirect to another host"), "{error}");
    assert!(requests.is_empty());
}

#[test]
fn both_requests_of_a_digest_share_one_deadline() {
    const TIMEOUT: Duration = Duration::from_millis(400);
    let mut is_first = true;
    // Each response arrives within the deadline, and both together do not.
    let upstream = Upstream::new(move |mut stream| {
        head(&mut stream);
        stream.set_read_timeout(Some(TIMEOUT * 3 / 4)).unwrap();
        let _ = stream.read(&mut [0]);
        if std::mem::take(&mut is_first) {
            let challenge = "HTTP/1.1 401 X\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\n\
                             Content-Length: 0\r\n\r\n";
            let _ = stream.write_all(challenge.as_bytes());
        } else {
            let _ = stream.write_all(OK.as_bytes());
        }
    });
    let error =
        fetcher(TIMEOUT).fetch(&request(&upstream.url("/"), LOGIN), None).unwrap_err().error;
    assert_eq!(error.kind, ErrorKind::Timeout, "{error}");
}
