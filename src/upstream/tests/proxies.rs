//! Sources of kind `json` behind an HTTP proxy.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crossbeam_channel::{Receiver, unbounded};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use super::fake::{Upstream, drip, head, hold};
use super::fetching::request;
use crate::board::{ErrorKind, PollError};
use crate::config;
use crate::outbound::{Lookup, ThreadedResolver, tls};
use crate::upstream::fetch::{Fetched, Fetcher};
use crate::upstream::kind;

const BOUND: Duration = Duration::from_secs(20);
const TIMEOUT: Duration = Duration::from_millis(400);
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi";

/// Returns a fetcher that reaches its source through a proxy, and the names that it looks up.
fn fetcher(proxy: &Upstream, timeout: Duration) -> (Fetcher, Arc<Mutex<Vec<String>>>) {
    let (address, looked_up) = (proxy.address, Arc::new(Mutex::new(Vec::new())));
    let names = Arc::clone(&looked_up);
    let lookup: Lookup = Arc::new(move |name, _| {
        names.lock().unwrap().push(name.to_owned());
        Ok(vec![address])
    });
    let text = "[[source]]\nname = \"x\"\nkind = \"json\"\nurl = \"http://h/\"\nvalues.v.pointer = \"\"\n\
                proxy = \"http://me:s3cret@proxy.test:3128\"\n";
    let config = config::parse("p".as_ref(), text, &|_| None).unwrap();
    let proxy = kind::proxy(&config.sources[0].kind);
    assert!(proxy.is_some());
    let resolver = ThreadedResolver::with_lookup("x", lookup);
    (Fetcher::new(timeout, "test", tls::trusting(&[]), proxy, resolver), looked_up)
}

fn fetch(proxy: &Upstream, url: &str, timeout: Duration) -> Result<Vec<u8>, PollError> {
    match fetcher(proxy, timeout).0.fetch(&request(url.to_owned()), None) {
        Ok(Fetched::Body { body, .. }) => Ok(body),
        Ok(Fetched::NotModified) => panic!("the request was not conditional"),
        Err(error) => Err(error.error),
    }
}

/// Starts a proxy that answers each head as the function says, and records it. A tunnel leads to itself.
fn proxy(
    mut answer: impl FnMut(&str, &mut TcpStream) + Send + 'static,
) -> (Upstream, Receiver<String>) {
    let (sender, heads) = unbounded();
    let proxy = Upstream::new(move |mut stream| {
        let first = head(&mut stream);
        sender.send(first.clone()).unwrap();
        answer(&first, &mut stream);
        if first.starts_with("CONNECT ") {
            let second = head(&mut stream);
            if !second.is_empty() {
                sender.send(second).unwrap();
                let _ = stream.write_all(OK);
            }
        }
    });
    (proxy, heads)
}

// printf me:s3cret | base64
const CREDENTIALS: &str = "Proxy-Authorization: Basic bWU6czNjcmV0\r\n";

#[test]
fn tunnel_is_made_by_the_proxy_which_looks_up_the_host() {
    let (proxy, heads) =
        proxy(|_, stream| stream.write_all(b"HTTP/1.1 200 Connected\r\nVia: x\r\n\r\n").unwrap());
    let (fetcher, looked_up) = fetcher(&proxy, BOUND);
    let url = "http://sensor.test:8080/level?a=b".to_owned();
    assert!(
        matches!(fetcher.fetch(&request(url), None), Ok(Fetched::Body { body, .. }) if body == b"hi")
    );
    assert_eq!(*looked_up.lock().unwrap(), ["proxy.test"]);
    let (tunnel, request) = (heads.recv().unwrap(), heads.recv().unwrap());
    assert!(tunnel.starts_with("CONNECT sensor.test:8080 HTTP/1.1\r\nHost: sensor.test:8080\r\n"));
    assert!(tunnel.contains(CREDENTIALS), "{tunnel}");
    assert!(request.starts_with("GET /level?a=b HTTP/1.1\r\n"), "{request}");
    assert!(!request.to_ascii_lowercase().contains("proxy-authorization"), "{request}");
}

#[test]
fn https_is_encrypted_within_the_tunnel() {
    let made = rcgen::generate_simple_self_signed(["sensor.test".to_owned()]).unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let proxy = Upstream::new(move |mut stream| {
        let tunnel = head(&mut stream);
        assert!(tunnel.starts_with("CONNECT sensor.test:443 "), "{tunnel}");
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
        let connection = rustls::ServerConnection::new(config.clone()).unwrap();
        let mut tls = rustls::StreamOwned::new(connection, stream);
        let mut request = [0; 1024];
        let length = tls.read(&mut request).unwrap();
        assert!(
            request[..length].starts_with(b"GET /level "),
            "the request is not in absolute form"
        );
        tls.write_all(OK).unwrap();
    });
    let address = proxy.address;
    let lookup: Lookup = Arc::new(move |_, _| Ok(vec![address]));
    let fetcher = Fetcher::new(
        BOUND,
        "test",
        tls::trusting(std::slice::from_ref(made.cert.der())),
        Some(ureq::Proxy::new("http://proxy.test").unwrap()),
        ThreadedResolver::with_lookup("x", lookup),
    );
    let fetched = fetcher.fetch(&request("https://sensor.test/level".to_owned()), None);
    assert!(matches!(fetched, Ok(Fetched::Body { body, .. }) if body == b"hi"));
}

