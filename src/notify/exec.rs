//! A command, which gets the message as JSON on its standard input, and members of it in its environment.
//!
//! The command runs without a shell, in a process group of its own that is killed at the deadline. Its input is a file
//! in memory, so that a command that does not read it delays nothing. The begin of its output is the reason of its
//! failure; the rest is read and dropped, so that it does not block either. Arguments may be credentials, so they are
//! redacted in the output.
//!
//! | exit status (`sysexits.h`, POSIX `sh`) | fault |
//! | --- | --- |
//! | 65 `EX_DATAERR` | `Undeliverable` |
//! | 77 `EX_NOPERM`, 78 `EX_CONFIG`, 126 not executable, 127 not found | `Refused` |
//! | others | `Transient` |
//!
//! A `SIGKILL` of this process ends no command: it runs on without a deadline.

use std::fs::File;
use std::io::{self, PipeReader, Read as _, Seek as _, Write as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{MemfdFlags, OFlags, fcntl_getfl, fcntl_setfl, memfd_create};
use serde_json::Value;

use super::context::ChannelContext;
use super::cut::{Measure, cut_title};
use super::delivery::{Deliver, Delivery, DeliveryError, DeliveryFault};
use super::document::document;
use crate::kernel::child::wait_or_kill;
use crate::outbound::{CUT, Redactor};
use crate::text::one_line;

/// Interval between two checks whether the command has ended.
const POLL_INTERVAL: Timespec = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };

/// Most bytes of the output that are kept.
const MAX_OUTPUT: usize = 4 * 1024;

/// Most characters of the output that an error shows.
const MAX_REASON: usize = 200;

/// Longest value of a variable, bytes. The kernel takes 128 KiB.
const MAX_VARIABLE: usize = 16 * 1024;

/// Fewest bytes of a word of an argument that is redacted for itself.
const MIN_SECRET_WORD: usize = 8;

/// Members of the document that are variables of the environment, by the ends of their names.
const VARIABLES: [&str; 19] = [
    "alert",
    "condition",
    "ended_at",
    "field",
    "fired_at",
    "incident",
    "kind",
    "link",
    "message",
    "rate",
    "severity",
    "since",
    "source",
    "state",
    "threshold",
    "title",
    "unit",
    "value",
    "key",
];

/// Channel to a command.
pub(super) struct Exec {
    command: Vec<String>,
    context: ChannelContext,
    redactor: Redactor,
}

impl Exec {
    pub(super) fn new(command: &[String], context: &ChannelContext) -> Exec {
        let arguments = command.iter().skip(1).map(String::as_str);
        // A shell prints words of its script.
        let words = arguments.clone().flat_map(|argument| {
            argument.split(|c: char| c.is_whitespace() || "=:,;'\"".contains(c))
        });
        let words = words.filter(|word| word.len() >= MIN_SECRET_WORD);
        let redactor = Redactor::of(arguments.chain(words));
        Exec { command: command.to_vec(), context: context.clone(), redactor }
    }

    fn run(&self, document: &Value, deadline: Instant) -> io::Result<(Option<ExitStatus>, Output)> {
        let (program, arguments) = self.command.split_first().ok_or(io::ErrorKind::NotFound)?;
        let (reader, writer) = io::pipe()?;
        let mut output = Output::new(reader)?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .envs(variables(document))
            .stdin(input(document.to_string().as_bytes())?)
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .process_group(0);
        let mut child = command.spawn()?;
        // It holds the write end of the pipe.
        drop(command);
        let is_over = || Instant::now() >= deadline;
        let status = wait_or_kill(&mut child, is_over, || output.wait())?;
        output.read();
        Ok((status, output))
    }
}

impl Deliver for Exec {
    fn deliver(&self, delivery: &Delivery, deadline: Instant) -> Result<(), DeliveryError> {
        let failed = |fault, message: String| Err(DeliveryError::new(fault, message));
        let document = document(delivery, &self.context);
        match self.run(&document, deadline) {
            Ok((Some(status), _)) if status.success() => Ok(()),
            Ok((Some(status), output)) => {
                let ended = match (status.code(), status.signal()) {
                    (Some(code), _) => format!("the command ended with status {code}"),
                    (None, Some(signal)) => format!("the command ended by signal {signal}"),
                    (None, None) => format!("the command ended with {status}"),
                };
                failed(fault_of_status(status), output.with_reason(ended, &self.redactor))
            }
            Ok((None, output)) => {
                let killed = "the command was killed, as its time was up".to_owned();
                failed(DeliveryFault::Transient, output.with_reason(killed, &self.redactor))
            }
            Err(error) => {
                let fault = match error.kind() {
                    io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => {
                        DeliveryFault::Refused
                    }
                    _ => DeliveryFault::Transient,
                };
                failed(fault, format!("the command cannot be run: {error}"))
            }
        }
    }
}

