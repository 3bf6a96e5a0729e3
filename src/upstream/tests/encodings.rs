//! Encodings of bodies and numbers that JSON cannot express, for every kind of source.

use std::io::Write as _;

use super::fake::{Upstream, head};
use super::fetching::body;
use super::kinds::{KINDS, read, source, value};

/// Returns a body in other encodings, each with its media type.
fn encoded(body: &str) -> Vec<(&'static str, Vec<u8>)> {
    let utf16: Vec<u8> = body.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let latin1: Vec<u8> = body.chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    vec![
        ("application/json", body.as_bytes().to_vec()),
        ("application/json", [b"\xef\xbb\xbf", body.as_bytes()].concat()),
        ("text/html; charset=iso-8859-1", latin1.clone()),
        ("application/json", latin1),
        ("application/json", [b"\xff\xfe", &utf16[..]].concat()),
        ("application/json; charset=utf-16le", utf16),
    ]
}

#[test]
fn body_in_any_encoding_has_the_same_reading_in_every_kind() {
    for case in &KINDS {
        let plain = case.body.replace("RAW", "48.5");
        let source = source(case.keys, "us");
        let expected = read(&source, &plain).unwrap();
        for (content_type, bytes) in encoded(&plain) {
            let upstream = Upstream::new(move |mut stream| {
                head(&mut stream);
                let length = bytes.len();
                let _ = write!(
                    stream,
                    "HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n\
                     Content-Length: {length}\r\nConnection: close\r\n\r\n"
                );
                let _ = stream.write_all(&bytes);
            });
            let received = String::from_utf8(body(upstream.url("/"))).unwrap();
            let reading = read(&source, &received).unwrap();
            assert_eq!(reading, expected, "{}: {content_type}", case.keys);
        }
    }
}

#[test]
fn bare_nan_is_null_with_a_note_in_every_kind() {
    for case in &KINDS {
        for raw in ["NaN", "nan", "-Infinity", "inf"] {
            let reading = read(&source(case.keys, "us"), &case.body.replace("RAW", raw)).unwrap();
            let lost = value(&reading, case.field);
            assert!(lost.datum.is_none() && lost.note.is_some(), "{}: {raw}: {lost:?}", case.keys);
            assert!(value(&reading, case.healthy).datum.is_some(), "{}: {raw}", case.keys);
        }
    }
}
