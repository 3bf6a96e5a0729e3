//! The admin listener while the public engine is full or blocked.

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hostile::client::{Client, TEST_TIMEOUT, connect_tls, read_response};
use hostile::config::{Config, Source};
use hostile::mode::Mode;
use hostile::upstream::Upstream;
use jiff::tz::TimeZone;
use pumphouse_web::access::{Gate, Rules};
use pumphouse_web::admin::configuration::{EffectiveLimits, LiveConfiguration};
use pumphouse_web::admin::health::Health;
use pumphouse_web::admin::metrics::{Metrics, RequestMetrics};
use pumphouse_web::admin::scoreboard::Scoreboard;
use pumphouse_web::admin::{Admin, AdminPages, Alerting};
use pumphouse_web::board::{Board, Reporter, ServiceInfo};
use pumphouse_web::engine::{Listener, Settings, Stats};
use pumphouse_web::history::{self, Retention};
use pumphouse_web::kernel::clock::{Clock, Start};
use pumphouse_web::notify::TestFailure;
use pumphouse_web::site::{self, Site, SnapshotReader};
use pumphouse_web::upstream::PollerHandles;

use crate::harness::{Program, TestEngine, blocking_program, eventually, get, plain_program};
use crate::server::{Server, body, code, json};

/// An admin listener that reports on an engine of the test, over a board without sources.
struct OverEngine {
    address: SocketAddr,
    _admin: Admin,
    _board: (Board, Reporter),
}

impl OverEngine {
    fn start(engine: &Arc<Stats>) -> OverEngine {
        OverEngine::with_snapshots(engine, |snapshots| snapshots)
    }

    /// Starts the same with another reader of snapshots.
    fn with_snapshots(
        engine: &Arc<Stats>,
        snapshots_from: impl FnOnce(SnapshotReader) -> SnapshotReader,
    ) -> OverEngine {
        let start = Start::now(Clock::system());
        let service = ServiceInfo { name: "test", version: "0", started_at: start.at() };
        let (_, _, history) = history::prepare(history::Settings {
            lock: Arc::new(pumphouse_web::data_lock::DataLock::none()),
            place: None,
            flush: TEST_TIMEOUT,
            keep: Retention::default(),
            zone: TimeZone::UTC,
            readers: 1,
            sources: Vec::new(),
        });
        let (board, reader, reporter) =
            Board::start(Vec::new(), Vec::new(), service, Box::new(|_| ())).unwrap();
        let requests = Arc::new(RequestMetrics::new().unwrap());
        let snapshots = reader.clone();
        let gate = Arc::new(Gate::new(Rules::default()).unwrap());
        let site = Arc::new(Site::new(
            site::Settings { title: "Test".to_owned() },
            snapshots_from(Box::new(move || snapshots.load())),
            Box::new(|_| None),
            history.clone(),
            requests.clone(),
            gate.clone(),
        ));
        let health = Arc::new(Health {
            engine: engine.clone(),
            board: reader.clone(),
            polls: PollerHandles::default(),
            history: history.clone(),
            alerts: None,
            replica: None,
            admin: OnceLock::new(),
        });
        let configuration = LiveConfiguration::new(EffectiveLimits::default());
        let shown = AdminPages {
            health: health.clone(),
            metrics: Metrics {
                requests,
                engine: engine.clone(),
                access: gate.stats(),
                board: reader,
                polls: PollerHandles::default(),
                history,
                listeners: Arc::default(),
                certificates: None,
                configuration: configuration.clone(),
                health: health.clone(),
                alerting: Alerting::default(),
                start: start.clone(),
            },
            scoreboard: Arc::new(Scoreboard {
                health,
                listeners: Arc::default(),
                certificates: None,
                configuration,
                alerting: Alerting::default(),
                start,
            }),
            site,
            gate,
            alerting: Alerting::default(),
            test_channel: Arc::new(|_| Err(TestFailure::UnknownChannel)),
        };
        let listener = Listener::tcp((Ipv4Addr::LOCALHOST, 0).into(), 128).unwrap();
        let address = listener.local_addr().parse().unwrap();
        let admin = Admin::start(Some(listener), 1024, shown).unwrap();
        OverEngine { address, _admin: admin, _board: (board, reporter) }
    }

    fn get(&self, target: &str) -> String {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
        stream.write_all(get(target).as_bytes()).unwrap();
        String::from_utf8(read_response(&mut stream).unwrap()).unwrap()
    }
}

#[test]
fn panicking_page_closes_its_own_connection_only() {
    let server = TestEngine::http(Settings::default(), Program(plain_program));
    let admin =
        OverEngine::with_snapshots(&server.stats, |_| Box::new(|| panic!("panic of the test")));
    for _ in 0..3 {
        assert_eq!(code(&admin.get("/readyz")), 500);
    }
    assert_eq!(body(&admin.get("/healthz")), "ok\n");
}

