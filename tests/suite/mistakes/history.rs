//! A history at a path where no file can be: the server reports it once, in the words of `check`, and serves.

use hostile::config::{Config, Source};
use hostile::upstream::Upstream;

use crate::access::user;
use crate::server::{Server, json};

#[test]
fn history_where_no_file_can_be_is_logged_once_with_the_remedy_and_its_loss_at_the_end() {
    let upstream = Upstream::answering(r#"{"level": 84.6}"#);
    let config = || {
        let source = Source::json("tank", &upstream.url()).value("level", "/level", "%");
        let account = user("anna", "s3cret-enough", &["read"]);
        Config::https()
            .push("auth.public", "/api/v1/status")
            .push("auth.user", account)
            .source(source)
    };
    for (path, fault) in [
        ("live", " is a folder; write the path of a file in it, such as \"live/pumphouse.db\""),
        (".", " is a folder; write the path of a file in it, such as \"./pumphouse.db\""),
        ("gone/p.db", "gone/p.db cannot be stored; make it: mkdir -p gone"),
        ("key.pem/p.db", " is no folder, so key.pem/p.db cannot be in it"),
    ] {
        let config = config().set("history.path", path);
        let mut server = Server::start_after("mkdir live", &config);
        server.wait_for_log("\"path\" in [history]: ");
        server
            .eventually_status("it polls", |status| status["sources"]["tank"]["state"] == "fresh");
        assert_eq!(server.metric("pumphouse_history_lock_held"), 0);
        let board = json(&server.admin_get("/scoreboard"));
        assert_eq!(board["recorder"]["trouble"]["cause"], "no-place", "{board}");
        // The stop writes the last values and the sessions.
        server.signal("TERM");
        assert_eq!(server.wait().code(), Some(0));
        let log = server.log();
        let reports: Vec<&String> = log
            .iter()
            .filter(|line| line.contains(" WARN ") || line.contains(" ERROR "))
            .filter(|line| !line.contains("other users can read"))
            .collect();
        let [report, loss] = reports.as_slice() else { panic!("{log:#?}") };
        assert!(report.contains(fault), "{report}");
        let lost = "observations and events are lost for the history: nothing is stored: ";
        assert!(loss.contains(lost) && loss.contains(fault), "{loss}");
    }
}
