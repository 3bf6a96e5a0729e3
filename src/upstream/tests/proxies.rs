//! Sources behind an HTTP proxy.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, unbounded};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::fake::{Upstream, drip, head, hold};
use super::fetching::request;
use crate::board::{ErrorKind, PollError};
use crate::config::{self, Login, Method, Secret};
use crate::outbound::blackhole::Blackhole;
use crate::outbound::{Lookup, ThreadedResolver, tls};
use crate::upstream::fetch::{Fetched, Fetcher, Request};
use crate::upstream::kind;

const BOUND: Duration = Duration::from_secs(20);
/// Long enough for the lookup of the proxy's name on a machine with much to do.
const TIMEOUT: Duration = Duration::from_secs(2);
const HI: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

/// Returns a fetcher that reaches its source through a proxy, and the names that it looks up.
fn fetcher(
    address: SocketAddr,
    timeout: Duration,
    trusted: &[CertificateDer<'_>],
) -> (Fetcher, Arc<Mutex<Vec<String>>>) {
    let looked_up = Arc::new(Mutex::new(Vec::new()));
    let names = Arc::clone(&looked_up);
    let lookup: Lookup = Arc::new(move |name| {
        names.lock().unwrap().push(name.to_owned());
        Ok(vec![address])
    });
    let text = "[[source]]\nname = \"x\"\nkind = \"json\"\nurl = \"http://h/\"\nvalues.v.pointer = \"\"\n\
                proxy = \"http://me:s3cret@proxy.test:3128\"\n";
    let config = config::parse("p".as_ref(), text, &|_| None).unwrap();
    let proxy = kind::proxy(&config.sources[0]);
    assert!(proxy.is_some());
    let resolver = ThreadedResolver::with_lookup(lookup);
    (Fetcher::new(timeout, "test", tls::trusting(trusted), proxy, resolver), looked_up)
}

fn fetch(proxy: SocketAddr, url: &str, timeout: Duration) -> Result<Vec<u8>, PollError> {
    match fetcher(proxy, timeout, &[]).0.fetch(&request(url.to_owned()), None) {
        Ok(Fetched::Body { body, .. }) => Ok(body),
        Ok(Fetched::NotModified) => panic!("the request was not conditional"),
        Err(error) => Err(error.error),
    }
}

// printf me:s3cret | base64
const CREDENTIALS: &str = "Proxy-Authorization: Basic bWU6czNjcmV0\r\n";

/// Returns a server with that name, and the certificate that it presents.
fn tls_server(name: &str) -> (Arc<rustls::ServerConfig>, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    (Arc::new(config), made.cert.der().clone())
}

#[test]
fn request_for_https_is_encrypted_within_a_tunnel() {
    for (name, authority, target) in [
        ("sensor.test", "sensor.test", "sensor.test:443"),
        ("sensor.test", "sensor.test:8443", "sensor.test:8443"),
        ("::1", "[::1]:8443", "[::1]:8443"),
    ] {
        let (config, certificate) = tls_server(name);
        let (sender, heads) = unbounded();
        let proxy = Upstream::new(move |mut stream| {
            sender.send(head(&mut stream)).unwrap();
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").unwrap();
            stream.write_all(b"HTTP/1.1 200 Connected\r\nVia: x\r\n\r\n").unwrap();
            let connection = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut tls = rustls::StreamOwned::new(connection, stream);
            let mut request = [0; 1024];
            let length = tls.read(&mut request).unwrap();
            sender.send(String::from_utf8(request[..length].to_vec()).unwrap()).unwrap();
            tls.write_all(HI.as_bytes()).unwrap();
        });
        let (fetcher, looked_up) = fetcher(proxy.address, BOUND, &[certificate]);
        let fetched = fetcher.fetch(&request(format!("https://{authority}/level?a=b")), None);
        assert!(matches!(fetched, Ok(Fetched::Body { body, .. }) if body == b"hi"));
        // The proxy looks up the host.
        assert_eq!(*looked_up.lock().unwrap(), ["proxy.test"]);
        let (tunnel, request) = (heads.recv().unwrap(), heads.recv().unwrap());
        let line = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
        assert!(tunnel.starts_with(&line), "{tunnel}");
        assert!(tunnel.contains(CREDENTIALS), "{tunnel}");
        assert!(request.starts_with("GET /level?a=b HTTP/1.1\r\n"), "{request}");
        assert!(!request.to_ascii_lowercase().contains("proxy-authorization"), "{request}");
    }
}

/// Starts a proxy that forwards each request to a host that sends `responses` by turns, and that treats a
/// request for a tunnel by `on_tunnel`. Returns the heads of all requests.
fn forwarding(
    responses: &'static [&'static str],
    mut on_tunnel: impl FnMut(TcpStream) + Send + 'static,
) -> (Upstream, Receiver<String>) {
    let (sender, heads) = unbounded();
    let mut responses = responses.iter().cycle();
    let proxy = Upstream::new(move |mut stream| {
        let head = head(&mut stream);
        let is_tunnel = head.starts_with("CONNECT ");
        sender.send(head).unwrap();
        if is_tunnel {
            return on_tunnel(stream);
        }
        stream.write_all(responses.next().unwrap().as_bytes()).unwrap();
        let _ = stream.shutdown(std::net::Shutdown::Write);
        hold(stream);
    });
    (proxy, heads)
}

