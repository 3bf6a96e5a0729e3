//! A system that gives fewer threads than the server needs, by real limits.

use std::io::{BufRead, BufReader, Write as _};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};

use hostile::client::TEST_TIMEOUT;
use hostile::config::{Config, Source};

use crate::harness::eventually;
use crate::server::BINARY;

/// Users without another process, so that every thread counted is the server's: one a test.
const USERS: [u32; 3] = [54_321, 54_322, 54_323];

/// Returns a configuration with a source whose host is a name, which takes a thread for lookups.
fn config() -> Config {
    Config::http()
        .open()
        .set("server.workers", 2)
        .set("history.path", "pumphouse.db")
        .source(Source::json("well", "http://localhost:1/").value("v", "/v", ""))
}

/// A folder with the program and its configuration, both usable by one of [`USERS`].
struct Place {
    folder: tempfile::TempDir,
    /// Runs what follows as a user that the limit holds for.
    as_user: Vec<String>,
}

impl Place {
    /// `None` where the system offers no such user; CI must offer one.
    fn new(user: u32) -> Option<Place> {
        let number = user.to_string();
        let by_root = ["setpriv", "--reuid", &number, "--regid", &number, "--clear-groups"];
        let by_namespace = ["unshare", "-r"];
        let works = |prefix: &[&str]| {
            let true_ = Command::new(prefix[0]).args(&prefix[1..]).arg("true").output();
            true_.is_ok_and(|output| output.status.success())
        };
        let is_root = rustix::process::geteuid().is_root();
        let prefix = if is_root { &by_root[..] } else { &by_namespace[..] };
        if !works(prefix) {
            assert!(std::env::var_os("CI").is_none(), "{} does not work here", prefix[0]);
            // Not by a macro, whose output is shown only of tests that fail.
            let _ = writeln!(
                std::io::stderr(),
                "\n*** SKIPPED: limits on threads, as {} does not work here ***",
                prefix[0]
            );
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        // Copied by another process: a child that a neighbouring test forks meanwhile would inherit
        // the descriptor of a copy made here, and keep the program from being run (ETXTBSY).
        let copied =
            Command::new("cp").arg(BINARY).arg(folder.path().join("pumphouse-web")).status();
        assert!(copied.unwrap().success());
        config().write(folder.path());
        if is_root {
            chown(folder.path(), Some(user), Some(user)).unwrap();
        }
        Some(Place { folder, as_user: prefix.iter().map(|&part| part.to_owned()).collect() })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// `serve` by a user with so many threads.
    fn serve(&self, threads: usize) -> Command {
        self.run(threads, &["serve", "--no-tls"])
    }

    /// A command of the program, by a user with so many threads.
    fn run(&self, threads: usize, arguments: &[&str]) -> Command {
        let mut command = Command::new("prlimit");
        command
            .arg(format!("--nproc={threads}:{threads}"))
            .args(&self.as_user)
            .arg(self.path().join("pumphouse-web"))
            .args(arguments)
            .current_dir(self.path())
            .env_remove("PUMPHOUSE_CONFIG")
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command
    }

    /// From now on the system gives that process no further thread.
    fn refuse_threads(&self, process: &Running) {
        let (setter, rest) = self.as_user.split_first().unwrap();
        let mut arguments: Vec<&str> = rest.iter().map(String::as_str).collect();
        arguments.extend(["prlimit", "--nproc=1:1", "--pid"]);
        process.command(setter, &arguments);
    }

    /// A start that fails.
    fn fails(&self, threads: usize) -> String {
        let Output { status, stderr, .. } = self.serve(threads).output().unwrap();
        let output = String::from_utf8(stderr).unwrap();
        assert_eq!(status.code(), Some(1), "with {threads} threads: {output}");
        output
    }
}

/// A server that runs, killed when dropped.
struct Running {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
}

impl Running {
    fn start(mut command: Command) -> Running {
        let mut child = command.spawn().unwrap();
        let log = Arc::<Mutex<Vec<String>>>::default();
        let (lines, follower) = (BufReader::new(child.stderr.take().unwrap()), Arc::clone(&log));
        std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                follower.lock().unwrap().push(line);
            }
        });
        Running { child, log }
    }

    fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    fn wait_for(&self, text: &str) -> String {
        let begun = std::time::Instant::now();
        loop {
            if let Some(line) = self.log().into_iter().find(|line| line.contains(text)) {
                return line;
            }
            assert!(begun.elapsed() < TEST_TIMEOUT, "no {text:?} in {:#?}", self.log());
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }

    /// Runs a program on the process, whose number comes last.
    fn command(&self, program: &str, arguments: &[&str]) {
        let process = self.child.id().to_string();
        let status = Command::new(program).args(arguments).arg(process).status().unwrap();
        assert!(status.success());
    }

    /// Sends TERM, and gives the exit code.
    fn stop(&mut self) -> Option<i32> {
        self.command("kill", &["-TERM"]);
        eventually("it stops", || self.child.try_wait().unwrap().is_some());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `27` of `27 threads are needed in all`.
fn needed(output: &str) -> usize {
    let (before, _) = output.split_once(" threads are needed in all").expect(output);
    before.rsplit(' ').next().unwrap().parse().unwrap()
}

#[test]
fn start_with_too_few_threads_fails_with_the_number_needed() {
    let Some(place) = Place::new(USERS[0]) else { return };
    let output = place.fails(4);
    assert!(output.contains("cannot create the thread pw-"), "{output}");
    assert!(output.contains("ulimit -u (now 4)"), "{output}");
    assert!(output.contains("TasksMax="), "{output}");
    let all = needed(&output);
    // Each number in between fails in the same way, at whichever thread.
    for threads in [2, all / 2, all - 1] {
        assert_eq!(needed(&place.fails(threads)), all);
    }
    let mut server = Running::start(place.serve(all));
    server.wait_for("admin listener on");
    // The lookup's thread was counted in, so the upstream is asked, and refuses.
    server.wait_for("well: connect: ");
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn reload_without_free_threads_logs_a_line_and_changes_nothing() {
    let Some(place) = Place::new(USERS[1]) else { return };
    let all = needed(&place.fails(4));
    let mut server = Running::start(place.serve(all));
    server.wait_for("admin listener on");
    server.wait_for("well: connect: ");
    place.refuse_threads(&server);
    let file = place.path().join("pumphouse.toml");
    config()
        .source(Source::json("b", "http://127.0.0.1:1/").value("v", "/v", ""))
        .write(place.path());
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
    let before = server.log().len();
    server.command("kill", &["-HUP"]);
    let output = server.wait_for("HUP: nothing changes: ");
    assert!(output.contains("cannot create the thread pw-poll-b"), "{output}");
    assert_eq!(server.stop(), Some(0));
    let log = server.log().split_off(before);
    let about_threads = log.iter().filter(|line| line.contains("thread")).count();
    assert_eq!(about_threads, 1, "{log:#?}");
    assert!(log.iter().any(|line| line.contains("every request in flight")), "{log:#?}");
    assert!(!log.iter().any(|line| line.contains("panicked")), "{log:#?}");
    let kept = std::fs::read(place.path().join("pumphouse.db")).unwrap();
    let stopped = kept.windows(7).any(|bytes| bytes == b"stopped")
        || std::fs::read(place.path().join("pumphouse.db-wal"))
            .is_ok_and(|wal| wal.windows(7).any(|bytes| bytes == b"stopped"));
    assert!(stopped, "what was in memory at the stop is on the disk");
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
        assert_eq!(output.status.code(), Some(1), "{kib}: {stderr}");
        assert!(stderr.contains(&format!("ulimit -v (now {kib})")), "{stderr}");
        assert!(needed(&stderr) > 10, "{stderr}");
    }
}

/// Returns a configuration with this account, without a source.
fn config_with(account: serde_json::Value) -> Config {
    Config::http().set("server.workers", 2).push("auth.user", account)
}

/// Status of a request by anna with that password.
fn sign_in(address: &str, password: &str) -> u16 {
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

fn address(server: &Running) -> String {
    let line = server.wait_for("listening on http://");
    line.split_once("listening on http://").unwrap().1.trim_end_matches('/').to_owned()
}

fn serve_in(folder: &Path, kib: usize) -> Command {
    let mut command = Command::new("sh");
    command
        .args(["-c", &format!("ulimit -v {kib} && exec {BINARY} serve --no-tls")])
        .current_dir(folder)
        .env_remove("PUMPHOUSE_CONFIG")
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    command
}

#[test]
fn wrong_passwords_in_the_smallest_address_space_end_nothing() {
    const STEP: usize = 8 << 10;
    let folder = tempfile::tempdir().unwrap();
    // Verifying it takes more than is left for everything else.
    let hash = "$argon2id$v=19$m=65536,t=1,p=1$c2FsdHNhbHRzYWx0$LCBBDyN4mGdrzmYpAZn3ag";
    let anna = serde_json::json!({ "name": "anna", "password_hash": hash, "scopes": ["read"] });
    config_with(anna).write(folder.path());
    let mut refusals = Vec::new();
    // It serves until it is killed, so a start that succeeds is seen by its log.
    let server = (8..128).find_map(|number| {
        let mut server = Running::start(serve_in(folder.path(), number * STEP));
        let mut ended = false;
        eventually("it serves or ends", || {
            ended = server.child.try_wait().unwrap().is_some();
            ended || server.log().iter().any(|line| line.contains("admin listener on"))
        });
        if ended {
            assert_eq!(server.child.wait().unwrap().code(), Some(1), "{:#?}", server.log());
            server.wait_for("ulimit -v (now ");
            refusals.extend(server.log());
        }
        (!ended).then_some(server)
    });
    let mut server = server.expect("it starts with a gigabyte");
    let address = address(&server);
    std::thread::scope(|scope| {
        for number in 0..8 {
            let address = &address;
            scope.spawn(move || {
                let status = sign_in(address, &format!("wrong {number}"));
                assert!([401, 429, 503].contains(&status), "{status}");
            });
        }
    });
    assert!(!server.log().iter().any(|line| line.contains("no memory for verifying")));
    assert_eq!(server.stop(), Some(0));
    let memory = refusals.iter().filter(|line| line.contains("verifications of passwords"));
    assert!(memory.count() > 0, "{refusals:#?}");
}

#[test]
fn verification_without_memory_gets_503_and_one_log_line() {
    let folder = tempfile::tempdir().unwrap();
    let anna = crate::access::user("anna", "correct horse", &["read"]);
    config_with(anna).write(folder.path());
    let mut server = Running::start(serve_in(folder.path(), 4 << 20));
    let address = address(&server);
    let statm = format!("/proc/{}/statm", server.child.id());
    let pages = std::fs::read_to_string(statm).unwrap();
    let pages: u64 = pages.split(' ').next().unwrap().parse().unwrap();
    // Room for all but the 33 MiB of a verification.
    let limit = pages * 4096 + (16 << 20);
    server.command("prlimit", &[&format!("--as={limit}:"), "--pid"]);
    for _ in 0..3 {
        assert_eq!(sign_in(&address, "correct horse"), 503);
    }
    let lines = || server.log().iter().filter(|line| line.contains("no memory for")).count();
    eventually("it is logged", || lines() > 0);
    server.command("prlimit", &["--as=4294967296:", "--pid"]);
    assert_eq!(sign_in(&address, "correct horse"), 200, "no attempt was counted as a failure");
    assert_eq!(lines(), 1);
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn watch_without_threads_for_lookups_restarts_nothing() {
    let Some(place) = Place::new(USERS[2]) else { return };
    let healthy = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let admin = format!("http://localhost:{}", healthy.local_addr().unwrap().port());
    std::thread::spawn(move || {
        for stream in healthy.incoming() {
            let mut stream = stream.unwrap();
            let _ = std::io::Read::read(&mut stream, &mut [0; 4096]);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n");
        }
    });
    let arguments = ["watch", "--exec", "touch restarted", "--admin", &admin, "--failures", "1"];
    let arguments = [&arguments[..], &["--grace", "1ms"]].concat();
    let Output { status, stderr, .. } = place.run(4, &arguments).output().unwrap();
    let output = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(1), "{output}");
    let all = needed(&output);

    let mut watch = Running::start(place.run(all, &arguments));
    watch.wait_for("watching the server at");
    place.refuse_threads(&watch);
    watch.wait_for("the server is not watched now: ");
    let log = watch.log();
    for text in ["failed probe", "restart"] {
        // Its first line names the option of restarts.
        let found = log.iter().find(|line| line.contains(text) && !line.contains("--max-restarts"));
        assert_eq!(found, None);
    }
    assert!(!place.path().join("restarted").exists());
    assert_eq!(watch.stop(), Some(0));
}

#[test]
fn missing_thread_of_the_allocator_is_logged() {
    const LINE: &str = "the allocator has no thread";
    let folder = tempfile::tempdir().unwrap();
    config().write(folder.path());
    // The allocator begins without it, as where the system refuses it.
    for (options, expected) in [("background_thread:false", true), ("", false)] {
        let mut command = serve_in(folder.path(), 16 << 20);
        command.env("MALLOC_CONF", options);
        let mut server = Running::start(command);
        server.wait_for("admin listener on");
        let is_logged = server.log().iter().any(|line| line.contains(LINE));
        assert_eq!(is_logged, expected, "{:#?}", server.log());
        assert_eq!(server.stop(), Some(0));
    }
}
