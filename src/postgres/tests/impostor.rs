//! Servers that are silent, slow, wrong or malicious.

use std::io::Write as _;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use super::script::{
    Impostor, described, message, read_call, read_first, read_message, ready, row, start_session,
    wait_for_end,
};
use crate::outbound::ThreadedResolver;
use crate::postgres::fixture::{AMPLE, connect, deadline};
use crate::postgres::wire::{MAX_ASIDES, MAX_MESSAGE};
use crate::postgres::{Connection, Param, Phase, PostgresError, PostgresTls, Statement, Target};

/// Time of a call that does not succeed.
const SHORT: Duration = Duration::from_millis(300);

/// Connects for a short time, and returns the error of the only host.
fn refusal(target: &Target) -> PostgresError {
    let tls = PostgresTls::load(target).unwrap();
    let resolver = ThreadedResolver::system();
    match Connection::connect(target, &resolver, &tls, Instant::now() + SHORT) {
        Err(PostgresError::Hosts(mut failures)) => failures.remove(0).error,
        other => panic!("{other:?}"),
    }
}

/// Connects for long, and returns the error of the only host.
fn lasting_refusal(target: &Target) -> PostgresError {
    match connect(target) {
        Err(PostgresError::Hosts(mut failures)) => failures.remove(0).error,
        other => panic!("{other:?}"),
    }
}