#[test]
fn request_for_http_is_forwarded_whatever_the_proxy_does_with_tunnels() {
    let refuse = |mut stream: TcpStream| {
        stream.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n").unwrap();
    };
    type OnTunnel = fn(TcpStream);
    let cases: [(&str, OnTunnel); 3] = [("drop", drop), ("hold", hold), ("refuse", refuse)];
    for (case, on_tunnel) in cases {
        for (url, line, host) in [
            ("http://sensor.test/level?a=b", "http://sensor.test/level?a=b", "sensor.test"),
            ("http://sensor.test:8080", "http://sensor.test:8080/", "sensor.test:8080"),
            ("http://[::1]:8080/a", "http://[::1]:8080/a", "[::1]:8080"),
        ] {
            let (proxy, heads) = forwarding(&[HI], on_tunnel);
            let (fetcher, looked_up) = fetcher(proxy.address, BOUND, &[]);
            let fetched = fetcher.fetch(&request(url.to_owned()), None);
            assert!(
                matches!(fetched, Ok(Fetched::Body { body, .. }) if body == b"hi"),
                "{case} {url}"
            );
            assert_eq!(*looked_up.lock().unwrap(), ["proxy.test"]);
            let heads: Vec<String> = heads.try_iter().collect();
            let [head] = &heads[..] else { panic!("one request: {heads:?}") };
            assert!(head.starts_with(&format!("GET {line} HTTP/1.1\r\n")), "{head}");
            assert!(head.contains(CREDENTIALS) && head.ends_with("\r\n\r\n"), "{head}");
            assert!(head.to_ascii_lowercase().contains(&format!("\r\nhost: {host}\r\n")), "{head}");
        }
    }
}

#[test]
fn forwarded_request_keeps_its_body_and_follows_redirects_and_challenges() {
    const MOVED: &str = "HTTP/1.1 307 X\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n";
    const CHALLENGE: &str = "HTTP/1.1 401 X\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"n\"\r\n\
                             Content-Length: 0\r\n\r\n";
    let (proxy, heads) = forwarding(&[MOVED, CHALLENGE, HI], drop);
    let (fetcher, _) = fetcher(proxy.address, BOUND, &[]);
    let login = Login { username: "u".to_owned(), password: Secret::new("p".to_owned()) };
    let fetched = fetcher.fetch(
        &Request {
            method: Method::Post,
            body: Some(b"question".to_vec()),
            digest: Some(login),
            ..request("http://sensor.test/here".to_owned())
        },
        None,
    );
    assert!(matches!(fetched, Ok(Fetched::Body { ref body, .. }) if body == b"hi"), "{fetched:?}");
    let heads: Vec<String> = heads.try_iter().collect();
    let lines: Vec<&str> = heads.iter().map(|head| head.lines().next().unwrap()).collect();
    let there = "POST http://sensor.test/there HTTP/1.1";
    assert_eq!(lines, ["POST http://sensor.test/here HTTP/1.1", there, there]);
    for head in &heads {
        assert!(head.contains(CREDENTIALS), "{head}");
        assert!(head.to_ascii_lowercase().contains("\r\ncontent-length: 8\r\n"), "{head}");
    }
    // The digest is that of the target at the host (RFC 7616 3.4), without scheme and name.
    assert!(heads[2].contains("uri=\"/there\""), "{}", heads[2]);
}

