//! Restarts by a scripted supervisord, and by commands.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::sync::{Arc, Mutex};

use super::*;
use crate::config::Secret;
use crate::outbound::Endpoint;

/// What is said to one call.
#[derive(Clone, Copy)]
enum Say {
    /// `getProcessInfo`: a state, a process, and for how long it has been up.
    Info(i32, i32, i32),
    Yes,
    Fault(i32),
    Garbage,
    /// Hangs up without a word.
    Nothing,
    Refused,
}

/// A supervisord that follows a script, a line a call, and keeps the calls.
struct Scripted {
    endpoint: Endpoint,
    calls: Arc<Mutex<Vec<String>>>,
    _folder: tempfile::TempDir,
}

impl Scripted {
    fn start(script: &[Say]) -> Scripted {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let calls = Arc::new(Mutex::new(Vec::new()));
        let (script, kept) = (script.to_vec(), Arc::clone(&calls));
        thread::spawn(move || {
            for say in script {
                let (mut stream, _) = listener.accept().unwrap();
                let mut call = Vec::new();
                let mut buffer = [0; 4096];
                while !call.ends_with(b"</methodCall>") {
                    match stream.read(&mut buffer).unwrap() {
                        0 => break,
                        read => call.extend_from_slice(&buffer[..read]),
                    }
                }
                kept.lock().unwrap().push(String::from_utf8(call).unwrap());
                let (status, body) = answer(say);
                let length = body.len();
                let _ = match say {
                    Say::Nothing => Ok(()),
                    _ => write!(
                        stream,
                        "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{body}"
                    ),
                };
            }
        });
        Scripted { endpoint: Endpoint::Unix(path), calls, _folder: folder }
    }

    fn supervised(&self) -> Supervised {
        let password = Secret::new("s3cret".to_owned());
        let supervisord = Supervisord::new(self.endpoint.clone(), Some(("joe", &password)));
        let bound = Duration::from_millis(500);
        Supervised::new(supervisord, "a:b".to_owned(), bound, Duration::from_secs(15))
    }

