//! Asks whatever the document lets one ask, and what it does not: no answer may be a 500, or one
//! that the document does not tell of.

use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::Value as Json;

use super::fixture::{ask, asset_of, encoded, in_query, place, sources};
use super::schema_check::{Operation, SchemaCheck};
use crate::site::Site;

/// Requests in the short run.
const SHORT_RUN: usize = 4_000;

/// Values that are at home nowhere, already percent-encoded.
const ODD: [&str; 24] = [
    "",
    "%00",
    "%0A",
    "%ff",
    "%",
    "%zz",
    "0",
    "-1",
    "1",
    "00",
    "1e3",
    "1.5",
    "NaN",
    "inf",
    "true",
    "9223372036854775807",
    "18446744073709551616",
    "tank.level,",
    "..",
    "%2F..%2F",
    "'%3B%20ls",
    "%F0%9F%92%A7",
    "-99999999999",
    "253402300800",
];

/// Names of the fixture's sources and fields, so that more than a 404 is met.
const NAMES: [&str; 12] = [
    "tank",
    "weather",
    "odd",
    "well",
    "level",
    "volume",
    "state",
    "gone",
    "huge",
    "temperature",
    "wind_gust",
    "txt",
];

const HEADERS: [(&str, &str); 14] = [
    ("accept", "text/html"),
    ("accept", "application/json"),
    ("accept", "text/*;q=0.5, application/problem+json;q=0.1"),
    ("accept", "image/png"),
    ("accept", ";;,q=, /"),
    ("accept-encoding", "gzip"),
    ("accept-encoding", "br;q=1, *;q=0"),
    ("if-none-match", "*"),
    ("if-none-match", "W/\"x\", \""),
    ("if-match", "\"x\""),
    ("if-modified-since", "Sat, 31 Jan 2026 17:20:00 GMT"),
    ("if-unmodified-since", "Sat, 31 Jan 1970 17:20:00 GMT"),
    ("origin", "https://evil.example"),
    ("range", "bytes=0-1"),
];

fn pick<'a, T>(rng: &mut Rng, list: &'a [T]) -> &'a T {
    &list[rng.usize(..list.len())]
}

fn odd(rng: &mut Rng) -> String {
    match rng.u8(..4) {
        0 => pick(rng, &NAMES).to_string(),
        1 => format!("{}.{}", pick(rng, &NAMES), pick(rng, &NAMES)),
        2 => encoded(&Json::String(std::iter::repeat_with(|| rng.char(..)).take(5).collect())),
        _ => pick(rng, &ODD).to_string(),
    }
}

/// A value for a parameter: an example, a choice, a number at a bound, or something else.
fn value(rng: &mut Rng, parameter: &Json, examples: &[Json]) -> String {
    let schema = &parameter["schema"];
    let choices = schema["enum"].as_array();
    let bounds: Vec<i64> =
        ["minimum", "maximum", "default"].iter().filter_map(|it| schema[*it].as_i64()).collect();
    match (rng.u8(..8), choices) {
        (0, _) => odd(rng),
        (1, _) if !bounds.is_empty() => (pick(rng, &bounds) + rng.i64(-1..=1)).to_string(),
        (2, _) if schema["type"] == "integer" => rng.i64(0..100_000).to_string(),
        (3..=5, Some(choices)) => encoded(pick(rng, choices)),
        _ => encoded(pick(rng, examples)),
    }
}

fn target(rng: &mut Rng, operation: &Operation, asset: &str) -> String {
    let mut path = operation.path.clone();
    for parameter in operation.parameters.iter().filter(|it| it["in"] == "path") {
        let name = parameter["name"].as_str().unwrap();
        let value = match rng.u8(..8) {
            0 => odd(rng),
            1..=4 => pick(rng, &NAMES).to_string(),
            _ if name == "name" => asset.to_owned(),
            _ => encoded(&parameter["example"]),
        };
        path = path.replace(&format!("{{{name}}}"), &value);
    }
    let mut pairs = Vec::new();
    for (name, parameter, examples) in in_query(operation) {
        if parameter["required"] == true && rng.u8(..16) > 0 || rng.u8(..3) == 0 {
            pairs.push(format!("{name}={}", value(rng, parameter, &examples)));
        }
    }
    if rng.u8(..24) == 0 {
        pairs.push(format!("{}={}", odd(rng), odd(rng)));
    }
    rng.shuffle(&mut pairs);
    match pairs[..] {
        [] => path,
        _ => format!("{path}?{}", pairs.join("&")),
    }
}

/// One request, judged; gives the status.
fn attempt(rng: &mut Rng, check: &SchemaCheck, site: &Site, operations: &[Operation]) -> u16 {
    let operation = pick(rng, operations);
    let target = target(rng, operation, &asset_of(site));
    if target.parse::<http::Uri>().is_err() {
        // The engine refuses it before the site is asked.
        return 400;
    }
    let fields: Vec<(&str, &str)> = (0..rng.usize(..3)).map(|_| *pick(rng, &HEADERS)).collect();
    let response = ask(site, &operation.method, &target, &fields);
    let status = response.status().as_u16();
    // What is asked may be another route's: then the judge has to go by that one.
    let asked = operation_of(operations, operation, &target);
    if let Err(fault) = check.response(asked, response) {
        panic!("{} {target} {fields:?}: {fault}", operation.method);
    }
    status
}

/// The operation that a target is in truth. `{source}.{field}` may have become a bare value, as a
/// field may be called what ends in `.txt`; every other mixture is still its own route.
fn operation_of<'a>(
    operations: &'a [Operation],
    asked: &'a Operation,
    target: &str,
) -> &'a Operation {
    let path = target.split('?').next().unwrap_or_default();
    let bare = "/api/v1/values/{source}.{field}.txt";
    if asked.path.starts_with("/api/v1/values/") && path.ends_with(".txt") {
        let is_bare = |it: &&Operation| it.path == bare && it.method == asked.method;
        return operations.iter().find(is_bare).unwrap();
    }
    asked
}

#[test]
fn random_request_gets_a_documented_response() {
    let check = SchemaCheck::new();
    let operations = check.operations();
    let (_folder, site) = place(sources());
    let seconds = std::env::var("FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    let mut rng = match seconds {
        Some(_) => Rng::new(),
        None => Rng::with_seed(11),
    };
    let begun = Instant::now();
    let mut met = std::collections::BTreeMap::<u16, usize>::new();
    for run in 0.. {
        *met.entry(attempt(&mut rng, &check, &site, &operations)).or_default() += 1;
        match seconds.map(Duration::from_secs) {
            // A slow build answers fewer in a second than the counts below require.
            Some(long) if begun.elapsed() >= long && run >= SHORT_RUN => break,
            None if run >= SHORT_RUN => break,
            _ => {}
        }
    }
    // A fuzzer that meets refusals only has not looked at much.
    for (status, least) in
        [(200, 500), (202, 10), (204, 200), (304, 20), (400, 200), (404, 100), (503, 50)]
    {
        let count = met.get(&status).copied().unwrap_or_default();
        assert!(count >= least, "{status}: {count} of {met:?}");
    }
}