#[test]
fn proxy_that_fails_is_named_in_the_error() {
    for (response, message) in [
        ("HTTP/1.1 502 Bad Gateway\r\n\r\n", "the proxy refused the connection: 502 Bad Gateway"),
        ("HTTP/1.1 403 Forbidden\r\n\r\n", "the proxy refused the connection: 403 Forbidden"),
        ("HTTP/1.1 302 Found\r\n\r\n", "the proxy refused the connection: 302 Found"),
        ("HTTP/1.1 100 Continue\r\n\r\n", "the proxy closed the connection"),
        ("HTTP/1.1 407 X\r\n\r\n", "the proxy requires a name and password"),
        ("SSH-2.0-OpenSSH\r\n\r\n", "the proxy's response violates the HTTP protocol"),
        ("HTTP/1.1 999999 X\r\n\r\n", "the proxy's response violates the HTTP protocol"),
        ("", "the proxy closed the connection"),
        ("HTTP/1.1 200 OK\r\n", "the proxy closed the connection"),
    ] {
        let proxy = Upstream::responding(response);
        let error = fetch(proxy.address, "https://sensor.test/s/secret", BOUND).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Connect, "{response:?}");
        assert!(error.message.starts_with(message), "{response:?}: {error}");
        assert!(!error.message.contains("s3cret"), "{error}");
    }
    for (response, kind, message) in [
        ("", ErrorKind::Connect, "the proxy closed the connection"),
        (
            "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\nhi",
            ErrorKind::Http,
            "the response was 407 Proxy Authentication Required: give a name and password",
        ),
        (
            "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 2\r\n\r\nhi",
            ErrorKind::Http,
            "the response was 502 Bad Gateway: hi",
        ),
    ] {
        let proxy = Upstream::responding(response);
        let error = fetch(proxy.address, "http://sensor.test/s/secret", BOUND).unwrap_err();
        assert_eq!(error.kind, kind, "{response:?}: {error}");
        assert!(error.message.starts_with(message), "{response:?}: {error}");
        assert!(!error.message.contains("s3cret"), "{error}");
    }

    // A bound socket that does not listen reserves a port that refuses connections.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let port = socket.local_addr().unwrap().as_socket().unwrap().port();
    let fetcher = Fetcher::new(
        BOUND,
        "test",
        tls::trusting(&[]),
        Some(ureq::Proxy::new(&format!("http://127.0.0.1:{port}")).unwrap()),
        ThreadedResolver::system(),
    );
    for url in ["http://sensor.test/", "https://sensor.test/"] {
        let error = fetcher.fetch(&request(url.to_owned()), None).unwrap_err().error;
        assert_eq!(error.kind, ErrorKind::Connect);
        assert!(error.message.starts_with("the proxy cannot be reached: "), "{error}");
    }
}

#[test]
fn head_of_a_proxy_is_bounded() {
    for field in ["X: ", "X: 1\r\nX: "] {
        let endless = Upstream::new(move |mut stream| {
            head(&mut stream);
            let mut written = stream.write_all(b"HTTP/1.1 200 OK\r\n");
            while written.is_ok() {
                written = stream.write_all(field.as_bytes());
            }
        });
        let error = fetch(endless.address, "https://sensor.test/", BOUND).unwrap_err();
        assert!(error.message.contains("violates the HTTP protocol"), "{error}");
    }
}

#[test]
fn proxy_that_hangs_ends_at_the_total_deadline() {
    let silent = Upstream::new(hold);
    let dripping = Upstream::new(|mut stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nX: ").unwrap();
        drip(stream, b'x');
    });
    let tunnel_to_silence = Upstream::new(|mut stream| {
        head(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        hold(stream);
    });
    let unreachable = Blackhole::new();
    let proxies = [
        ("silent", silent.address),
        ("dripping", dripping.address),
        ("tunnel to silence", tunnel_to_silence.address),
        ("unreachable", unreachable.address),
    ];
    thread::scope(|scope| {
        for (case, proxy) in proxies {
            for url in ["http://sensor.test/", "https://sensor.test/"] {
                scope.spawn(move || {
                    let error = fetch(proxy, url, TIMEOUT).unwrap_err();
                    assert_eq!(error.kind, ErrorKind::Timeout, "{case}: {error}");
                });
            }
        }
    });
}