    /// The methods that were called.
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

fn answer(say: Say) -> (u16, String) {
    let respond = |value: String| {
        let param = format!("<params><param><value>{value}</value></param></params>");
        (200, format!("<?xml version='1.0'?>\n<methodResponse>{param}</methodResponse>"))
    };
    let member = |(name, value): (&str, i32)| {
        format!("<member><name>{name}</name><value><int>{value}</int></value></member>")
    };
    match say {
        Say::Info(state, pid, uptime) => {
            let numbers =
                [("state", state), ("pid", pid), ("start", 1_000), ("now", 1_000 + uptime)];
            let members: String = numbers.into_iter().map(member).collect();
            let name = "<member><name>name</name><value><string>b</string></value></member>";
            respond(format!("<struct>{name}{members}</struct>"))
        }
        Say::Yes => respond("<boolean>1</boolean>".to_owned()),
        Say::Fault(code) => {
            let text = "<member><name>faultString</name><value><string>X</string></value></member>";
            let code = member(("faultCode", code));
            let value = format!("<value><struct>{code}{text}</struct></value>");
            (200, format!("<methodResponse><fault>{value}</fault></methodResponse>"))
        }
        Say::Garbage => (200, "<html>".to_owned()),
        Say::Refused => (401, String::new()),
        Say::Nothing => (0, String::new()),
    }
}

const RUNNING: Say = Say::Info(20, 11, 100);
const STOPPING: Say = Say::Info(40, 11, 100);
const STOPPED: Say = Say::Info(0, 0, 100);

#[test]
fn only_what_runs_for_some_time_is_due() {
    for (say, expected) in [
        (RUNNING, "due"),
        (Say::Info(20, 11, 14), "supervisord started it 14 s ago"),
        // A clock that was set back.
        (Say::Info(20, 11, -100), "supervisord started it 0 s ago"),
        (Say::Info(0, 0, 100), "supervisord says STOPPED"),
        (Say::Info(10, 11, 0), "supervisord says STARTING"),
        (Say::Info(30, 0, 100), "supervisord says BACKOFF"),
        (STOPPING, "supervisord says STOPPING"),
        (Say::Info(100, 0, 100), "supervisord says EXITED"),
        (Say::Info(200, 0, 100), "supervisord says FATAL"),
        (Say::Info(7, 0, 100), "supervisord says UNKNOWN"),
        (Say::Fault(10), "no such program"),
        (Say::Refused, "SUPERVISOR_USERNAME and SUPERVISOR_PASSWORD"),
        (Say::Yes, "no description of a process"),
        (Say::Garbage, "it is no XML-RPC"),
        (Say::Nothing, "does not answer: connect: "),
    ] {
        let scripted = Scripted::start(&[say]);
        let told = match scripted.supervised().standing() {
            Ok(Standing::Due) => "due".to_owned(),
            Ok(Standing::LeaveAlone(why)) => why,
            Err(error) => error,
        };
        assert!(told.contains(expected), "{expected:?} is not in {told:?}");
        assert!(!told.contains("s3cret"));
        assert_eq!(scripted.methods(), ["getProcessInfo"]);
    }
}

#[test]
fn a_restart_is_stop_wait_start() {
    let scripted =
        Scripted::start(&[RUNNING, Say::Yes, STOPPING, STOPPED, Say::Yes, Say::Info(10, 12, 0)]);
    let done = scripted.supervised().restart().unwrap();
    assert!(done.starts_with("process 12 in place of 11, which took"), "{done}");
    let expected = ["getProcessInfo", "stopProcess", "getProcessInfo", "getProcessInfo"];
    assert_eq!(scripted.methods(), [&expected[..], &["startProcess", "getProcessInfo"]].concat());
}

#[test]
fn what_goes_wrong_on_the_way_is_told_and_made_good() {
    use RestartError::{NotBegun, Unfinished};
    type Outcome = fn(&Result<String, RestartError>) -> bool;
    let cases: [(&str, &[Say], Outcome, bool); 9] = [
        (
            "stopped by another",
            &[RUNNING, Say::Fault(70)],
            |it| matches!(it, Err(NotBegun(_))),
            false,
        ),
        ("supervisord ends", &[RUNNING, Say::Fault(6)], |it| matches!(it, Err(NotBegun(_))), false),
        ("not reached", &[Say::Nothing], |it| matches!(it, Err(NotBegun(_))), false),
        (
            "the stop went unanswered, but was heard",
            &[RUNNING, Say::Nothing, STOPPED, Say::Yes, Say::Info(10, 12, 0)],
            Result::is_ok,
            false,
        ),
        (
            "a look went wrong",
            &[RUNNING, Say::Yes, Say::Garbage, STOPPED, Say::Yes, Say::Garbage],
            Result::is_ok,
            false,
        ),
        ("quickly up again", &[RUNNING, Say::Yes, Say::Info(20, 12, 0)], Result::is_ok, false),
        (
            "it cannot be made",
            &[RUNNING, Say::Yes, STOPPED, Say::Fault(50)],
            |it| matches!(it, Err(Unfinished(_))),
            false,
        ),
        (
            "the start went unanswered",
            &[RUNNING, Say::Yes, STOPPED, Say::Nothing],
            |it| matches!(it, Err(Unfinished(_))),
            true,
        ),
        (
            "it will not go down",
            &[RUNNING, Say::Yes, STOPPING, STOPPING, STOPPING, STOPPING, STOPPING, STOPPING],
            |it| matches!(it, Err(Unfinished(_))),
            true,
        ),
    ];
    for (what, script, expected, owes_a_start) in cases {
        let scripted = Scripted::start(script);
        let mut supervised = scripted.supervised();
        let outcome = supervised.restart();
        assert!(expected(&outcome), "{what}: {outcome:?}");
        assert_eq!(supervised.stopped_by_us, owes_a_start, "{what}");
    }
}

#[test]
fn what_we_have_stopped_is_started_as_soon_as_that_can_be() {
    let scripted = Scripted::start(&[
        Say::Nothing,
        STOPPING,
        STOPPED,
        Say::Fault(20),
        STOPPED,
        Say::Yes,
        Say::Info(10, 12, 0),
    ]);
    let mut supervised = scripted.supervised();
    assert_eq!(supervised.resume(), None, "nothing is owed");
    supervised.stopped_by_us = true;
    assert!(supervised.resume().unwrap().contains("does not answer"));
    assert_eq!(supervised.resume(), None, "still stopping");
    assert!(supervised.resume().unwrap().contains("NO_FILE"));
    assert_eq!(supervised.resume().unwrap(), "process 12");
    assert_eq!(supervised.resume(), None);
    assert_eq!(scripted.methods().len(), 7);

    let scripted = Scripted::start(&[RUNNING]);
    let mut supervised = scripted.supervised();
    supervised.stopped_by_us = true;
    assert!(supervised.resume().unwrap().contains("RUNNING"));
    assert!(!supervised.stopped_by_us, "somebody else has seen to it");
}

#[test]
fn commands_are_bounded_and_told_by_their_status() {
    let run = |command: &str, bound| {
        let bound = Duration::from_millis(bound);
        let output = CommandOutput::start().unwrap();
        ByCommand { command: command.to_owned(), bound, output }.restart()
    };
    let ample = 60_000;
    assert!(run("exit 0", ample).unwrap().starts_with("the command took"));
    let failed = run("exit 3", ample).unwrap_err();
    assert_eq!(
        failed,
        RestartError::Unfinished("the command ended with exit status: 3".to_owned())
    );
    // Its child too: else the wait for it would go on.
    let killed = run("sleep 600 & wait", 300).unwrap_err();
    assert_eq!(killed, RestartError::Unfinished("the command was killed after 0.3 s".to_owned()));
}
