//! Name servers that never answer, with the real program and the real `getaddrinfo(3)`.
//!
//! `getaddrinfo(3)` reads the name servers from a system file. The test therefore runs in namespaces
//! of its own, with its own file and a network that contains only what it starts.

use hostile::config::{Config, Source};
use hostile::name_server::NameServer;
use hostile::upstream::Upstream;

use crate::harness::eventually;
use crate::namespaces::{is_inside, run_inside};
use crate::server::Server;

#[test]
fn unresolved_names_fail_their_sources_and_cost_a_thread_for_each_host() {
    // Without options: the resolver waits seconds before it repeats a query.
    let files =
        [("resolv.conf", "nameserver 127.0.0.1\n"), ("nsswitch.conf", "hosts: files dns\n")];
    run_inside("silent_dns::inside", &files);
}

#[test]
#[ignore = "runs in the namespaces that the test above creates"]
fn inside() {
    if !is_inside() {
        return;
    }
    let names = NameServer::start("127.0.0.1:53").unwrap();
    names.answer(true);
    let upstream = Upstream::answering(r#"{"level": 50}"#);
    const SOURCES: [(&str, &str); 4] =
        [("one", "one"), ("two", "two"), ("three", "two"), ("four", "two")];
    let sources = SOURCES.map(|(name, host)| {
        Source::json(name, &format!("http://{host}.test:{}/", upstream.address().port()))
            .value("level", "/level", "%")
            .set("interval", "1s")
            .set("timeout", "1s")
            .set("stale_after", "1h")
    });
    let server = Server::start(&Config::https().sources(sources));
    let of_all = |what: &str, is_so: &dyn Fn(&serde_json::Value) -> bool| {
        server.eventually_status(what, |status| {
            SOURCES.iter().all(|(name, _)| is_so(&status["sources"][name]))
        })
    };
    of_all("all are resolved and healthy", &|source| {
        source["error"].is_null() && source["values"]["level"]["value"] == 50.0
    });
    // Lookups that do not hang may share a thread.
    let lookup_threads =
        || (1..=SOURCES.len()).flat_map(|n| server.threads(&format!("pw-dns-{n}"))).count() as u64;
    let others = || server.status_line("Threads") - lookup_threads();
    assert!((1..=2).contains(&lookup_threads()), "{}", lookup_threads());
    let without_lookups = others();

    names.answer(false);
    let queries = names.queries();
    let status = of_all("all have failed repeatedly", &|source| {
        source["error"]["kind"] == "dns" && source["error"]["failures"].as_u64() >= Some(5)
    });
    assert!(names.queries() > queries, "the name server got no query: {status}");
    assert_eq!((lookup_threads(), others()), (2, without_lookups), "one thread for each host");
    for (name, _) in SOURCES {
        let source = &status["sources"][name];
        assert_eq!(source["values"]["level"]["value"], 50.0, "the last value is kept: {source}");
        server.assert_polls_took_at_most(name, 5);
    }
    assert!(server.serves(), "clients were not served meanwhile");

    upstream.set(Some(r#"{"level": 60}"#));
    names.answer(true);
    of_all("all have recovered", &|source| {
        source["error"].is_null() && source["values"]["level"]["value"] == 60.0
    });
    assert_eq!(others(), without_lookups);
    eventually("a thread without work has ended", || lookup_threads() == 1);
}