#[test]
fn proxy_that_makes_no_tunnel_forwards_requests_for_http() {
    for refusal in
        ["403 Forbidden", "405 Method Not Allowed", "400 Bad Request", "501 Not Implemented"]
    {
        let (proxy, heads) = proxy(move |head, stream| {
            let refused = format!("HTTP/1.1 {refusal}\r\nContent-Length: 0\r\n\r\n");
            let answer = if head.starts_with("CONNECT ") { refused.as_bytes() } else { OK };
            stream.write_all(answer).unwrap();
            let _ = stream.shutdown(std::net::Shutdown::Write);
        });
        let (fetcher, looked_up) = fetcher(&proxy, BOUND);
        let url = "http://sensor.test/level?a=b".to_owned();
        for _ in 0..2 {
            let fetched = fetcher.fetch(&request(url.clone()), None);
            assert!(
                matches!(fetched, Ok(Fetched::Body { body, .. }) if body == b"hi"),
                "{refusal}"
            );
        }
        // One tunnel is tried, and none again.
        let heads: Vec<String> = heads.try_iter().collect();
        assert_eq!(heads.len(), 3, "{heads:?}");
        for head in &heads[1..] {
            assert!(head.starts_with("GET http://sensor.test/level?a=b HTTP/1.1\r\n"), "{head}");
            assert!(head.contains(CREDENTIALS) && head.ends_with("\r\n\r\n"), "{head}");
            assert!(head.to_ascii_lowercase().contains("\r\nhost: sensor.test\r\n"), "{head}");
        }
        assert!(looked_up.lock().unwrap().iter().all(|name| name == "proxy.test"));

        // A request that is to be encrypted is not forwarded.
        let error = fetch(&proxy, "https://sensor.test/", BOUND).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Connect);
        assert!(error.message.contains(refusal), "{error}");
    }
}

#[test]
fn proxy_that_fails_is_named_in_the_error() {
    for (response, message) in [
        ("HTTP/1.1 502 Bad Gateway\r\n\r\n", "the proxy refused the connection: 502 Bad Gateway"),
        ("HTTP/1.1 407 X\r\n\r\n", "the proxy requires a name and password"),
        ("SSH-2.0-OpenSSH\r\n\r\n", "the proxy's response violates the HTTP protocol"),
        ("", "the proxy closed the connection"),
        ("HTTP/1.1 200 OK\r\n", "the proxy closed the connection"),
    ] {
        for url in ["http://sensor.test/s/secret", "https://sensor.test/s/secret"] {
            let proxy = Upstream::responding(response);
            let error = fetch(&proxy, url, BOUND).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Connect, "{response:?}");
            assert!(error.message.starts_with(message), "{response:?}: {error}");
            assert!(!error.message.contains("s3cret"), "{error}");
        }
    }
    let endless = Upstream::new(|mut stream| {
        head(&mut stream);
        let mut written = stream.write_all(b"HTTP/1.1 200 OK\r\nX: ");
        while written.is_ok() {
            written = stream.write_all(&[b'x'; 4096]);
        }
    });
    let error = fetch(&endless, "http://sensor.test/", BOUND).unwrap_err();
    assert!(error.message.contains("violates the HTTP protocol"), "{error}");

    // A bound socket that does not listen reserves a port that refuses connections.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let port = socket.local_addr().unwrap().as_socket().unwrap().port();
    let fetcher = Fetcher::new(
        BOUND,
        "test",
        tls::trusting(&[]),
        Some(ureq::Proxy::new(&format!("http://127.0.0.1:{port}")).unwrap()),
        ThreadedResolver::system("x"),
    );
    let error = fetcher.fetch(&request("http://sensor.test/".to_owned()), None).unwrap_err().error;
    assert_eq!(error.kind, ErrorKind::Connect);
    assert!(error.message.starts_with("the proxy cannot be reached: "), "{error}");
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
    for (case, proxy) in
        [("silent", silent), ("dripping", dripping), ("tunnel to silence", tunnel_to_silence)]
    {
        for url in ["http://sensor.test/", "https://sensor.test/"] {
            let error = fetch(&proxy, url, TIMEOUT).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Timeout, "{case}: {error}");
        }
    }
}
