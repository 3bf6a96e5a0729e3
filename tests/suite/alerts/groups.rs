//! Groups of alerts: a receiver that keeps a ticket for each group closes it once nothing of the group fires.

use hostile::config::{Config, Source};
use hostile::receiver::AlertmanagerReceiver;
use hostile::upstream::Upstream;
use serde_json::{Value, json};

use super::{FULL, LOW, webhook};
use crate::harness::eventually;
use crate::server::Server;

/// Returns the statuses that a body has for the alerts of a rule: that of the group, and those of the sources.
fn group(body: &Value) -> Option<(String, Vec<(String, String)>)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (body["groupLabels"]["alertname"] == "level_low").then(|| {
        let alerts = body["alerts"].as_array().cloned().unwrap_or_default();
        let of_source = |it: &Value| (text(&it["labels"]["source"]), text(&it["status"]));
        (text(&body["status"]), alerts.iter().map(of_source).collect())
    })
}

#[test]
fn group_is_resolved_with_its_last_source_also_after_a_restart() {
    let receiver = AlertmanagerReceiver::start(None);
    let upstreams = [Upstream::answering(LOW), Upstream::answering(LOW), Upstream::answering(FULL)];
    let sources = upstreams.iter().zip(["a", "b", "c"]).map(|(upstream, name)| {
        let source = Source::json(name, &upstream.url()).value("level", "/level", "%");
        source.set("interval", "1s")
    });
    let rule = json!({ "name": "level_low", "field": "*.level", "below": "40 %", "clear": "50 %" });
    let config = Config::https()
        .sources(sources)
        .push("alert", rule)
        .push("notify", webhook("hook", receiver.address()));
    let bodies = || -> Vec<(String, Vec<(String, String)>)> {
        let bodies = receiver.taken().into_iter();
        bodies.filter_map(|it| group(&it.json().unwrap_or_default())).collect()
    };
    let latest = || bodies().last().cloned().unwrap_or_default();
    let of = |status: &str, sources: &[(&str, &str)]| {
        let sources = sources.iter().map(|(name, of)| ((*name).to_owned(), (*of).to_owned()));
        (status.to_owned(), sources.collect::<Vec<_>>())
    };
    let server = Server::start(&config);
    eventually("both fire", || {
        let latest = latest();
        latest.0 == "firing" && latest.1.len() == 2
    });
    upstreams[0].set(Some(FULL));
    eventually("one has ended and the other fires still", || {
        latest() == of("firing", &[("a", "resolved"), ("b", "firing")])
    });

    server.signal("KILL");
    upstreams[2].set(Some(LOW));
    let server = server.start_again(&config);
    eventually("a third one fires beside the one of before", || {
        latest() == of("firing", &[("c", "firing"), ("b", "firing")])
    });
    upstreams[1].set(Some(FULL));
    eventually("the third one fires still", || {
        latest() == of("firing", &[("b", "resolved"), ("c", "firing")])
    });
    assert!(bodies().iter().all(|(status, _)| status == "firing"), "{:?}", bodies());
    upstreams[2].set(Some(FULL));
    eventually("the group has ended", || latest() == of("resolved", &[("c", "resolved")]));
    assert_eq!(receiver.rejected(), [""; 0]);
    drop(server);
}
