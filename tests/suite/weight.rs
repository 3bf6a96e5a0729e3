//! Size of a page with everything that it loads: small enough for a slow line.

use std::process::Command;

use hostile::config::{Config, Source};
use hostile::upstream::Upstream;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use pumphouse_web::board::{Change, Sample};
use pumphouse_web::history::import;

use crate::demo::Demo;
use crate::harness::eventually;
use crate::server::Server;

/// Largest size of the dashboard with style sheet, script and icon, as transferred.
const MAX_BYTES: usize = 50 * 1024;

/// Returns what curl downloads, with the content coding.
fn fetched(url: &str, fields: &[&str]) -> Vec<u8> {
    let mut curl = Command::new("curl");
    curl.args(["--insecure", "--silent", "--fail", "--max-time", "20"]);
    let output = curl.args(fields).arg(url).output().expect("curl is needed: apt-get install curl");
    assert!(output.status.success(), "{url}: {}", output.status);
    output.stdout
}

/// Returns the transferred size of a page and of everything that it loads.
fn weight(origin: &str, path: &str) -> usize {
    const GZIP: [&str; 2] = ["--header", "Accept-Encoding: gzip"];
    let page = String::from_utf8(fetched(&format!("{origin}{path}"), &[])).unwrap();
    let assets =
        page.match_indices("/assets/").map(|(at, _)| page[at..].split('"').next().unwrap());
    let assets: Vec<&str> = assets.collect();
    // A style sheet, two scripts and an icon; with alerts, a further style sheet and script.
    assert!([4, 6].contains(&assets.len()), "{assets:?}");
    let all = assets.into_iter().chain([path]);
    all.map(|path| fetched(&format!("{origin}{path}"), &GZIP).len()).sum()
}

const RANGES: [&str; 6] = ["6h", "24h", "3d", "7d", "30d", "1y"];

#[test]
fn demo_page_is_at_most_50_kb() {
    let demo = Demo::start();
    let (url, mut heaviest) = (demo.url(), 0);
    for range in RANGES {
        let path = format!("/?range={range}");
        eventually("the charts are there", || {
            let page = fetched(&format!("{}{path}", url.trim_end_matches('/')), &[]);
            String::from_utf8(page).unwrap().matches("<svg class=\"chart ").count() == 6
        });
        let weight = weight(url.trim_end_matches('/'), &path);
        assert!(weight <= MAX_BYTES, "{range}: {weight} bytes");
        heaviest = heaviest.max(weight);
    }
    assert!(heaviest > MAX_BYTES / 10, "{heaviest} bytes are too few to be true");
}

#[test]
fn page_of_six_sources_with_a_year_of_data_is_at_most_50_kb() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pumphouse.db");
    // Each source of the demo twice, under two names.
    let changes =
        pumphouse_web::demo::history(Timestamp::now()).into_iter().map(|change| match change {
            Change::Observed(samples) => {
                let other = |sample: &Sample| Sample {
                    source: format!("{}_two", sample.source).into(),
                    ..sample.clone()
                };
                let others: Vec<Sample> = samples.iter().map(other).collect();
                Change::Observed([samples, others].concat())
            }
            other => other,
        });
    import(&path, &TimeZone::UTC, changes).unwrap();
    let upstream = Upstream::answering(
        r#"{"level": 84.6, "volume": 1185, "depth": 49.1, "temperature": 71.2, "humidity": 40,
            "wind_speed": 7.5, "pressure": 30.01, "rain": 0.1, "conditions": "Partly cloudy",
            "battery": 12.7}"#,
    );
    let fields = [
        ("tank", &[("level", "%"), ("volume", "gal"), ("depth", "in")][..]),
        (
            "weather",
            &[
                ("temperature", "degF"),
                ("conditions", ""),
                ("humidity", "%"),
                ("wind_speed", "mph"),
                ("pressure", "inHg"),
                ("rain", "in"),
            ],
        ),
        ("pump", &[("battery", "V")]),
    ];
    let mut config = Config::https().set("history.path", path.to_str());
    for (name, fields) in fields {
        for name in [name.to_owned(), format!("{name}_two")] {
            let source = Source::json(&name, &upstream.url()).set("interval", "1s");
            let with_value = |source: Source, (field, unit): &(&str, &str)| {
                source.value(field, &format!("/{field}"), unit)
            };
            config = config.source(fields.iter().fold(source, with_value));
        }
    }
    let server = Server::start(&config);
    let origin = format!("https://{}", server.address);
    for range in RANGES {
        let path = format!("/?range={range}");
        eventually("the charts are there", || {
            server.get(&path).matches("<svg class=\"chart ").count() == 12
        });
        let weight = weight(&origin, &path);
        assert!(weight <= MAX_BYTES, "{range}: {weight} bytes");
    }
}
