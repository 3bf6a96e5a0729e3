//! The document and the routes, held against each other.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::rc::Rc;

use http::Method;
use jiff::tz::TimeZone;
use serde_json::{Value as Json, json};
use strum::VariantArray as _;

use super::schema_check::{Operation, SchemaCheck};
use crate::access::{Admission, PasswordHash, Restricted, Rules, Scopes, User};
use crate::board::{Change, ErrorKind, Event, EventKind, Finite, Sample, SourceView, Value};
use crate::engine::{Activity, Response};
use crate::history::{History, import};
use crate::route_pattern::RoutePattern;
use crate::site::Site;
use crate::site::fixture::{
    failing, get, now, pump, request, site, site_under, site_with, stale, tank, text, values,
    waiting, weather,
};
use crate::site::router::{Router, answer_by_method};
use crate::site::routes::route;
use crate::units::Unit;

/// Sources in every state, with texts that somebody may have chosen badly.
pub(super) fn sources() -> Vec<SourceView> {
    let mut odd = pump();
    odd.name = "odd".into();
    odd.title = "It's <odd> & $(worse)".into();
    let reading = odd.reading.as_mut().unwrap();
    reading.observed.inferred = true;
    reading.values = values([
        ("state", Value::text("'\"\n\r\0\u{7f}é`$(exit)`")),
        ("gone", Value::missing(None, "it's null")),
        ("level", Value::number(-0.000_001, Unit::Percent)),
        ("huge", Value::number(f64::MAX, Unit::Volt)),
    ]);
    vec![
        tank(),
        failing(stale(weather(), 7200), ErrorKind::Http, "503"),
        odd,
        waiting("well", "json"),
    ]
}

/// A site with a past, and the folder that holds it.
pub(super) fn place(sources: Vec<SourceView>) -> (tempfile::TempDir, Site) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pumphouse.db");
    let end = now().as_second();
    let sample = |ago: i64| Sample {
        source: "tank".into(),
        field: "level".into(),
        at: jiff::Timestamp::from_second(end - ago * 300).unwrap(),
        value: Finite::new(50.0 + (ago % 10) as f64 / 3.0).unwrap(),
        unit: Some(Unit::Percent),
    };
    let happened = |kind| {
        let source = (kind != EventKind::Started).then(|| "tank".into());
        Change::Happened(Event { at: now(), kind, source, detail: "said so".into() })
    };
    let changes = EventKind::VARIANTS.iter().copied().map(happened);
    let changes = changes.chain([Change::Observed((0..600).rev().map(sample).collect())]);
    import(&path, &TimeZone::UTC, changes).unwrap();
    let history = History::read_only(&path, TimeZone::UTC);
    (folder, site_with(sources, history))
}

/// Asks at the moment of the fixture.
pub(super) fn ask(site: &Site, method: &str, target: &str, fields: &[(&str, &str)]) -> Response {
    site.answer(&request(method, target, fields), now(), &Activity::default()).1
}

/// A value as it stands in an address, percent-encoded.
pub(super) fn encoded(value: &Json) -> String {
    let text = match value {
        Json::String(text) => text.clone(),
        Json::Array(items) => return items.iter().map(encoded).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let coded = |byte: u8| match is_plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    text.bytes().map(coded).collect()
}

/// The operation's path with the examples of its parameters. `asset` is a file that there is.
pub(super) fn example_path(operation: &Operation, asset: &str) -> String {
    let mut path = operation.path.clone();
    for parameter in operation.parameters.iter().filter(|it| it["in"] == "path") {
        let name = parameter["name"].as_str().unwrap();
        let value = match name {
            "name" => asset.to_owned(),
            _ => encoded(&parameter["example"]),
        };
        path = path.replace(&format!("{{{name}}}"), &value);
    }
    assert!(!path.contains('{'), "{path}: not all of its parameters are told");
    path
}

/// The parameters of the query, each with its examples.
pub(super) fn in_query(operation: &Operation) -> Vec<(String, &Json, Vec<Json>)> {
    let listed = operation.parameters.iter().filter(|it| it["in"] == "query");
    let examples = |it: &Json| {
        let examples = it["examples"].as_object().expect("each parameter of a query has examples");
        examples.values().map(|example| example["value"].clone()).collect()
    };
    listed.map(|it| (it["name"].as_str().unwrap().to_owned(), it, examples(it))).collect()
}

/// What has to be there for the operation to answer at all.
pub(super) fn required(operation: &Operation) -> String {
    let needed = in_query(operation).into_iter().filter(|(_, it, _)| it["required"] == true);
    needed.map(|(name, _, examples)| format!("{name}={}&", encoded(&examples[0]))).collect()
}

pub(super) fn asset_of(site: &Site) -> String {
    site.context.assets.style.path.rsplit('/').next().unwrap().to_owned()
}

#[test]
fn it_is_served_as_it_should() {
    let site = site(vec![]);
    let response = get(&site, "/openapi.json", &[]);
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.headers()["cache-control"], "max-age=3600");
    let told: Json = serde_json::from_str(text(&response)).unwrap();
    assert_eq!(told, SchemaCheck::new().document);
    assert_eq!(told["info"]["version"], env!("CARGO_PKG_VERSION"));
    assert!(text(&response).starts_with("{\"openapi\":\"3.1."), "people read from the top");
    let tag = response.headers()["etag"].to_str().unwrap();
    assert_eq!(get(&site, "/openapi.json", &[("if-none-match", tag)]).status(), 304);
    let packed = get(&site, "/openapi.json", &[("accept-encoding", "gzip")]);
    assert_eq!(packed.headers()["content-encoding"], "gzip");
}

