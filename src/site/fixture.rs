//! Sources, snapshots and sites for the tests.

use std::io::Read as _;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Version};
use jiff::{SignedDuration, Timestamp};

use super::exchange::Exchange;
use super::{RequestObserver, Settings, Site};
use crate::access::{Gate, Rules};
use crate::board::{
    ErrorKind, Failure, FieldName, LastReading, Observed, Reading, ServiceInfo, Snapshot,
    SourceView, State, Value,
};
use crate::engine::{Activity, Body, Peer, Request, Response};
use crate::history::History;
use crate::units::Unit;
use crate::upstream::PollRequest;

/// Returns the time of all tests.
pub(super) fn now() -> Timestamp {
    "2026-01-31T17:20:00Z".parse().unwrap()
}

/// Returns the time that many seconds after [`now`].
pub(super) fn at(seconds: i64) -> Timestamp {
    now() + SignedDuration::from_secs(seconds)
}

/// Returns a source that has answered. Its three times are in seconds from [`now`].
pub(super) fn source_at(observed: i64, stale: i64, next_poll: i64) -> SourceView {
    let reading = Reading {
        observed: Observed::absolute(at(observed)),
        values: values([
            ("level", Value::number(84.6, Unit::Percent)),
            ("depth", Value::number(49.09, Unit::Inch)),
            ("volume", Value::number(1185.0, Unit::UsGallon)),
        ]),
    };
    SourceView {
        name: "tank".into(),
        title: "Cistern".into(),
        group: None,
        kind: "ptlevel",
        show: [].into(),
        state: State::Fresh,
        reading: Some(LastReading {
            stale_at: at(stale),
            ..LastReading::new(reading, at(observed.max(-59)), Duration::ZERO)
        }),
        interval: Duration::from_secs(300),
        next_poll_at: Some(at(next_poll)),
        error: None,
        configuration: 0,
        version: 1,
        is_held: true,
        is_stale_announced: false,
        changed_at: Timestamp::UNIX_EPOCH,
    }
}

/// Returns a fresh tank, observed four minutes ago.
pub(super) fn tank() -> SourceView {
    source_at(-240, 960, 241)
}

/// Returns fresh weather.
pub(super) fn weather() -> SourceView {
    let mut source = source_at(-600, 2100, 120);
    source.name = "weather".into();
    source.title = "At the ridge".into();
    source.kind = "open-meteo";
    source.reading.as_mut().unwrap().values = values([
        ("temperature", Value::number(52.3, Unit::Fahrenheit)),
        ("humidity", Value::number(35.0, Unit::Percent)),
        ("wind_speed", Value::number(9.4, Unit::MilePerHour)),
        ("wind_gust", Value::missing(Some(Unit::MilePerHour), "the station sent null")),
        ("wind_direction", Value::number(315.0, Unit::Degree)),
        ("pressure", Value::number(30.05, Unit::InchOfMercury)),
        ("rain", Value::number(0.0, Unit::Inch)),
        ("weather_code", Value::number(2.0, Unit::WmoCode)),
    ]);
    source
}

/// Returns a source of kind `json`.
pub(super) fn pump() -> SourceView {
    let mut source = source_at(-30, 600, 30);
    source.name = "pump".into();
    source.title = "Booster pump".into();
    source.kind = "json";
    source.reading.as_mut().unwrap().values = values([
        ("outlet_pressure", Value::number(3447.4, Unit::Hectopascal)),
        ("battery", Value::number(12.84, Unit::Volt)),
        ("mode", Value::text("automatic")),
        ("motor_temperature", Value::number(41.0, Unit::Celsius)),
    ]);
    source
}

/// Returns a source that has not answered yet.
pub(super) fn waiting(name: &str, kind: &'static str) -> SourceView {
    SourceView {
        name: name.into(),
        title: name.into(),
        group: None,
        kind,
        show: [].into(),
        state: State::Waiting,
        reading: None,
        interval: Duration::from_secs(300),
        next_poll_at: Some(at(10)),
        error: None,
        configuration: 0,
        version: 1,
        is_held: true,
        is_stale_announced: false,
        changed_at: Timestamp::UNIX_EPOCH,
    }
}

/// Makes the reading of a source older and stale.
pub(super) fn stale(mut source: SourceView, seconds: i64) -> SourceView {
    let reading = source.reading.as_mut().unwrap();
    let back = SignedDuration::from_secs(seconds);
    reading.observed.at -= back;
    reading.stale_at -= back;
    source.state = State::Stale;
    source
}

/// Makes the polls of a source fail.
pub(super) fn failing(mut source: SourceView, kind: ErrorKind, message: &str) -> SourceView {
    source.error = Some(Failure { kind, message: message.into(), since: at(-1260), failures: 5 });
    source
}

/// Returns values with their names.
pub(super) fn values<const N: usize>(list: [(&str, Value); N]) -> Vec<(FieldName, Value)> {
    list.into_iter().map(|(name, value)| (name.into(), value)).collect()
}

