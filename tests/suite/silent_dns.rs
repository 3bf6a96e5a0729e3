//! Name servers that never answer, with the real program and the real `getaddrinfo(3)`.
//!
//! `getaddrinfo(3)` reads the name servers from a system file. The test therefore runs in namespaces
//! of its own, with its own file and a network that contains only what it starts.

use hostile::config::{Config, Source};
use hostile::name_server::NameServer;
use hostile::upstream::Upstream;

use crate::namespaces::{is_inside, run_inside};
use crate::server::Server;

#[test]
fn unresolved_names_fail_their_sources_and_add_no_thread() {
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
    let sources = ["one", "two"].map(|name| {
        Source::json(name, &format!("http://{name}.test:{}/", upstream.address().port()))
            .value("level", "/level", "%")
            .set("interval", "1s")
            .set("timeout", "1s")
            .set("stale_after", "1h")
    });
    let server = Server::start(&Config::https().sources(sources));
    let of_both = |what: &str, is_so: &dyn Fn(&serde_json::Value) -> bool| {
        server.eventually_status(what, |status| {
            ["one", "two"].iter().all(|name| is_so(&status["sources"][name]))
        })
    };
    of_both("both are resolved and healthy", &|source| {
        source["error"].is_null() && source["values"]["level"]["value"] == 50.0
    });
    let threads = server.status_line("Threads");

    names.answer(false);
    let queries = names.queries();
    let status = of_both("both have failed repeatedly", &|source| {
        source["error"]["kind"] == "dns" && source["error"]["failures"].as_u64() >= Some(5)
    });
    assert!(names.queries() > queries, "the name server got no query: {status}");
    assert_eq!(server.status_line("Threads"), threads, "a lookup added a thread");
    for name in ["one", "two"] {
        let source = &status["sources"][name];
        assert_eq!(source["values"]["level"]["value"], 50.0, "the last value is kept: {source}");
        server.assert_polls_took_at_most(name, 5);
    }
    assert!(server.serves(), "clients were not served meanwhile");

    upstream.set(Some(r#"{"level": 60}"#));
    names.answer(true);
    of_both("both have recovered", &|source| {
        source["error"].is_null() && source["values"]["level"]["value"] == 60.0
    });
    assert_eq!(server.status_line("Threads"), threads);
}
