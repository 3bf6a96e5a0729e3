//! `examples/shell`, as somebody would run it: with the real curl, jq and gnuplot.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use hostile::config::{Config, Source};
use hostile::upstream::Upstream;
use pumphouse_web::engine::{Body, Response, Settings};

use crate::demo::Demo;
use crate::harness::{Program, TestEngine, eventually};
use crate::server::Server;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/shell");

/// Where nobody listens.
const NOWHERE: &str = "https://127.0.0.1:1";

/// What a script reads from its environment, and the folder that it runs in.
struct Desk {
    url: String,
    certificate: PathBuf,
    folder: tempfile::TempDir,
}

/// How a script ended, and what it said.
#[derive(Debug)]
struct Outcome {
    code: i32,
    said: String,
    complaint: String,
}

impl Desk {
    /// Trusts the certificate that the server shows now, as somebody does who sets it up by hand.
    fn at(url: &str) -> Desk {
        let folder = tempfile::tempdir().unwrap();
        let certificate = folder.path().join("ca.pem");
        let address = url.trim_start_matches("https://").trim_end_matches('/');
        let show = format!("openssl s_client -connect {address} </dev/null | openssl x509");
        let shown = Command::new("sh").args(["-c", &show]).stderr(Stdio::null()).output().unwrap();
        fs::write(&certificate, shown.stdout).unwrap();
        Desk { url: url.to_owned(), certificate, folder }
    }

    fn of(server: &Server) -> Desk {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("https://{}", server.address);
        Desk { url, certificate: server.certificate(), folder }
    }

    fn command(&self, script: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(Path::new(FOLDER).join(script));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env("PUMPHOUSE_URL", &self.url)
            .env("PUMPHOUSE_CA", &self.certificate)
            .env("PUMPHOUSE_TIMEOUT", "20")
            .env("XDG_STATE_HOME", self.folder.path())
            .stdin(Stdio::null());
        command
    }

    fn run(&self, script: &str, arguments: &[&str]) -> Outcome {
        Outcome::of(&mut self.command(script, arguments))
    }

    /// The same, where nobody answers.
    fn run_nowhere(&self, script: &str, arguments: &[&str]) -> Outcome {
        Outcome::of(self.command(script, arguments).env("PUMPHOUSE_URL", NOWHERE))
    }
}

impl Outcome {
    fn of(command: &mut Command) -> Outcome {
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Outcome {
            code: output.status.code().expect("no signal ends it"),
            said: text(output.stdout),
            complaint: text(output.stderr),
        }
    }
}

fn demo() -> (Demo, Desk) {
    let demo = Demo::start();
    let desk = Desk::at(&demo.url());
    eventually("the sources have answered", || {
        desk.run("gate.sh", &["600", "pump.battery"]).code == 0
    });
    (demo, desk)
}

/// Starts a server with a tank that answers, a well that never does, and a cistern whose latest
/// observation is old. Returns once tank and cistern have answered.
fn server(tank: &Upstream) -> Server {
    let cistern = Upstream::answering(r#"{"level": 60, "at": 1000000000}"#);
    let source = |name: &str, url: &str, interval: &str| {
        Source::json(name, url).value("level", "/level", "%").set("interval", interval)
    };
    let config = Config::https()
        .source(source("tank", &tank.url(), "3s"))
        .source(source("well", "http://127.0.0.1:1/", "1h"))
        .source(source("cistern", &cistern.url(), "1h").observed_at_unix());
    let server = Server::start(&config);
    server.eventually_status("both have answered", |status| {
        ["tank", "cistern"].iter().all(|name| status["sources"][name]["state"] != "waiting")
    });
    server
}

fn scripts() -> Vec<PathBuf> {
    let entries = fs::read_dir(FOLDER).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|suffix| suffix == "sh")).collect()
}

