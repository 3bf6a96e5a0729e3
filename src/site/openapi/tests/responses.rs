//! Responses: those of the site match the document.

use std::collections::HashSet;
use std::rc::Rc;

use http::Method;
use serde_json::json;

use super::super::fixture::{
    asset_of, encoded, example_path, in_query, is_strict, recorded_site, required, send, sources,
};
use super::super::schema_check::{Operation, SchemaCheck};
use crate::access::{Admission, PasswordHash, Restricted, Rules, Scopes, User};
use crate::engine::Activity;
use crate::site::Site;
use crate::site::fixture::{now, request, site_under, tank};

#[test]
fn response_of_each_operation_matches_the_document() {
    let check = SchemaCheck::new();
    let mut seen: HashSet<(String, u16)> = HashSet::new();
    for sources in [sources(), vec![tank()], vec![]] {
        let (_folder, site) = recorded_site(sources);
        for operation in check.operations() {
            let path = example_path(&operation, &asset_of(&site));
            let target = format!("{path}?{}", required(&operation));
            let target = target.trim_end_matches(['?', '&']);
            let mut check_request = |target: &str, fields: &[(&str, &str)]| {
                let response = send(&site, &operation.method, target, fields);
                let status = response.status().as_u16();
                seen.insert((operation.id.clone(), status));
                let outcome = check.response(&operation, response);
                assert_eq!(outcome, Ok(()), "{} {target} {fields:?}", operation.method);
                status
            };
            check_request(target, &[]);
            check_request(&target.replace("tank", "none").replace(".css", ".none"), &[]);
            check_request(target, &[("accept", "text/html")]);
            check_request(target, &[("accept-encoding", "gzip")]);
            check_request(target, &[("if-none-match", "*")]);
            check_request(target, &[("if-match", "\"other\"")]);
            check_request(target, &[("if-unmodified-since", "Sat, 31 Jan 1970 17:16:00 GMT")]);
            check_request(target, &[("origin", "https://evil.example"), ("host", "here")]);
            check_request(&format!("{path}?%zz=1"), &[]);
            for (name, _, examples) in in_query(&operation) {
                for value in examples.iter().chain([&json!(0)]) {
                    let query = format!("{}{name}={}", required(&operation), encoded(value));
                    check_request(&format!("{path}?{query}"), &[]);
                }
            }
        }
    }
    for (site, method, target, fields, form) in sign_ins() {
        let operations = check.operations();
        let path = target.split('?').next().unwrap();
        let operation = operations
            .iter()
            .find(|candidate| candidate.path == path && candidate.method == method);
        let mut request = request(method, target, fields);
        request.body = form.into();
        let response = site.answer(&request, now(), &Activity::default()).1;
        let status = response.status().as_u16();
        seen.insert((operation.unwrap().id.clone(), status));
        assert_eq!(check.response(operation.unwrap(), response), Ok(()), "{method} {target}");
    }
    // Every documented response was seen, except those of access, load and other methods.
    let elsewhere = ["401", "403", "429", "503", "default"];
    for operation in check.operations() {
        for status in operation.responses.as_object().unwrap().keys() {
            let was_seen =
                status.parse().is_ok_and(|code| seen.contains(&(operation.id.clone(), code)));
            let other_method = status == "405";
            // OPTIONS looks at the address only.
            let other_address = operation.method == "OPTIONS" && matches!(&**status, "400" | "404");
            let lenient = status == "400" && !is_strict(&operation.path);
            assert!(
                was_seen
                    || other_method
                    || other_address
                    || lenient
                    || elsewhere.contains(&status.as_str()),
                "{}: {status} was in no response",
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
    let mut requests = vec![
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
    requests
        .extend((0..8).map(|number| (people.clone(), "POST", "/login", FORM, throttled(number))));
    for method in ["GET", "HEAD", "POST"] {
        requests.push((scripts.clone(), method, "/login", &[], form("")));
    }
    requests
}

#[test]
fn undocumented_method_is_405_or_501() {
    let check = SchemaCheck::new();
    let (_folder, site) = recorded_site(sources());
    for operation in check.operations() {
        let target = example_path(&operation, &asset_of(&site));
        let documented = check.document["paths"][&operation.path].as_object().unwrap();
        for method in ["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH", "TRACE", "BREW"]
        {
            let is_documented = documented.contains_key(&method.to_ascii_lowercase());
            let response = send(&site, method, &target, &[]);
            let refused = if method == "BREW" { 501 } else { 405 };
            assert_eq!(response.status() == refused, !is_documented, "{method} {target}");
            // No operation has an unknown method, so that only `default` describes its 501.
            if !is_documented && refused == 405 {
                let as_get = Operation { method: Method::GET.to_string(), ..operation.clone() };
                assert_eq!(check.response(&as_get, response), Ok(()), "{method} {target}");
            }
        }
    }
}
