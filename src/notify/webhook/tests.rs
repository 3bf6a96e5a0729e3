use std::time::Duration;

use super::*;
use crate::alert::NoticeKind;
use crate::config::{ChannelKind, Severity};
use crate::notify::channel;
use crate::notify::delivery::DeliveryFault;
use crate::notify::fake::{Received, Reply, Server};
use crate::notify::fixture::{config, context, delivery, fired, notice, of_source};

/// Bound that a slow machine does not reach.
const AMPLE: Duration = Duration::from_secs(20);

fn webhook(
    url: String,
    template: Option<&str>,
    content_type: Option<&'static str>,
) -> config::Webhook {
    config::Webhook {
        url: Secret::new(url),
        headers: vec![(http::header::AUTHORIZATION, Secret::new("Bearer s3crettoken".to_owned()))],
        template: template.map(|text| text.parse().unwrap()),
        content_type: content_type.map(HeaderValue::from_static),
    }
}

fn deliver(webhook: config::Webhook, delivery: &Delivery) -> Result<(), DeliveryError> {
    let channel = channel(&config(ChannelKind::Webhook(webhook)), &context());
    channel.deliver(delivery, Instant::now() + AMPLE)
}

#[test]
fn body_is_that_of_alertmanager_with_the_fields_of_the_configuration() {
    let server = Server::new(Reply::ok(""));
    deliver(webhook(server.url("/hook"), None, None), &delivery([fired()])).unwrap();
    let request = server.requests().remove(0);
    let expected = alertmanager::body(&delivery([fired()]), &context(), &"phone".into()).unwrap();
    assert_eq!(request.json(), expected);
    for field in [
        "authorization: Bearer s3crettoken\r\n",
        "content-type: application/json\r\n",
        "idempotency-key: phone-17\r\n",
    ] {
        assert!(request.head.contains(field), "{}", request.head);
    }
}

const TEMPLATE: &str = "{{\"text\": \"{title}: {value}\", \"state\": \"{state}\"}}";

fn hostile() -> Arc<Notice> {
    let mut incident = of_source("barn", Severity::Warning);
    incident.title = "\"Barn\"\\ {x}".into();
    notice(NoticeKind::Fired, incident)
}

#[test]
fn template_is_posted_for_each_incident_until_one_fails() {
    let server = Server::new(Reply::ok(""));
    let two = delivery([fired(), hostile()]);
    let hook = |url| webhook(url, Some(TEMPLATE), Some("application/json"));
    deliver(hook(server.url("/")), &two).unwrap();
    let requests = server.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[0].body, "{\"text\": \"Cistern: 280 gal\", \"state\": \"firing\"}");
    assert_eq!(requests[1].json()["text"], "\"Barn\"\\ {x}: 280 gal");
    let keys = keys(&requests);
    assert!(keys[0] != keys[1] && !keys[0].is_empty(), "{keys:?}");

    let failing = Server::new(Reply::with("401 Unauthorized", "", "no such token s3crettoken"));
    let error = deliver(hook(failing.url("/")), &two).unwrap_err();
    assert_eq!((error.fault, failing.requests().len()), (DeliveryFault::Refused, 1));
    assert_eq!(&*error.message, "the response was 401 Unauthorized: no such token [secret]");
}

#[test]
fn values_are_escaped_by_the_media_type_alone() {
    let server = Server::new(Reply::ok(""));
    for (template, content_type, expected) in [
        ("{title}", "text/plain; charset=utf-8", "\"Barn\"\\ {x}"),
        ("\"{title}\"", "application/x+json", "\"\\\"Barn\\\"\\\\ {x}\""),
        (
            "{{\"a\": \"{title}\"}}",
            "Application/JSON; charset=utf-8",
            "{\"a\": \"\\\"Barn\\\"\\\\ {x}\"}",
        ),
        ("[link]: {title}", "text/markdown", "[link]: \"Barn\"\\ {x}"),
        ("x {title}", "text/json", "x \\\"Barn\\\"\\\\ {x}"),
    ] {
        let hook = webhook(server.url("/"), Some(template), Some(content_type));
        deliver(hook, &delivery([hostile()])).unwrap();
        let last = server.requests().pop().unwrap();
        assert_eq!(last.body, expected);
        let field = format!("content-type: {content_type}\r\n");
        assert!(last.head.contains(&field), "{}", last.head);
    }
}

