//! Simulated upstreams on loopback: a PTLevel share page, the Open-Meteo API and the JSON of a pump
//! controller.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tiny_http::{Header, Response, Server};

use super::model::{self, SensorValues, TANK_CAPACITY, TANK_HEIGHT};
use crate::config::{
    BodyFormat, DesiredUnits, Json, JsonTime, JsonValue, Kind, NamedFormat, OpenMeteo, Proxy,
    PtLevel, Source, TrendSettings,
};
use crate::threads::OwnedThread;
use crate::units::{System, Unit};
use crate::wall_clock;

/// Poll interval: short, so that the page visibly changes.
const INTERVAL: Duration = Duration::from_secs(3);
const THREAD: &str = "pw-demo";
const TIMEOUT: Duration = Duration::from_secs(2);
const STALE_AFTER: Duration = Duration::from_secs(20);

/// The running server of all simulated upstreams. Dropping it ends its thread.
pub struct Upstreams {
    address: SocketAddr,
    server: Arc<Server>,
    _thread: OwnedThread,
}

/// Returns the names of all threads: ours and those of tiny_http, which panics if it cannot create a thread.
pub fn thread_names() -> Vec<String> {
    const TINY_HTTP_THREADS: usize = 8;
    let library = (0..TINY_HTTP_THREADS).map(|number| format!("pw-demo-{number}"));
    std::iter::once(THREAD.to_owned()).chain(library).collect()
}

impl Upstreams {
    /// Starts the server on a free port.
    ///
    /// # Errors
    /// The port cannot be bound, or the thread not be created.
    pub fn start() -> io::Result<Upstreams> {
        let server = Server::http((Ipv4Addr::LOCALHOST, 0)).map_err(io::Error::other)?;
        let address = server.server_addr().to_ip().ok_or_else(|| io::Error::other("no port"))?;
        let server = Arc::new(server);
        let listener = Arc::clone(&server);
        let started = wall_clock::now();
        let thread = OwnedThread::spawn(THREAD, move |_| {
            while let Ok(request) = listener.recv() {
                let sensors = model::sensors_since(started, wall_clock::now());
                let response = respond(request.url(), &sensors);
                // An error means that the poller has closed the connection.
                let _ = request.respond(response);
            }
        })?;
        Ok(Upstreams { address, server, _thread: thread })
    }

    /// Returns the configuration of their sources.
    pub fn sources(&self) -> Vec<Arc<Source>> {
        let url = |path: &str| {
            let text = format!("http://{}{path}", self.address);
            text.parse().expect("a loopback address and a constant path are a URL")
        };
        let source = |name: &str, title: &str, kind, trends| {
            Arc::new(Source {
                name: name.into(),
                title: title.into(),
                group: None,
                interval: INTERVAL,
                timeout: TIMEOUT,
                stale_after: STALE_AFTER,
                kind,
                units: DesiredUnits { system: Some(System::Us), fields: Vec::new() },
                rate_limit: None,
                proxy: Proxy::None,
                ca_certs: None,
                show: Vec::new(),
                trends,
            })
        };
        let pump = Json {
            url: url("/pump.json"),
            request: Box::default(),
            format: BodyFormat::default(),
            values: vec![
                JsonValue::new("state", "/pump/state", None),
                JsonValue::new("battery", "/battery/volts", Some(Unit::Volt)),
            ],
            observed_at: Some(JsonTime::at("/at", NamedFormat::Unix)),
        };
        let tank = PtLevel { url: url("/s/demo"), height: TANK_HEIGHT, capacity: TANK_CAPACITY };
        let weather = OpenMeteo { url: url(""), latitude: 37.24, longitude: -122.14 };
        vec![
            source("tank", "Cistern", Kind::PtLevel(tank), vec![TrendSettings::of_tank()]),
            source("weather", "Weather", Kind::OpenMeteo(weather), Vec::new()),
            source("pump", "Well pump", Kind::Json(Box::new(pump)), Vec::new()),
        ]
    }
}

impl Drop for Upstreams {
    fn drop(&mut self) {
        // Ends the thread. Dropping the field `_thread` then joins it.
        self.server.unblock();
    }
}

/// Returns the response of the upstream at this path.
fn respond(url: &str, sensors: &SensorValues) -> Response<io::Cursor<Vec<u8>>> {
    let path = url.split('?').next().unwrap_or_default();
    let (content_type, body) = match path {
        "/s/demo" => ("text/html", share_page(sensors)),
        "/v1/forecast" => ("application/json", forecast(sensors)),
        "/pump.json" => ("application/json", pump(sensors)),
        _ => return Response::from_string("not found").with_status_code(404),
    };
    let header = Header::from_bytes("Content-Type", content_type);
    let response = Response::from_string(body);
    match header {
        Ok(header) => response.with_header(header),
        Err(()) => response,
    }
}

/// Returns a PTLevel share page with the elements that the decoder reads.
fn share_page(sensors: &SensorValues) -> String {
    let percent = (100.0 * sensors.depth / TANK_HEIGHT).round();
    format!(
        "<!DOCTYPE html><html><head><title>Cistern</title></head><body>\
         <span class=\"inchLevel\">{:.2}</span>\
         <span class=\"updated_on\">just now</span>\
         <script>var ptlevel = {{ level: {percent} }};</script></body></html>",
        sensors.depth
    )
}

/// Returns a response of Open-Meteo, in the units that the poller requests.
fn forecast(sensors: &SensorValues) -> String {
    serde_json::json!({
        "latitude": 37.24, "longitude": -122.14, "utc_offset_seconds": 0, "timezone": "GMT",
        "current_units": {
            "time": "unixtime", "interval": "seconds", "temperature_2m": "°F",
            "relative_humidity_2m": "%", "wind_speed_10m": "mp/h", "wind_gusts_10m": "mp/h",
            "wind_direction_10m": "°", "pressure_msl": "hPa", "surface_pressure": "hPa",
            "precipitation": "inch", "weather_code": "wmo code"
        },
        "current": {
            "time": wall_clock::now().as_second(), "interval": 900,
            "temperature_2m": tenths(sensors.temperature),
            "relative_humidity_2m": sensors.humidity.round(),
            "wind_speed_10m": tenths(sensors.wind),
            "wind_gusts_10m": tenths(sensors.gust),
            "wind_direction_10m": sensors.wind_direction.round(),
            "pressure_msl": tenths(sensors.pressure),
            "surface_pressure": tenths(sensors.station_pressure),
            "precipitation": sensors.rain,
            "weather_code": sensors.weather_code
        }
    })
    .to_string()
}

/// Returns the JSON of the pump controller.
fn pump(sensors: &SensorValues) -> String {
    serde_json::json!({
        "at": wall_clock::now().as_second(),
        "pump": { "state": if sensors.pumping { "running" } else { "resting" } },
        "battery": { "volts": tenths(sensors.battery) }
    })
    .to_string()
}

/// Rounds to one decimal.
pub(super) fn tenths(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}
