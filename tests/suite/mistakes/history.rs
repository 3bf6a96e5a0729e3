//! A history at a path where no file can be: the server reports it once, in the words of `check`, and serves.

use hostile::config::Config;

use crate::server::Server;

#[test]
fn history_where_no_file_can_be_is_logged_once_with_the_remedy() {
    for (path, fault) in [
        ("live", " is a folder; write the path of a file in it, such as \"live/pumphouse.db\""),
        ("gone/p.db", "gone/p.db cannot be stored; make it: mkdir -p gone"),
    ] {
        let config = Config::https().set("history.path", path);
        let server = Server::start_after("mkdir live", &config);
        server.wait_for_log("\"path\" in [history]: ");
        let log = server.log();
        let reports: Vec<&String> = log.iter().filter(|line| line.contains("history]: ")).collect();
        assert!(reports.len() == 1 && reports[0].contains(fault), "{log:?}");
        assert!(server.serves());
    }
}