#[test]
fn every_route_and_method_is_documented_and_nothing_else() {
    let check = SchemaCheck::new();
    let (router, site) = (Router::new(), site(vec![]));
    let mut documented: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for operation in check.operations() {
        let path = example_path(&operation, &asset_of(&site));
        let matched = router.find(&path).unwrap_or_else(|| panic!("{path} matches no route"));
        let outcome = answer_by_method(matched.route.methods, &operation.method.parse().unwrap());
        assert!(!matches!(outcome, Some(Err(_))), "{} {path}", operation.method);
        documented.entry(matched.pattern.as_str()).or_default().insert(operation.method);
    }
    for pattern in RoutePattern::VARIANTS {
        let allow = route(*pattern).methods.allow();
        let allowed = allow.to_str().unwrap().split(", ").map(str::to_owned).collect();
        assert_eq!(documented.remove(pattern.as_str()), Some(allowed), "{pattern:?}");
    }
    assert_eq!(documented, BTreeMap::new());
}

/// The parameters that a route takes, as it tells when asked for another one.
fn taken(site: &Site, target: &str) -> BTreeSet<String> {
    let response = get(site, &format!("{target}colour=blue"), &[]);
    assert_eq!(response.status(), 400, "{target}");
    let problem: Json = serde_json::from_str(text(&response)).unwrap();
    let detail = problem["detail"].as_str().unwrap().to_owned();
    let known = detail.strip_prefix("There is no parameter \"colour\" here").unwrap();
    let known = known.trim_start_matches("; there are ").trim_start_matches("; there is ");
    let known = known.trim_end_matches('.').replace(" and ", ", ");
    known.split(", ").filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// Whether a route refuses parameters that it does not know. Pages and the like ignore them.
fn is_strict(path: &str) -> bool {
    path.starts_with("/api/") || path.starts_with("/chart/")
}

#[test]
fn every_parameter_is_documented_and_nothing_else() {
    let (_folder, site) = place(sources());
    let strict = SchemaCheck::new().operations().into_iter().filter(|it| is_strict(&it.path));
    for operation in strict.filter(|it| it.method == "GET") {
        let path = example_path(&operation, "");
        let told = in_query(&operation).into_iter().map(|(name, ..)| name).collect();
        assert_eq!(taken(&site, &format!("{path}?{}", required(&operation))), told, "{path}");
    }
}

/// Values that no schema of the document allows for a parameter.
fn invalid(parameter: &Json) -> Vec<Json> {
    let schema = &parameter["schema"];
    let mut values = vec![json!(""), json!("\u{1}"), json!("é,"), json!("no such")];
    if let Some(least) = schema["minimum"].as_i64() {
        values.push(json!(least - 1));
    }
    if let Some(most) = schema["maximum"].as_i64().filter(|_| schema["type"] == "integer") {
        values.push(json!(most + 1));
    }
    match schema["type"].as_str() {
        Some("integer") => {
            values.extend([json!("1.5"), json!("+1"), json!("99999999999999999999")])
        }
        Some("number") => values.extend([json!(0), json!("1e3"), json!("NaN"), json!(-1)]),
        // Any text may be the name of a source of long ago.
        Some("string") if schema.as_object().unwrap().len() == 1 => values.clear(),
        _ => {}
    }
    values
}

#[test]
fn each_example_is_understood_and_each_malformed_value_refused() {
    let (_folder, site) = place(vec![tank()]);
    let strict = SchemaCheck::new().operations().into_iter().filter(|it| is_strict(&it.path));
    for operation in strict.filter(|it| it.method == "GET") {
        let path = example_path(&operation, "");
        for (name, parameter, examples) in in_query(&operation) {
            let asked = |value: &Json| {
                let others = match parameter["required"] == true {
                    true => String::new(),
                    false => required(&operation),
                };
                let target = format!("{path}?{others}{name}={}", encoded(value));
                (get(&site, &target, &[]).status().as_u16(), target)
            };
            for value in examples {
                let (status, target) = asked(&value);
                assert_eq!(status, 200, "{target}");
            }
            let choices = parameter["schema"]["enum"].as_array().into_iter().flatten();
            let bounds = [&parameter["schema"]["minimum"], &parameter["schema"]["maximum"]];
            let bounds = bounds.into_iter().filter(|it| it.is_i64() || it.is_u64());
            for value in choices.chain(bounds) {
                let (status, target) = asked(value);
                assert_ne!(status, 400, "{target}");
            }
            for value in invalid(parameter) {
                let (status, target) = asked(&value);
                assert_eq!(status, 400, "{target}");
            }
        }
    }
}

#[test]
fn real_answers_are_what_it_says() {
    let check = SchemaCheck::new();
    let mut seen: HashSet<(String, u16)> = HashSet::new();
    for sources in [sources(), vec![tank()], vec![]] {
        let (_folder, site) = place(sources);
        for operation in check.operations() {
            let path = example_path(&operation, &asset_of(&site));
            let target = format!("{path}?{}", required(&operation));
            let target = target.trim_end_matches(['?', '&']);
            let mut judged = |target: &str, fields: &[(&str, &str)]| {
                let response = ask(&site, &operation.method, target, fields);
                let status = response.status().as_u16();
                seen.insert((operation.id.clone(), status));
                let verdict = check.response(&operation, response);
                assert_eq!(verdict, Ok(()), "{} {target} {fields:?}", operation.method);
                status
            };
            judged(target, &[]);
            judged(&target.replace("tank", "none").replace(".css", ".none"), &[]);
            judged(target, &[("accept", "text/html")]);
            judged(target, &[("accept-encoding", "gzip")]);
            judged(target, &[("if-none-match", "*")]);
            judged(target, &[("if-match", "\"other\"")]);
            judged(target, &[("if-unmodified-since", "Sat, 31 Jan 1970 17:16:00 GMT")]);
            judged(target, &[("origin", "https://evil.example"), ("host", "here")]);
            judged(&format!("{path}?%zz=1"), &[]);
            for (name, _, examples) in in_query(&operation) {
                for value in examples.iter().chain([&json!(0)]) {
                    let query = format!("{}{name}={}", required(&operation), encoded(value));
                    judged(&format!("{path}?{query}"), &[]);
                }
            }
        }
    }
    for (site, method, target, fields, form) in sign_ins() {
        let operations = check.operations();
        let path = target.split('?').next().unwrap();
        let operation = operations.iter().find(|it| it.path == path && it.method == method);
        let mut request = request(method, target, fields);
        request.body = form.into();
        let response = site.answer(&request, now(), &Activity::default()).1;
        let status = response.status().as_u16();
        seen.insert((operation.unwrap().id.clone(), status));
        assert_eq!(check.response(operation.unwrap(), response), Ok(()), "{method} {target}");
    }
    // What it tells of and what was seen here are the same, but for what others add and do.
    let elsewhere = ["401", "403", "429", "503", "default"];
    for operation in check.operations() {
        for status in operation.responses.as_object().unwrap().keys() {
            let known =
                status.parse().is_ok_and(|code| seen.contains(&(operation.id.clone(), code)));
            let other_method = status == "405";
            // OPTIONS looks at the address only.
            let other_address = operation.method == "OPTIONS" && matches!(&**status, "400" | "404");
            let lenient = status == "400" && !is_strict(&operation.path);
            assert!(
                known
                    || other_method
                    || other_address
                    || lenient
                    || elsewhere.contains(&status.as_str()),
                "{}: {status} was never answered",
                operation.id
            );
        }
    }
}

type SignIn =
    (Rc<Site>, &'static str, &'static str, &'static [(&'static str, &'static str)], String);

/// Requests of browsers that sign in and out, right and wrong.
fn sign_ins() -> Vec<SignIn> {
    const FORM: &[(&str, &str)] = &[("content-type", "application/x-www-form-urlencoded")];
    let user = |name: &str| User {
        name: name.to_owned(),
        password_hash: PasswordHash::cheap("right"),
        scopes: Scopes::default(),
    };
    let under = |restricted| {
        let admission = Admission::Restricted(restricted);
        Rc::new(site_under(vec![tank()], Rules { admission, ..Rules::default() }))
    };
    let people = under(Restricted { users: vec![user("anna")], ..Restricted::default() });
    let scripts = under(Restricted::default());
    let form = |text: &str| text.to_owned();
    let mut asked = vec![
        (people.clone(), "GET", "/login?next=/source/tank", &[][..], form("")),
        (people.clone(), "HEAD", "/login", &[], form("")),
        (people.clone(), "POST", "/login", FORM, form("username=anna&password=right")),
        (people.clone(), "POST", "/login", FORM, form("username=anna&password=wrong")),
        (people.clone(), "POST", "/login", FORM, form("username=anna")),
        (people.clone(), "POST", "/login", FORM, "x".repeat(9000)),
        (people.clone(), "POST", "/login", &[], form("username=anna&password=right")),
        (people.clone(), "POST", "/login", &[("sec-fetch-site", "cross-site")], form("")),
        (people.clone(), "POST", "/logout", &[], form("")),
    ];
    let throttled = |number| form(&format!("username=bert&password={number}"));
    asked.extend((0..8).map(|number| (people.clone(), "POST", "/login", FORM, throttled(number))));
    for method in ["GET", "HEAD", "POST"] {
        asked.push((scripts.clone(), method, "/login", &[], form("")));
    }
    asked
}

#[test]
fn other_methods_are_told_what_there_is() {
    let check = SchemaCheck::new();
    let (_folder, site) = place(sources());
    for operation in check.operations() {
        let target = example_path(&operation, &asset_of(&site));
        let documented = check.document["paths"][&operation.path].as_object().unwrap();
        for method in ["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH", "TRACE", "BREW"]
        {
            let is_told = documented.contains_key(&method.to_ascii_lowercase());
            let response = ask(&site, method, &target, &[]);
            let refused = if method == "BREW" { 501 } else { 405 };
            assert_eq!(response.status() == refused, !is_told, "{method} {target}");
            // No operation has an unknown method, so that only `default` describes its 501.
            if !is_told && refused == 405 {
                let as_asked = Operation { method: Method::GET.to_string(), ..operation.clone() };
                assert_eq!(check.response(&as_asked, response), Ok(()), "{method} {target}");
            }
        }
    }
}

#[test]
fn its_examples_are_what_it_says() {
    let check = SchemaCheck::new();
    let mut tried = 0;
    let mut try_content = |response: &Json| {
        for media in response["content"].as_object().into_iter().flat_map(|it| it.values()) {
            let schema = media["schema"]["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
            if let Some(example) = media.get("example") {
                assert_eq!(check.faults(schema, example), Vec::<String>::new(), "{example}");
                tried += 1;
            }
        }
    };
    for operation in check.operations() {
        operation
            .responses
            .as_object()
            .unwrap()
            .values()
            .for_each(|it| try_content(check.resolved(it)));
    }
    assert!(tried > 20, "{tried}");
}

#[test]
fn it_holds_together() {
    let check = SchemaCheck::new();
    let mut ids = HashSet::new();
    for operation in check.operations() {
        assert!(ids.insert(operation.id.clone()), "{} is there twice", operation.id);
    }
    // Every part is used, and every reference leads somewhere.
    let mut used = BTreeSet::new();
    collect_references(&check.document, &mut used);
    for kind in ["schemas", "parameters", "headers", "responses"] {
        for name in check.document["components"][kind].as_object().unwrap().keys() {
            let place = format!("#/components/{kind}/{name}");
            assert!(used.remove(&place), "{place} is not used");
        }
    }
    assert_eq!(used, BTreeSet::new());
}

fn collect_references(json: &Json, into: &mut BTreeSet<String>) {
    match json {
        Json::Object(members) => {
            into.extend(members.get("$ref").and_then(Json::as_str).map(str::to_owned));
            members.values().for_each(|member| collect_references(member, into));
        }
        Json::Array(items) => items.iter().for_each(|item| collect_references(item, into)),
        _ => {}
    }
}
