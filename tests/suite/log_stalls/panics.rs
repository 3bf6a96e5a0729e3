//! Panics while standard error is not read.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use hostile::client::{TEST_TIMEOUT, read_response};
use pumphouse_web::engine::Settings;
use pumphouse_web::logging;

use super::FullPipe;
use crate::harness::{Program, TestEngine, get, plain_program};
use crate::process::Process;

const INSIDE: &str = "PUMPHOUSE_TEST_INSIDE_PANICS";

/// Runs [`inside`] in a process of its own, as a panic hook belongs to the whole process.
fn run_inside(stderr: Stdio) -> Process {
    Process::start(
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "log_stalls::panics::inside", "--ignored", "--nocapture"])
            .env(INSIDE, "1")
            .env_remove("RUST_LOG")
            .env_remove("RUST_BACKTRACE")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr),
    )
}

#[test]
fn panicking_handlers_do_not_wait_for_standard_error_and_are_logged() {
    let full = FullPipe::new();
    assert!(run_inside(full.stdio()).wait().success());

    let mut read = run_inside(Stdio::piped());
    let mut log = String::new();
    read.child().stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(read.wait().success(), "{log}");
    let panics = log.lines().filter(|line| {
        line.contains("ERROR thread 'pw-worker-")
            && line.contains("panicked at tests/suite/log_stalls/panics.rs:")
            && line.ends_with(": a defect, \\u{1b}[31m for the test")
    });
    assert_eq!(panics.count(), PANICS, "{log}");
}

const PANICS: usize = 20;

#[test]
#[ignore = "runs in the process that the test above starts"]
fn inside() {
    if std::env::var_os(INSIDE).is_none() {
        return;
    }
    logging::start(None).unwrap();
    let program = Program(|request: &_| match plain_program(request) {
        _ if request.target.path() == "/panic" => panic!("a defect, \u{1b}[31m for the test"),
        response => response,
    });
    let server = TestEngine::http(Settings { workers: 2, ..Settings::default() }, program);
    let ask = |path: &str| {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
        stream.write_all(get(path).as_bytes()).unwrap();
        let mut response = Vec::new();
        if path == "/panic" {
            stream.read_to_end(&mut response).unwrap();
        } else {
            response = read_response(&mut stream).unwrap();
        }
        response
    };
    for _ in 0..PANICS {
        ask("/panic");
        assert!(ask("/well").starts_with(b"HTTP/1.1 200"));
    }
    logging::flush();
}
