//! Restarts by a scripted supervisord, and by commands.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::*;
use crate::config::Secret;
use crate::outbound::Endpoint;
use crate::supervisor::command_output::CommandOutput;
use crate::supervisor::rpc::{RpcError, Supervisord};
use crate::supervisor::shell::ShellCommand;

/// Response to one call.
#[derive(Clone, Copy)]
enum Reply {
    /// `getProcessInfo`: state, process number and uptime.
    Info(i32, i32, i32),
    True,
    Fault(i32),
    Garbage,
    /// Closes the connection without a response.
    Close,
    Unauthorized,
}

/// A supervisord that answers each call with the next reply of a script, and records the calls.
struct Scripted {
    endpoint: Endpoint,
    calls: Arc<Mutex<Vec<String>>>,
    _folder: tempfile::TempDir,
}

impl Scripted {
    fn start(script: &[Reply]) -> Scripted {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let calls = Arc::new(Mutex::new(Vec::new()));
        let (script, received) = (script.to_vec(), Arc::clone(&calls));
        thread::spawn(move || {
            for reply in script {
                let (mut stream, _) = listener.accept().unwrap();
                let mut call = Vec::new();
                let mut buffer = [0; 4096];
                while !call.ends_with(b"</methodCall>") {
                    match stream.read(&mut buffer).unwrap() {
                        0 => break,
                        read => call.extend_from_slice(&buffer[..read]),
                    }
                }
                received.lock().unwrap().push(String::from_utf8(call).unwrap());
                let (status, body) = render(reply);
                let length = body.len();
                let _ = match reply {
                    Reply::Close => Ok(()),
                    _ => write!(
                        stream,
                        "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{body}"
                    ),
                };
            }
        });
        Scripted { endpoint: Endpoint::Unix(path), calls, _folder: folder }
    }

    fn restarter(&self) -> ProgramRestarter {
        let password = Secret::new("s3cret".to_owned());
        let supervisord = Supervisord::new(self.endpoint.clone(), Some(("joe", &password)));
        let timeout = Duration::from_millis(500);
        ProgramRestarter::new(supervisord, "a:b".to_owned(), timeout, Duration::from_secs(15))
    }

    /// Returns the methods that were called.
    fn methods(&self) -> Vec<String> {
        let method = |call: &String| {
            let (_, rest) = call.split_once("<methodName>supervisor.").unwrap();
            assert!(rest.contains("<string>a:b</string>"), "{call}");
            assert!(call.contains("Basic am9lOnMzY3JldA=="), "{call}");
            rest.split_once('<').unwrap().0.to_owned()
        };
        self.calls.lock().unwrap().iter().map(method).collect()
    }
}

fn render(reply: Reply) -> (u16, String) {
    let respond = |value: String| {
        let param = format!("<params><param><value>{value}</value></param></params>");
        (200, format!("<?xml version='1.0'?>\n<methodResponse>{param}</methodResponse>"))
    };
    let member = |(name, value): (&str, i32)| {
        format!("<member><name>{name}</name><value><int>{value}</int></value></member>")
    };
    match reply {
        Reply::Info(state, pid, uptime) => {
            let numbers =
                [("state", state), ("pid", pid), ("start", 1_000), ("now", 1_000 + uptime)];
            let members: String = numbers.into_iter().map(member).collect();
            let name = "<member><name>name</name><value><string>b</string></value></member>";
            respond(format!("<struct>{name}{members}</struct>"))
        }
        Reply::True => respond("<boolean>1</boolean>".to_owned()),
        Reply::Fault(code) => {
            let text = "<member><name>faultString</name><value><string>X</string></value></member>";
            let code = member(("faultCode", code));
            let value = format!("<value><struct>{code}{text}</struct></value>");
            (200, format!("<methodResponse><fault>{value}</fault></methodResponse>"))
        }
        Reply::Garbage => (200, "<html>".to_owned()),
        Reply::Unauthorized => (401, String::new()),
        Reply::Close => (0, String::new()),
    }
}

const RUNNING: Reply = Reply::Info(20, 11, 100);
const STOPPING: Reply = Reply::Info(40, 11, 100);
const STOPPED: Reply = Reply::Info(0, 0, 100);

