//! The commands `check`, `cert` and `probe`, and messages of a start that fails.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use hostile::config::{Config, Source};
use hostile::upstream::Upstream;

use crate::server::{BINARY, Server, run};

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn cert_writes_a_private_key_once() {
    let directory = tempfile::tempdir().unwrap();
    let made = run(&["cert", "--name", "tank.example"], directory.path());
    assert_eq!(made.status.code(), Some(0), "{}", stderr(&made));
    assert!(stdout(&made).contains("tank.example"));
    let key = directory.path().join("certs/key.pem");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&key), 0o600);
    let before = std::fs::read(&key).unwrap();

    let again = run(&["cert"], directory.path());
    assert_eq!(again.status.code(), Some(1));
    assert!(stderr(&again).contains("--force"), "{}", stderr(&again));
    assert_eq!(std::fs::read(&key).unwrap(), before, "the key was overwritten");

    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(run(&["cert", "--force"], directory.path()).status.code(), Some(0));
    assert_ne!(std::fs::read(&key).unwrap(), before);
    assert_eq!(mode(&key), 0o600, "an overwritten key is as private as a new one");
}

#[test]
fn example_configuration_passes_check() {
    let directory = tempfile::tempdir().unwrap();
    assert!(run(&["cert"], directory.path()).status.success());
    let example = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/pumphouse.toml");
    let checked = run(&["check", example], directory.path());
    assert_eq!(checked.status.code(), Some(0), "{}", stderr(&checked));
    let printed = stdout(&checked);
    for expected in [
        "is valid",
        "listens on 0.0.0.0:6443, HTTPS",
        "certificate for localhost",
        "open to everyone who can reach it, by \"open = true\"",
        "source tank: \"Cistern\", ptlevel at https://www.mypt.in/s/…",
        "polled every 5m",
    ] {
        assert!(printed.contains(expected), "{expected:?} is not in\n{printed}");
    }
    assert!(!printed.contains("/s/your-share"), "the secret share link is shown: {printed}");
    // The example is not meant to be used as it is.
    for place in ["\"your-share\" of the example", "example's value 37.24", "/pump.json"] {
        assert!(printed.contains(place), "{place:?} is not warned of: {printed}");
    }
}

#[test]
fn example_of_each_source_kind_passes_check() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/sources");
    let mut kinds = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let output = Command::new(BINARY)
            .arg("check")
            .arg(&path)
            .envs(
                ["PTDEVICES_TOKEN", "AMBIENT_API_KEY", "AMBIENT_APPLICATION_KEY"]
                    .map(|it| (it, "x1")),
            )
            .output()
            .unwrap();
        assert!(output.status.success(), "{}: {}", path.display(), stderr(&output));
        let kind = path.file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(stdout(&output).contains(&format!(", {kind} at ")), "{}", stdout(&output));
        assert!(stdout(&output).contains("to serve others, configure [auth]"));
        kinds.push(kind);
    }
    kinds.sort();
    assert_eq!(kinds, ["ambient", "json", "nws", "open-meteo", "ptdevices", "ptlevel"]);
}

#[test]
fn check_poll_escapes_hidden_characters_of_an_answer() {
    // A member's name and a text with ESC, CSI as one character, DEL, a line feed and U+202E.
    let answer =
        "{\"a\\u001b[2J\\npolled b: fine\":1,\"t\":\"\\u001b[31m\u{9b}31m\u{7f}1.02\u{202e}\"}";
    let upstream = Upstream::answering(answer);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pumphouse.toml");
    let config = |pointer: &str| {
        format!(
            "[auth]\nopen = true\n[[source]]\nname = \"tank\"\nkind = \"json\"\nurl = \"{}\"\n\
             title = \"T\\u001b[2J\\u202e\"\n[source.values.text]\npointer = \"{pointer}\"\n",
            upstream.url()
        )
    };
    for pointer in ["/t", "/none\\u009b"] {
        std::fs::write(&path, config(pointer)).unwrap();
        let output = Command::new(BINARY).args(["check", "--poll"]).arg(&path).output().unwrap();
        let shown = stdout(&output) + &stderr(&output);
        let is_control = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        assert!(!shown.contains(is_control), "{shown:?}");
        assert!(!shown.lines().any(|line| line.starts_with("polled b")), "{shown}");
        assert!(shown.contains(r"/a\u{1b}[2J\npolled b: fine"), "{shown}");
        assert!(shown.contains(r"T\u{1b}[2J\u{202e}"), "{shown}");
    }
    // An error message that quotes the file.
    std::fs::write(&path, "\"\\u001b[2J\\u202e\" = 1\n").unwrap();
    let error = stderr(&run(&["check", "pumphouse.toml"], folder.path()));
    assert!(error.contains(r"\u{1b}[2J\u{202e}"), "{error:?}");
}

