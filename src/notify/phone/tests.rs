use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;

use super::*;
use crate::alert::{EndReason, NoticeKind};
use crate::config::{self, ChannelKind, Secret, Severity};
use crate::notify::channel;
use crate::notify::delivery::DeliveryFault;
use crate::notify::fake::{Reply, Server};
use crate::notify::fixture::{self, context, delivery, ended, fired, notice, of_source};

/// Bound that a slow machine does not reach.
const AMPLE: Duration = Duration::from_secs(20);

const TOKEN: &str = "123456:s3cretTOKEN";

/// Returns the configuration of a service at a URL.
type Kind = fn(String) -> ChannelKind;

/// Service, status, header fields and body of a response, and what follows.
type Answer = (Kind, &'static str, &'static str, &'static str, DeliveryFault, Option<Duration>);

/// Length of a text by the measure of a service.
type Length = fn(&str) -> usize;

fn secret(text: impl Into<String>) -> Secret {
    Secret::new(text.into())
}

fn ntfy(url: String) -> ChannelKind {
    let topic = secret("s3cretTOPIC");
    ChannelKind::Ntfy(config::Ntfy { url: secret(url), topic, token: Some(secret(TOKEN)) })
}

fn pushover(url: String) -> ChannelKind {
    let user = secret("s3cretUSER");
    ChannelKind::Pushover(config::Pushover { url: secret(url), token: secret(TOKEN), user })
}

fn telegram(url: String) -> ChannelKind {
    let chat = secret("-1001234567");
    ChannelKind::Telegram(config::Telegram { url: secret(url), token: secret(TOKEN), chat })
}

fn discord(url: String) -> ChannelKind {
    ChannelKind::Discord(secret(url))
}

fn slack(url: String) -> ChannelKind {
    ChannelKind::Slack(secret(url))
}

fn deliver(kind: ChannelKind, delivery: &Delivery) -> Result<(), DeliveryError> {
    let channel = channel(&fixture::config(kind), &context());
    channel.deliver(delivery, Instant::now() + AMPLE)
}

const TEXT: &str = "280 gal, 3 min ago: Cistern volume below 300 gal\nRate: −12 gal/h";
const LINK: &str = "https://tank.example/pumphouse/source/cistern";

#[test]
fn each_service_gets_its_document() {
    let whole = format!("{TEXT}\n{LINK}");
    let cases: [(Kind, &str, &str, Value); 5] = [
        (
            ntfy,
            "/",
            "POST / HTTP/1.1",
            json!({
                "topic": "s3cretTOPIC", "title": "280 gal: Cistern volume", "message": TEXT,
                "priority": 5, "tags": ["rotating_light"], "click": LINK,
            }),
        ),
        (
            pushover,
            "",
            "POST /1/messages.json HTTP/1.1",
            json!({
                "token": TOKEN, "user": "s3cretUSER", "title": "280 gal: Cistern volume",
                "message": TEXT, "priority": 1, "timestamp": 1_770_098_280, "url": LINK,
                "url_title": "Open the page",
            }),
        ),
        (
            telegram,
            "/",
            "POST /bot123456:s3cretTOKEN/sendMessage HTTP/1.1",
            json!({
                "chat_id": -1_001_234_567, "text": whole,
                "link_preview_options": { "is_disabled": true },
            }),
        ),
        (
            discord,
            "/api/webhooks/1/s3cret?wait=true",
            "POST /api/webhooks/1/s3cret?wait=true HTTP/1.1",
            json!({ "content": whole, "allowed_mentions": { "parse": [] } }),
        ),
        (
            slack,
            "/services/T/B/s3cret",
            "POST /services/T/B/s3cret HTTP/1.1",
            json!({ "text": whole }),
        ),
    ];
    for (kind, path, line, document) in cases {
        let server = Server::new(Reply::ok("ok"));
        deliver(kind(server.url(path)), &delivery([fired()])).unwrap();
        let requests = server.requests();
        assert_eq!((requests.len(), requests[0].json()), (1, document));
        let head = &requests[0].head;
        assert!(head.starts_with(&format!("{line}\r\n")), "{head}");
        assert!(head.contains("content-type: application/json\r\n"), "{head}");
        assert!(head.contains("user-agent: pumphouse-web/test\r\n"), "{head}");
        let authorization = format!("authorization: Bearer {TOKEN}\r\n");
        assert_eq!(head.contains(&authorization), document_is_of_ntfy(&requests[0].json()));
    }
}

fn document_is_of_ntfy(document: &Value) -> bool {
    document.get("topic").is_some()
}

#[test]
fn priority_follows_the_severity_and_the_end() {
    let of = |severity| notice(NoticeKind::Fired, of_source("barn", severity));
    let mut over = ended(EndReason::Resolved);
    over.severity = Severity::Critical;
    for (notice, ntfy_priority, tag, pushover_priority) in [
        (of(Severity::Info), 3, "information_source", -1),
        (of(Severity::Warning), 4, "warning", 0),
        (of(Severity::Critical), 5, "rotating_light", 1),
        (notice(NoticeKind::Ended, over), 3, "white_check_mark", 0),
    ] {
        let server = Server::new(Reply::ok("{\"status\":1}"));
        let delivery = delivery([notice]);
        deliver(ntfy(server.url("/")), &delivery).unwrap();
        deliver(pushover(server.url("")), &delivery).unwrap();
        let requests = server.requests();
        let ntfy = requests[0].json();
        assert_eq!((&ntfy["priority"], &ntfy["tags"]), (&json!(ntfy_priority), &json!([tag])));
        assert_eq!(requests[1].json()["priority"], pushover_priority);
    }
}

#[test]
fn long_text_keeps_to_the_limit_of_each_service() {
    let notices = (0..50).map(|number| {
        let mut incident = of_source(&format!("tank_{number}"), Severity::Warning);
        incident.title = "🌧&<*_".repeat(300).into();
        notice(NoticeKind::Fired, incident)
    });
    let delivery = delivery(notices);
    let cases: [(Kind, &str, usize, Length); 5] = [
        (ntfy, "message", 4096, str::len),
        (pushover, "message", 1024, |text| text.chars().count()),
        (telegram, "text", 4096, |text| text.encode_utf16().count()),
        (discord, "content", 2000, |text| text.encode_utf16().count()),
        (slack, "text", 15_000, |text| text.chars().count()),
    ];
    for (kind, member, limit, length) in cases {
        let server = Server::new(Reply::ok("ok"));
        deliver(kind(server.url("/")), &delivery).unwrap();
        let document = server.requests()[0].json();
        let text = document[member].as_str().unwrap();
        assert!(length(text) <= limit && length(text) > limit / 3, "{member}: {}", length(text));
        assert!(text.contains(" more characters)"), "{text}");
    }
}

#[test]
fn markup_in_a_title_is_escaped() {
    let mut incident = fixture::incident();
    incident.title = "<!here> *a_b* & @everyone".into();
    let delivery = delivery([notice(NoticeKind::Fired, incident)]);
    let server = Server::new(Reply::ok("ok"));
    deliver(slack(server.url("/")), &delivery).unwrap();
    deliver(discord(server.url("/")), &delivery).unwrap();
    let requests = server.requests();
    let text = |number: usize, member: &str| {
        requests[number].json()[member].as_str().unwrap().lines().next().unwrap().to_owned()
    };
    assert_eq!(
        text(0, "text"),
        "280 gal, 3 min ago: &lt;!here&gt; *a_b* &amp; @everyone volume below 300 gal"
    );
    assert_eq!(
        text(1, "content"),
        r"280 gal, 3 min ago: \<!here\> \*a\_b\* & @everyone volume below 300 gal"
    );
}

#[test]
fn answers_of_services_have_their_consequence() {
    use DeliveryFault::{Refused, Transient, Undeliverable};
    let seconds = |seconds: f64| Some(Duration::from_secs_f64(seconds));
    let cases: [Answer; 19] = [
        (
            ntfy,
            "429 Too Many Requests",
            "Retry-After: 7\r\n",
            r#"{"error":"limit reached"}"#,
            Transient,
            seconds(7.0),
        ),
        (
            ntfy,
            "403 Forbidden",
            "",
            r#"{"code":40301,"http":403,"error":"forbidden"}"#,
            Refused,
            None,
        ),
        (
            pushover,
            "400 Bad Request",
            "",
            r#"{"user":"invalid","errors":["user identifier is invalid"],"status":0}"#,
            Refused,
            None,
        ),
        (
            pushover,
            "400 Bad Request",
            "",
            r#"{"message":"cannot be blank","errors":["message cannot be blank"],"status":0}"#,
            Undeliverable,
            None,
        ),
        (pushover, "200 OK", "", r#"{"errors":["x"],"status":0}"#, Undeliverable, None),
        (
            telegram,
            "429 Too Many Requests",
            "",
            r#"{"ok":false,"error_code":429,"description":"Too Many Requests","parameters":{"retry_after":31}}"#,
            Transient,
            seconds(31.0),
        ),
        (
            telegram,
            "400 Bad Request",
            "",
            r#"{"ok":false,"error_code":400,"description":"Bad Request: chat not found"}"#,
            Refused,
            None,
        ),
        (
            telegram,
            "400 Bad Request",
            "",
            r#"{"ok":false,"error_code":400,"description":"Bad Request: message is too long"}"#,
            Undeliverable,
            None,
        ),
        (
            telegram,
            "200 OK",
            "",
            r#"{"ok":false,"error_code":401,"description":"Unauthorized"}"#,
            Refused,
            None,
        ),
        (
            discord,
            "429 Too Many Requests",
            "",
            r#"{"message":"You are being rate limited.","retry_after":0.5,"global":false}"#,
            Transient,
            seconds(0.5),
        ),
        (
            telegram,
            "400 Bad Request",
            "",
            r#"{"ok":false,"error_code":400,"description":"Bad Request: not enough rights to send text messages to the chat"}"#,
            Refused,
            None,
        ),
        (
            telegram,
            "400 Bad Request",
            "",
            r#"{"ok":false,"error_code":400,"description":"Bad Request: need administrator rights in the channel chat"}"#,
            Refused,
            None,
        ),
        (
            telegram,
            "403 Forbidden",
            "",
            r#"{"ok":false,"error_code":403,"description":"Forbidden: bot was kicked from the group chat"}"#,
            Refused,
            None,
        ),
        (
            discord,
            "400 Bad Request",
            "",
            r#"{"message":"Invalid Form Body","code":50035,"errors":{"webhook_id":{"_errors":[]}}}"#,
            Refused,
            None,
        ),
        (
            discord,
            "400 Bad Request",
            "",
            r#"{"message":"Invalid Form Body","code":50035,"errors":{"content":{"_errors":[]}}}"#,
            Undeliverable,
            None,
        ),
        (slack, "200 OK", "", r#"{"ok":false,"error":"invalid_payload"}"#, Undeliverable, None),
        (slack, "400 Bad Request", "", "user_not_found", Refused, None),
        (slack, "400 Bad Request", "", "msg_too_long", Undeliverable, None),
        (ntfy, "400 Bad Request", "", r#"{"code":40009,"error":"invalid topic"}"#, Refused, None),
    ];
    for (kind, status, fields, body, fault, retry_after) in cases {
        let server = Server::new(Reply::with(status, fields, body));
        let error = deliver(kind(server.url("/")), &delivery([fired()])).unwrap_err();
        assert_eq!((error.fault, error.retry_after), (fault, retry_after), "{body}: {error}");
        assert!(error.message.starts_with(&format!("the response was {status}: ")), "{error}");
    }
}

#[test]
fn error_shows_no_secret_that_the_server_echoes() {
    let kinds: [Kind; 5] = [ntfy, pushover, telegram, discord, slack];
    for kind in kinds {
        let echo =
            format!("bad {TOKEN} s3cretTOPIC s3cretUSER -1001234567 /hook/s3cretPATH/x s3cretPATH");
        let server = Server::new(Reply::with("401 Unauthorized", "", &echo));
        let kind = kind(server.url("/hook/s3cretPATH/x?k=s3cretQUERY"));
        let shown = format!("{kind:?}");
        assert!(!shown.contains("s3cret"), "{shown}");
        let owned: Vec<Arc<str>> = match &kind {
            ChannelKind::Ntfy(_) => vec![TOKEN.into(), "s3cretTOPIC".into(), "s3cretPATH".into()],
            ChannelKind::Pushover(_) => vec![TOKEN.into(), "s3cretUSER".into()],
            ChannelKind::Telegram(_) => vec![TOKEN.into(), "-1001234567".into()],
            _ => vec!["s3cretPATH".into()],
        };
        let error = deliver(kind, &delivery([fired()])).unwrap_err();
        assert_eq!(error.fault, DeliveryFault::Refused);
        for secret in owned {
            assert!(!format!("{error:?}").contains(&*secret), "{error:?}");
        }
    }
}