#[test]
fn program_is_eligible_while_it_runs_and_after_its_grace_period() {
    for (reply, expected) in [
        (RUNNING, "eligible"),
        (Reply::Info(20, 11, 14), "supervisord started it 14 s ago"),
        // The clock was set back.
        (Reply::Info(20, 11, -100), "supervisord started it 0 s ago"),
        (Reply::Info(0, 0, 100), "supervisord reports STOPPED"),
        (Reply::Info(10, 11, 0), "supervisord reports STARTING"),
        (Reply::Info(30, 0, 100), "supervisord reports BACKOFF"),
        (STOPPING, "supervisord reports STOPPING"),
        (Reply::Info(100, 0, 100), "supervisord reports EXITED"),
        (Reply::Info(200, 0, 100), "given up a:b (FATAL); it"),
        (Reply::Info(200, 0, 100), "supervisorctl start a:b"),
        (Reply::Info(7, 0, 100), "supervisord reports UNKNOWN"),
        (Reply::Fault(10), "no such program"),
        (Reply::Unauthorized, "SUPERVISOR_USERNAME=\"…\",SUPERVISOR_PASSWORD=\"…\""),
        (Reply::Fault(1), "[rpcinterface:supervisor]"),
        (Reply::True, "no description of a process"),
        (Reply::Garbage, "not XML-RPC"),
        (Reply::Close, "does not answer: connect: "),
    ] {
        let scripted = Scripted::start(&[reply]);
        let text = match scripted.restarter().eligibility() {
            Ok(Eligibility::Eligible) => "eligible".to_owned(),
            Ok(
                Eligibility::Ineligible(reason)
                | Eligibility::Stopped(reason)
                | Eligibility::GaveUp(reason),
            ) => reason,
            Err(error) => error,
        };
        assert!(text.contains(expected), "{expected:?} is not in {text:?}");
        assert!(!text.contains("s3cret"));
        assert_eq!(scripted.methods(), ["getProcessInfo"]);
    }
}

#[test]
fn restart_stops_waits_and_starts() {
    let scripted = Scripted::start(&[
        RUNNING,
        Reply::True,
        STOPPING,
        STOPPED,
        Reply::True,
        Reply::Info(10, 12, 0),
    ]);
    let outcome = scripted.restarter().restart().unwrap();
    assert!(outcome.starts_with("process 12 in place of 11, which took"), "{outcome}");
    let expected = ["getProcessInfo", "stopProcess", "getProcessInfo", "getProcessInfo"];
    assert_eq!(scripted.methods(), [&expected[..], &["startProcess", "getProcessInfo"]].concat());
}

#[test]
fn restart_that_fails_midway_is_reported_and_leaves_the_start_pending() {
    use RestartError::{NotBegun, Unfinished};
    type Outcome = fn(&Result<String, RestartError>) -> bool;
    let cases: [(&str, &[Reply], Outcome, bool); 9] = [
        (
            "stopped by an operator",
            &[RUNNING, Reply::Fault(70)],
            |outcome| matches!(outcome, Err(NotBegun(_))),
            false,
        ),
        (
            "supervisord ends",
            &[RUNNING, Reply::Fault(6)],
            |outcome| matches!(outcome, Err(NotBegun(_))),
            false,
        ),
        ("unreachable", &[Reply::Close], |outcome| matches!(outcome, Err(NotBegun(_))), false),
        (
            "the stop was received, but not answered",
            &[RUNNING, Reply::Close, STOPPED, Reply::True, Reply::Info(10, 12, 0)],
            Result::is_ok,
            false,
        ),
        (
            "one state was not readable",
            &[RUNNING, Reply::True, Reply::Garbage, STOPPED, Reply::True, Reply::Garbage],
            Result::is_ok,
            false,
        ),
        ("quickly up again", &[RUNNING, Reply::True, Reply::Info(20, 12, 0)], Result::is_ok, false),
        (
            "it cannot be started",
            &[RUNNING, Reply::True, STOPPED, Reply::Fault(50)],
            |outcome| matches!(outcome, Err(Unfinished(_))),
            false,
        ),
        (
            "the start was not answered",
            &[RUNNING, Reply::True, STOPPED, Reply::Close],
            |outcome| matches!(outcome, Err(Unfinished(_))),
            true,
        ),
        (
            "it does not go down",
            &[RUNNING, Reply::True, STOPPING, STOPPING, STOPPING, STOPPING, STOPPING, STOPPING],
            |outcome| matches!(outcome, Err(Unfinished(_))),
            true,
        ),
    ];
    for (case, script, expected, start_is_pending) in cases {
        let scripted = Scripted::start(script);
        let mut restarter = scripted.restarter();
        let outcome = restarter.restart();
        assert!(expected(&outcome), "{case}: {outcome:?}");
        assert_eq!(restarter.start_is_pending, start_is_pending, "{case}");
    }
}