/// Returns the consequence of the status of a command that failed. Most are transient: it may have been unable to reach
/// a server.
fn fault_of_status(status: ExitStatus) -> DeliveryFault {
    match status.code() {
        Some(65) => DeliveryFault::Undeliverable,
        Some(77 | 78 | 126 | 127) => DeliveryFault::Refused,
        _ => DeliveryFault::Transient,
    }
}

/// Returns a file in memory with this content.
fn input(bytes: &[u8]) -> io::Result<Stdio> {
    let mut file = File::from(memfd_create("pumphouse-message", MemfdFlags::CLOEXEC)?);
    file.write_all(bytes)?;
    file.rewind()?;
    Ok(file.into())
}

/// Returns the variables of the environment: `PUMPHOUSE_ALERT`, `PUMPHOUSE_VALUE`. One without a value is empty, so
/// that none of an outer environment shows through.
fn variables(document: &Value) -> impl Iterator<Item = (String, String)> {
    VARIABLES.iter().map(|name| {
        let value = match document.get(*name) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        // No variable of an environment holds a NUL, and the kernel bounds its length.
        let value = cut_title(&value.replace('\0', " "), MAX_VARIABLE, Measure::Bytes);
        (format!("PUMPHOUSE_{}", name.to_ascii_uppercase()), value)
    })
}

/// Output of the command.
struct Output {
    reader: PipeReader,
    kept: Vec<u8>,
    is_closed: bool,
}

impl Output {
    fn new(reader: PipeReader) -> io::Result<Output> {
        fcntl_setfl(&reader, fcntl_getfl(&reader)? | OFlags::NONBLOCK)?;
        Ok(Output { reader, kept: Vec::new(), is_closed: false })
    }

    /// Waits for output, or for a moment.
    fn wait(&mut self) {
        if self.is_closed {
            thread::sleep(Duration::from_nanos(POLL_INTERVAL.tv_nsec as u64));
            return;
        }
        let _ = poll(&mut [PollFd::new(&self.reader, PollFlags::IN)], Some(&POLL_INTERVAL));
        self.read();
    }

