//! Numbers that depend on earlier polls, through a running poller.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use super::fake::{Upstream, head};
use super::polling::{board, start, until};
use crate::board::Snapshot;
use crate::config::{self, Source};

#[test]
fn step_is_shown_after_the_next_observation() {
    let level = Arc::new(AtomicI64::new(50));
    let sent = Arc::clone(&level);
    let upstream = Upstream::new(move |mut stream| {
        head(&mut stream);
        // Each level has a time of its own: the same level is the same observation.
        let level = sent.load(Ordering::SeqCst);
        let body = format!("{{\"level\":{level},\"at\":{}}}", 1_769_879_760 + level);
        let length = body.len();
        let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
    });
    let text = format!(
        "[[source]]\nname = \"tank\"\nkind = \"json\"\nurl = \"{}\"\n\
         observed_at = {{ pointer = \"/at\", format = \"unix\" }}\n\
         [source.values.level]\npointer = \"/level\"\nunit = \"%\"\nmax_step = 5\n",
        upstream.url("/")
    );
    let config = config::parse("p".as_ref(), &text, &|_| None).unwrap();
    let sources = config.sources.into_iter();
    let sources: Vec<Source> = sources
        .map(|source| Source { interval: Duration::from_millis(20), ..(*source).clone() })
        .collect();
    let (_board, reader, reporter) = board(&sources);
    let _pollers = start(&sources, &reporter);
    let shows = |part: &'static str| {
        move |snapshot: &Snapshot| {
            let value = snapshot.sources[0].value("level");
            serde_json::to_string(&value).unwrap().contains(part)
        }
    };
    until(&reader, shows(r#""value":50.0"#));
    level.store(90, Ordering::SeqCst);
    until(&reader, shows(r#""value":null,"unit":"%","note":"a step of 40 % awaits confirmation""#));
    level.store(91, Ordering::SeqCst);
    until(&reader, shows(r#""value":91.0"#));
}