/// Returns the idempotency keys of requests.
fn keys(requests: &[Received]) -> Vec<String> {
    let key = |request: &Received| {
        let line = request.head.lines().find_map(|line| line.strip_prefix("idempotency-key: "));
        line.unwrap_or_default().to_owned()
    };
    requests.iter().map(key).collect()
}

fn fires(source: &str) -> Arc<Notice> {
    notice(NoticeKind::Fired, of_source(source, Severity::Warning))
}

/// Returns a channel whose template is the source, and whose deadlines are those of its caller.
fn sources(server: &Server) -> Box<dyn Deliver> {
    let webhook = webhook(server.url("/"), Some("{source}"), Some("text/plain"));
    channel(&config(ChannelKind::Webhook(webhook)), &context())
}

fn bodies(requests: &[Received]) -> Vec<String> {
    requests.iter().map(|request| request.body.clone()).collect()
}

#[test]
fn attempt_after_a_failure_amid_the_incidents_begins_with_the_one_that_failed() {
    let failure = Reply::with("503 Service Unavailable", "", "");
    let server = Server::scripted(vec![
        Reply::ok(""),
        failure.clone(),
        failure,
        Reply::ok(""),
        Reply::ok(""),
        Reply::ok(""),
    ]);
    let hook = sources(&server);
    let three = delivery([fires("a"), fires("b"), fires("c")]);
    let later = || Instant::now() + AMPLE;
    let error = hook.deliver(&three, later()).unwrap_err();
    assert_eq!((error.fault, error.progress), (DeliveryFault::Transient, Progress::Part));
    let error = hook.deliver(&three, later()).unwrap_err();
    assert_eq!((error.fault, error.progress), (DeliveryFault::Transient, Progress::Nothing));
    // Another notice has joined. The one that was taken is not posted again.
    let four = delivery([fires("a"), fires("b"), fires("c"), fires("d")]);
    assert_eq!(hook.deliver(&four, later()), Ok(()));
    let requests = server.requests();
    assert_eq!(bodies(&requests), ["a", "b", "b", "b", "c", "d"]);
    let keys = keys(&requests);
    assert!(keys[1] == keys[2] && keys[2] == keys[3], "the key of b: {keys:?}");
    // A message that has ended is forgotten.
    assert_eq!(hook.deliver(&four, later()), Ok(()));
    assert_eq!(server.requests().len(), 10);
}

#[test]
fn attempts_at_a_slow_receiver_end_with_the_last_incident() {
    let server = Server::new(Reply::Late(Duration::from_millis(100)));
    let hook = sources(&server);
    let many: Vec<String> = (0..8).map(|number| format!("tank_{number}")).collect();
    let message = delivery(many.iter().map(|source| fires(source)));
    let begun = Instant::now();
    let mut attempts = 0;
    while let Err(error) = hook.deliver(&message, Instant::now() + Duration::from_millis(350)) {
        assert_eq!(error.fault, DeliveryFault::Transient);
        attempts += 1;
        assert!(begun.elapsed() < AMPLE, "{attempts} attempts: {:?}", server.requests().len());
    }
    assert!(attempts >= 1, "all were posted before the deadline of the first attempt");
    let mut posted = bodies(&server.requests());
    posted.dedup();
    assert_eq!(posted, many, "in order, and only one that was cut off is posted again");
}

#[test]
fn alerts_of_several_names_are_a_body_each() {
    let mut other = of_source("barn", Severity::Warning);
    other.subject.alert = "barn_hot".into();
    let three = delivery([fired(), notice(NoticeKind::Fired, other), fires("shed")]);
    let failure = Reply::with("503 Service Unavailable", "", "");
    let server = Server::scripted(vec![Reply::ok(""), failure, Reply::ok("")]);
    let hook =
        channel(&config(ChannelKind::Webhook(webhook(server.url("/"), None, None))), &context());
    hook.deliver(&three, Instant::now() + AMPLE).unwrap_err();
    hook.deliver(&three, Instant::now() + AMPLE).unwrap();
    let requests = server.requests();
    let seen: Vec<_> = requests
        .iter()
        .map(|request| {
            let body = request.json();
            let alerts = body["alerts"].as_array().map_or(0, Vec::len);
            (body["groupLabels"]["alertname"].clone(), alerts)
        })
        .collect();
    assert_eq!(seen, [("tank_low".into(), 2), ("barn_hot".into(), 1), ("barn_hot".into(), 1)]);
    let keys = keys(&requests);
    assert!(keys[0] != keys[1] && keys[1] == keys[2], "{keys:?}");
}
