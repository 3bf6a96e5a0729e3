//! TERM under load.

use std::fs::File;
use std::io::Write;
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use hostile::client::{Client, connect_tls, read_response};
use hostile::config::{Config, Source};
use hostile::mode::Mode;
use hostile::swarm::{Plan, Swarm};
use hostile::upstream::Upstream;
use rustix::fs::OFlags;

use crate::harness::{eventually, get};
use crate::server::{Server, run, text};

#[test]
fn term_under_load_answers_requests_in_flight_and_exits_with_0() {
    let mut server = Server::start(&Config::https());
    let hostile: Vec<Client> = [Mode::Silent, Mode::HalfClientHello, Mode::DripHead, Mode::Idle]
        .into_iter()
        .flat_map(|mode| std::iter::repeat_n(mode, 10))
        .map(|mode| Client::start(mode, server.address, &server.client).unwrap())
        .collect();
    let stop = AtomicBool::new(false);
    let served = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !stop.load(Ordering::SeqCst) {
                    // The listener is closed.
                    let Ok(mut stream) = connect_tls(server.address, &server.client) else {
                        continue;
                    };
                    if stream.write_all(get("/ping").as_bytes()).is_err() {
                        continue;
                    }
                    let response = read_response(&mut stream).unwrap_or_default();
                    assert!(
                        response.is_empty() || response.starts_with(b"HTTP/1.1 200"),
                        "a response was truncated"
                    );
                    served.fetch_add(usize::from(!response.is_empty()), Ordering::SeqCst);
                }
            });
        }
        eventually("requests are served", || served.load(Ordering::SeqCst) > 50);
        server.signal("TERM");
        eventually("new connections are refused", || TcpStream::connect(server.address).is_err());
        stop.store(true, Ordering::SeqCst);
    });
    assert_eq!(server.wait().code(), Some(0));
    drop(hostile);
}

#[test]
fn second_signal_ends_the_drain_at_once_with_130() {
    let config =
        Config::https().set("server.drain_timeout", "50s").set("server.header_timeout", "50s");
    let mut server = Server::start(&config);
    let mut half = connect_tls(server.address, &server.client).unwrap();
    // The server reads the half head together with the request before it.
    half.write_all((get("/ping") + "GET / HTTP/1.1\r\n").as_bytes()).unwrap();
    read_response(&mut half).unwrap();
    server.signal("INT");
    server.wait_for_log("stopping");
    let begun = Instant::now();
    server.signal("INT");
    assert_eq!(server.wait().code(), Some(130));
    // Half of what the drain would still wait for the head.
    assert!(begun.elapsed() < Duration::from_secs(25), "{:?}", begun.elapsed());
}

#[test]
fn term_under_attack_with_a_hung_upstream_exits_with_0_in_time() {
    let upstream = Upstream::hung();
    let source =
        Source::json("tank", &upstream.url()).value("level", "/level", "").set("timeout", "60s");
    let mut server = Server::start(&Config::https().source(source));
    let mut swarm = Swarm::new(Plan {
        addresses: 4,
        ..Plan::new(server.address, &server.client, &Mode::ATTACK, 1100)
    })
    .unwrap();
    std::thread::scope(|scope| {
        let attack = scope.spawn(|| swarm.run(Duration::from_secs(20), |_| {}));
        eventually("a thousand have connected", || {
            let metrics = server.admin_get("/metrics");
            let open = metrics
                .lines()
                .filter_map(|line| line.strip_prefix("pumphouse_connections{"))
                .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok());
            open.sum::<f64>() > 700.0 && upstream.connections() > 0
        });
        server.signal("TERM");
        let begun = Instant::now();
        assert_eq!(server.wait().code(), Some(0));
        // `drain_timeout` is 8 s by default; supervisord kills a process after 10 s.
        assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
        attack.join().unwrap();
    });
}

/// A file that blocks every thread that reads it, like one on a network file system, until this is
/// dropped.
struct HangingFile(File);

