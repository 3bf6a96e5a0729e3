//! Responses of real devices and services, reduced, against the program: the JSON has the true values with
//! their notes, and the page shows them.

use hostile::config::{Config, Source};
use hostile::upstream::Upstream;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::server::{Server, body};

/// A response of an upstream, and what the program makes of it.
struct Case {
    /// Name of the source.
    name: &'static str,
    /// Returns the source with this name and the URL of the upstream.
    source: fn(&str, &str) -> Source,
    /// Body of the response.
    body: String,
    /// Field, value, unit, and a part of the note; an empty part: no note.
    values: Vec<(&'static str, Value, Value, &'static str)>,
    /// Texts on the page of the source.
    shown: &'static [&'static str],
    /// Texts that are not on that page.
    hidden: &'static [&'static str],
}

/// Returns the time `seconds` ago, in seconds since 1970.
fn ago(seconds: i64) -> i64 {
    Timestamp::now().as_second() - seconds
}

/// Returns the time `seconds` ago in RFC 3339.
fn time(seconds: i64) -> String {
    Timestamp::from_second(ago(seconds)).unwrap().to_string()
}

fn cases() -> Vec<Case> {
    let null = Value::Null;
    vec![
        Case {
            name: "absent_sensors",
            source: |name, url| {
                Source::new("ambient", name, url).set("api_key", "k").set("application_key", "a")
            },
            body: format!(
                r#"[{{"macAddress":"AA:AA:AA:AA:AA:AA","info":{{"name":"A"}},"lastData":{{
                "dateutc":{}000,"tempf":-9999,"humidity":-9999,"winddir":-9999,"windspeedmph":-9999,
                "windgustmph":-9999,"hourlyrainin":0.75,"dailyrainin":0.02,"tempinf":66.2,
                "humidityin":47,"baromrelin":29.94}}}}]"#,
                ago(60)
            ),
            values: vec![
                ("temperature", null.clone(), json!("degF"), "-9999"),
                ("humidity", null.clone(), json!("%"), "-9999"),
                ("wind_direction", null.clone(), json!("deg"), "-9999"),
                ("indoor_temperature", json!(66.2), json!("degF"), ""),
                ("pressure", json!(29.94), json!("inHg"), ""),
                ("rain_rate", json!(0.75), json!("in/h"), ""),
                ("rain_today", json!(0.02), json!("in"), ""),
            ],
            shown: &["66.2"],
            hidden: &["−9,999 ", "NaN"],
        },
        Case {
            name: "bom",
            source: |name, url| Source::json(name, url).value("level", "/Izklopi/level", "%"),
            body: "\u{feff}{\"Izklopi\":{\"level\":\"84.6\"}}\n".to_owned(),
            values: vec![("level", json!(84.6), json!("%"), "")],
            shown: &["85%"],
            hidden: &[],
        },
        Case {
            name: "ecowitt",
            source: |name, url| {
                Source::json(name, url)
                    .value("humidity", "/common_list/1/val", "%")
                    .value("wind_speed", "/common_list/2/val", "mph")
                    .value("rain", "/rain/0/val", "in")
                    .value("pressure_abs", "/wh25/0/abs", "inHg")
                    .value("pressure", "/wh25/0/rel", "inHg")
            },
            body:
                r#"{"common_list":[{"id":"0x02","val":"56.7","unit":"F"},{"id":"0x07","val":"25%"},
                {"id":"0x0B","val":"1.79 mph"}],"rain":[{"id":"0x0D","val":"0.25 in"}],
                "wh25":[{"abs":"----.-","rel":"29.92 inHg"}]}"#
                    .to_owned(),
            values: vec![
                ("humidity", json!(25.0), json!("%"), ""),
                ("wind_speed", json!(1.79), json!("mph"), ""),
                ("rain", json!(0.25), json!("in"), ""),
                ("pressure_abs", null.clone(), json!("inHg"), "----.-"),
                ("pressure", json!(29.92), json!("inHg"), ""),
            ],
            shown: &["29.92"],
            hidden: &[],
        },
        Case {
            name: "by_key",
            source: |name, url| {
                let value = |source: Source, name: &str, id: &str, unit: &str| {
                    source
                        .value(name, "/val", unit)
                        .set(&format!("values.{name}.list"), "/common_list")
                        .set(&format!("values.{name}.where.id"), id)
                };
                let source = value(Source::json(name, url), "wind_speed", "0x0B", "mph");
                value(source, "dew_point", "0x03", "degF")
            },
            body: r#"{"common_list":[{"id":"0x0B","val":"1.79 mph"},{"id":"0x17","val":"0"}]}"#
                .to_owned(),
            values: vec![
                ("wind_speed", json!(1.79), json!("mph"), ""),
                ("dew_point", null.clone(), json!("degF"), "0x03"),
            ],
            shown: &["1.79"],
            hidden: &[],
        },
        Case {
            name: "level_mm",
            source: |name, url| Source::json(name, url).value("level", "/tank_level_mm", "mm"),
            body: r#"{"tank_level_mm": 84}"#.to_owned(),
            values: vec![("level", json!(84.0), json!("mm"), "")],
            shown: &["84", "mm"],
            hidden: &["84%", "% full", " full<"],
        },
        Case {
            name: "doubted",
            source: |name, url| Source::new("nws", name, url).set("station", "KFLL"),
            body: format!(
                r#"{{"properties":{{"timestamp":"{}","textDescription":"Clear",
                "temperature":{{"unitCode":"wmoUnit:degC","value":57.2,"qualityControl":"qc:Q"}},
                "windSpeed":{{"unitCode":"wmoUnit:km_h-1","value":7.5,"qualityControl":"qc:X"}},
                "relativeHumidity":{{"unitCode":"wmoUnit:percent","value":35,"qualityControl":"V"}}}}}}"#,
                time(600)
            ),
            values: vec![
                ("temperature", json!(135.0), json!("degF"), "doubted by the quality control"),
                ("wind_speed", null.clone(), json!("mph"), "rejected by the quality control"),
                ("humidity", json!(35.0), json!("%"), ""),
            ],
            shown: &["135", "doubted by the quality control"],
            hidden: &[],
        },
        Case {
            name: "two_pressures",
            source: |name, url| {
                Source::new("open-meteo", name, url)
                    .set("latitude", 37.24)
                    .set("longitude", -122.14)
            },
            body: format!(
                r#"{{"current_units":{{"time":"unixtime","temperature_2m":"°F",
                "surface_pressure":"hPa","pressure_msl":"hPa"}},"current":{{"time":{},
                "temperature_2m":52.2,"surface_pressure":934.1,"pressure_msl":1016.0}}}}"#,
                ago(300)
            ),
            values: vec![
                ("pressure", json!(30.0), json!("inHg"), ""),
                ("station_pressure", json!(27.58), json!("inHg"), ""),
            ],
            shown: &["30.00"],
            hidden: &[],
        },
        Case {
            name: "percent_only",
            source: |name, url| {
                Source::new("ptdevices", name, url)
                    .set("device", "101")
                    .set("token", "tok")
                    .set("timezone", "UTC")
            },
            body: format!(
                r#"{{"data":{{"id":101,"status":"Working","status_number":2,"units":"US Imperial",
                "reported":"{0}","tx_reported":"{0}","last_updated_on":"48 seconds ago",
                "device_data":{{"percent_level":90,"enclosure_temperature":"89.1"}},
                "temperature_units":"F"}}}}"#,
                Timestamp::from_second(ago(48)).unwrap().strftime("%b %-dth, %-I:%M %p")
            ),
            values: vec![("level", json!(90.0), json!("%"), "")],
            shown: &["90%"],
            hidden: &["No reading"],
        },
        Case {
            name: "overfull",
            source: |name, url| {
                Source::new("ptlevel", name, url).set("height", 58).set("capacity", 1400)
            },
            body: r#"<html><body><span class="inchLevel">63.40</span>
                <span class="updated_on">3 minutes, 20 seconds ago</span>
                <script>var ptlevel={level: 85};</script></body></html>"#
                .to_owned(),
            values: vec![(
                "level",
                json!(109.3),
                json!("%"),
                "deeper than the configured height of 58 in",
            )],
            shown: &["109%", "deeper than the configured height of 58 in"],
            hidden: &[],
        },
        Case {
            name: "local_time",
            source: |name, url| {
                Source::json(name, url)
                    .value("temperature", "/StatusSNS/SHT3X-0x45/Temperature", "degC")
                    .set("observed_at.pointer", "/StatusSNS/Time")
                    .set("observed_at.format", "rfc3339")
                    .set("observed_at.timezone", "Etc/UTC")
            },
            body: format!(
                r#"{{"StatusSNS":{{"Time":"{}","SHT3X-0x45":{{"Temperature":23.6}}}}}}"#,
                time(30).trim_end_matches('Z')
            ),
            values: vec![("temperature", json!(23.6), json!("degC"), "")],
            shown: &["24", "°C"],
            hidden: &[],
        },
        Case {
            name: "number_in_text",
            source: |name, url| {
                Source::json(name, url)
                    .set("values.ph.pointer", "/state")
                    .set("values.ph.scale", 10)
                    .set("values.ph.min", 100)
                    .set("values.ph.max", 140)
                    .set("values.raw.pointer", "/state")
            },
            body: r#"{"entity_id":"sensor.ph","state":"7.2"}"#.to_owned(),
            values: vec![
                ("ph", null.clone(), null.clone(), "below the configured min"),
                ("raw", json!(7.2), null.clone(), ""),
            ],
            shown: &["7.2"],
            hidden: &[],
        },
        Case {
            name: "texts",
            source: |name, url| {
                Source::json(name, url)
                    .set("values.level.pointer", "/level")
                    .set("values.volume.pointer", "/volume")
                    .set("values.pump.pointer", "/pump")
            },
            body: r#"{"level":"FULL","volume":"1,185 gal","pump":true}"#.to_owned(),
            values: vec![("level", json!("FULL"), null.clone(), "")],
            shown: &["FULL", "1,185"],
            hidden: &["Level unknown"],
        },
        Case {
            name: "wind_in_text",
            source: |name, url| {
                Source::json(name, url)
                    .set("values.conditions.pointer", "/conditions")
                    .set("values.wind_direction.pointer", "/windr")
                    .value("temperature", "/temp", "degC")
            },
            body: r#"{"conditions":"Rain","windr":"ZW","temp":"12.3"}"#.to_owned(),
            values: vec![
                ("wind_direction", json!("ZW"), null.clone(), ""),
                ("temperature", json!(12.3), json!("degC"), ""),
            ],
            shown: &["ZW", "Rain"],
            hidden: &[],
        },
        Case {
            name: "direction_lost",
            source: |name, url| {
                Source::json(name, url)
                    .set("values.conditions.pointer", "/conditions")
                    .value("wind_direction", "/wind_deg", "deg")
                    .value("temperature", "/temp", "degC")
            },
            body: r#"{"conditions":"Rain","wind_deg":null,"temp":"12.3"}"#.to_owned(),
            values: vec![("wind_direction", null.clone(), json!("deg"), "sent as null")],
            shown: &["sent as null"],
            hidden: &["Wind from N"],
        },
    ]
}

