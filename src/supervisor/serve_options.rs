//! Options of the running `serve` that replace keys of its configuration.
//!
//! The next start has the same ones, so they decide whether the server would start again: a file whose
//! addresses demand `[auth]` is no obstacle to a server that is started with `--listen 127.0.0.1:6443`.

use std::os::unix::ffi::OsStrExt as _;
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

impl ServeOptions {
    /// Returns the options of a process; `None` if it is gone or is not `serve`, as a shell that runs it.
    pub fn of_process(pid: i32) -> Option<ServeOptions> {
        ServeOptions::parse(&std::fs::read(format!("/proc/{pid}/cmdline")).ok()?)
    }

    /// Parses a command line in the form of `/proc/PID/cmdline`, in which a NUL byte ends each argument.
    fn parse(command_line: &[u8]) -> Option<ServeOptions> {
        let mut arguments = command_line.split(|byte| *byte == 0);
        let program = Path::new(std::ffi::OsStr::from_bytes(arguments.next()?)).file_name()?;
        if program != env!("CARGO_PKG_NAME") || arguments.next()? != b"serve" {
            return None;
        }
        let mut options = ServeOptions::default();
        while let Some(argument) = arguments.next() {
            match argument {
                b"--no-tls" => options.no_tls = true,
                b"--listen" => {
                    let address = str::from_utf8(arguments.next()?).ok()?;
                    options.listen.push(address.parse().ok()?);
                }
                // The value may look like an option.
                b"--config" | b"--admin-listen" | b"--log-format" => drop(arguments.next()?),
                _ => {}
            }
        }
        Some(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_serve_are_read_from_its_command_line_and_from_no_other() {
        let listen = |addresses: &[&str]| -> Vec<ListenAddr> {
            addresses.iter().map(|address| address.parse().unwrap()).collect()
        };
        let (none, one) = (listen(&[]), listen(&["127.0.0.1:1"]));
        let two = listen(&["127.0.0.1:1", "unix:/p.sock"]);
        for (command_line, expected) in [
            ("/usr/bin/pumphouse-web serve", Some((none.clone(), false))),
            ("pumphouse-web serve /srv/p.toml --no-tls", Some((none.clone(), true))),
            ("pumphouse-web serve --listen 127.0.0.1:1 p.toml", Some((one, false))),
            ("pumphouse-web serve --listen 127.0.0.1:1 --listen unix:/p.sock", Some((two, false))),
            ("pumphouse-web serve --config --no-tls", Some((none, false))),
            ("pumphouse-web serve --listen", None),
            ("pumphouse-web serve --listen nowhere", None),
            ("pumphouse-web demo --no-tls", None),
            ("pumphouse-web", None),
            ("/bin/sh -c pumphouse-web serve", None),
            ("", None),
        ] {
            let mut bytes = command_line.replace(' ', "\0").into_bytes();
            bytes.push(0);
            let expected = expected.map(|(listen, no_tls)| ServeOptions { listen, no_tls });
            assert_eq!(ServeOptions::parse(&bytes), expected, "{command_line}");
        }
        let own = std::process::id().try_into().unwrap();
        assert_eq!(ServeOptions::of_process(own), None, "a test is no server");
    }
}
