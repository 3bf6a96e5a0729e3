use std::net::{Ipv4Addr, TcpListener};
use std::thread;

use super::*;
use crate::config::{ChannelKind, Secret};
use crate::notify::channel;
use crate::notify::delivery::Delivery;
use crate::notify::fake::{Reply, Server};
use crate::notify::fixture::{config, context, delivery, fired};
use crate::outbound::tls::trusting_ca_file;

const SHORT: Duration = Duration::from_millis(300);
/// Bound that a slow machine does not reach.
const AMPLE: Duration = Duration::from_secs(20);

fn deliver(url: String, delivery: &Delivery, timeout: Duration) -> Result<(), DeliveryError> {
    let channel = channel(&config(ChannelKind::HomeAssistant(Secret::new(url))), &context());
    channel.deliver(delivery, Instant::now() + timeout)
}

#[test]
fn status_has_its_consequence() {
    use DeliveryFault::{Refused, Transient, Undeliverable};
    for (statuses, expected) in [
        (&[200, 201, 202, 204, 299][..], None),
        (&[101, 301, 302, 307, 308, 401, 403, 404, 405, 407, 410], Some(Refused)),
        (&[402, 406, 409, 411, 412, 415, 418, 421, 423, 424, 426, 428, 431, 451], Some(Refused)),
        (&[408, 425, 429, 500, 502, 503, 504, 507, 599], Some(Transient)),
        (&[400, 413, 414, 422], Some(Undeliverable)),
    ] {
        for status in statuses {
            assert_eq!(fault(*status), expected, "{status}");
        }
    }
}

#[test]
fn failure_is_explained_and_names_the_wait() {
    for (status, fields, body, message, wait) in [
        (
            "503 Service Unavailable",
            "Retry-After: 120\r\n",
            "",
            "503 Service Unavailable",
            Some(120),
        ),
        (
            "400 Bad Request",
            "",
            "{\"message\": \"no\\u001b such\"}",
            "400 Bad Request: no such",
            None,
        ),
        (
            "500 Internal Server Error",
            "",
            "<html>\n<p>Down",
            "500 Internal Server Error: <html> <p>Down",
            None,
        ),
        ("413 Payload Too Large", "", "{}", "413 Payload Too Large", None),
        (
            "307 Temporary Redirect",
            "Location: https://other.test:8443/s3cret?k=v\r\n",
            "moved",
            "307 Temporary Redirect, a redirect to https://other.test:8443, which is not followed; \
             configure that URL if it is right",
            None,
        ),
        (
            "301 Moved Permanently",
            "Location: /login\r\n",
            "",
            "301 Moved Permanently, a redirect, which is not followed; check \"url\"",
            None,
        ),
    ] {
        let server = Server::new(Reply::with(status, fields, body));
        let error = deliver(server.url("/"), &delivery([fired()]), AMPLE).unwrap_err();
        assert_eq!(*error.message, format!("the response was {message}"));
        assert_eq!(error.retry_after, wait.map(Duration::from_secs), "{status}");
        assert_eq!(server.requests().len(), 1);
    }
}

#[test]
fn server_that_hangs_or_drips_ends_at_the_deadline() {
    for reply in [Reply::Hang, Reply::Drip] {
        let server = Server::new(reply.clone());
        let begun = Instant::now();
        let error = deliver(server.url("/"), &delivery([fired()]), SHORT).unwrap_err();
        assert_eq!(error.fault, DeliveryFault::Transient, "{reply:?}");
        assert!(begun.elapsed() >= SHORT && begun.elapsed() < AMPLE, "{:?}", begun.elapsed());
        assert_eq!(&*error.message, "no complete response within 30 s");
    }
}

#[test]
fn nothing_is_sent_after_the_deadline() {
    let server = Server::new(Reply::ok("ok"));
    let error = deliver(server.url("/"), &delivery([fired()]), Duration::ZERO).unwrap_err();
    assert_eq!((error.fault, server.requests().len()), (DeliveryFault::Transient, 0));
}

#[test]
fn broken_connection_is_transient_unless_the_status_says_that_the_message_was_taken() {
    let transient = |reply: &[u8]| {
        let server = Server::new(Reply::Bytes(reply.to_vec()));
        deliver(server.url("/"), &delivery([fired()]), AMPLE).map_err(|error| error.fault)
    };
    assert_eq!(transient(b""), Err(DeliveryFault::Transient));
    assert_eq!(transient(b"HTTP/1.1 20"), Err(DeliveryFault::Transient));
    assert_eq!(transient(b"SSH-2.0-x\r\n\r\n"), Err(DeliveryFault::Transient));
    assert_eq!(transient(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nok"), Ok(()));
    assert_eq!(transient(b"HTTP/1.1 204 No Content\r\n\r\n"), Ok(()));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("http://{}/s3cretpath", listener.local_addr().unwrap());
    drop(listener);
    let error = deliver(url, &delivery([fired()]), AMPLE).unwrap_err();
    assert_eq!(error.fault, DeliveryFault::Transient);
    assert_eq!(&*error.message, "Connection refused (os error 111)");
}

#[test]
fn long_body_of_an_error_is_cut() {
    let server = Server::new(Reply::with("500 Oops", "", &"x".repeat(100_000)));
    let error = deliver(server.url("/"), &delivery([fired()]), AMPLE).unwrap_err();
    assert!(error.message.ends_with('…') && error.message.len() < 300, "{error}");
}

#[test]
fn url_that_cannot_be_used_is_refused() {
    for url in ["", "ftp://a.test/", "http:///x", "not a url"] {
        let error = deliver(url.to_owned(), &delivery([fired()]), AMPLE).unwrap_err();
        assert_eq!(error.fault, DeliveryFault::Refused, "{url}");
        assert!(error.message.contains("check \"url\""), "{error}");
    }
}

#[test]
fn certificate_that_is_not_trusted_is_transient_and_explained() {
    let made = rcgen::generate_simple_self_signed(["a.test".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server_config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let server = thread::spawn(move || {
        let (mut socket, _) = listener.accept().unwrap();
        let mut connection = rustls::ServerConnection::new(Arc::new(server_config)).unwrap();
        let _ = connection.complete_io(&mut socket);
    });
    let mut context = context();
    context.tls = trusting_ca_file(&[]);
    let channel = channel(&config(ChannelKind::HomeAssistant(Secret::new(url))), &context);
    let error = channel.deliver(&delivery([fired()]), Instant::now() + AMPLE).unwrap_err();
    assert_eq!(error.fault, DeliveryFault::Transient);
    assert!(error.message.contains("ca_file"), "{error}");
    server.join().unwrap();
}