/// Returns a site over one snapshot of these sources.
pub(super) fn site(sources: Vec<SourceView>) -> Site {
    site_observed(sources, Arc::new(Unobserved))
}

/// Returns a site over one snapshot, with an observer of its responses.
pub(super) fn site_observed(sources: Vec<SourceView>, observer: Arc<dyn RequestObserver>) -> Site {
    site_over(sources, History::off(), observer, Rules::default())
}

/// Returns a site over one snapshot and a history.
pub(super) fn site_with(sources: Vec<SourceView>, history: History) -> Site {
    site_over(sources, history, Arc::new(Unobserved), Rules::default())
}

/// Returns a site over one snapshot and a history, with an observer of its responses.
pub(super) fn site_counted(
    sources: Vec<SourceView>,
    history: History,
    observer: Arc<dyn RequestObserver>,
) -> Site {
    site_over(sources, history, observer, Rules::default())
}

/// Returns a site over one snapshot, with rules of access.
pub(super) fn site_under(sources: Vec<SourceView>, rules: Rules) -> Site {
    site_over(sources, History::off(), Arc::new(Unobserved), rules)
}

/// Returns a snapshot of these sources that was published at [`now`].
pub(super) fn snapshot(sources: Vec<SourceView>) -> Snapshot {
    let fresh = sources.iter().filter(|source| source.state == State::Fresh);
    let next_due = fresh.filter_map(|source| Some(source.reading.as_ref()?.stale_at)).min();
    let service = ServiceInfo {
        name: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
        started_at: at(-86_400),
    };
    let sources = sources.into_iter().collect();
    Snapshot { version: 1, service, sources, published_at: now(), next_due }
}

/// Returns a site over a snapshot.
pub(super) fn site_of(snapshot: Snapshot) -> Site {
    site_showing(Arc::new(snapshot), History::off(), Arc::new(Unobserved), Rules::default())
}

pub(super) fn site_over(
    sources: Vec<SourceView>,
    history: History,
    observer: Arc<dyn RequestObserver>,
    rules: Rules,
) -> Site {
    site_showing(Arc::new(snapshot(sources)), history, observer, rules)
}

fn site_showing(
    snapshot: Arc<Snapshot>,
    history: History,
    observer: Arc<dyn RequestObserver>,
    rules: Rules,
) -> Site {
    let settings = Settings { title: "Pumphouse".into() };
    let request_poll = |source: &str| match source {
        "tank" => Some(PollRequest::Granted),
        "weather" => Some(PollRequest::TooSoon(Duration::from_millis(9500))),
        _ => None,
    };
    let snapshots = Box::new(move || Arc::clone(&snapshot));
    let gate = Arc::new(Gate::new(rules).unwrap());
    Site::new(settings, snapshots, Box::new(request_poll), history, observer, gate)
}

pub(super) struct Unobserved;

impl RequestObserver for Unobserved {
    fn observe(&self, _: &'static str, _: &'static str, _: u16, _: std::time::Duration) {}
}

/// Returns a request as the engine passes it to the service.
pub(super) fn request(method: &str, target: &str, fields: &[(&str, &str)]) -> Request {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_str(value).unwrap(),
        );
    }
    Request {
        method: Method::from_bytes(method.as_bytes()).unwrap(),
        target: target.parse().unwrap(),
        version: Version::HTTP_11,
        headers,
        body: Bytes::new(),
        peer: Peer { address: None, tls: true, user: None },
        client: None,
        proxied: false,
    }
}

impl Site {
    /// Returns the route and the response of a request at `now`, after all of its pieces.
    pub(super) fn answer(
        &self,
        request: &Request,
        now: Timestamp,
        activity: &Activity,
    ) -> (&'static str, Response) {
        let active_rules = self.context.gate.active_rules();
        let mut exchange = Exchange::start(now);
        let answer = self.begin(&active_rules, &mut exchange, request, activity);
        let outcome = self.complete(&exchange, request, answer);
        (exchange.route(), self.finish(&active_rules, &exchange, request, outcome))
    }
}

/// Returns the response to a GET at [`now`].
pub(super) fn get(site: &Site, target: &str, fields: &[(&str, &str)]) -> Response {
    site.answer(&request("GET", target, fields), now(), &Activity::default()).1
}

/// Returns the body as text.
pub(super) fn text(response: &Response) -> &str {
    match response.body() {
        Body::Full(bytes) => std::str::from_utf8(bytes).unwrap(),
        Body::Stream(_) => panic!("it is streamed"),
    }
}

/// Reads the whole body, streamed or not.
pub(super) fn drained(response: Response) -> String {
    match response.into_body() {
        Body::Full(bytes) => String::from_utf8(bytes.to_vec()).unwrap(),
        Body::Stream(mut source) => {
            let mut text = String::new();
            source.read_to_string(&mut text).unwrap();
            text
        }
    }
}
