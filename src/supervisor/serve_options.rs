//! Options of the running `serve` that replace keys of its configuration.
//!
//! The next start has the same ones, so they decide whether the server would start again: a file whose
//! addresses demand `[auth]` is no obstacle to a server that is started with `--listen 127.0.0.1:6443`.

use std::path::Path;

use crate::config::ListenAddr;

/// Options of one process.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServeOptions {
    /// Addresses in place of the file's; none without `--listen`.
    pub listen: Vec<ListenAddr>,
    /// True with `--no-tls`.
    pub no_tls: bool,
}

/// Reads the words of a command line, behind the program's name. Returns `None` unless they are those of `serve`.
pub type ReadOptions = fn(&[String]) -> Option<ServeOptions>;

impl ServeOptions {
    /// Returns the options of a process; `None` if it is gone or is not `serve`, as a shell that runs it.
    pub(super) fn of_process(pid: i32, read: ReadOptions) -> Option<ServeOptions> {
        ServeOptions::of_command_line(&std::fs::read(format!("/proc/{pid}/cmdline")).ok()?, read)
    }

    /// Parses a command line in the form of `/proc/PID/cmdline`, in which a NUL byte ends each argument.
    pub(crate) fn of_command_line(command_line: &[u8], read: ReadOptions) -> Option<ServeOptions> {
        let arguments = command_line.strip_suffix(b"\0")?.split(|byte| *byte == 0);
        let arguments = arguments.map(|argument| String::from_utf8(argument.to_vec()).ok());
        let arguments: Vec<String> = arguments.collect::<Option<_>>()?;
        let (program, words) = arguments.split_first()?;
        let is_own = Path::new(program).file_name()? == env!("CARGO_PKG_NAME");
        is_own.then(|| read(words))?
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn process_of_another_program_has_no_options() {
        let own = std::process::id().try_into().unwrap();
        let read: ReadOptions = |_| Some(ServeOptions::default());
        assert_eq!(ServeOptions::of_process(own, read), None, "a test is no server");
    }
}
