//! Connections to upstreams that are slow or not the right ones: names, addresses and TLS.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::fake::{Upstream, drip, hold};
use super::fetching::{BOUND, TIMEOUT, fetcher, kind, request};
use crate::board::{ErrorKind, PollError};
use crate::config::Method;
use crate::outbound::blackhole::Blackhole;
use crate::outbound::{Lookup, ThreadedResolver, tls};
use crate::upstream::fetch::{Fetched, Fetcher};

/// Returns an upstream with a certificate for that name that passes each connection to the script, and a fetcher
/// that trusts it.
fn tls_upstream(
    name: &str,
    timeout: Duration,
    mut script: impl FnMut(rustls::ServerConnection, TcpStream) + Send + 'static,
) -> (Upstream, Fetcher) {
    let generated = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
    let key =
        rustls::pki_types::PrivateKeyDer::try_from(generated.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![generated.cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let upstream = Upstream::new(move |stream| {
        script(rustls::ServerConnection::new(config.clone()).unwrap(), stream);
    });
    let tls = tls::trusting(std::slice::from_ref(generated.cert.der()));
    let to_upstream: Lookup = {
        let address = upstream.address;
        Arc::new(move |_| Ok(vec![address]))
    };
    let fetcher =
        Fetcher::new(timeout, "test", tls, None, ThreadedResolver::with_lookup(to_upstream));
    (upstream, fetcher)
}

#[test]
fn certificate_must_be_trusted_and_match_the_host() {
    let (upstream, trusting) = tls_upstream("sensor.test", BOUND, |connection, stream| {
        let mut tls = rustls::StreamOwned::new(connection, stream);
        // A client that rejects the certificate disconnects before it sends a request.
        if tls.read(&mut [0; 1024]).is_ok() {
            let _ = tls.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
            let _ = tls.flush();
        }
    });
    let url = |host: &str| format!("https://{host}:{}/", upstream.address.port());
    let fetch_from = |fetcher: &Fetcher, host: &str| fetcher.fetch(&request(url(host)), None);
    assert!(fetch_from(&trusting, "sensor.test").is_ok());
    assert_eq!(kind(fetch_from(&trusting, "other.test")), ErrorKind::Tls);
    assert_eq!(kind(fetch_from(&fetcher(BOUND), "127.0.0.1")), ErrorKind::Tls);
}

/// Sends the header of a TLS record of 16 KiB, of which the rest is yet to come.
fn begin_record(stream: &mut TcpStream, content_type: u8) {
    stream.write_all(&[content_type, 3, 3, 0x40, 0]).unwrap();
}

/// Completes the handshake of the server.
fn shake_hands(mut connection: rustls::ServerConnection, stream: &mut TcpStream) {
    while connection.is_handshaking() {
        connection.complete_io(stream).unwrap();
    }
}

/// Sends a byte and reads that many every 20 ms, until the client disconnects.
fn read_slowly(mut stream: TcpStream, bytes: usize) {
    let mut read = vec![0; bytes];
    while stream.write_all(&[0]).is_ok() && stream.read(&mut read).is_ok() {
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn tls_that_stalls_at_any_point_ends_at_the_deadline() {
    const HANDSHAKE: u8 = 22;
    const APPLICATION_DATA: u8 = 23;
    type Script = fn(rustls::ServerConnection, TcpStream);
    let cases: [(&str, Script); 6] = [
        ("silence instead of a handshake", |_, stream| hold(stream)),
        ("a handshake that drips", |_, mut stream| {
            begin_record(&mut stream, HANDSHAKE);
            drip(stream, 2);
        }),
        ("silence after the handshake", |connection, mut stream| {
            shake_hands(connection, &mut stream);
            hold(stream);
        }),
        ("a response that drips", |connection, mut stream| {
            shake_hands(connection, &mut stream);
            begin_record(&mut stream, APPLICATION_DATA);
            drip(stream, 0);
        }),
        ("a request that is not read", |connection, mut stream| {
            shake_hands(connection, &mut stream);
            begin_record(&mut stream, APPLICATION_DATA);
            read_slowly(stream, 0);
        }),
        ("a request that is read slowly", |connection, mut stream| {
            shake_hands(connection, &mut stream);
            begin_record(&mut stream, APPLICATION_DATA);
            read_slowly(stream, 16 * 1024);
        }),
    ];
    for (case, script) in cases {
        let (upstream, fetcher) = tls_upstream("sensor.test", TIMEOUT, script);
        let url = format!("https://sensor.test:{}/s/secret", upstream.address.port());
        let mut request = request(url);
        if case.starts_with("a request") {
            // More than the buffers of two sockets hold.
            (request.method, request.body) = (Method::Post, Some(vec![b'x'; 32 * 1024 * 1024]));
        }
        let error = fetcher.fetch(&request, None).unwrap_err().error;
        assert_eq!(error.kind, ErrorKind::Timeout, "{case}: {error}");
        assert_eq!(error.message, "no complete response within 0.4 s", "{case}");
    }
}

/// The resolver returns two unresponsive addresses before the address of the upstream.
#[test]
fn fetch_with_blackholed_addresses_reaches_the_upstream() {
    let blackholes = [Blackhole::new(), Blackhole::new()];
    let upstream = Upstream::responding("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi");
    let addresses = [blackholes[0].address, blackholes[1].address, upstream.address];
    let fetcher = |addresses: Vec<SocketAddr>, timeout| {
        let lookup: Lookup = Arc::new(move |_| Ok(addresses.clone()));
        let resolver = ThreadedResolver::with_lookup(lookup);
        Fetcher::new(timeout, "test", tls::trusting(&[]), None, resolver)
    };
    let (request, started) = (request("http://sensor.test/".to_owned()), Instant::now());
    let response = fetcher(addresses.to_vec(), BOUND).fetch(&request, None);
    assert!(matches!(response, Ok(Fetched::Body { .. })), "{response:?}");
    // An attempt starts every 250 ms. Attempts one after another would take most of the deadline.
    assert!(started.elapsed() < BOUND / 2, "{:?}", started.elapsed());

    let silent = fetcher(addresses[..2].to_vec(), TIMEOUT);
    let error = silent.fetch(&request, None).unwrap_err().error;
    let message = "no complete response within 0.4 s: no connection to any of 2 addresses: \
                   no answer (2 times)";
    assert_eq!(error, PollError::new(ErrorKind::Timeout, message));
}

#[test]
fn tls_to_a_plain_port_is_an_error() {
    let upstream = Upstream::new(|mut stream: TcpStream| {
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        hold(stream);
    });
    let url = format!("https://{}/", upstream.address);
    assert_eq!(kind(fetcher(BOUND).fetch(&request(url), None)), ErrorKind::Tls);
}

#[test]
fn hanging_lookup_is_an_error_of_the_poll_at_its_deadline() {
    let (release, hang) = crossbeam_channel::bounded::<()>(0);
    let lookup = move |_: &str| {
        let _ = hang.recv();
        Ok(Vec::new())
    };
    let resolver = ThreadedResolver::with_lookup(Arc::new(lookup));
    let timeout = Duration::from_millis(200);
    let fetcher = Fetcher::new(timeout, "test", tls::trusting(&[]), None, resolver);
    let started = Instant::now();
    for _ in 0..4 {
        let request = request("http://sensor.test/".to_owned());
        let error = fetcher.fetch(&request, None).unwrap_err().error;
        assert_eq!(error.kind, ErrorKind::Dns, "{error}");
    }
    assert!(started.elapsed() < BOUND);
    drop(release);
}
