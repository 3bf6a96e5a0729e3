//! Random requests, of which some are valid by the document and some are not. No response may be a
//! 500, or one that the document does not describe.

use std::time::{Duration, Instant};

use fastrand::Rng;
use serde_json::Value as Json;

use super::fixture::{asset_of, encoded, in_query, recorded_site, send, sources};
use super::schema_check::{Operation, SchemaCheck};
use crate::site::Site;

/// Requests in the short run.
const SHORT_RUN: usize = 4_000;

/// Values that are unusual or invalid for most parameters, already percent-encoded.
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

/// Names of the fixture's sources and fields, so that not every request gets a 404.
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

/// Returns a value for a parameter: an example, a choice, a number at a bound, or an invalid value.
fn value(rng: &mut Rng, parameter: &Json, examples: &[Json]) -> String {
    let schema = &parameter["schema"];
    let choices = schema["enum"].as_array();
    let bounds: Vec<i64> = ["minimum", "maximum", "default"]
        .iter()
        .filter_map(|bound| schema[*bound].as_i64())
        .collect();
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
    for parameter in operation.parameters.iter().filter(|parameter| parameter["in"] == "path") {
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

/// Sends one request, checks the response, and returns its status.
fn attempt(rng: &mut Rng, check: &SchemaCheck, site: &Site, operations: &[Operation]) -> u16 {
    let operation = pick(rng, operations);
    let target = target(rng, operation, &asset_of(site));
    if target.parse::<http::Uri>().is_err() {
        // The engine refuses it before the site is called.
        return 400;
    }
    let fields: Vec<(&str, &str)> = (0..rng.usize(..3)).map(|_| *pick(rng, &HEADERS)).collect();
    let response = send(site, &operation.method, &target, &fields);
    let status = response.status().as_u16();
    // The target may belong to another operation than the one that it was built for.
    let operation_of_target = operation_of(operations, operation, &target);
    if let Err(fault) = check.response(operation_of_target, response) {
        panic!("{} {target} {fields:?}: {fault}", operation.method);
    }
    status
}

/// Returns the operation of a target that was built for `intended`. A random field that ends in
/// `.txt` makes a bare value of `{source}.{field}`; any other target belongs to its operation.
fn operation_of<'a>(
    operations: &'a [Operation],
    intended: &'a Operation,
    target: &str,
) -> &'a Operation {
    let path = target.split('?').next().unwrap_or_default();
    let bare = "/api/v1/values/{source}.{field}.txt";
    if intended.path.starts_with("/api/v1/values/") && path.ends_with(".txt") {
        let is_bare =
            |candidate: &&Operation| candidate.path == bare && candidate.method == intended.method;
        return operations.iter().find(is_bare).unwrap();
    }
    intended
}

#[test]
fn random_request_gets_a_documented_response() {
    let check = SchemaCheck::new();
    let operations = check.operations();
    let (_folder, site) = recorded_site(sources());
    let seconds = std::env::var("FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    let mut rng = match seconds {
        Some(_) => Rng::new(),
        None => Rng::with_seed(11),
    };
    let begun = Instant::now();
    let mut statuses = std::collections::BTreeMap::<u16, usize>::new();
    for run in 0.. {
        *statuses.entry(attempt(&mut rng, &check, &site, &operations)).or_default() += 1;
        match seconds.map(Duration::from_secs) {
            // A slow build answers fewer in a second than the counts below require.
            Some(long) if begun.elapsed() >= long && run >= SHORT_RUN => break,
            None if run >= SHORT_RUN => break,
            _ => {}
        }
    }
    // A run with rejected requests only would have tested little.
    for (status, least) in
        [(200, 500), (202, 10), (204, 200), (304, 20), (400, 200), (404, 100), (503, 50)]
    {
        let count = statuses.get(&status).copied().unwrap_or_default();
        assert!(count >= least, "{status}: {count} of {statuses:?}");
    }
}