#[test]
fn scripts_pass_shellcheck() {
    let output = Command::new("shellcheck")
        .args(["--external-sources", "--source-path=SCRIPTDIR", "--shell=sh"])
        .args(scripts())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn scripts_with_wrong_arguments_print_their_usage() {
    let desk = Desk {
        url: NOWHERE.into(),
        certificate: "none".into(),
        folder: tempfile::tempdir().unwrap(),
    };
    for path in scripts() {
        let name = path.file_name().unwrap().to_str().unwrap();
        let text = fs::read_to_string(&path).unwrap();
        if name == "pumphouse.sh" {
            continue;
        }
        assert!(text.starts_with("#!/bin/sh\n# "), "{name} begins with what it is for");
        let shown = desk.run(name, &["-?", "'; touch x"]);
        let expected = if name == "check_pumphouse.sh" { 3 } else { 2 };
        assert_eq!(shown.code, expected, "{name}: {shown:?}");
        assert!(shown.complaint.contains(&format!("  {name} ")), "{name}: {shown:?}");
        assert!(!desk.folder.path().join("x").exists(), "{name}");
    }
}

#[test]
fn malformed_field_name_is_refused_before_any_request() {
    let folder = tempfile::tempdir().unwrap();
    let desk = Desk { url: NOWHERE.into(), certificate: "none".into(), folder };
    for (script, before, code) in [
        ("status-line.sh", &[][..], 2),
        ("gate.sh", &["600"], 2),
        ("cron-alert.sh", &["-l", "25"], 2),
        ("plot.sh", &[], 2),
        ("watch.sh", &[], 2),
        ("check_pumphouse.sh", &["-f"], 3),
    ] {
        for name in
            ["tank.$(touch x)", "tank.level;touch x", "tank.a&max_age=1", "tank", ".a", "a.b.c"]
        {
            let outcome = desk.run(script, &[before, &[name]].concat());
            assert_eq!(outcome.code, code, "{script} {name}: {outcome:?}");
        }
    }
    assert!(!desk.folder.path().join("x").exists());
}

#[test]
fn script_called_by_a_symbolic_link_finds_its_library() {
    let (_demo, desk) = demo();
    let link = desk.folder.path().join("level");
    std::os::unix::fs::symlink(Path::new(FOLDER).join("status-line.sh"), &link).unwrap();
    let said = Outcome::of(
        Command::new(&link)
            .envs([("PUMPHOUSE_URL", desk.url.as_str()), ("PUMPHOUSE_INSECURE", "1")]),
    );
    assert_eq!(said.code, 0, "{said:?}");
}

#[test]
fn status_line_shows_each_state_of_a_value() {
    let (_demo, desk) = demo();
    let usual = desk.run("status-line.sh", &[]);
    let parts: Vec<&str> = usual.said.trim_end().split(" · ").collect();
    assert!(
        matches!(parts[..], [level, warmth] if level.ends_with(" %") && warmth.ends_with(" degF")),
        "{usual:?}"
    );
    let text = desk.run("status-line.sh", &["pump.state"]);
    assert!(["running\n", "resting\n"].contains(&text.said.as_str()), "{text:?}");
    let unknown = desk.run("status-line.sh", &["tank.nothing"]);
    assert_eq!((unknown.code, &*unknown.said), (1, "pumphouse?\n"));

    let tank = Upstream::answering(r#"{"level": 84.6}"#);
    let server = server(&tank);
    let desk = Desk::of(&server);
    let all = desk.run("status-line.sh", &["tank.level", "cistern.level", "well.level"]);
    assert_eq!(all.said, "84.6 % · 60 %? · -?\n");
    let nowhere = desk.run_nowhere("status-line.sh", &[]);
    assert_eq!((nowhere.code, &*nowhere.said), (1, "pumphouse?\n"));
}

#[test]
fn gate_exits_by_the_age_of_a_value() {
    let (_demo, desk) = demo();
    let open = desk.run("gate.sh", &["600", "tank.level"]);
    assert_eq!((open.code, &*open.said), (0, ""), "{open:?}");
    let value = desk
        .run("gate.sh", &["600", "tank.level", "sh", "-c", "echo \"[$PUMPHOUSE_VALUE]\"; exit 7"]);
    let level = value.said.trim_end().trim_start_matches('[').trim_end_matches(']');
    assert!(value.code == 7 && level.parse::<f64>().is_ok(), "{value:?}");
    assert_eq!(desk.run("gate.sh", &["600", "tank.nothing", "echo", "x"]).code, 2);

    let tank = Upstream::answering(r#"{"level": 84.6}"#);
    let server = server(&tank);
    let desk = Desk::of(&server);
    for (field, code) in [("tank.level", 0), ("cistern.level", 1), ("well.level", 1)] {
        let outcome = desk.run("gate.sh", &["600", field, "echo", "open"]);
        let said = if code == 0 { "open\n" } else { "" };
        assert_eq!((outcome.code, &*outcome.said), (code, said), "{field}: {outcome:?}");
    }
    assert_eq!(desk.run_nowhere("gate.sh", &["600", "tank.level", "echo", "x"]).code, 3);
    let distrusted =
        Outcome::of(desk.command("gate.sh", &["600", "tank.level"]).env_remove("PUMPHOUSE_CA"));
    assert_eq!(distrusted.code, 3, "{distrusted:?}");
}

#[test]
fn cron_alert_is_sent_once_for_each_crossing() {
    let (_demo, desk) = demo();
    let low = ["-l", "101", "-s", "told", "tank.level"];
    let told = desk.run("cron-alert.sh", &low);
    assert!(told.said.starts_with("tank.level is low: ") && told.code == 0, "{told:?}");
    assert_eq!(desk.run("cron-alert.sh", &low).said, "", "it was told before");

    let tank = Upstream::answering(r#"{"level": 50}"#);
    let server = server(&tank);
    let desk = Desk::of(&server);
    let set = |level: u32| {
        tank.set(Some(&format!("{{\"level\": {level}}}")));
        server.eventually_status("the level is known", |status| {
            status["sources"]["tank"]["values"]["level"]["value"].as_f64() == Some(level.into())
        });
    };
    let send = "cat >> mail; printf '%s\\n' \"$PUMPHOUSE_SUBJECT\"";
    let arguments = ["-l", "25", "-c", "30", "tank.level", "sh", "-c", send];
    let alert = || desk.run("cron-alert.sh", &arguments).said;
    assert_eq!(alert(), "", "all is well from the beginning");
    set(20);
    let failing = ["-l", "25", "-c", "30", "tank.level", "false"];
    assert_ne!(desk.run("cron-alert.sh", &failing).code, 0);
    assert_eq!(alert(), "tank.level is low: 20, below 25\n", "what could not be told is told now");
    assert_eq!(alert(), "");
    set(27);
    assert_eq!(alert(), "", "neither low nor well");
    let unknown = desk.run_nowhere("cron-alert.sh", &arguments).said;
    assert!(unknown.starts_with("tank.level is not known: curl: "), "{unknown}");
    assert_eq!(desk.run_nowhere("cron-alert.sh", &arguments).said, "");
    set(31);
    assert_eq!(alert(), "tank.level is well again: 31\n");
    assert_eq!(alert(), "");
    let mail = fs::read_to_string(desk.folder.path().join("mail")).unwrap();
    assert_eq!(mail.matches(&format!("{}/\n", desk.url)).count(), 2, "{mail}");
    let silent = desk.run("cron-alert.sh", &["-l", "25", "cistern.level"]).said;
    assert!(silent.contains("not known: Older than 3600 seconds"), "{silent}");
}

#[test]
fn plot_draws_the_history_of_a_field() {
    let (_demo, desk) = demo();
    for arguments in [&["tank.level"][..], &["-d", "2", "-s", "1h", "-o", "it's.png", "tank.level"]]
    {
        let drawn = desk.run("plot.sh", arguments);
        assert_eq!(drawn.code, 0, "{drawn:?}");
        let picture = fs::read(desk.folder.path().join(drawn.said.trim_end())).unwrap();
        assert!(picture.starts_with(b"\x89PNG") && picture.len() > 2000, "{} bytes", picture.len());
    }
    let nothing = desk.run("plot.sh", &["-o", "none.png", "tank.nothing"]);
    assert_eq!(nothing.code, 1);
    assert!(
        nothing.complaint.contains("Nothing of tank.nothing was ever recorded."),
        "{nothing:?}"
    );
    assert!(!desk.folder.path().join("none.png").exists());
    assert_eq!(desk.run_nowhere("plot.sh", &["tank.level"]).code, 1);

    // A machine without gnuplot.
    let bin = desk.folder.path().join("bin");
    fs::create_dir(&bin).unwrap();
    for program in ["sh", "dirname", "readlink", "sed"] {
        let found =
            Command::new("sh").args(["-c", &format!("command -v {program}")]).output().unwrap();
        let path = String::from_utf8(found.stdout).unwrap();
        std::os::unix::fs::symlink(path.trim_end(), bin.join(program)).unwrap();
    }
    let missing = Outcome::of(desk.command("plot.sh", &["tank.level"]).env("PATH", &bin));
    assert_eq!(missing.code, 2);
    assert!(missing.complaint.contains("gnuplot is missing"), "{missing:?}");
}

#[test]
fn watch_prints_changes_and_costs_304s() {
    let (_demo, demo_desk) = demo();
    let first = demo_desk.run("watch.sh", &["-n", "2", "tank.level", "weather.temperature"]);
    assert_eq!(first.code, 0, "{first:?}");
    assert!(
        first
            .said
            .lines()
            .all(|line| line.contains("Z tank.level ") || line.contains("Z weather.temperature ")),
        "{first:?}"
    );

    let tank = Upstream::answering(r#"{"level": 50}"#);
    let server = server(&tank);
    let desk = Desk::of(&server);
    let mut command = desk.command("watch.sh", &["-i", "1", "-n", "2", "tank.level"]);
    let mut watch = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    let mut next = || lines.next().unwrap().unwrap();
    assert!(next().ends_with("Z tank.level 50 %"));
    let not_modified = || -> u64 {
        let label = "code=\"304\",method=\"GET\",route=\"/api/v1/status\"} ";
        let metrics = server.admin_get("/metrics");
        let count = metrics.split_once(label).and_then(|(_, rest)| rest.lines().next());
        count.map_or(0, |count| count.parse().unwrap())
    };
    // The same value is polled again, and looked at, and then there is nothing new for a while.
    let polled = |status: &serde_json::Value| status["sources"]["tank"]["fetched_at"].clone();
    let before = polled(&server.status());
    server.eventually_status("it was polled again", |status| polled(status) != before);
    let seen = not_modified();
    eventually("it was told that nothing is new", || not_modified() > seen);
    tank.set(Some(r#"{"level": 49.5}"#));
    assert!(next().ends_with("Z tank.level 49.5 %"), "what is the same was not said again");
    assert!(watch.wait().unwrap().success());

    let mut command = demo_desk.command("watch.sh", &["-i", "1", "tank.level"]);
    let nowhere = command.env("PUMPHOUSE_URL", NOWHERE).stderr(Stdio::piped());
    let mut nowhere = nowhere.spawn().unwrap();
    let complaint = BufReader::new(nowhere.stderr.take().unwrap()).lines().next().unwrap().unwrap();
    assert!(complaint.starts_with("watch.sh: curl: (7)"), "{complaint}");
    nowhere.kill().unwrap();
    nowhere.wait().unwrap();
}

#[test]
fn check_pumphouse_exits_as_a_monitoring_plugin() {
    let (_demo, desk) = demo();
    let check = |arguments: &[&str]| desk.run("check_pumphouse.sh", arguments);
    let well = check(&["-f", "tank.level", "-w", "1:", "-c", "0:", "-a", "600"]);
    assert_eq!(well.code, 0, "{well:?}");
    let (told, data) = well.said.trim_end().split_once(" | ").unwrap();
    assert!(
        told.starts_with("PUMPHOUSE OK: tank.level is ") && told.contains(" %, observed 2"),
        "{told}"
    );
    assert!(data.starts_with("'tank.level'=") && data.ends_with("%;1:;0:"), "{data}");
    let volts = check(&["-f", "pump.battery"]);
    assert!(volts.said.trim_end().ends_with(";;") && !volts.said.contains("V;"), "{volts:?}");
    let text = check(&["-f", "pump.state"]);
    assert_eq!(text.code, 3, "{text:?}");

    let tank = Upstream::answering(r#"{"level": 50}"#);
    let server = server(&tank);
    let desk = Desk::of(&server);
    let check = |arguments: &[&str]| desk.run("check_pumphouse.sh", arguments);
    // A warning unless within the first range, critical unless within the second.
    for (warning, critical, code) in [
        ("50", "100", 0),
        ("49.9", "100", 1),
        ("50:", "20:", 0),
        ("50.1:", "20:", 1),
        ("60:", "51:", 2),
        ("~:50", "~:60", 0),
        ("~:-1", "~:60", 1),
        ("40:60", "", 0),
        ("", "51:60", 2),
        ("@40:60", "", 1),
        ("@51:60", "", 0),
        ("", "@50:50", 2),
        ("low", "", 3),
        ("1:2:3", "", 3),
        (":", "", 3),
    ] {
        let outcome = check(&["-f", "tank.level", "-w", warning, "-c", critical]);
        assert_eq!(outcome.code, code, "-w {warning} -c {critical}: {outcome:?}");
        let word = ["OK", "WARNING", "CRITICAL", "UNKNOWN"][usize::try_from(code).unwrap()];
        assert!(outcome.said.starts_with(&format!("PUMPHOUSE {word}: ")), "{outcome:?}");
        assert_eq!(outcome.said.lines().count(), 1, "{outcome:?}");
    }
    for (arguments, told) in [
        (
            &["-f", "cistern.level", "-w", "1:"][..],
            "cistern.level is stale: 60, observed 2001-09-09T01:46:40Z",
        ),
        (
            &["-f", "cistern.level", "-a", "600"],
            "Older than 600 seconds, or never answered: cistern.",
        ),
        (&["-f", "well.level"], "The source has not answered yet."),
        (&["-f", "tank.nothing"], "There is no source and field of that name."),
        (&[], "-f SOURCE.FIELD is missing, such as -f tank.level"),
        (&["-f", "tank.level", "-a", "soon"], "-a is a number of seconds"),
    ] {
        let outcome = check(arguments);
        assert_eq!(
            (outcome.code, outcome.said.as_str()),
            (3, &*format!("PUMPHOUSE UNKNOWN: {told}\n"))
        );
    }
    let nowhere = check(&["-f", "tank.level", "-u", NOWHERE, "-t", "5"]);
    assert_eq!(nowhere.code, 2, "{nowhere:?}");
    assert!(nowhere.said.contains("cannot be reached: curl: (7)"), "{nowhere:?}");
}

#[test]
fn token_is_sent_and_appears_on_no_command_line() {
    let guarded = |request: &pumphouse_web::engine::Request| {
        let sent = request.headers.get("authorization").map(|it| it.as_bytes());
        let mut response = Response::new(Body::from("50\n"));
        if sent != Some(b"Bearer pw_secret") {
            *response.status_mut() = http::StatusCode::UNAUTHORIZED;
        }
        response
    };
    let engine = TestEngine::https(Settings::default(), Program(guarded));
    let url = format!("https://{}", engine.address);
    let desk = Desk { url, certificate: "none".into(), folder: tempfile::tempdir().unwrap() };
    // A curl that keeps what it was called with, and then is curl.
    let wrapper = desk.folder.path().join("curl");
    let mut file = fs::File::create(&wrapper).unwrap();
    let real = Command::new("sh").args(["-c", "command -v curl"]).output().unwrap();
    let real = String::from_utf8(real.stdout).unwrap();
    write!(file, "#!/bin/sh\necho \"$@\" >>calls\nexec {} \"$@\"\n", real.trim_end()).unwrap();
    drop(file);
    let _ = Command::new("chmod").args(["+x"]).arg(&wrapper).status().unwrap();
    let path = format!("{}:{}", desk.folder.path().display(), std::env::var("PATH").unwrap());
    for (token, code) in [(Some("pw_secret"), 0), (Some("pw_other"), 2), (None, 2)] {
        let mut command = desk.command("gate.sh", &["600", "tank.level"]);
        command.env_remove("PUMPHOUSE_CA").env("PUMPHOUSE_INSECURE", "1").env("PATH", &path);
        token.map(|token| command.env("PUMPHOUSE_TOKEN", token));
        let outcome = Outcome::of(&mut command);
        assert_eq!(outcome.code, code, "{token:?}: {outcome:?}");
    }
    let calls = fs::read_to_string(desk.folder.path().join("calls")).unwrap();
    assert!(calls.lines().count() == 3 && !calls.contains("pw_"), "{calls}");
}