impl HangingFile {
    /// Replaces the certificate with a named pipe.
    fn certificate(server: &Server) -> PendingHang {
        let pipe = server.folder().join("pipe");
        hostile::folder::make_pipe(&pipe);
        std::fs::rename(pipe, server.certificate()).unwrap();
        PendingHang(server.certificate())
    }
}

/// A file that will block the first thread that reads it: see [`PendingHang::wait`].
struct PendingHang(PathBuf);

impl PendingHang {
    /// Waits until a thread reads it.
    fn wait(self) -> HangingFile {
        let mut pipe = None;
        eventually("the file is read", || {
            // Opening the pipe without blocking fails until a reader has opened it.
            let opened = rustix::fs::open(
                &self.0,
                OFlags::WRONLY | OFlags::NONBLOCK | OFlags::CLOEXEC,
                rustix::fs::Mode::empty(),
            );
            pipe = opened.ok();
            pipe.is_some()
        });
        HangingFile(pipe.unwrap().into())
    }
}

#[test]
fn term_while_a_certificate_file_hangs_exits_with_0_in_time() {
    let drain_timeout = Duration::from_secs(8);
    let config = Config::https().set("server.drain_timeout", "8s").set("tls.check_every", "1s");
    let mut server = Server::start(&config);
    let hung = HangingFile::certificate(&server).wait();
    let begun = Instant::now();
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    assert!(begun.elapsed() < drain_timeout, "{:?}", begun.elapsed());
    drop(hung);
}

#[test]
fn reload_that_hangs_in_a_file_delays_neither_requests_nor_a_stop() {
    let drain_timeout = Duration::from_secs(8);
    let config = Config::https().set("server.drain_timeout", "8s").set("tls.check_every", "1h");
    let mut server = Server::start(&config);
    let certificate = std::fs::read(server.certificate()).unwrap();
    let hung = HangingFile::certificate(&server);
    server.signal("HUP");
    let mut hung = hung.wait();
    let logged = |text: &str| server.log().iter().any(|line| line.contains(text));
    let reports_success =
        || server.admin_get("/metrics").contains("\npumphouse_config_last_reload_successful 1\n");
    eventually("the read is reported", || {
        logged("HUP: reading the configuration has not ended for ")
    });
    // Pages are rendered at most once a second.
    eventually("the metric reports it", || !reports_success());
    let hangs = || !server.admin_get("/scoreboard").contains(r#""hanging_seconds":null"#);
    eventually("the scoreboard reports it", hangs);
    let (listen, admin) = (server.address.to_string(), server.admin.to_string());
    let doctor = run(&["doctor", "--listen", &listen, "--admin", &admin], server.folder());
    let page = text(&doctor);
    assert_eq!(doctor.status.code(), Some(1), "{page}");
    assert!(page.contains("the read of the configuration has not ended for "), "{page}");
    // Each signal is handled before the first read ends: one handled later would read once more.
    let waiting = |line: &&String| line.contains("HUP: waits for the read in progress");
    for number in 1..=5 {
        server.signal("HUP");
        let reported = || server.log().iter().filter(waiting).count();
        eventually("the signal is reported", || reported() == number);
    }
    assert!(server.serves());
    // The first read ends. A second one follows, of a regular file.
    std::fs::write(server.folder().join("whole.pem"), &certificate).unwrap();
    std::fs::rename(server.folder().join("whole.pem"), server.certificate()).unwrap();
    hung.0.write_all(&certificate).unwrap();
    drop(hung);
    let reloads = || server.log().iter().filter(|line| line.contains("reloaded: ")).count();
    eventually("both reads are applied", || reloads() == 2);
    eventually("the reload is reported", reports_success);
    eventually("the scoreboard reports the end", || !hangs());

    let hung = HangingFile::certificate(&server);
    server.signal("HUP");
    let hung = hung.wait();
    let begun = Instant::now();
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0));
    assert!(begun.elapsed() < drain_timeout, "{:?}", begun.elapsed());
    drop(hung);
}