#[test]
fn pages_answer_while_handlers_block_every_worker() {
    const WORKERS: usize = 2;
    let settings = Settings {
        workers: WORKERS,
        queue_timeout: Duration::from_millis(200),
        ..Settings::default()
    };
    let (program, entered, release) = blocking_program();
    let server = TestEngine::https(settings, program);
    let admin = OverEngine::start(&server.stats);
    let blocked: Vec<_> = (0..WORKERS)
        .map(|_| {
            let mut stream = connect_tls(server.address, &server.client).unwrap();
            stream.write_all(get("/block").as_bytes()).unwrap();
            entered.recv_timeout(TEST_TIMEOUT).unwrap();
            stream
        })
        .collect();
    assert_eq!(code(&server.fresh_https("/")[..]), 503, "the public side has no worker left");

    assert_eq!(body(&admin.get("/healthz")), "ok\n");
    let metrics = admin.get("/metrics");
    for line in [
        format!("pumphouse_workers_busy {WORKERS}"),
        "pumphouse_connections_shed_total{reason=\"queue_timeout\"} 1".to_owned(),
    ] {
        assert!(body(&metrics).lines().any(|found| found == line), "{line} is not in {metrics}");
    }
    // Seconds for which each worker has been in its handler.
    let handling = || -> Vec<f64> {
        let board = json(&admin.get("/scoreboard"));
        let workers = board["workers"].as_array().unwrap();
        assert_eq!(workers.len(), WORKERS);
        assert!(workers.iter().all(|worker| worker["state"] == "handling"), "{board}");
        workers.iter().map(|worker| worker["seconds"].as_f64().unwrap()).collect()
    };
    let first = handling();
    eventually("the scoreboard shows that the handlers still run", || {
        handling().iter().zip(&first).all(|(now, before)| now > before)
    });

    drop(release);
    for mut stream in blocked {
        assert!(read_response(&mut stream).unwrap().starts_with(b"HTTP/1.1 200"));
    }
    eventually("the scoreboard shows them waiting", || {
        let board = json(&admin.get("/scoreboard"));
        board["workers"].as_array().unwrap().iter().all(|worker| worker["state"] == "waiting")
    });
}

#[test]
fn running_server_reports_health_and_metrics() {
    let well = Upstream::answering(r#"{"pressure": 29.92}"#);
    let source = Source::json("well", &well.url())
        .value("pressure", "/pressure", "inHg")
        .set("interval", "1s");
    let server = Server::start(&Config::https().source(source));
    server.eventually_status("the well has answered", |status| {
        status["sources"]["well"]["state"] == "fresh"
    });
    assert_eq!(code(&server.get("/ping")), 200);
    assert_eq!(body(&server.admin_get("/healthz")), "ok\n");
    let metrics = server.admin_get("/metrics");
    for line in [
        "pumphouse_source_value{source=\"well\",field=\"pressure\",unit=\"inHg\"} 29.92",
        "pumphouse_source_state{source=\"well\",state=\"fresh\"} 1",
        "pumphouse_http_requests_total{code=\"200\",method=\"GET\",route=\"/ping\"} 1",
        "pumphouse_build_info{version=\"0.1.0\"} 1",
    ] {
        assert!(body(&metrics).lines().any(|found| found == line), "{line} is not in {metrics}");
    }
    assert!(!metrics.to_lowercase().contains("tiny-http"), "a library is named: {metrics}");

    let nowhere = server.admin_get("/");
    assert_eq!((code(&nowhere), &json(&nowhere)["status"]), (404, &serde_json::json!(404)));
}

#[test]
fn pages_answer_while_public_connections_are_at_the_cap() {
    let server = Server::start(&Config::https().set("server.max_connections", 20));
    let crowd: Vec<Client> = (0..20)
        .map(|_| Client::start(Mode::Silent, server.address, &server.client).unwrap())
        .collect();
    assert_eq!(body(&server.admin_get("/healthz")), "ok\n");
    assert!(body(&server.admin_get("/metrics")).contains("pumphouse_connections_accepted_total"));
    drop(crowd);
}

/// Returns the status of a request to the admin listener.
fn admin_code(server: &Server, line: &str, host: &str) -> u16 {
    let mut stream = TcpStream::connect(server.admin).unwrap();
    stream.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
    write!(stream, "{line} HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
    code(&String::from_utf8(read_response(&mut stream).unwrap()).unwrap())
}

#[test]
fn host_of_another_machine_gets_421() {
    let server = Server::start(&Config::https());
    for (host, expected) in
        [("127.0.0.1:6480", 200), ("localhost", 200), ("evil.example:6480", 421)]
    {
        assert_eq!(admin_code(&server, "GET /metrics", host), expected, "{host}");
    }
}

#[test]
fn unknown_method_gets_501_and_disallowed_405() {
    let server = Server::start(&Config::https());
    for (line, expected) in [
        ("BREW /healthz", 501),
        ("BREW /nowhere", 501),
        ("POST /healthz", 405),
        ("GET /nowhere", 404),
    ] {
        assert_eq!(admin_code(&server, line, "localhost"), expected, "{line}");
    }
}
