//! Fuzzing: the responses to any bytes do not depend on how these are cut.

use std::ops::Range;

use fastrand::Rng;

use super::scenario::{Transcript, feed};
use fuzzing::fuzz;

#[test]
fn any_bytes_cut_anywhere_get_the_same_responses() {
    let dictionary = [
        "\r\n\r\n",
        "\n",
        "HTTP/1.1",
        "HTTP/1.0",
        "Content-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Connection: close\r\n",
        "Expect: 100-continue\r\n",
        "Host: x\r\n",
        "0\r\n\r\n",
        "5\r\nhello\r\n",
        "5;a=b\r\nhello\r\n",
        " ;a=\"b\\\"\"",
        ";a",
        "0\r\nA: b\r\n\r\n",
        "0 ;a\r\nA: b\r\nB:\r\n\r\n",
        "A: b\r\n",
        "\r\n folded",
        "HTTP/1.2",
        "HTTP/2.0",
        "http://[::1]:80",
        "https://x",
        "u@",
        "#f",
        "OPTIONS * ",
        "CONNECT x:80 ",
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    ];
    fuzz("connection", &dictionary, |input| {
        let whole = feed([input]);
        let transcript = whole.transcript();
        let mut rng = Rng::with_seed(input.len() as u64);
        for _ in 0..3 {
            assert_eq!(in_pieces(input, &mut rng), transcript, "cut differently");
        }
        assert_eq!(feed(input.chunks(1)).transcript(), transcript, "byte by byte");
        let statuses = whole.statuses();
        let refused = statuses.iter().position(|status| *status >= 400);
        if let Some(at) = refused {
            assert_eq!(at, statuses.len() - 1, "no request behind a refusal is answered");
            assert!(transcript.closing.is_some(), "a refusal ends the connection");
        }
        // Each rule that refuses is a behaviour of its own, for which the generator searches.
        let rule = refused.and_then(|_| transcript.responses.lines().last()?.split('.').next());
        format!("{statuses:?} {:?} {rule:?}", transcript.closing)
    });
}

/// Bodies generated from the grammar of RFC 9112 7.1 are decoded, and one illegal byte in an
/// extension or a trailer is refused, wherever either is cut.
#[test]
fn chunked_body_of_the_grammar_is_decoded_and_an_illegal_byte_in_it_refused() {
    const HEAD: &str = "POST /a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut rng = Rng::with_seed(11);
    for _ in 0..500 {
        let (text, parts) = chunked_body(&mut rng);
        let request = [HEAD.as_bytes(), &text].concat();
        let whole = feed([&request[..]]);
        let shown = String::from_utf8_lossy(&text).into_owned();
        assert_eq!(whole.statuses(), [200], "{shown:?}");
        assert_eq!(in_pieces(&request, &mut rng), whole.transcript(), "{shown:?}");

        // An extension or a trailer field with a byte that neither may hold anywhere.
        if parts.is_empty() {
            continue;
        }
        let part = pick(&mut rng, &parts).clone();
        let at = HEAD.len() + rng.usize(part);
        let mut broken = request;
        broken.insert(at, *pick(&mut rng, b"\0\x01\x1b\x7f"));
        let whole = feed([&broken[..]]);
        let shown = String::from_utf8_lossy(&broken[HEAD.len()..]).into_owned();
        assert_eq!(whole.statuses(), [400], "{shown:?}");
        assert_eq!(in_pieces(&broken, &mut rng), whole.transcript(), "{shown:?}");
    }
}

/// Returns a chunked body of at most 16 bytes and 6 trailer fields, and the ranges of its extensions
/// and fields.
fn chunked_body(rng: &mut Rng) -> (Vec<u8>, Vec<Range<usize>>) {
    let mut text = Vec::new();
    let mut parts = Vec::new();
    let mut left = 16;
    loop {
        let size = if rng.u8(..4) == 0 { 0 } else { rng.usize(..=left.min(6)) };
        left -= size;
        text.extend("0".repeat(rng.usize(..3)).bytes());
        text.extend(format!("{size:x}").bytes());
        for _ in 0..rng.usize(..3) {
            let begin = text.len();
            put_extension(rng, &mut text);
            parts.push(begin..text.len());
        }
        text.extend(b"\r\n");
        if size == 0 {
            break;
        }
        text.extend("x".repeat(size).bytes());
        text.extend(b"\r\n");
    }
    for _ in 0..rng.usize(..=6) {
        let begin = text.len();
        text.extend(token(rng).bytes());
        text.push(b':');
        text.extend((0..rng.usize(..6)).map(|_| *pick(rng, b" \tb:;\"\\,\xe9")));
        parts.push(begin..text.len());
        text.extend(b"\r\n");
    }
    text.extend(b"\r\n");
    (text, parts)
}

fn put_extension(rng: &mut Rng, text: &mut Vec<u8>) {
    let space = |text: &mut Vec<u8>, rng: &mut Rng| {
        text.extend((0..rng.usize(..3)).map(|_| *pick(rng, b" \t")));
    };
    space(text, rng);
    text.push(b';');
    space(text, rng);
    text.extend(token(rng).bytes());
    let value = rng.u8(..3);
    if value == 0 {
        return;
    }
    space(text, rng);
    text.push(b'=');
    space(text, rng);
    if value == 1 {
        text.extend(token(rng).bytes());
        return;
    }
    text.push(b'"');
    for _ in 0..rng.usize(..5) {
        text.extend(*pick(rng, &[&b"a"[..], b";", b" ", b"\t", b"\xe9", b"\\\"", b"\\\\"]));
    }
    text.push(b'"');
}

fn token(rng: &mut Rng) -> String {
    (0..rng.usize(1..5)).map(|_| char::from(*pick(rng, b"aZ09!#$%&'*+-.^_`|~"))).collect()
}

fn pick<'a, T>(rng: &mut Rng, list: &'a [T]) -> &'a T {
    &list[rng.usize(..list.len())]
}

fn in_pieces(input: &[u8], rng: &mut Rng) -> Transcript {
    let mut pieces = Vec::new();
    let mut rest = input;
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(rng.usize(1..=rest.len()));
        pieces.push(piece);
        rest = behind;
    }
    feed(pieces).transcript()
}