    /// Reads what is there, up to a bound, so that a command that writes without end does not hold the thread.
    fn read(&mut self) {
        let mut buffer = [0; 4096];
        for _ in 0..64 {
            match self.reader.read(&mut buffer) {
                Ok(0) => {
                    self.is_closed = true;
                    return;
                }
                Ok(length) => {
                    let room = MAX_OUTPUT - self.kept.len();
                    self.kept.extend_from_slice(&buffer[..length.min(room)]);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return,
            }
        }
    }

    /// Adds the begin of the output to a message.
    fn with_reason(&self, message: String, redactor: &Redactor) -> String {
        let mut text = String::from_utf8_lossy(&self.kept).into_owned();
        if self.kept.len() == MAX_OUTPUT {
            text.push(CUT);
        }
        // Redacted before it is shortened, which might cut a secret in two.
        match one_line(redactor.redact(text).as_bytes(), MAX_REASON) {
            reason if reason.is_empty() => message,
            reason => format!("{message}: {reason}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::{EndReason, NoticeKind};
    use crate::notify::fixture::{context, delivery, ended, fired, notice};

    /// Bound that a slow machine does not reach.
    const AMPLE: Duration = Duration::from_secs(20);

    fn run(script: &str, timeout: Duration) -> Result<(), DeliveryError> {
        let command = ["sh", "-c", script].map(str::to_owned);
        let exec = Exec::new(&command, &context());
        exec.deliver(&delivery([fired()]), Instant::now() + timeout)
    }

    fn message(result: Result<(), DeliveryError>) -> String {
        let error = result.unwrap_err();
        assert_eq!((error.fault, error.retry_after), (DeliveryFault::Transient, None));
        error.message.to_string()
    }

    #[test]
    fn command_gets_the_message_as_json_and_members_of_it_as_variables() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("got");
        let script = format!(
            "cat > {path}.json; echo \"$PUMPHOUSE_ALERT|$PUMPHOUSE_VALUE|$PUMPHOUSE_FIRED_AT|$PUMPHOUSE_ENDED_AT|\
             $PUMPHOUSE_KEY|$PUMPHOUSE_MESSAGE\" > {path}",
            path = path.display()
        );
        run(&script, AMPLE).unwrap();
        let json = std::fs::read(path.with_extension("json")).unwrap();
        let json: Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(json, document(&delivery([fired()]), &context()));
        assert_eq!(
            std::fs::read_to_string(&path).unwrap(),
            "tank_low|280.0|2026-02-03T02:20:00Z||phone-17|280 gal, 3 min ago: Cistern volume below 300 gal\n\
             Rate: −12 gal/h\n"
        );
    }

    #[test]
    fn variables_of_an_incident_that_has_begun_and_ended_have_both_times() {
        let over = notice(NoticeKind::Ended, ended(EndReason::Resolved));
        let document = document(&delivery([fired(), over]), &context());
        let variables: Vec<(String, String)> = variables(&document).collect();
        for (name, expected) in [
            ("KIND", "ended"),
            ("STATE", "resolved"),
            ("SINCE", "2026-02-03T02:10:00Z"),
            ("FIRED_AT", "2026-02-03T02:20:00Z"),
            ("ENDED_AT", "2026-02-03T05:40:00Z"),
        ] {
            let found = variables.iter().find(|(of, _)| *of == format!("PUMPHOUSE_{name}"));
            assert_eq!(found.map(|(_, value)| value.as_str()), Some(expected), "{name}");
        }
    }

    #[test]
    fn status_of_the_command_has_its_consequence() {
        use DeliveryFault::{Refused, Transient, Undeliverable};
        for (script, expected) in [
            ("exit 1", Transient),
            ("exit 64", Transient),
            ("exit 65", Undeliverable),
            ("exit 69", Transient),
            ("exit 75", Transient),
            ("exit 77", Refused),
            ("exit 78", Refused),
            ("exit 126", Refused),
            ("exec /nonexistent/program", Refused),
            ("kill -KILL $$", Transient),
        ] {
            assert_eq!(run(script, AMPLE).unwrap_err().fault, expected, "{script}");
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("script");
        std::fs::write(&path, "#!/bin/sh\n").unwrap();
        for program in ["/nonexistent/program", path.to_str().unwrap()] {
            let exec = Exec::new(&[program.to_owned()], &context());
            let error = exec.deliver(&delivery([fired()]), Instant::now() + AMPLE).unwrap_err();
            assert_eq!(error.fault, Refused, "{program}: {error}");
        }
    }

    #[test]
    fn arguments_are_redacted_in_the_output() {
        let script = "set -x; : \"$1\"; : --token=s3cretWord; exit 1";
        let command = ["sh", "-c", script, "sh", "s3cretArgument"].map(str::to_owned);
        let exec = Exec::new(&command, &context());
        let error = exec.deliver(&delivery([fired()]), Instant::now() + AMPLE).unwrap_err();
        assert!(error.message.contains("[secret]"), "{error}");
        assert!(!error.message.contains("s3cret"), "{error}");
        // What is kept of the output ends amid the argument.
        let script = "printf '%*s' 4090 ''; printf %s \"$1\"; exit 1";
        let command = ["sh", "-c", script, "sh", "s3cretArgument"].map(str::to_owned);
        let exec = Exec::new(&command, &context());
        let error = exec.deliver(&delivery([fired()]), Instant::now() + AMPLE).unwrap_err();
        assert_eq!(&*error.message, "the command ended with status 1: [secret]…");
    }

    #[test]
    fn failure_has_the_status_and_the_begin_of_the_output() {
        for (script, expected) in [
            ("exit 75", "the command ended with status 75"),
            ("echo no route >&2; exit 1", "the command ended with status 1: no route"),
            ("kill -TERM $$", "the command ended by signal 15"),
        ] {
            assert_eq!(message(run(script, AMPLE)), expected);
        }
        let long = message(run("yes | head -c 3000000; exit 3", AMPLE));
        assert!(long.starts_with("the command ended with status 3: y"), "{long}");
        assert!(long.chars().count() < 300, "{long}");
        let exec = Exec::new(&["/nonexistent/program".to_owned(), "s3cret".to_owned()], &context());
        let error = exec.deliver(&delivery([fired()]), Instant::now() + AMPLE).unwrap_err();
        assert!(error.message.starts_with("the command cannot be run: No such file"), "{error}");
    }

    #[test]
    fn command_is_killed_with_its_children_at_the_deadline() {
        let begun = Instant::now();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pid");
        let script = format!("echo late; sleep 600 & echo $! > {}; wait", path.display());
        let error = message(run(&script, Duration::from_millis(300)));
        assert!(error.starts_with("the command was killed, as its time was up"), "{error}");
        assert!(begun.elapsed() < AMPLE);
        // The command may have been killed before it wrote the number.
        let Ok(child) = std::fs::read_to_string(&path) else { return };
        let stat = || std::fs::read_to_string(format!("/proc/{}/stat", child.trim()));
        while stat().is_ok_and(|stat| !stat.contains(") Z ")) {
            assert!(begun.elapsed() < AMPLE, "the child was killed");
            thread::yield_now();
        }
    }

    #[test]
    fn daemon_that_keeps_the_output_open_delays_nothing() {
        let begun = Instant::now();
        run("sleep 60 & exit 0", AMPLE).unwrap();
        assert!(begun.elapsed() < AMPLE);
    }
}