/// Sends bytes one by one, until the client leaves.
fn drip(stream: &mut TcpStream, bytes: &[u8]) {
    for byte in bytes.iter().cycle() {
        if stream.write_all(&[*byte]).is_err() {
            return;
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// Sends bytes again and again, until the client leaves.
fn flood(stream: &mut TcpStream, bytes: &[u8]) {
    while stream.write_all(bytes).is_ok() {}
}

#[test]
fn server_that_is_silent_or_drips_ends_at_the_deadline_in_each_phase() {
    let notice = || message(b'N', b"\0");
    type Script = Box<dyn FnOnce(TcpStream) + Send>;
    let scripts: [(&str, Phase, Script); 5] = [
        ("require", Phase::Encrypt, Box::new(|mut stream| wait_for_end(&mut stream))),
        (
            "require",
            Phase::Encrypt,
            Box::new(|mut stream| {
                read_first(&mut stream);
                stream.write_all(b"S").unwrap();
                wait_for_end(&mut stream);
            }),
        ),
        ("disable", Phase::Authenticate, Box::new(|mut stream| wait_for_end(&mut stream))),
        ("disable", Phase::Authenticate, Box::new(move |mut stream| drip(&mut stream, &notice()))),
        (
            "disable",
            Phase::CheckSession,
            Box::new(|mut stream| {
                read_first(&mut stream);
                let begin = [message(b'R', &[0; 4]), ready()].concat();
                stream.write_all(&begin).unwrap();
                wait_for_end(&mut stream);
            }),
        ),
    ];
    for (ssl_mode, phase, script) in scripts {
        let impostor = Impostor::start(script);
        let begun = Instant::now();
        assert_eq!(refusal(&impostor.target(ssl_mode)), PostgresError::Timeout(phase));
        assert!(begun.elapsed() >= SHORT && begun.elapsed() < AMPLE);
        impostor.join();
    }
}

#[test]
fn messages_at_the_start_that_are_malformed_or_endless_are_refused() {
    let head = |kind: u8, length: u32| [&[kind][..], &length.to_be_bytes()].concat();
    let max = u32::try_from(MAX_MESSAGE).unwrap();
    for (bytes, reason) in [
        (head(b'R', max), "a message of 33554432 bytes"),
        (head(b'R', u32::MAX), "malformed"),
        (head(b'R', 0), "malformed"),
        (head(b'R', 3), "malformed"),
        (head(0, 0), "malformed"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), "a message of"),
        (message(b'R', b""), "malformed"),
        (message(b'R', &[0, 0, 0, 99]), "malformed"),
        (message(b'R', b"\0\0\0\x0aSCRAM-SHA-256"), "malformed"),
        (message(b'?', b""), "malformed"),
        (message(b'S', b"name without an end"), "malformed"),
        (message(b'D', &[0, 0]), "does not fit"),
        (ready(), "does not fit"),
    ] {
        let name = String::from_utf8_lossy(&bytes).into_owned();
        let impostor = Impostor::start(move |mut stream| {
            read_first(&mut stream);
            stream.write_all(&bytes).unwrap();
            wait_for_end(&mut stream);
        });
        let error = lasting_refusal(&impostor.target("disable"));
        assert!(matches!(error, PostgresError::Protocol(_)), "{name}: {error}");
        assert!(error.to_string().contains(reason), "{name}: {error}");
        impostor.join();
    }
    for (bytes, reason) in [
        (message(b'N', b"\0"), format!("more than {MAX_ASIDES} notices")),
        (message(b'N', &[1; 4096]), "more than 65536 bytes".to_owned()),
    ] {
        let impostor = Impostor::start(move |mut stream| flood(&mut stream, &bytes));
        let error = lasting_refusal(&impostor.target("disable"));
        assert!(error.to_string().contains(&reason), "{error}");
        impostor.join();
    }
}

#[test]
fn server_without_the_password_is_refused() {
    // Each plays the server's part after the client's first message of SCRAM.
    type Answers = fn(&str) -> Vec<Vec<u8>>;
    let authentications: [(Answers, &str); 4] = [
        (|nonce| vec![sasl(11, nonce), sasl(12, "v=AAAA")], "could not prove"),
        (|nonce| vec![sasl(11, nonce), sasl(12, "e=other-error")], "malformed"),
        (|nonce| vec![sasl(11, nonce), message(b'R', &[0; 4])], "does not fit"),
        (|_| vec![sasl(11, "r=another,s=AAAA,i=4096")], "nonce"),
    ];
    for (answers, reason) in authentications {
        let impostor = Impostor::start(move |mut stream| {
            read_first(&mut stream);
            stream.write_all(&message(b'R', b"\0\0\0\x0aSCRAM-SHA-256\0\0")).unwrap();
            let (_, first) = read_message(&mut stream);
            assert!(!String::from_utf8_lossy(&first).contains("s3cret"));
            let text = String::from_utf8_lossy(&first).into_owned();
            let nonce = text.rsplit_once("r=").unwrap().1;
            for answer in answers(&format!("r={nonce}x,s=AAAA,i=4096")) {
                stream.write_all(&answer).unwrap();
            }
            wait_for_end(&mut stream);
        });
        let error = lasting_refusal(&impostor.target("disable"));
        assert!(error.to_string().contains(reason), "{error}");
        impostor.join();
    }
}

fn sasl(kind: u8, text: &str) -> Vec<u8> {
    message(b'R', &[&[0, 0, 0, kind][..], text.as_bytes()].concat())
}

#[test]
fn server_without_encryption_or_with_an_impostor_before_it_is_refused() {
    for (answer, ssl_mode, reason) in [
        (&b"N"[..], "require", "the server has no encryption, which sslmode=require demands"),
        (b"N", "verify-full", "the server has no encryption"),
        (b"E", "require", "not that of PostgreSQL"),
        (b"HTTP/1.1 400\r\n", "require", "not that of PostgreSQL"),
        // Bytes that were put before the encryption are no answer within it.
        (b"SR\0\0\0\x08\0\0\0\0Z\0\0\0\x05I", "require", "TLS"),
    ] {
        let impostor = Impostor::start(move |mut stream| {
            assert_eq!(read_first(&mut stream), 80_877_103u32.to_be_bytes());
            stream.write_all(answer).unwrap();
            wait_for_end(&mut stream);
        });
        let error = lasting_refusal(&impostor.target(ssl_mode));
        assert!(error.to_string().contains(reason), "{error}");
        impostor.join();
    }
    // Without a demand for it, the session goes on.
    let impostor = Impostor::start(|mut stream| {
        read_first(&mut stream);
        stream.write_all(b"N").unwrap();
        start_session(&mut stream);
        wait_for_end(&mut stream);
    });
    drop(connect(&impostor.target("prefer")).unwrap());
    impostor.join();
}

#[test]
fn results_that_are_malformed_or_too_large_break_the_connection() {
    let result = |rows: &[Vec<u8>]| [described(&[20]), rows.concat()].concat();
    let many: Vec<u8> = row(&[]).repeat(1_000_001);
    let huge_notices = message(b'N', &vec![1; 1024 * 1024]).repeat(70);
    for (answer, reason) in [
        (ready(), "does not fit"),
        (message(b'G', &[0, 0, 0]), "does not fit"),
        (message(b's', b""), "does not fit"),
        (message(b'T', &[0, 9]), "malformed"),
        (result(&[many]), "more than 1000000 rows"),
        (huge_notices, "more than 67108864 bytes"),
        (message(b'N', b"\0").repeat(1001), "more than 1000 notices"),
        (Vec::new(), "closed"),
        (result(&[row(&[b"12345678"])]), "closed"),
    ] {
        let impostor = Impostor::start(move |mut stream| {
            start_session(&mut stream);
            read_call(&mut stream);
            // The client may leave before it has read all.
            let _ = stream.write_all(&answer);
        });
        let mut connection = connect(&impostor.target("disable")).unwrap();
        let error = connection.pipeline(&[Statement::plain("SELECT 1")], deadline()).unwrap_err();
        assert!(error.to_string().contains(reason), "{reason}: {error}");
        assert!(connection.is_broken());
        let error = connection.pipeline(&[], deadline()).unwrap_err();
        assert_eq!(error, PostgresError::Closed);
        drop(connection);
        impostor.join();
    }
}

#[test]
fn values_that_contradict_their_lengths_are_errors() {
    let cell = |length: u32, bytes: &[u8]| {
        message(b'D', &[&[0, 1][..], &length.to_be_bytes(), bytes].concat())
    };
    let array = |count: u32, rest: &[u8]| {
        let head = [1, 0, 20, count, 1].map(u32::to_be_bytes).concat();
        [&head[..], rest].concat()
    };
    for (oid, row) in [
        (20, cell(9, b"12345678")),
        (20, cell(7, b"1234567")),
        (20, message(b'D', &[0, 0])),
        (20, message(b'D', &[0, 2, 0])),
        (16, row(&[b"\x02"])),
        (25, row(&[b"\xff"])),
        (1016, row(&[b""])),
        (1016, row(&[&array(u32::MAX >> 1, b"")])),
        (1016, row(&[&array(1, &[0, 0, 0, 9, 1])])),
        (1016, row(&[&array(1, &[0xff, 0xff, 0xff, 0xfe])])),
        (1016, row(&[&[array(0, b""), vec![7]].concat()])),
        (1016, row(&[&[2; 12]])),
    ] {
        let impostor = Impostor::start(move |mut stream| {
            start_session(&mut stream);
            read_call(&mut stream);
            let end = [message(b'C', b"SELECT 1\0"), ready()].concat();
            stream.write_all(&[described(&[oid]), row, end].concat()).unwrap();
            wait_for_end(&mut stream);
        });
        let mut connection = connect(&impostor.target("disable")).unwrap();
        let outcomes = connection.pipeline(&[Statement::plain("SELECT 1")], deadline()).unwrap();
        let row = outcomes[0].only().unwrap();
        assert!(row.i64(0).is_err() && row.bool(0).is_err() && row.text(0).is_err(), "{oid}");
        assert!(row.i64s(0).is_err(), "{oid}");
        drop(connection);
        impostor.join();
    }
}

#[test]
fn error_of_a_server_is_cleaned_and_bounded() {
    let body = [&b"VERROR\0C23505\0Mline\n\x1b[31m"[..], &[b'x'; 9999], b"\0D\xff\0\0"].concat();
    let impostor = Impostor::start(move |mut stream| {
        start_session(&mut stream);
        read_call(&mut stream);
        stream.write_all(&[message(b'E', &body), ready()].concat()).unwrap();
        wait_for_end(&mut stream);
    });
    let mut connection = connect(&impostor.target("disable")).unwrap();
    let error = connection.pipeline(&[Statement::plain("SELECT 1")], deadline()).unwrap_err();
    let text = error.to_string();
    assert!(text.starts_with("line  [31mxxx") && text.len() < 1000, "{text}");
    assert!(!connection.is_broken());
    drop(connection);
    impostor.join();
}

#[test]
fn server_that_neither_reads_nor_answers_or_floods_ends_a_large_call() {
    let large = "x".repeat(32 * 1024 * 1024);
    let params = [Param::Text(&large)];
    let statements = [Statement::new("SELECT $1", &params)];

    let deaf = Impostor::start(|mut stream| {
        start_session(&mut stream);
        thread::sleep(2 * SHORT);
    });
    let mut connection = connect(&deaf.target("disable")).unwrap();
    let error = connection.pipeline(&statements, Instant::now() + SHORT).unwrap_err();
    assert_eq!(error, PostgresError::Timeout(Phase::Send));
    assert!(connection.is_broken());
    deaf.join();

    let flooding = Impostor::start(|mut stream| {
        start_session(&mut stream);
        flood(&mut stream, &message(b'N', &[1; 65_536]));
    });
    let mut connection = connect(&flooding.target("disable")).unwrap();
    let error = connection.pipeline(&statements, deadline()).unwrap_err();
    assert!(error.to_string().contains("more than 67108864 bytes"), "{error}");
    drop(connection);
    flooding.join();
}
