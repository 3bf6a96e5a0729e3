//! `gate.sh`: an exit code by the age of a value.

use std::fs;
use std::io::Write;
use std::process::Command;

use hostile::upstream::Upstream;
use pumphouse_web::engine::{Body, Response, Settings};

use super::{Environment, Outcome, demo, server};
use crate::harness::{Program, TestEngine};

#[test]
fn gate_exits_by_the_age_of_a_value() {
    let (_demo, environment) = demo();
    let open = environment.run("gate.sh", &["600", "tank.level"]);
    assert_eq!((open.code, &*open.stdout), (0, ""), "{open:?}");
    let value = environment
        .run("gate.sh", &["600", "tank.level", "sh", "-c", "echo \"[$PUMPHOUSE_VALUE]\"; exit 7"]);
    let level = value.stdout.trim_end().trim_start_matches('[').trim_end_matches(']');
    assert!(value.code == 7 && level.parse::<f64>().is_ok(), "{value:?}");
    assert_eq!(environment.run("gate.sh", &["600", "tank.nothing", "echo", "x"]).code, 2);

    let tank = Upstream::answering(r#"{"level": 84.6}"#);
    let server = server(&tank);
    let environment = Environment::of(&server);
    for (field, code) in [("tank.level", 0), ("cistern.level", 1), ("well.level", 1)] {
        let outcome = environment.run("gate.sh", &["600", field, "echo", "open"]);
        let printed = if code == 0 { "open\n" } else { "" };
        assert_eq!((outcome.code, &*outcome.stdout), (code, printed), "{field}: {outcome:?}");
    }
    assert_eq!(environment.run_nowhere("gate.sh", &["600", "tank.level", "echo", "x"]).code, 3);
    let distrusted = Outcome::of(
        environment.command("gate.sh", &["600", "tank.level"]).env_remove("PUMPHOUSE_CA"),
    );
    assert_eq!(distrusted.code, 3, "{distrusted:?}");
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
    let environment =
        Environment { url, certificate: "none".into(), folder: tempfile::tempdir().unwrap() };
    // A curl that records its arguments and runs the real one.
    let wrapper = environment.folder.path().join("curl");
    let mut file = fs::File::create(&wrapper).unwrap();
    let real = Command::new("sh").args(["-c", "command -v curl"]).output().unwrap();
    let real = String::from_utf8(real.stdout).unwrap();
    write!(file, "#!/bin/sh\necho \"$@\" >>calls\nexec {} \"$@\"\n", real.trim_end()).unwrap();
    drop(file);
    let _ = Command::new("chmod").args(["+x"]).arg(&wrapper).status().unwrap();
    let path =
        format!("{}:{}", environment.folder.path().display(), std::env::var("PATH").unwrap());
    for (token, code) in [(Some("pw_secret"), 0), (Some("pw_other"), 2), (None, 2)] {
        let mut command = environment.command("gate.sh", &["600", "tank.level"]);
        command.env_remove("PUMPHOUSE_CA").env("PUMPHOUSE_INSECURE", "1").env("PATH", &path);
        token.map(|token| command.env("PUMPHOUSE_TOKEN", token));
        let outcome = Outcome::of(&mut command);
        assert_eq!(outcome.code, code, "{token:?}: {outcome:?}");
    }
    let calls = fs::read_to_string(environment.folder.path().join("calls")).unwrap();
    assert!(calls.lines().count() == 3 && !calls.contains("pw_"), "{calls}");
}
