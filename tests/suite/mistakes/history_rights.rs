//! A history in a folder that the server's user must not write: `check`, the log and `doctor` name the folder,
//! the user and the command that helps, and the server serves without history until then.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use hostile::config::{Config, Source};
use hostile::upstream::Upstream;
use serde_json::Value;

use crate::harness::eventually;
use crate::process::Process;
use crate::server::{BINARY, run, text};
use crate::users::{USER, as_user, may_change_users};

/// Returns the program as an ordinary user, in a folder.
fn program(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = as_user(BINARY);
    command
        .args(arguments)
        .current_dir(folder)
        .env_remove("PUMPHOUSE_CONFIG")
        .env_remove("RUST_LOG")
        .stdin(Stdio::null());
    command
}

/// A server of an ordinary user.
struct Server {
    process: Process,
    address: SocketAddr,
    admin: SocketAddr,
}

impl Server {
    fn start(folder: &Path) -> Server {
        let process = Process::start_logged(&mut program(folder, &["serve", "--no-tls"]));
        let address = process.log().wait_for_address("listening on http://");
        let admin = process.log().wait_for_address("admin listener on http://");
        Server { process, address, admin }
    }

    /// Returns the status and the body of a response.
    fn get(&self, address: SocketAddr, target: &str) -> (String, String) {
        let mut curl = Command::new("curl");
        curl.args(["--silent", "--max-time", "30", "--write-out", "\n%{http_code}"]);
        let output = curl.arg(format!("http://{address}{target}")).output().unwrap();
        let answer = String::from_utf8(output.stdout).unwrap();
        let (body, code) = answer.rsplit_once('\n').unwrap();
        (code.to_owned(), body.to_owned())
    }

    fn json(&self, address: SocketAddr, target: &str) -> Value {
        serde_json::from_str(&self.get(address, target).1).unwrap()
    }

    /// Returns the lines of `doctor` about the history, joined.
    fn history_in_doctor(&self, folder: &Path) -> String {
        let output = run(&["doctor", "--admin", &self.admin.to_string()], folder);
        let lines = String::from_utf8(output.stdout).unwrap();
        let lines = lines.lines().skip_while(|line| !line.contains(" history "));
        lines.take(2).map(str::trim).collect::<Vec<_>>().join("\n")
    }
}

#[test]
fn history_that_the_user_must_not_write_is_served_without_until_the_remedy_that_is_reported() {
    if !may_change_users() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    let upstream = Upstream::answering(r#"{"level": 84.6}"#);
    let tank = Source::json("tank", &upstream.url()).value("level", "/level", "%");
    Config::http()
        .open()
        .set("history.path", "data/pumphouse.db")
        .set("history.flush", "200ms")
        .source(tank.set("interval", "1s"))
        .write(folder);
    std::fs::create_dir(folder.join("data")).unwrap();
    for path in [folder, &folder.join("data")] {
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o755)).unwrap();
    }
    let fault =
        format!("the user {USER} must not write data in {}; allow it, as root: ", folder.display());

    // The server's user may be another one than that of the check, so it is a note.
    let checked = program(folder, &["check"]).output().unwrap();
    let printed = text(&checked);
    assert_eq!(checked.status.code(), Some(0), "{printed}");
    let note =
        format!("note: data/pumphouse.db: as the user {USER} of this check, nothing can be stored");
    assert!(printed.contains(&note) && printed.contains(&fault), "{printed}");

    let mut server = Server::start(folder);
    let line = server.process.log().wait_for("cannot open the history data/pumphouse.db: ");
    let (_, remedy) = line.split_once(&fault).expect(&line);
    eventually("it polls and serves", || {
        server.json(server.address, "/api/v1/status")["sources"]["tank"]["state"] == "fresh"
    });
    let recorded = "/api/v1/history?field=tank.level&days=1&step=raw";
    assert_eq!(server.get(server.address, recorded).0, "503");
    let board = server.json(server.admin, "/scoreboard");
    assert_eq!(board["recorder"]["trouble"]["cause"], "no-rights", "{board}");
    let found = server.history_in_doctor(folder);
    assert!(found.starts_with("WRONG") && found.contains(&fault), "{found}");
    assert!(found.contains("-> let the server's user write the file and the folder"), "{found}");
    assert_eq!(server.process.stop(), Some(0));

    // A running server tries again each minute, so another one is started.
    let ran = Command::new("sh").args(["-c", remedy]).current_dir(folder).status().unwrap();
    assert!(ran.success(), "{remedy}");
    let server = Server::start(folder);
    eventually("it records", || server.get(server.address, recorded).1.contains("84.6"));
    assert!(!server.process.log().contains("history"), "{:#?}", server.process.log().lines());
    let found = server.history_in_doctor(folder);
    assert!(found.starts_with("ok"), "{found}");
}
