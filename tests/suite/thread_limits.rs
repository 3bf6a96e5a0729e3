//! Limits of threads that are lower than the server needs.

use std::io::Write as _;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use hostile::config::{Config, Source};

use crate::process::Process;
use crate::server::BINARY;

/// Users without other processes, one for each test, so that the limit counts only the server.
const USERS: [u32; 3] = [54_321, 54_322, 54_323];

/// Returns a configuration with a source whose host is a name, which takes a thread for lookups.
pub fn config() -> Config {
    Config::http()
        .open()
        .set("server.workers", 2)
        .set("history.path", "pumphouse.db")
        .source(Source::json("well", "http://localhost:1/").value("v", "/v", ""))
}

/// A folder with the program and its configuration, both usable by one of [`USERS`].
struct Sandbox {
    folder: tempfile::TempDir,
    /// Command that runs the rest of a command line as a user to which the limit applies.
    as_user: Vec<String>,
}

impl Sandbox {
    /// Returns `None` if the system cannot run a process as such a user, which fails in CI.
    fn new(user: u32) -> Option<Sandbox> {
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
            let part = format!("limits on threads, as {} does not work here", prefix[0]);
            hostile::skip::report(&part);
            return None;
        }
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
        // Copied by another process. A child that another test forks meanwhile would inherit the
        // descriptor of a copy made here, and the program could not be executed (ETXTBSY).
        let copied =
            Command::new("cp").arg(BINARY).arg(folder.path().join("pumphouse-web")).status();
        assert!(copied.unwrap().success());
        config().write(folder.path());
        if is_root {
            chown(folder.path(), Some(user), Some(user)).unwrap();
        }
        Some(Sandbox { folder, as_user: prefix.iter().map(|&part| part.to_owned()).collect() })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Returns `serve` under a limit of `threads`.
    fn serve(&self, threads: usize) -> Command {
        self.run(threads, &["serve", "--no-tls"])
    }

    /// Returns a command of the program under a limit of `threads`.
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

    /// Sets the limit of a process so that it gets no further thread.
    fn refuse_threads(&self, process: &Process) {
        let (setter, rest) = self.as_user.split_first().unwrap();
        let mut command = Command::new(setter);
        command.args(rest).args(["prlimit", "--nproc=1:1", "--pid", &process.id().to_string()]);
        assert!(command.status().unwrap().success());
    }

    /// Requires that a start fails, and returns its standard error.
    fn fails(&self, threads: usize) -> String {
        let Output { status, stderr, .. } = self.serve(threads).output().unwrap();
        let output = String::from_utf8(stderr).unwrap();
        assert_eq!(status.code(), Some(75), "with {threads} threads: {output}");
        output
    }
}

/// Returns the number in a line such as `27 threads are needed in all`.
pub fn needed(output: &str) -> usize {
    let (before, _) = output.split_once(" threads are needed in all").expect(output);
    before.rsplit(' ').next().unwrap().parse().unwrap()
}

