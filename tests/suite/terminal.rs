//! A pseudo-terminal, by `script`.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use crate::harness::eventually;
use crate::server::text;

/// A shell command on a pseudo-terminal.
pub struct Terminal {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
    shown: String,
}

impl Terminal {
    /// Runs a command in a folder. A prompt that never comes ends the command.
    pub fn start(command: &str, folder: &Path) -> Terminal {
        let mut child = Command::new("timeout")
            .args(["--foreground", "60", "script", "-qec", command, "/dev/null"])
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("script is needed: apt-get install bsdutils");
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Terminal { child, input, output, shown: String::new() }
    }

    /// Waits for a prompt, and returns the text since the previous one.
    pub fn wait_for(&mut self, prompt: &str) -> String {
        while !self.shown.contains(prompt) {
            let mut buffer = [0; 4096];
            let length = self.output.read(&mut buffer).unwrap();
            assert!(length > 0, "no {prompt:?} in {}", self.shown);
            self.shown += &String::from_utf8_lossy(&buffer[..length]);
        }
        std::mem::take(&mut self.shown)
    }

    /// Types a text.
    pub fn send(&mut self, typed: &str) {
        self.input.write_all(typed.as_bytes()).unwrap();
    }

    /// Waits until the command ends. Returns its exit code and the rest of its output.
    pub fn finish(mut self) -> (Option<i32>, String) {
        drop(self.input);
        self.output.read_to_string(&mut self.shown).unwrap();
        (self.child.wait().unwrap().code(), self.shown)
    }
}

/// Waits until a terminal does not show what is typed, which comes after the prompt. `file` has its name, from
/// `tty`.
pub fn wait_until_hidden(file: &Path) {
    eventually("the terminal hides what is typed", || {
        let name = fs::read_to_string(file).unwrap();
        let modes = Command::new("stty").args(["-a", "-F", name.trim()]).output().unwrap();
        text(&modes).contains("-echo ")
    });
}