#[test]
fn check_file_readable_by_others_names_the_command_to_run() {
    let folder = tempfile::tempdir().unwrap();
    Config::new().open().set("history.path", "it's.db").write(folder.path());
    let check = || stdout(&run(&["check", "pumphouse.toml"], folder.path()));
    let files = ["it's.db", "it's.db-wal", "it's.last.json"].map(|name| folder.path().join(name));
    for file in &files {
        std::fs::write(file, "").unwrap();
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    assert!(!check().contains("readable by other users"), "{}", check());
    for file in &files {
        std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o640)).unwrap();
    }
    let shown = check();
    assert_eq!(
        shown.matches("readable by other users (mode 0640)").count(),
        files.len(),
        "{shown}"
    );
    let advice = shown.lines().find_map(|line| line.split_once("run: ")).unwrap().1;
    let ran = Command::new("sh").args(["-c", advice]).current_dir(folder.path()).status().unwrap();
    assert!(ran.success(), "{advice}");
    assert_eq!(check().matches("readable by other users").count(), files.len() - 1);
}

#[test]
fn check_poll_shows_the_answer_and_its_values() {
    let upstream = Upstream::answering(r#"{"tank":{"m~m":"1270"},"on":true}"#);
    let folder = tempfile::tempdir().unwrap();
    let run = |pointer| {
        let source = Source::json("tank", &format!("{}?key=s3cret", upstream.url()))
            .value("depth", pointer, "mm")
            .set("units", "us");
        Config::new().open().source(source).write(folder.path());
        let path = folder.path().join("pumphouse.toml");
        Command::new(BINARY).args(["check", "--poll"]).arg(path).output().unwrap()
    };
    let output = run("/tank/m~0m");
    let printed = stdout(&output);
    assert!(output.status.success(), "{printed}{}", stderr(&output));
    for wanted in ["/tank/m~0m  \"1270\"", "/on         true", "depth  50 in", "key=…", "inferred"]
    {
        assert!(printed.contains(wanted), "no {wanted} in {printed}");
    }
    let output = run("/elsewhere");
    assert_eq!(output.status.code(), Some(1));
    let printed = stdout(&output);
    assert!(printed.contains("FAILED") && printed.contains("the response begins"), "{printed}");
}

#[test]
fn check_poll_counts_the_fields_that_it_does_not_list() {
    let fields: Vec<String> = (0..112).map(|n| format!("\"f{n}\":{n}")).collect();
    let upstream = Upstream::answering(&format!("{{{}}}", fields.join(",")));
    let folder = tempfile::tempdir().unwrap();
    let source = Source::json("tank", &upstream.url()).value("depth", "/f0", "mm");
    Config::new().open().source(source).write(folder.path());
    let output = run(&["check", "--poll", "pumphouse.toml"], folder.path());
    let printed = stdout(&output);
    assert!(output.status.success(), "{printed}{}", stderr(&output));
    assert_eq!(printed.lines().filter(|line| line.starts_with("    /f")).count(), 100, "{printed}");
    assert!(printed.contains("    … and 12 more\n"), "{printed}");
}

#[test]
fn check_poll_of_a_ptlevel_page_shows_its_elements_and_values() {
    let page = r#"<html><body>
        <span class="inchLevel">49.09</span> <span class="updated_on">3 minutes, 20 seconds ago</span>
        <script>var ptlevel = { level: 85 };</script></body></html>"#;
    let upstream = Upstream::answering(page);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pumphouse.toml");
    let source = Source::new("ptlevel", "tank", &format!("{}s/s3cretShare", upstream.url()))
        .set("height", 58)
        .set("capacity", 1400);
    let config = Config::new().open().set("site.contact", "keeper@example.org").source(source);
    config.write(folder.path());
    let output = Command::new(BINARY).args(["check", "--poll"]).arg(path).output().unwrap();
    let printed = stdout(&output);
    assert!(output.status.success(), "{printed}{}", stderr(&output));
    for wanted in [
        "/s/…",
        "span.inchLevel   49.09",
        "span.updated_on  3 minutes, 20 seconds ago",
        "script: level    85",
        "observed 3m 20s ago",
        "level   84.6 %",
        "depth   49.09 in",
        "volume  1185 gal",
    ] {
        assert!(printed.contains(wanted), "no {wanted} in {printed}");
    }
    assert!(!printed.contains("s3cret"), "{printed}");
    let request = upstream.latest_request();
    assert!(request.starts_with("GET /s/s3cretShare HTTP/1.1"), "{request}");
    assert_eq!(user_agent(&request), user_agent_with("keeper@example.org"));
}

#[test]
fn poll_with_a_contact_sends_it_in_user_agent() {
    let upstream = Upstream::answering(r#"{"level": 50}"#);
    let config = Config::https()
        .set("site.contact", "https://pumphouse.example/contact")
        .source(Source::json("tank", &upstream.url()).value("level", "/level", "%"));
    let server = Server::start(&config);
    server.eventually_status("polled", |status| status["sources"]["tank"]["state"] == "fresh");
    assert_eq!(
        user_agent(&upstream.latest_request()),
        user_agent_with("https://pumphouse.example/contact")
    );
}

/// Returns the User-Agent of a request.
fn user_agent(request: &str) -> String {
    let mut fields = request.lines().filter_map(|line| line.split_once(": "));
    let field = fields.find(|(name, _)| name.eq_ignore_ascii_case("user-agent"));
    field.unwrap_or_else(|| panic!("no User-Agent in {request}")).1.to_owned()
}

/// Returns the User-Agent of this program with a contact.
fn user_agent_with(contact: &str) -> String {
    format!("pumphouse-web/{} ({contact})", env!("CARGO_PKG_VERSION"))
}

#[test]
fn invalid_configuration_is_reported_by_line_and_starts_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let text = "[server]\nlisen = [\"127.0.0.1:0\"]\nworkers = \"many\"\n";
    std::fs::write(directory.path().join("pumphouse.toml"), text).unwrap();
    for command in ["check", "serve"] {
        let refused = run(&[command], directory.path());
        assert_eq!(refused.status.code(), Some(1));
        let printed = stderr(&refused);
        assert!(printed.contains("pumphouse.toml:2:1: unknown key \"lisen\""), "{printed}");
        assert!(printed.contains("did you mean \"listen\"?"), "{printed}");
        assert!(printed.contains("pumphouse.toml:3:12: \"workers\" must be"), "{printed}");
        assert_eq!(stdout(&refused), "");
    }
}

#[test]
fn impossible_start_is_refused_with_the_reason() {
    let directory = tempfile::tempdir().unwrap();
    let empty = directory.path().join("empty.toml");
    std::fs::write(&empty, "").unwrap();
    let empty = empty.to_str().unwrap();
    let open = directory.path().join("open.toml");
    std::fs::write(&open, "[auth]\nopen = true\n").unwrap();
    let open = open.to_str().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let cases: [(&[&str], &str); 6] = [
        (&["serve", "--config", empty], "0.0.0.0:6443 accepts connections from other machines"),
        (&["serve", "--config", empty, "--listen", "fd:0"], "[auth] configures no access"),
        (&["serve"], "pumphouse.toml: cannot read the configuration"),
        (&["serve", "--config", empty, "--listen", &taken], "another program has it"),
        (&["serve", "--config", open, "--admin-listen", "0.0.0.0:0"], "loopback"),
        (&["serve", "--config", empty, "--listen", "6443"], "not an address to listen on"),
    ];
    for (arguments, expected) in cases {
        let refused = run(arguments, directory.path());
        // The last one is the value of an option.
        let code = match expected {
            "not an address to listen on" | "loopback" => 2,
            "another program has it" => 75,
            _ => 1,
        };
        assert_eq!(refused.status.code(), Some(code), "{arguments:?}");
        assert!(stderr(&refused).contains(expected), "{}", stderr(&refused));
    }
}

#[test]
fn probe_of_each_kind_of_server_exits_by_its_health() {
    let directory = tempfile::tempdir().unwrap();
    let server = Server::start(&Config::https());
    let admin = format!("http://{}/healthz", server.admin);
    let healthy = run(&["probe", "--url", &admin], directory.path());
    assert_eq!(healthy.status.code(), Some(0), "{}", stderr(&healthy));

    let public = format!("https://localhost:{}/healthz", server.address.port());
    let untrusted = run(&["probe", "--url", &public], directory.path());
    assert_eq!(untrusted.status.code(), Some(1), "an unknown certificate is not healthy");
    let trusted = server.certificate();
    let trusted = ["probe", "--url", &public, "--ca", trusted.to_str().unwrap()];
    let trusted = run(&trusted, directory.path());
    assert_eq!(trusted.status.code(), Some(0), "{}", stderr(&trusted));

    let missing = format!("http://{}/nowhere", server.admin);
    assert_eq!(run(&["probe", "--url", &missing], directory.path()).status.code(), Some(1));

    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("http://{}/", silent.local_addr().unwrap());
    let hung = run(&["probe", "--url", &silent, "--timeout", "200ms"], directory.path());
    assert_eq!(hung.status.code(), Some(1));
    assert!(stderr(&hung).contains("timeout"), "{}", stderr(&hung));
}
