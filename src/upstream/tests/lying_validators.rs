//! Upstreams whose validators do not change with their content: no kind falls silent.

use std::io::Write as _;
use std::time::Duration;

use super::fake::{Upstream, head};
use super::polling::{board, start, until};
use crate::board::{Datum, Snapshot};
use crate::config::{self, Source};

/// Returns a body with this value and time.
type Body = fn(u32, i64) -> String;

/// Sources of every kind that is polled conditionally, and the body with a value and its time.
const KINDS: [(&str, Body); 3] = [
    ("kind = \"open-meteo\"\nlatitude = 46.5\nlongitude = 6.6\nunits = \"metric\"", |value, at| {
        format!(
            r#"{{"current_units":{{"time":"unixtime","relative_humidity_2m":"%"}},
            "current":{{"time":{at},"interval":900,"relative_humidity_2m":{value}}}}}"#
        )
    }),
    ("kind = \"nws\"\nstation = \"KMSP\"", |value, at| {
        let at = jiff::Timestamp::from_second(at).unwrap();
        format!(
            r#"{{"properties":{{"timestamp":"{at}","relativeHumidity":
            {{"unitCode":"wmoUnit:percent","value":{value},"qualityControl":"V"}}}}}}"#
        )
    }),
    (
        "kind = \"json\"\nobserved_at = { pointer = \"/at\", format = \"unix\" }\n\
         values.humidity = { pointer = \"/v\", unit = \"%\" }",
        |value, at| format!(r#"{{"v":{value},"at":{at}}}"#),
    ),
];

fn source(keys: &str, upstream: &Upstream) -> Source {
    let text = format!("[[source]]\nname = \"x\"\nurl = \"{}\"\n{keys}\n", upstream.url("/"));
    let mut source =
        config::parse("p".as_ref(), &text, &|_| None).unwrap().sources.remove(0).as_ref().clone();
    source.interval = Duration::from_millis(20);
    source.stale_after = Duration::from_secs(1);
    source
}

/// Returns an upstream with a new value in each whole response, that answers 304 to every condition.
fn lying(validator: &'static str, ahead: i64, body: Body) -> Upstream {
    let mut value = 50;
    Upstream::new(move |mut stream| {
        let is_conditional = head(&mut stream).to_ascii_lowercase().contains("\r\nif-");
        let response = if is_conditional {
            format!("HTTP/1.1 304 Not Modified\r\n{validator}\r\n\r\n")
        } else {
            // Within what a percentage can be.
            value = 50 + (value + 1) % 40;
            let body = body(value, jiff::Timestamp::now().as_second() + ahead);
            let length = body.len();
            format!("HTTP/1.1 200 OK\r\n{validator}\r\nContent-Length: {length}\r\n\r\n{body}")
        };
        let _ = stream.write_all(response.as_bytes());
    })
}

#[test]
fn validators_that_never_change_silence_no_kind() {
    const FUTURE: &str = "Last-Modified: Fri, 31 Dec 2199 23:59:59 GMT";
    for (keys, body) in KINDS {
        for (validator, ahead) in [
            (FUTURE, 0),
            ("ETag: \"constant\"", 0),
            ("ETag: W/\"0\"\r\nLast-Modified: Sat, 31 Jan 2026 17:16:00 GMT", 0),
            // The clock of the upstream is ahead too, so that the observation does not turn stale.
            ("ETag: \"constant\"", 1800),
        ] {
            let upstream = lying(validator, ahead, body);
            let sources = [source(keys, &upstream)];
            let (_board, reader, reporter) = board(&sources);
            let _pollers = start(&sources, &reporter);
            let shown = |snapshot: &Snapshot| match snapshot.sources[0].value("humidity")?.datum {
                Some(Datum::Number(number)) => Some(number.get()),
                _ => None,
            };
            let mut latest = None;
            for _ in 0..3 {
                latest = shown(&until(&reader, |snapshot| shown(snapshot) != latest));
                assert!(latest.is_some(), "{keys}");
            }
        }
    }
}
