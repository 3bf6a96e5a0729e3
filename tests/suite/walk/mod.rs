//! Walks the README's own commands in a fresh root: from `make install` to a dashboard of a real place, in the
//! foreground and under supervisord.
//!
//! The commands are those of the README's code blocks, so that README and test cannot differ. The root is
//! a mount, network and process namespace with its own `/etc`, `/srv` and `/usr/local`; there the name of
//! the weather's upstream leads to this test, whose certificate that root trusts.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output};

use jiff::Timestamp;
use pumphouse_web::engine::{Engine, Listener, Response, Settings, tls};

use crate::harness::{Program, eventually};
use crate::namespaces::{is_inside, run_in_root};
use crate::server::{BINARY, text};

const README: &str = include_str!("../../../README.md");
const SCRIPT: &str = include_str!("walk.sh");

/// Answers to the questions: the place, defaults for units and time zone, no tank, everyone may read, no
/// supervisor. The last is not asked with `--supervisord`.
const ANSWERS: &str = "37.24,-122.14\n\n\nnone\neveryone\nnone\n";

#[test]
fn commands_of_readme_lead_to_a_dashboard_under_supervisord() {
    run_in_root("walk::inside", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/walk/root.sh"));
}

/// Returns the code block of README that contains `command`.
fn block(command: &str) -> &'static str {
    let blocks = README.split("```sh\n").skip(1);
    let mut found =
        blocks.filter_map(|rest| rest.split("```").next()).filter(|it| it.contains(command));
    let block = found.next().unwrap_or_else(|| panic!("no block of README has {command}"));
    assert!(found.next().is_none(), "several blocks of README have {command}");
    block
}

/// Runs a block of commands in the copy of the sources.
fn walk(folder: &Path, commands: &str) {
    let answers = folder.join("answers");
    fs::write(&answers, ANSWERS).unwrap();
    let built = Path::new(BINARY).ancestors().nth(2).unwrap();
    let walked = Command::new("bash")
        .args(["-c", &format!("{SCRIPT}\n{commands}")])
        .current_dir(folder.join("source"))
        .env("ANSWERS", &answers)
        .env("PAGE", folder.join("page.html"))
        .env("PRINTED", folder.join("init.txt"))
        .env("TRUST", block("CURL_CA_BUNDLE"))
        .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
        // The build of the tests is installed.
        .envs([("PROFILE", "dev"), ("CARGO", "true")])
        .env("CARGO_TARGET_DIR", built)
        .envs([("HOME", folder), ("TMPDIR", folder)])
        .env_remove("PUMPHOUSE_CONFIG")
        .env_remove("MAKEFLAGS")
        .env_remove("MAKELEVEL")
        .output()
        .unwrap();
    let shown = text(&walked);
    eprintln!("{shown}");
    assert!(walked.status.success(), "{shown}");
    let warned = shown.contains("warning: a source did not answer");
    assert!(!warned, "{shown}");
}

/// Serves the weather as its upstream does, by a certificate that the system trusts.
fn weather() -> Engine {
    let made = rcgen::generate_simple_self_signed(["api.open-meteo.com".to_owned()]).unwrap();
    let (chain, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let server = tls::server_config(chain.as_bytes(), key.as_bytes()).unwrap();
    let mut authorities =
        OpenOptions::new().append(true).open("/etc/ssl/certs/ca-certificates.crt").unwrap();
    writeln!(authorities, "{chain}").unwrap();
    let answer = |_: &_| {
        let now = Timestamp::now().as_second();
        let body = format!(
            r#"{{"current_units":{{"time":"unixtime","temperature_2m":"°F"}},
               "current":{{"time":{now},"interval":900,"temperature_2m":51.2,"weather_code":3}}}}"#
        );
        Response::new(body.into())
    };
    let listener = Listener::tcp(([127, 0, 0, 1], 443).into(), 16).unwrap();
    Engine::start(
        vec![listener],
        Settings::default(),
        Some(server),
        std::sync::Arc::new(Program(answer)),
    )
    .unwrap()
}

fn run(program: &str, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).output().unwrap()
}

#[test]
#[ignore = "runs in the root that the test above creates"]
fn inside() {
    if !is_inside() {
        return;
    }
    let folder = std::env::var_os("PUMPHOUSE_TEST_FOLDER").unwrap();
    let folder = Path::new(&folder);
    let _upstream = weather();

    walk(folder, block("cd ~/dashboard"));
    let page = fs::read_to_string(folder.join("page.html")).unwrap();
    assert!(page.contains("51.2"), "{page}");

    // Debian's package starts supervisord.
    assert!(run("supervisord", &["-c", "/etc/supervisor/supervisord.conf"]).status.success());
    walk(folder, block("supervisorctl reread"));
    let temperature = || {
        let url = "https://localhost:6443/api/v1/values/weather.temperature.txt";
        text(&run("curl", &["-sf", "--cacert", "/srv/pumphouse/certs/cert.pem", url]))
    };
    eventually("the value is served", || temperature().trim() == "51.2");

    let process = || text(&run("supervisorctl", &["pid", "pumphouse-web"])).trim().to_owned();
    let killed = process();
    assert!(run("kill", &["-KILL", &killed]).status.success(), "{killed}");
    eventually("supervisord has started it again", || {
        let process = process();
        process != killed && process.parse() != Ok(0) && temperature().trim() == "51.2"
    });
    let owner = fs::metadata(format!("/proc/{}", process())).unwrap();
    assert_ne!(std::os::unix::fs::MetadataExt::uid(&owner), 0, "the server runs as root");

    let status = || text(&run("supervisorctl", &["status"]));
    eventually("both programs run", || status().matches("RUNNING").count() == 2);
    let log = || fs::read_to_string("/var/log/pumphouse-watch.log").unwrap_or_default();
    eventually("watch talks with supervisord", || {
        log().contains("supervisord reports pumphouse-web as")
    });
    assert!(!log().contains("ALARM") && !log().contains("ERROR"), "{}", log());

    walk(folder, block("signal HUP"));
    eventually("the configuration is reloaded", || {
        fs::read_to_string("/var/log/pumphouse-web.log").unwrap().contains("reloaded: ")
    });
    assert!(run("supervisorctl", &["shutdown"]).status.success());
}
