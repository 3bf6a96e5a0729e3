//! Memory that a session holds.

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::*;
use crate::tls::{provider, server_config};

/// Returns a layer and a client behind their handshake.
fn handshaken() -> (TlsLayer, ClientConnection) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = made.signing_key.serialize_pem();
    let config = server_config(made.cert.pem().as_bytes(), key.as_bytes()).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let client = ClientConfig::builder_with_provider(Arc::new(provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let mut client = ClientConnection::new(Arc::new(client), name).unwrap();
    let mut layer = TlsLayer::new(config);
    while layer.is_handshaking() {
        let sent = from_client(&mut client);
        assert_eq!(receive(&mut layer, &sent), b"");
        to_client(&mut layer, &mut client);
    }
    (layer, client)
}

fn from_client(client: &mut ClientConnection) -> Vec<u8> {
    let mut sent = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut sent).unwrap();
    }
    sent
}

fn to_client(layer: &mut TlsLayer, client: &mut ClientConnection) {
    let mut sent = Vec::new();
    while layer.wants_write() {
        layer.write_to(&mut sent).unwrap();
    }
    let mut sent = &sent[..];
    while !sent.is_empty() {
        client.read_tls(&mut sent).unwrap();
        client.process_new_packets().unwrap();
    }
}

fn receive(layer: &mut TlsLayer, ciphertext: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    let input = layer.receive(ciphertext, &mut [0; 4096], |piece| plain.extend_from_slice(piece));
    assert_eq!(input, TlsInput::Accepted);
    plain
}

#[test]
fn session_holds_the_part_of_a_record_that_has_arrived() {
    let (mut layer, mut client) = handshaken();
    assert_eq!(layer.shrink(), 0);
    client.writer().write_all(&[b'x'; 16_000]).unwrap();
    let record = from_client(&mut client);
    let (most, rest) = record.split_at(15_000);
    assert_eq!(receive(&mut layer, most), b"");
    assert_eq!(layer.shrink(), 15_000);
    assert_eq!(receive(&mut layer, rest), [b'x'; 16_000]);
    assert_eq!(layer.shrink(), 0);
    // The session works after its buffer was shrunk.
    client.writer().write_all(b"more").unwrap();
    assert_eq!(receive(&mut layer, &from_client(&mut client)), b"more");
}

#[test]
fn session_holds_no_more_output_than_its_limit() {
    let (mut layer, _client) = handshaken();
    let large = [b'x'; 4 * TLS_BUFFER];
    assert!(layer.encrypt([&large, &[]]) <= TLS_BUFFER);
    let held = layer.shrink();
    assert!((TLS_BUFFER / 2..=TLS_BUFFER + 1024).contains(&held), "{held}");
}
