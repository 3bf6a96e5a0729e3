//! `watch` with a standard error that is full.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use hostile::client::TEST_TIMEOUT;

use super::FullPipe;
use crate::harness::eventually;
use crate::process::Process;
use crate::server::BINARY;

#[test]
fn watch_with_a_full_standard_error_acknowledges_every_event() {
    const EVENTS: usize = 50;
    let folder = tempfile::tempdir().unwrap();
    let absent = format!("unix:{}", folder.path().join("absent").display());
    let full = FullPipe::new();
    let mut watch = Process::start(
        Command::new(BINARY)
            .args(["watch", "--program", "x", "--server-url", &absent, "--admin", &absent])
            .args(["--failures", "1", "--grace", "1ms"])
            .env("RUST_LOG", "debug")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(full.stdio()),
    );
    let mut events = watch.child().stdin.take().unwrap();
    let mut output = BufReader::new(watch.child().stdout.take().unwrap()).lines();
    let (sender, lines) = crossbeam_channel::unbounded();
    std::thread::spawn(move || output.try_for_each(|line| sender.send(line.unwrap())));
    let expect = |wanted: &str| {
        let line = lines.recv_timeout(TEST_TIMEOUT).expect("watch acknowledges the event");
        assert_eq!(line, wanted);
    };
    expect("READY");
    for _ in 0..EVENTS {
        events.write_all(b"ver:3.0 eventname:TICK_5 len:15\nwhen:1201063880").unwrap();
        expect("RESULT 2");
        expect("OKREADY");
    }
    drop(events);
    assert_eq!(watch.wait().code(), Some(0));
}

#[test]
fn restart_command_of_watch_with_a_full_standard_error_is_not_delayed() {
    let folder = tempfile::tempdir().unwrap();
    let absent = format!("unix:{}", folder.path().join("absent").display());
    let full = FullPipe::new();
    // Writes more than a pipe holds to both outputs, and leaves a daemon that keeps them open.
    let command = "i=0; while [ $i -lt 5000 ]; do echo output $i; echo errors $i >&2; \
                   i=$((i+1)); done; sleep 600 & echo $! > daemon; touch done";
    let mut watch = Process::start(
        Command::new(BINARY)
            .args(["watch", "--exec", command, "--admin", &absent, "--failures", "1"])
            .args(["--grace", "1ms", "--max-restarts", "1"])
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(full.stdio()),
    );
    eventually("the command has ended", || folder.path().join("done").exists());
    assert!(Command::new("kill").arg(watch.id().to_string()).status().unwrap().success());
    let ended = watch.wait();
    let daemon = std::fs::read_to_string(folder.path().join("daemon")).unwrap();
    let _ = Command::new("kill").arg(daemon.trim()).status();
    assert_eq!(ended.code(), Some(0));
}
