//! Parameters: those of the routes are those of the document.

use std::collections::BTreeSet;

use serde_json::{Value as Json, json};

use super::super::fixture::{
    encoded, example_path, grouped, in_query, is_strict, recorded_site, required, sources,
};
use super::super::schema_check::SchemaCheck;
use crate::site::Site;
use crate::site::fixture::{get, tank, text};

/// Returns the parameters of a route, as its problem for an unknown one lists them.
fn accepted_parameters(site: &Site, target: &str) -> BTreeSet<String> {
    let response = get(site, &format!("{target}colour=blue"), &[]);
    assert_eq!(response.status(), 400, "{target}");
    let problem: Json = serde_json::from_str(text(&response)).unwrap();
    let detail = problem["detail"].as_str().unwrap().to_owned();
    let names = detail.strip_prefix("There is no parameter \"colour\" here").unwrap();
    let names = names.trim_start_matches("; there are ").trim_start_matches("; there is ");
    let names = names.trim_end_matches('.').replace(" and ", ", ");
    names.split(", ").filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

#[test]
fn parameters_of_each_route_are_those_of_the_document() {
    let (_folder, site) = recorded_site(sources());
    let strict =
        SchemaCheck::new().operations().into_iter().filter(|operation| is_strict(&operation.path));
    for operation in strict.filter(|operation| operation.method == "GET") {
        let path = example_path(&operation, "");
        let documented = in_query(&operation).into_iter().map(|(name, ..)| name).collect();
        assert_eq!(
            accepted_parameters(&site, &format!("{path}?{}", required(&operation))),
            documented,
            "{path}"
        );
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
        // Any text may be the name of a source that was removed from the configuration.
        Some("string") if schema.as_object().unwrap().len() == 1 => values.clear(),
        _ => {}
    }
    values
}

#[test]
fn documented_example_is_accepted_and_malformed_value_is_400() {
    let (_folder, site) = recorded_site(vec![grouped(tank())]);
    let strict =
        SchemaCheck::new().operations().into_iter().filter(|operation| is_strict(&operation.path));
    for operation in strict.filter(|operation| operation.method == "GET") {
        let path = example_path(&operation, "");
        for (name, parameter, examples) in in_query(&operation) {
            let status_of = |value: &Json| {
                let others = match parameter["required"] == true {
                    true => String::new(),
                    false => required(&operation),
                };
                let target = format!("{path}?{others}{name}={}", encoded(value));
                (get(&site, &target, &[]).status().as_u16(), target)
            };
            for value in examples {
                let (status, target) = status_of(&value);
                assert_eq!(status, 200, "{target}");
            }
            let choices = parameter["schema"]["enum"].as_array().into_iter().flatten();
            let bounds = [&parameter["schema"]["minimum"], &parameter["schema"]["maximum"]];
            let bounds = bounds.into_iter().filter(|bound| bound.is_i64() || bound.is_u64());
            for value in choices.chain(bounds) {
                let (status, target) = status_of(value);
                assert_ne!(status, 400, "{target}");
            }
            for value in invalid(parameter) {
                let (status, target) = status_of(&value);
                assert_eq!(status, 400, "{target}");
            }
        }
    }
}
