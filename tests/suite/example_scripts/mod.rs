//! The scripts of `examples/shell`, with the real curl, jq and gnuplot.

mod check_pumphouse;
mod cron_alert;
mod gate;
mod plot;
mod status_line;
mod watch;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use hostile::config::{Config, Source};
use hostile::upstream::Upstream;

use crate::demo::Demo;
use crate::harness::eventually;
use crate::server::Server;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/shell");

/// URL at which no server listens.
const NOWHERE: &str = "https://127.0.0.1:1";

/// Environment and working folder of a script.
struct Environment {
    url: String,
    certificate: PathBuf,
    folder: tempfile::TempDir,
}

/// Exit code and output of a script.
#[derive(Debug)]
struct Outcome {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Environment {
    /// Returns an environment that trusts the certificate which the server presents now, as one is
    /// set up by hand.
    fn at(url: &str) -> Environment {
        let folder = tempfile::tempdir().unwrap();
        let certificate = folder.path().join("ca.pem");
        let address = url.trim_start_matches("https://").trim_end_matches('/');
        let show = format!("openssl s_client -connect {address} </dev/null | openssl x509");
        let shown = Command::new("sh").args(["-c", &show]).stderr(Stdio::null()).output().unwrap();
        fs::write(&certificate, shown.stdout).unwrap();
        Environment { url: url.to_owned(), certificate, folder }
    }

    fn of(server: &Server) -> Environment {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("https://{}", server.address);
        Environment { url, certificate: server.certificate(), folder }
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

    /// Runs a script with a URL at which no server listens.
    fn run_nowhere(&self, script: &str, arguments: &[&str]) -> Outcome {
        Outcome::of(self.command(script, arguments).env("PUMPHOUSE_URL", NOWHERE))
    }
}

impl Outcome {
    fn of(command: &mut Command) -> Outcome {
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Outcome {
            code: output.status.code().expect("no signal ends a script"),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }
}

/// Starts a demo whose sources have answered.
fn demo() -> (Demo, Environment) {
    let demo = Demo::start();
    let environment = Environment::at(&demo.url());
    eventually("the sources have answered", || {
        environment.run("gate.sh", &["600", "pump.battery"]).code == 0
    });
    (demo, environment)
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

/// Returns the paths of the scripts.
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
fn scripts_of_the_cluster_pass_shellcheck() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cluster");
    let scripts = ["run.sh", "fault.sh"].map(|name| format!("{folder}/{name}"));
    let output = Command::new("shellcheck").args(scripts).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[test]
fn faults_of_the_cluster_spare_a_process_that_has_the_number_of_one_that_ended() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("settings"), "binary=x\nprograms=x\nport=1\nas=\n").unwrap();
    let mut other = Command::new("sleep").arg("600").spawn().unwrap();
    let stat = fs::read_to_string(format!("/proc/{}/stat", other.id())).unwrap();
    let started = stat.rsplit_once(") ").unwrap().1.split(' ').nth(19).unwrap().to_owned();
    let kill = |noted: &str| {
        fs::write(folder.path().join("a.pid"), format!("{} {noted}\n", other.id())).unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cluster/fault.sh");
        Outcome::of(Command::new(script).arg(folder.path()).args(["kill", "a"]))
    };
    for noted in ["1", ""] {
        assert_eq!(kill(noted).stderr, "a does not run\n");
    }
    let ended = kill(&started);
    assert!(!other.wait().unwrap().success(), "{ended:?}");
}

#[test]
fn scripts_with_wrong_arguments_print_their_usage() {
    let environment = Environment {
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
        assert!(text.starts_with("#!/bin/sh\n# "), "{name} begins with its purpose");
        let shown = environment.run(name, &["-?", "'; touch x"]);
        let expected = if name == "check_pumphouse.sh" { 3 } else { 2 };
        assert_eq!(shown.code, expected, "{name}: {shown:?}");
        assert!(shown.stderr.contains(&format!("  {name} ")), "{name}: {shown:?}");
        assert!(!environment.folder.path().join("x").exists(), "{name}");
    }
}

#[test]
fn malformed_field_name_is_refused_before_any_request() {
    let folder = tempfile::tempdir().unwrap();
    let environment = Environment { url: NOWHERE.into(), certificate: "none".into(), folder };
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
            let outcome = environment.run(script, &[before, &[name]].concat());
            assert_eq!(outcome.code, code, "{script} {name}: {outcome:?}");
        }
    }
    assert!(!environment.folder.path().join("x").exists());
}

#[test]
fn script_called_by_a_symbolic_link_finds_its_library() {
    let (_demo, environment) = demo();
    let link = environment.folder.path().join("level");
    std::os::unix::fs::symlink(Path::new(FOLDER).join("status-line.sh"), &link).unwrap();
    let outcome = Outcome::of(
        Command::new(&link)
            .envs([("PUMPHOUSE_URL", environment.url.as_str()), ("PUMPHOUSE_INSECURE", "1")]),
    );
    assert_eq!(outcome.code, 0, "{outcome:?}");
}
