//! Alerts, channels, and a whole admin listener for the tests.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use jiff::Timestamp;

use super::configuration::{EffectiveLimits, LiveConfiguration};
use super::health::Health;
use super::metrics::{Metrics, RequestMetrics};
use super::scoreboard::Scoreboard;
use super::{Admin, AdminPages, Alerting, ChannelTester};
use crate::access::{Admission, Gate, Restricted, Rules, Scope, Scopes, Token, TokenHash};
use crate::alert::{
    Acknowledgement, AlertState, AlertView, AlertsView, Evidence, Incident, IncidentId, SubjectKey,
    SubjectView,
};
use crate::board::{Board, Reporter, ServiceInfo};
use crate::config::{Alert, AlertRule, Severity, SourceCondition, SourceSelection};
use crate::engine::{
    Activity, Engine, Listener, Refusal, Reply, Request, RequestHead, Response, Service, Settings,
};
use crate::history::History;
use crate::kernel::clock::{Clock, Start};
use crate::notify::{ChannelFailure, ChannelStatus, DeliveryFault};
use crate::site::{self, Site};
use crate::upstream::PollerHandles;

/// Longest wait for a response. No test depends on it.
const TEST_TIMEOUT: Duration = Duration::from_secs(60);

/// Token with the scope `alert`, whose name is `phone`.
pub(crate) const ALERT_TOKEN: &str = "pumphouse_alert";

/// Token with the scope `read`.
pub(crate) const READ_TOKEN: &str = "pumphouse_read";

/// Returns the time of all tests.
pub(crate) fn now() -> Timestamp {
    "2026-01-31T17:20:00Z".parse().unwrap()
}

fn since() -> Timestamp {
    "2026-01-31T16:40:00Z".parse().unwrap()
}

/// Returns a channel that fails.
pub(crate) fn channel(name: &str) -> ChannelStatus {
    ChannelStatus {
        name: name.into(),
        kind: "ntfy",
        waiting: 2,
        oldest: Some(since()),
        failure: Some(ChannelFailure {
            since: since(),
            fault: DeliveryFault::Refused,
            message: "ntfy.sh answered 403".into(),
        }),
        sent: 7,
        failed: 4,
        dropped: 1,
        ..ChannelStatus::default()
    }
}

/// Returns four alerts: `leak` fires, `dry` fires for that many sources and is pending for one, `known` is
/// acknowledged, and `idle` is inactive.
pub(crate) fn view(sources: usize) -> AlertsView {
    let mut dry: Vec<SubjectView> = (0..sources)
        .map(|number| subject("dry", &format!("s{number}"), AlertState::Firing))
        .collect();
    dry.push(subject("dry", "next", AlertState::Pending));
    let alerts = vec![
        alert("leak", Severity::Critical, 0, vec![subject("leak", "tank", AlertState::Firing)]),
        alert("dry", Severity::Warning, 4, dry),
        alert("known", Severity::Info, 0, vec![subject("known", "x", AlertState::Acknowledged)]),
        alert("idle", Severity::Warning, 1, Vec::new()),
    ];
    AlertsView { version: 1, alerts, ..AlertsView::default() }
}

fn alert(
    name: &str,
    severity: Severity,
    inactive: usize,
    subjects: Vec<SubjectView>,
) -> Arc<AlertView> {
    let sources = SourceSelection::All;
    let rule = Alert::new(
        name,
        severity,
        AlertRule::Source { sources, condition: SourceCondition::Stale },
    );
    Arc::new(AlertView {
        name: name.into(),
        rule: Arc::new(rule),
        severity,
        source: None,
        field: None,
        condition: "stale".into(),
        silenced_until: None,
        fault: None,
        inactive,
        subjects,
    })
}

fn subject(alert: &str, source: &str, state: AlertState) -> SubjectView {
    let key = SubjectKey { alert: alert.into(), source: Some(source.into()), replica: None };
    let acknowledged = (state == AlertState::Acknowledged)
        .then(|| Acknowledgement { by: "anna".into(), at: since() });
    let incident = state.is_firing().then(|| Incident {
        id: IncidentId(7),
        subject: key.clone(),
        title: source.into(),
        field: None,
        severity: Severity::Warning,
        condition: "stale".into(),
        since: since(),
        fired_at: since(),
        evidence: Evidence::default(),
        at_fire: Evidence::default(),
        acknowledged,
        ended: None,
    });
    let (evidence, incident) = (Evidence::default(), incident.map(Arc::new));
    SubjectView { key, state, since: since(), evidence, incident, announced: Vec::new() }
}

/// Engine without listeners, whose threads the pages report on.
pub(crate) struct Idle;

