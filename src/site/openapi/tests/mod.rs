//! Comparison of the document with the site.

mod parameters;
mod placeholders;
mod responses;
mod short_forms;

use std::collections::{BTreeMap, BTreeSet, HashSet};

use serde_json::Value as Json;
use strum::VariantArray as _;

use super::fixture::{asset_of, example_path};
use super::schema_check::SchemaCheck;
use crate::route_pattern::RoutePattern;
use crate::site::fixture::{get, site, text};
use crate::site::router::{Router, respond_by_method};
use crate::site::routes::route;

#[test]
fn document_is_served_as_json_with_an_entity_tag() {
    let site = site(vec![]);
    let response = get(&site, "/openapi.json", &[]);
    assert_eq!(response.headers()["content-type"], "application/json");
    assert_eq!(response.headers()["cache-control"], "max-age=3600");
    let served: Json = serde_json::from_str(text(&response)).unwrap();
    assert_eq!(served, SchemaCheck::new().document);
    assert_eq!(served["info"]["version"], env!("CARGO_PKG_VERSION"));
    assert!(text(&response).starts_with("{\"openapi\":\"3.1."), "people read from the top");
    let tag = response.headers()["etag"].to_str().unwrap();
    assert_eq!(get(&site, "/openapi.json", &[("if-none-match", tag)]).status(), 304);
    let packed = get(&site, "/openapi.json", &[("accept-encoding", "gzip")]);
    assert_eq!(packed.headers()["content-encoding"], "gzip");
}

#[test]
fn routes_and_methods_are_those_of_the_document() {
    let check = SchemaCheck::new();
    let (router, site) = (Router::new(), site(vec![]));
    let mut documented: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for operation in check.operations() {
        let path = example_path(&operation, &asset_of(&site));
        let matched = router.find(&path).unwrap_or_else(|| panic!("{path} matches no route"));
        let outcome = respond_by_method(matched.route.methods, &operation.method.parse().unwrap());
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

#[test]
fn example_of_the_document_matches_its_schema() {
    let check = SchemaCheck::new();
    let mut tried = 0;
    let mut try_content = |response: &Json| {
        for media in response["content"].as_object().into_iter().flat_map(|media| media.values()) {
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
            .for_each(|response| try_content(check.resolved(response)));
    }
    assert!(tried > 20, "{tried}");
}

#[test]
fn reference_of_the_document_is_resolved_and_each_component_used() {
    let check = SchemaCheck::new();
    let mut ids = HashSet::new();
    for operation in check.operations() {
        assert!(ids.insert(operation.id.clone()), "{} is there twice", operation.id);
    }
    // Every component is used, and every reference resolves.
    let mut used = BTreeSet::new();
    collect_references(&check.document, &mut used);
    for kind in ["schemas", "parameters", "headers", "responses"] {
        for name in check.document["components"][kind].as_object().unwrap().keys() {
            let reference = format!("#/components/{kind}/{name}");
            assert!(used.remove(&reference), "{reference} is not used");
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
