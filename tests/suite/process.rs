//! Processes that tests start, and what they log.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};

use hostile::client::TEST_TIMEOUT;

use crate::harness::eventually;

/// A process that is killed when dropped, so that a failed test leaves none behind.
pub struct Process {
    child: Child,
    log: Option<Arc<Log>>,
}

/// Lines that a process has written to standard error, read by a thread that can be paused.
#[derive(Default)]
pub struct Log {
    lines: Mutex<Vec<String>>,
    grown: Condvar,
    paused: Mutex<bool>,
    resumed: Condvar,
}

impl Process {
    /// Starts a process whose pipes belong to the test.
    pub fn start(command: &mut Command) -> Process {
        Process { child: command.spawn().unwrap(), log: None }
    }

    /// Starts a process and reads its standard error.
    pub fn start_logged(command: &mut Command) -> Process {
        let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
        let log = Log::follow(child.stderr.take().unwrap());
        Process { child, log: Some(log) }
    }

    /// Returns the child, to take its pipes or to poll its end.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// Returns the process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns the log of a process that was started with [`Process::start_logged`].
    pub fn log(&self) -> &Log {
        self.log.as_deref().expect("a process whose log is read")
    }

    /// Sends a signal by its name, such as `HUP`.
    pub fn signal(&self, name: &str) {
        send_signal(self.id(), name);
    }

    /// Waits until the process has ended.
    pub fn wait(&mut self) -> ExitStatus {
        let mut ended = None;
        eventually("the process ends", || {
            ended = self.child.try_wait().unwrap();
            ended.is_some()
        });
        ended.unwrap()
    }

    /// Sends TERM and returns the exit code.
    pub fn stop(&mut self) -> Option<i32> {
        self.signal("TERM");
        self.wait().code()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Some(log) = &self.log {
            log.resume();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Log {
    fn follow(stderr: ChildStderr) -> Arc<Log> {
        let log = Arc::new(Log::default());
        let follower = Arc::clone(&log);
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                follower.lines.lock().unwrap().push(line);
                follower.grown.notify_all();
                let paused = follower.paused.lock().unwrap();
                drop(follower.resumed.wait_while(paused, |paused| *paused).unwrap());
            }
        });
        log
    }

    /// Returns the lines so far.
    pub fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }

    /// Returns true if a line contains `text`.
    pub fn contains(&self, text: &str) -> bool {
        self.lines.lock().unwrap().iter().any(|line| line.contains(text))
    }

    /// Waits for a line that contains `text`, and returns it.
    pub fn wait_for(&self, text: &str) -> String {
        let find = |lines: &Vec<String>| lines.iter().find(|line| line.contains(text)).cloned();
        let lines = self.lines.lock().unwrap();
        let (lines, _) = self
            .grown
            .wait_timeout_while(lines, TEST_TIMEOUT, |lines| find(lines).is_none())
            .unwrap();
        find(&lines).unwrap_or_else(|| panic!("no line with {text:?} in {lines:#?}"))
    }

    /// Waits for a line such as `listening on https://127.0.0.1:6443/`, and returns the address
    /// behind `before`.
    pub fn wait_for_address(&self, before: &str) -> SocketAddr {
        let line = self.wait_for(before);
        let (_, address) = line.split_once(before).unwrap();
        // The address ends at a slash, or in a line of JSON at the end of the text.
        let address = address.split(['/', '"', ' ']).next().unwrap();
        address.parse().unwrap()
    }

    /// Stops reading standard error.
    pub fn pause(&self) {
        *self.paused.lock().unwrap() = true;
    }

    /// Reads standard error again.
    pub fn resume(&self) {
        *self.paused.lock().unwrap() = false;
        self.resumed.notify_all();
    }
}

/// Sends a signal by its name to a process.
pub fn send_signal(process: u32, name: &str) {
    let kill = Command::new("kill").args([&format!("-{name}"), &process.to_string()]).status();
    assert!(kill.unwrap().success(), "no process {process} to send {name} to");
}