impl Service for Idle {
    fn call(&self, _: &Request, _: &Activity) -> Reply {
        unreachable!("the engine has no listener")
    }

    fn refuse(&self, _: Refusal, _: Option<RequestHead<'_>>) -> Response {
        unreachable!("the engine has no listener")
    }
}

/// An admin listener over TCP and a unix socket.
pub(crate) struct TestAdmin {
    pub(crate) address: SocketAddr,
    pub(crate) socket: PathBuf,
    pub(crate) gate: Arc<Gate>,
    _admin: Admin,
    _engine: Engine,
    _board: (Board, Reporter),
    _folder: tempfile::TempDir,
}

impl TestAdmin {
    /// Serves these alerts and channels.
    pub(crate) fn start(alerting: Alerting, test_channel: ChannelTester) -> TestAdmin {
        let start = Start::now(Clock::system());
        let service = ServiceInfo { name: "test", version: "0", started_at: start.at() };
        let (board, reader, reporter) =
            Board::start(Vec::new(), Vec::new(), service, Box::new(|_| ())).unwrap();
        let settings = Settings { workers: 1, ..Settings::default() };
        let engine = Engine::start(Vec::new(), settings, None, Arc::new(Idle)).unwrap();
        let requests = Arc::new(RequestMetrics::new().unwrap());
        let gate = Arc::new(Gate::new(rules()).unwrap());
        let snapshots = reader.clone();
        let channels = Arc::clone(&alerting.channels);
        let site = Site::new(
            site::Settings { title: "Test".to_owned() },
            Box::new(move || snapshots.load()),
            Box::new(|_| None),
            History::off(),
            requests.clone(),
            gate.clone(),
        )
        .with_alerts(alerting.alerts.clone(), Box::new(move || channels()));
        let health = Arc::new(Health {
            engine: engine.stats(),
            board: reader.clone(),
            polls: PollerHandles::default(),
            history: History::off(),
            alerts: None,
            replica: None,
            admin: OnceLock::new(),
        });
        let configuration = LiveConfiguration::new(EffectiveLimits::default());
        let scoreboard = Scoreboard {
            health: health.clone(),
            listeners: Arc::default(),
            certificates: None,
            configuration: configuration.clone(),
            alerting: alerting.clone(),
            start: start.clone(),
        };
        let metrics = Metrics {
            requests,
            engine: engine.stats(),
            access: gate.stats(),
            board: reader,
            polls: PollerHandles::default(),
            history: History::off(),
            listeners: Arc::default(),
            certificates: None,
            configuration,
            health: health.clone(),
            alerting: alerting.clone(),
            start,
        };
        let pages = AdminPages {
            health,
            metrics,
            scoreboard: Arc::new(scoreboard),
            site: Arc::new(site),
            gate: gate.clone(),
            alerting,
            test_channel,
        };
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("admin.sock");
        let listener = Listener::tcp((Ipv4Addr::LOCALHOST, 0).into(), 64).unwrap();
        let address = listener.local_addr().parse().unwrap();
        let admin = Admin::start(Some(listener), 64, pages).unwrap();
        admin.add_listener(Listener::unix(&socket, 64).unwrap()).unwrap();
        TestAdmin {
            address,
            socket,
            gate,
            _admin: admin,
            _engine: engine,
            _board: (board, reporter),
            _folder: folder,
        }
    }

    /// Returns the response to a request over TCP.
    pub(crate) fn ask(&self, request: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        Answer::of(&text)
    }

    /// Returns the response to a request over the unix socket.
    pub(crate) fn ask_socket(&self, request: &str) -> Answer {
        let mut stream = UnixStream::connect(&self.socket).unwrap();
        stream.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        Answer::of(&text)
    }
}

/// A response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    fn of(text: &str) -> Answer {
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text, ""));
        let code = head.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or_default();
        Answer { code, head: head.to_ascii_lowercase(), body: body.to_owned() }
    }
}

/// Returns a GET request.
pub(crate) fn get(target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
}

/// Returns a POST request with these fields and body.
pub(crate) fn post(target: &str, fields: &[(&str, &str)], body: &str) -> String {
    let fields: String =
        fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    format!(
        "POST {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Length: {length}\r\n{fields}\r\n{body}"
    )
}

fn rules() -> Rules {
    let token = |name: &str, token, scope| Token {
        name: name.to_owned(),
        hash: TokenHash::of(token),
        scopes: Scopes::new(vec![scope]),
    };
    let tokens =
        vec![token("phone", ALERT_TOKEN, Scope::Alert), token("cron", READ_TOKEN, Scope::Read)];
    let admission = Admission::Restricted(Restricted { tokens, ..Restricted::default() });
    Rules { admission, ..Rules::default() }
}