pub fn serve_in(folder: &Path, kib: usize) -> Command {
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
fn start_with_too_few_threads_fails_with_the_number_needed() {
    let Some(sandbox) = Sandbox::new(USERS[0]) else { return };
    let output = sandbox.fails(4);
    assert!(output.contains("cannot create the thread pw-"), "{output}");
    assert!(output.contains("ulimit -u (now 4)"), "{output}");
    assert!(output.contains("TasksMax="), "{output}");
    let all = needed(&output);
    // Every smaller limit fails in the same way, at one thread or another.
    for threads in [2, all / 2, all - 1] {
        assert_eq!(needed(&sandbox.fails(threads)), all);
    }
    let mut server = Process::start_logged(&mut sandbox.serve(all));
    server.log().wait_for("admin listener on");
    // The number includes the thread for lookups: the upstream is polled, and refuses.
    server.log().wait_for("well: connect: ");
    assert_eq!(server.stop(), Some(0));
}

#[test]
fn reload_without_free_threads_polls_new_sources_and_refuses_what_needs_a_thread() {
    let Some(sandbox) = Sandbox::new(USERS[1]) else { return };
    let all = needed(&sandbox.fails(4));
    let mut server = Process::start_logged(&mut sandbox.serve(all));
    server.log().wait_for("admin listener on");
    server.log().wait_for("well: connect: ");
    sandbox.refuse_threads(&server);
    let file = sandbox.path().join("pumphouse.toml");
    let reload = |config: Config| {
        config.write(sandbox.path());
        std::fs::set_permissions(&file, PermissionsExt::from_mode(0o644)).unwrap();
        server.signal("HUP");
    };
    let with_b = config().source(Source::json("b", "http://127.0.0.1:1/").value("v", "/v", ""));
    reload(with_b.clone());
    server.log().wait_for("reloaded: source b added");
    server.log().wait_for("b: connect: ");
    let before = server.log().lines().len();
    // Sessions of accounts are written by a thread of their own.
    let hash = "$argon2id$v=19$m=65536,t=1,p=1$c2FsdHNhbHRzYWx0$LCBBDyN4mGdrzmYpAZn3ag";
    let anna = serde_json::json!({ "name": "anna", "password_hash": hash, "scopes": ["read"] });
    reload(with_b.set("auth.open", false).push("auth.user", anna));
    let output = server.log().wait_for("HUP: nothing changes: ");
    assert!(output.contains("cannot create the thread pw-sessions"), "{output}");
    assert_eq!(server.stop(), Some(0));
    let log = server.log().lines().split_off(before);
    let about_threads = log.iter().filter(|line| line.contains("thread")).count();
    assert_eq!(about_threads, 1, "{log:#?}");
    assert!(log.iter().any(|line| line.contains("every request in flight")), "{log:#?}");
    assert!(!log.iter().any(|line| line.contains("panicked")), "{log:#?}");
    let kept = std::fs::read(sandbox.path().join("pumphouse.db")).unwrap();
    let stopped = kept.windows(7).any(|bytes| bytes == b"stopped")
        || std::fs::read(sandbox.path().join("pumphouse.db-wal"))
            .is_ok_and(|wal| wal.windows(7).any(|bytes| bytes == b"stopped"));
    assert!(stopped, "the events in memory were not written at the stop");
}

#[test]
fn watch_without_threads_for_lookups_restarts_nothing() {
    let Some(sandbox) = Sandbox::new(USERS[2]) else { return };
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
    let arguments = [&arguments[..], &["--grace", "1ms", "--url", &admin]].concat();
    let Output { status, stderr, .. } = sandbox.run(4, &arguments).output().unwrap();
    let output = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(75), "{output}");
    let all = needed(&output);

    let mut watch = Process::start_logged(&mut sandbox.run(all, &arguments));
    watch.log().wait_for("watching the server at");
    sandbox.refuse_threads(&watch);
    watch.log().wait_for("the server is not watched now: ");
    let log = watch.log().lines();
    for text in ["failed probe", "restart"] {
        // The first line names the option `--max-restarts`.
        let found = log.iter().find(|line| line.contains(text) && !line.contains("--max-restarts"));
        assert_eq!(found, None);
    }
    assert!(!sandbox.path().join("restarted").exists());
    assert_eq!(watch.stop(), Some(0));
}

#[test]
fn missing_thread_of_the_allocator_is_logged() {
    const LINE: &str = "the allocator has no thread";
    let folder = tempfile::tempdir().unwrap();
    config().write(folder.path());
    // The allocator starts without its thread, as if the system refused it.
    for (options, expected) in [("background_thread:false", true), ("", false)] {
        let mut command = serve_in(folder.path(), 16 << 20);
        command.env("MALLOC_CONF", options);
        let mut server = Process::start_logged(&mut command);
        server.log().wait_for("admin listener on");
        let is_logged = server.log().contains(LINE);
        assert_eq!(is_logged, expected, "{:#?}", server.log().lines());
        assert_eq!(server.stop(), Some(0));
    }
}
