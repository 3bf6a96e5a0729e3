//! Limits of address space: at the start, and for verifications of passwords.

use std::io::Write;
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use hostile::client::TEST_TIMEOUT;
use hostile::config::Config;

use crate::harness::eventually;
use crate::process::Process;
use crate::server::BINARY;
use crate::thread_limits::{config, needed, serve_in};

/// Part of the log line of a verification without memory.
const NO_MEMORY: &str = "to verify a password, answered 503";

/// Returns a configuration with this account, without a source.
fn config_with(account: serde_json::Value) -> Config {
    Config::http().set("server.workers", 2).push("auth.user", account)
}

/// Sets the soft limit of a process's address space, in bytes.
fn limit_address_space(process: &Process, limit: u64) {
    let arguments = [&format!("--as={limit}:"), "--pid", &process.id().to_string()];
    assert!(Command::new("prlimit").args(arguments).status().unwrap().success());
}

/// Returns the status of a request by anna with this password.
fn sign_in(address: SocketAddr, password: &str) -> u16 {
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
    let credentials = crate::access::basic("anna", password);
    let request = format!(
        "GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\nAuthorization: {credentials}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let response = hostile::client::read_response(&mut stream).unwrap();
    crate::server::code(&String::from_utf8(response).unwrap())
}

fn address(server: &Process) -> SocketAddr {
    server.log().wait_for_address("listening on http://")
}

#[test]
fn start_with_too_little_address_space_fails_with_the_limit() {
    let folder = tempfile::tempdir().unwrap();
    config().write(folder.path());
    for kib in [60_000, 80_000] {
        let output = Command::new("sh")
            .args(["-c", &format!("ulimit -v {kib} && exec timeout 60 {BINARY} serve --no-tls")])
            .current_dir(folder.path())
            .env_remove("PUMPHOUSE_CONFIG")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(75), "{kib}: {stderr}");
        assert!(stderr.contains(&format!("ulimit -v (now {kib})")), "{stderr}");
        assert!(needed(&stderr) > 10, "{stderr}");
    }
}

#[test]
fn wrong_passwords_in_the_smallest_address_space_end_nothing() {
    const STEP: usize = 8 << 10;
    let folder = tempfile::tempdir().unwrap();
    // A verification takes more memory than is left.
    let hash = "$argon2id$v=19$m=65536,t=1,p=1$c2FsdHNhbHRzYWx0$LCBBDyN4mGdrzmYpAZn3ag";
    let anna = serde_json::json!({ "name": "anna", "password_hash": hash, "scopes": ["read"] });
    config_with(anna).write(folder.path());
    let mut refusals = Vec::new();
    // A successful start is recognised by its log, as the server keeps running.
    let server = (8..128).find_map(|number| {
        let mut server = Process::start_logged(&mut serve_in(folder.path(), number * STEP));
        let mut ended = false;
        eventually("the server listens or ends", || {
            ended = server.child().try_wait().unwrap().is_some();
            ended || server.log().contains("admin listener on")
        });
        if ended {
            assert_eq!(server.wait().code(), Some(75), "{:#?}", server.log().lines());
            server.log().wait_for("ulimit -v (now ");
            refusals.extend(server.log().lines());
        }
        (!ended).then_some(server)
    });
    let mut server = server.expect("the server starts with a gigabyte");
    let address = address(&server);
    std::thread::scope(|scope| {
        for number in 0..8 {
            scope.spawn(move || {
                let status = sign_in(address, &format!("wrong {number}"));
                assert!([401, 429, 503].contains(&status), "{status}");
            });
        }
    });
    assert!(!server.log().contains(NO_MEMORY));
    assert_eq!(server.stop(), Some(0));
    let memory = refusals.iter().filter(|line| line.contains("verifications of passwords"));
    assert!(memory.count() > 0, "{refusals:#?}");
}

#[test]
fn verification_without_memory_gets_503_and_one_log_line() {
    let folder = tempfile::tempdir().unwrap();
    let anna = crate::access::user("anna", "correct horse", &["read"]);
    config_with(anna).write(folder.path());
    let mut server = Process::start_logged(&mut serve_in(folder.path(), 4 << 20));
    let address = address(&server);
    let statm = format!("/proc/{}/statm", server.id());
    let pages = std::fs::read_to_string(statm).unwrap();
    let pages: u64 = pages.split(' ').next().unwrap().parse().unwrap();
    // Space for everything except the 33 MiB of a verification.
    let limit = pages * 4096 + (16 << 20);
    limit_address_space(&server, limit);
    for _ in 0..3 {
        assert_eq!(sign_in(address, "correct horse"), 503);
    }
    let lines = || server.log().lines().iter().filter(|line| line.contains(NO_MEMORY)).count();
    eventually("the lack of memory is logged", || lines() > 0);
    limit_address_space(&server, 4 << 30);
    assert_eq!(
        sign_in(address, "correct horse"),
        200,
        "an attempt without memory counted as a failure"
    );
    assert_eq!(lines(), 1);
    assert_eq!(server.stop(), Some(0));
}
