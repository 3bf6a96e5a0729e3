//! Output of the restart command and of the alarm command, as lines of our log.
//!
//! A command must not inherit standard error: if no process reads that, the command would block in
//! its first write, and the server would not be restarted. It gets a pipe instead, which one thread
//! reads until the process ends. No thread waits for the end of the pipe, because a daemon that the
//! command has started may hold it open. The output of the daemon is logged, too.

use std::io::{self, PipeReader, PipeWriter, Read as _};
use std::process::Stdio;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::threads;

/// Longest line, bytes. The rest of a longer line is dropped.
const MAX_LINE: usize = 1024;

/// Text without a line feed, such as a prompt, is logged after this pause in the output.
const PAUSE: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// Write end of a pipe whose lines are logged by a thread.
#[derive(Debug)]
pub struct CommandOutput(PipeWriter);

impl CommandOutput {
    /// Creates the pipe and the thread. `name` is how the log calls the command. The thread exists before a
    /// command needs it, as none may be available then.
    ///
    /// # Errors
    /// The system has no descriptor or no thread left.
    pub fn start(name: &'static str) -> io::Result<CommandOutput> {
        let (reader, writer) = io::pipe()?;
        // Detached: a daemon that a command has started may hold the pipe open until the process ends.
        threads::spawn_detached(threads::COMMAND_OUTPUT, move || {
            read(reader, |line| log::info!("{name}: {line}"));
        })?;
        Ok(CommandOutput(writer))
    }

    /// Returns the output of one command.
    pub(super) fn stdio(&self) -> io::Result<Stdio> {
        Ok(self.0.try_clone()?.into())
    }
}

/// Reads until every writer has closed the pipe.
fn read(mut reader: PipeReader, mut log: impl FnMut(&str)) {
    let mut lines = Lines::default();
    let mut buffer = [0; 4096];
    loop {
        if lines.has_text() && is_paused(&reader) {
            lines.end(&mut log);
        }
        match reader.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => lines.push(&buffer[..length], &mut log),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                log(&format!("cannot read the output of the command any more: {error}"));
                break;
            }
        }
    }
    lines.end(&mut log);
}

/// Waits for output. Returns true if none has come after [`PAUSE`].
fn is_paused(reader: &PipeReader) -> bool {
    matches!(poll(&mut [PollFd::new(reader, PollFlags::IN)], Some(&PAUSE)), Ok(0))
}

/// Splits output into lines of bounded length.
#[derive(Default)]
struct Lines {
    text: Vec<u8>,
    is_cut: bool,
}

impl Lines {
    fn has_text(&self) -> bool {
        !self.text.is_empty()
    }

    fn push(&mut self, bytes: &[u8], log: &mut impl FnMut(&str)) {
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            let text = part.strip_suffix(b"\n").unwrap_or(part);
            let room = MAX_LINE - self.text.len();
            self.is_cut |= text.len() > room;
            self.text.extend_from_slice(&text[..text.len().min(room)]);
            if part.len() > text.len() {
                self.end(log);
            }
        }
    }

    /// Logs the line unless it is empty, and begins the next one.
    fn end(&mut self, log: &mut impl FnMut(&str)) {
        if self.has_text() {
            let text = String::from_utf8_lossy(&self.text);
            let cut = if self.is_cut { "…" } else { "" };
            log(&format!("{}{cut}", text.trim_end()));
        }
        self.text.clear();
        self.is_cut = false;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn long_line_is_cut_and_empty_lines_are_dropped() {
        let long = "x".repeat(3 * MAX_LINE);
        let mut lines = Lines::default();
        let mut logged = Vec::new();
        let mut log = |line: &str| logged.push(line.to_owned());
        for part in ["one\r\ntw", "o\n\n\n", &long, &long, "\nthr"] {
            lines.push(part.as_bytes(), &mut log);
            assert!(lines.text.len() <= MAX_LINE);
        }
        lines.end(&mut log);
        let cut = format!("{}…", &long[..MAX_LINE]);
        assert_eq!(logged, ["one", "two", cut.as_str(), "thr"]);
    }

    #[test]
    fn text_without_a_line_feed_is_logged_after_a_pause() {
        let (reader, mut writer) = io::pipe().unwrap();
        let (sender, logged) = crossbeam_channel::unbounded();
        std::thread::spawn(move || {
            read(reader, |line| {
                let _ = sender.send(line.to_owned());
            });
        });
        writer.write_all(b"half a line").unwrap();
        let line = logged.recv_timeout(std::time::Duration::from_secs(20)).unwrap();
        assert_eq!(line, "half a line");
        drop(writer);
        let end = logged.recv_timeout(std::time::Duration::from_secs(20));
        assert!(end.is_err_and(|error| error.is_disconnected()), "the thread ends");
    }
}
