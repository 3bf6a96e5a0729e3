//! Values that are hard to show: texts, notes, and numbers of any size.

use hostile::config::{Config, Source};
use hostile::upstream::Upstream;
use jiff::{SignedDuration, Timestamp};
use serde_json::json;

use super::Scene;
use super::sources::seconds_ago;
use super::stage::served;
use crate::webdriver::Browser;

/// Visits the page of sources that send texts in each field.
pub(super) fn texts(browser: &Browser) -> Scene {
    let upstream = Upstream::answering(
        r#"{"level":"FULL","volume":"1,185 gal or so","depth":"2 ft 3 in","status":"normal",
        "conditions":"Rain, some of it heavy, with hail","wind_direction":"ZW","temperature":"mild"}"#,
    );
    let of = |name: &str, title: &str, fields: &[&str]| {
        let source = Source::json(name, &upstream.url()).set("title", title);
        fields.iter().fold(source, |source, field| source.value(field, &format!("/{field}"), ""))
    };
    let tank = of("tank", "Float switch", &["level", "volume", "depth", "status"]);
    let sky = of("sky", "At the ridge", &["conditions", "wind_direction", "temperature"]);
    let config = Config::https().source(tank).source(sky);
    served(browser, vec![Box::new(upstream)], config, "FULL")
}

pub(super) fn millimetres(browser: &Browser) -> Scene {
    let upstream = Upstream::answering(r#"{"level":84,"battery":3.1,"quality":3}"#);
    let source = Source::json("tank", &upstream.url())
        .set("title", "Rain barrel")
        .value("level", "/level", "mm")
        .value("battery", "/battery", "V")
        .value("quality", "/quality", "");
    served(browser, vec![Box::new(upstream)], Config::https().source(source), "84")
}

pub(super) fn notes(browser: &Browser) -> Scene {
    let page = Upstream::answering(
        r#"<html><body><span class="inchLevel">63.40</span><span class="updated_on">3 minutes,
        20 seconds ago</span><script>var ptlevel={level: 85};</script></body></html>"#,
    );
    let observed = Timestamp::now().saturating_sub(SignedDuration::from_mins(10)).unwrap();
    let station = Upstream::answering(&format!(
        r#"{{"properties":{{"timestamp":"{observed:.0}","textDescription":"Clear",
        "temperature":{{"unitCode":"wmoUnit:degC","value":57.2,"qualityControl":"Q"}},
        "windDirection":{{"unitCode":"wmoUnit:degree_(angle)","value":null,"qualityControl":"Z"}},
        "windSpeed":{{"unitCode":"wmoUnit:km_h-1","value":7.5,"qualityControl":"Q"}},
        "relativeHumidity":{{"unitCode":"wmoUnit:percent","value":35,"qualityControl":"V"}}}}}}"#
    ));
    let aged = Upstream::answering(&format!(
        r#"{{"well":{{"v":7.25,"t":{}}},"pump":{{"v":"running","t":{}}}}}"#,
        seconds_ago(40 * 86_400),
        seconds_ago(10)
    ));
    let old = |name: &str, unit: &str| {
        let time = json!({"pointer": format!("/{name}/t"), "format": "unix"});
        let value = json!({"pointer": format!("/{name}/v"), "observed_at": time});
        let mut value = value.as_object().unwrap().clone();
        if !unit.is_empty() {
            value.insert("unit".into(), unit.into());
        }
        serde_json::Value::from(value)
    };
    let gauges = Source::json("gauges", &aged.url())
        .set("values.well_depth", old("well", "ft"))
        .set("values.pump", old("pump", ""));
    let tank = Source::new("ptlevel", "tank", &format!("{}s", page.url()))
        .set("height", 58)
        .set("capacity", 1400);
    let weather = Source::new("nws", "weather", &station.url()).set("station", "KFLL");
    let config = Config::https().source(tank).source(weather).source(gauges);
    served(
        browser,
        vec![Box::new(page), Box::new(station), Box::new(aged)],
        config,
        "Stale, observed",
    )
}