#[test]
fn resume_starts_a_program_that_was_stopped_once_it_is_down() {
    let scripted = Scripted::start(&[
        Reply::Close,
        STOPPING,
        STOPPED,
        Reply::Fault(20),
        STOPPED,
        Reply::True,
        Reply::Info(10, 12, 0),
    ]);
    let mut restarter = scripted.restarter();
    assert_eq!(restarter.resume(), None, "no start is pending");
    restarter.start_is_pending = true;
    assert!(restarter.resume().unwrap().contains("does not answer"));
    assert_eq!(restarter.resume(), None, "still stopping");
    assert!(restarter.resume().unwrap().contains("NO_FILE"));
    assert_eq!(restarter.resume().unwrap(), "process 12");
    assert_eq!(restarter.resume(), None);
    assert_eq!(scripted.methods().len(), 7);

    let scripted = Scripted::start(&[RUNNING]);
    let mut restarter = scripted.restarter();
    restarter.start_is_pending = true;
    assert!(restarter.resume().unwrap().contains("RUNNING"));
    assert!(!restarter.start_is_pending, "it was started meanwhile");
}

#[test]
fn command_is_killed_at_its_bound_and_reported_by_its_status() {
    let run = |command: &str, millis| {
        let timeout = Duration::from_millis(millis);
        let output = CommandOutput::start("restart command").unwrap();
        CommandRestarter(ShellCommand { command: command.to_owned(), timeout, output }).restart()
    };
    let ample = 60_000;
    assert!(run("exit 0", ample).unwrap().starts_with("the command took"));
    let failed = run("exit 3", ample).unwrap_err();
    assert_eq!(
        failed,
        RestartError::Unfinished("the command ended with exit status: 3".to_owned())
    );
    // Its child is killed, too: else `wait` would not return.
    let killed = run("sleep 600 & wait", 300).unwrap_err();
    assert_eq!(killed, RestartError::Unfinished("the command was killed after 0.3 s".to_owned()));
}

#[test]
fn process_is_that_of_the_latest_check() {
    let scripted = Scripted::start(&[RUNNING, STOPPED, RUNNING, Reply::Garbage]);
    let mut restarter = scripted.restarter();
    for expected in [Some(11), None, Some(11), None] {
        let checked = restarter.eligibility();
        assert_eq!(restarter.process(), expected, "{checked:?}");
    }
}

/// Returns the error of a call to a supervisord that cannot be reached.
fn unreachable(endpoint: Endpoint) -> String {
    let supervisord = Supervisord::new(endpoint, None);
    let second = Duration::from_secs(1);
    ProgramRestarter::new(supervisord, "x".to_owned(), second, second).eligibility().unwrap_err()
}

#[test]
fn missing_socket_of_supervisord_has_the_section_to_add() {
    let folder = tempfile::tempdir().unwrap();
    let (absent, closed) = (folder.path().join("absent"), folder.path().join("closed"));
    drop(UnixListener::bind(&closed).unwrap());
    let missing = unreachable(Endpoint::Unix(absent.clone()));
    let section = format!("[unix_http_server] with file={}", absent.display());
    assert!(missing.contains(&section), "{missing}");
    assert!(unreachable(Endpoint::Unix(closed)).contains("Connection refused"));
}

#[test]
fn address_of_supervisord_that_refuses_has_the_section_to_check() {
    let web = unreachable(Endpoint::Web("http://127.0.0.1:1".to_owned()));
    assert!(web.contains("[inet_http_server]"), "{web}");
}

#[test]
fn socket_of_supervisord_without_rights_has_the_lines_to_add() {
    // Root may connect whatever the rights are, so the cause is given.
    let supervisord = Supervisord::new(Endpoint::Unix("/run/supervisor.sock".into()), None);
    let denied = crate::outbound::Failure {
        kind: crate::outbound::FailureKind::Connect,
        message: "Permission denied".to_owned(),
        cause: crate::outbound::Cause::Permission,
    };
    let remedy = supervisord.remedy(&RpcError::Unreachable(denied)).unwrap();
    for line in ["[unix_http_server]", "chmod=0770", "chown=root:", "systemctl restart supervisor"]
    {
        assert!(remedy.contains(line), "{remedy}");
    }
}
