//! Any bytes, cut anywhere, get the verdict that they get in one piece.

use fastrand::Rng;

use super::tests::{Verdict, converse};
use crate::fuzzing::fuzz;

#[test]
fn heads_framing_and_chunks() {
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
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    ];
    fuzz("connection", &dictionary, |input| {
        let whole = converse([input]);
        let verdict = whole.verdict();
        let mut rng = Rng::with_seed(input.len() as u64);
        for _ in 0..3 {
            assert_eq!(in_pieces(input, &mut rng), verdict, "cut differently");
        }
        assert_eq!(converse(input.chunks(1)).verdict(), verdict, "byte by byte");
        let statuses = whole.statuses();
        let refused = statuses.iter().position(|status| *status >= 400);
        if let Some(at) = refused {
            assert_eq!(at, statuses.len() - 1, "nothing is answered behind a refusal");
            assert!(verdict.closing.is_some(), "a refusal ends the connection");
        }
        format!("{statuses:?} {:?}", verdict.closing)
    });
}

fn in_pieces(input: &[u8], rng: &mut Rng) -> Verdict {
    let mut pieces = Vec::new();
    let mut rest = input;
    while !rest.is_empty() {
        let (piece, behind) = rest.split_at(rng.usize(1..=rest.len()));
        pieces.push(piece);
        rest = behind;
    }
    converse(pieces).verdict()
}