#[test]
fn responses_of_real_devices_have_their_true_values() {
    let cases = cases();
    let upstreams: Vec<Upstream> =
        cases.iter().map(|case| Upstream::answering(&case.body)).collect();
    let source = |(case, upstream): (&Case, &Upstream)| (case.source)(case.name, &upstream.url());
    let sources: Vec<Source> = cases.iter().zip(&upstreams).map(source).collect();
    let server = Server::start(&Config::https().sources(sources));
    let polled = |status: &Value| {
        let sources = status["sources"].as_object().unwrap();
        sources.values().all(|source| !source["fetched_at"].is_null() || !source["error"].is_null())
    };
    let status = server.eventually_status("every source is polled", polled);
    let mut wrong = Vec::new();
    for case in &cases {
        let name = case.name;
        let source = &status["sources"][name];
        if source["state"] != "fresh" || !source["error"].is_null() {
            wrong.push(format!("{name}: {source}"));
            continue;
        }
        for (field, value, unit, note) in &case.values {
            let found = &source["values"][field];
            let found_note = found["note"].as_str().unwrap_or_default();
            let is_noted =
                if note.is_empty() { found_note.is_empty() } else { found_note.contains(note) };
            if found["value"] != *value || found["unit"] != *unit || !is_noted {
                wrong.push(format!("{name}.{field}: {found}, not {value} {unit} ({note})"));
            }
        }
        let page = server.get(&format!("/source/{name}"));
        let text = visible(body(&page));
        for shown in case.shown {
            if !text.contains(shown) {
                wrong.push(format!("the page of {name} does not show \"{shown}\": {text}"));
            }
        }
        for hidden in case.hidden {
            if body(&page).contains(hidden) {
                wrong.push(format!("the page of {name} has \"{hidden}\""));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Returns the texts of the main part of a page, without its markup.
fn visible(html: &str) -> String {
    let main = html.split_once("<main").map_or(html, |(_, main)| main);
    let mut text = String::new();
    for part in main.split('<').skip(1) {
        text.push_str(part.split_once('>').map_or("", |(_, text)| text));
    }
    text
}
