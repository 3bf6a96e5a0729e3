//! Rights to answer alerts: scopes, same-origin POST, and no GET that changes a state.

use std::collections::BTreeSet;

use hostile::config::Config;
use hostile::receiver::AlertmanagerReceiver;
use hostile::upstream::Upstream;
use serde_json::Value;

use super::{LOW, tank, tank_low, webhook};
use crate::access::{basic, token, user};
use crate::harness::eventually;
use crate::server::{Server, body, code, json};

/// Sends a request with these credentials and fields; returns the response.
fn ask(server: &Server, method: &str, target: &str, credentials: &str, fields: &str) -> String {
    let authorization = match credentials {
        "" => String::new(),
        credentials => format!("Authorization: {credentials}\r\n"),
    };
    server.ask(&format!(
        "{method} {target} HTTP/1.1\r\nHost: localhost\r\n{authorization}{fields}\r\n"
    ))
}

/// Returns the alert on `tank`, for an account.
fn shown_to(server: &Server, credentials: &str) -> Value {
    json(&ask(server, "GET", "/api/v1/alerts/tank_low", credentials, ""))["alerts"][0].clone()
}

/// Returns the targets of all references of a page: links, forms, pictures.
fn references(page: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for attribute in ["href=\"", "action=\"", "formaction=\"", "src=\""] {
        for rest in page.split(attribute).skip(1) {
            let target = rest.split('"').next().unwrap_or_default().replace("&amp;", "&");
            found.insert(target);
        }
    }
    found
}

/// Returns the path of a reference of a page on this site; `None`: it leads elsewhere.
fn resolved(base: &str, reference: &str) -> Option<String> {
    if reference.is_empty() || reference.starts_with('#') || reference.contains("//") {
        return None;
    }
    let reference = reference.split('#').next().unwrap_or_default();
    if reference.starts_with('?') {
        let path = base.split('?').next().unwrap_or_default();
        return Some(format!("{path}{reference}"));
    }
    if reference.starts_with('/') {
        return Some(reference.to_owned());
    }
    let path = base.split('?').next().unwrap_or_default();
    let mut folder: Vec<&str> = path.split('/').collect();
    folder.pop();
    for part in reference.split_inclusive('/') {
        match part {
            "./" | "." => {}
            "../" | ".." => {
                folder.pop();
            }
            part => folder.push(part.trim_end_matches('/')),
        }
    }
    let end = if reference.ends_with('/') { "/" } else { "" };
    let joined = folder.join("/");
    let joined = if joined.starts_with('/') { joined } else { format!("/{joined}") };
    Some(format!("{joined}{end}").replace("//", "/"))
}

#[test]
fn answers_need_the_scope_and_a_post_of_this_site() {
    let receiver = AlertmanagerReceiver::start(None);
    let upstream = Upstream::answering(LOW);
    let (robot, alert) = token(&["--name", "robot", "--scope", "alert"]);
    let (reader, read) = token(&["--name", "reader"]);
    let config = Config::https()
        .source(tank(&upstream))
        .push("notify", webhook("hook", receiver.address()))
        .push("alert", tank_low())
        .push("auth.user", user("anna", "right", &["read", "alert"]))
        .push("auth.user", user("ben", "right", &["read"]))
        .append(&alert)
        .append(&read);
    let server = Server::start(&config);
    let (anna, ben) = (basic("anna", "right"), basic("ben", "right"));
    let [robot, reader] = [robot, reader].map(|token| format!("Bearer {token}"));
    eventually("it fires", || shown_to(&server, &ben)["state"] == "firing");

    let commands = ["acknowledge", "silence?for=8h", "unsilence"];
    for command in commands {
        let target = format!("/api/v1/alerts/tank_low/{command}");
        for (credentials, expected) in [("", 401), (&*ben, 403), (&*reader, 403)] {
            let refused = ask(&server, "POST", &target, credentials, "");
            assert_eq!(code(&refused), expected, "{command}: {refused}");
        }
        for fields in [
            "Sec-Fetch-Site: cross-site\r\n",
            "Sec-Fetch-Site: same-site\r\n",
            "Origin: https://evil.example\r\n",
            "Origin: null\r\n",
        ] {
            let refused = ask(&server, "POST", &target, &anna, fields);
            assert_eq!(code(&refused), 403, "{command}, {fields}: {refused}");
        }
        for method in ["GET", "HEAD", "PUT", "DELETE"] {
            // There is no body to wait for in the response to HEAD.
            if method != "HEAD" {
                let refused = ask(&server, method, &target, &anna, "");
                assert_eq!(code(&refused), 405, "{method} {command}: {refused}");
            }
        }
    }
    let untouched = shown_to(&server, &ben);
    assert_eq!(untouched["state"], "firing", "{untouched}");
    assert!(untouched["silenced_until"].is_null(), "{untouched}");

    // A guest and a reader get no buttons.
    assert!(body(&ask(&server, "GET", "/", &anna, "")).contains("Acknowledge"));
    assert!(!body(&ask(&server, "GET", "/", &ben, "")).contains("Acknowledge"));

    let done = ask(&server, "POST", "/api/v1/alerts/tank_low/acknowledge", &robot, "");
    assert_eq!(code(&done), 200, "{done}");
    assert_eq!(json(&done)["alerts"][0]["acknowledged_by"], "robot");
    let same = "Sec-Fetch-Site: same-origin\r\nOrigin: https://localhost\r\n";
    let done = ask(&server, "POST", "/api/v1/alerts/tank_low/silence?for=8h", &anna, same);
    assert_eq!(code(&done), 200, "{done}");
    assert!(shown_to(&server, &ben)["silenced_until"].is_string());
}

/// Mail scanners request every link of a mail, and of the page behind it, without cookies and with those of
/// a browser that renders them.
#[test]
fn scanner_that_follows_every_link_of_every_page_answers_no_alert() {
    let receiver = AlertmanagerReceiver::start(None);
    let upstream = Upstream::answering(LOW);
    let config = super::config(&upstream, [webhook("hook", receiver.address())]);
    let server = Server::start(&config);
    let fired = super::wait_for_state(&server, "firing");
    let mut to_visit = vec!["/".to_owned()];
    let mut visited = BTreeSet::new();
    let mut commands = 0;
    while let Some(target) = to_visit.pop() {
        if !visited.insert(target.clone()) || visited.len() > 300 {
            continue;
        }
        let response = server.get(&target);
        commands += usize::from(target.contains("/acknowledge") || target.contains("/silence"));
        if response.to_ascii_lowercase().contains("content-type: text/html") {
            let found = references(body(&response));
            to_visit.extend(found.iter().filter_map(|it| resolved(&target, it)));
        }
    }
    assert!(visited.contains("/alert/tank_low") && visited.contains("/alerts"), "{visited:?}");
    assert!(commands >= 2, "the forms were not among the links: {visited:?}");
    let alert = super::shown(&server);
    for member in ["state", "incident", "acknowledged_by", "silenced_until"] {
        assert_eq!(alert[member], fired[member], "{member}");
    }
}
