//! The real `watch` beside a server, with a command that records each restart.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::program;
use crate::target::Target;

/// A running `watch`, killed when dropped.
pub(super) struct Watch {
    child: Child,
    record: PathBuf,
}

const RECORD: &str = "restarts";

impl Watch {
    /// Starts `watch` with its defaults, except for the grace after the start.
    pub(super) fn start(binary: &Path, target: &Target) -> io::Result<Watch> {
        let mut command = Command::new(program::resolve(binary)?);
        command
            .args(["watch", "--exec", &format!("echo restart >> {RECORD}"), "--grace", "1s"])
            .args(["--admin", &format!("http://{}", target.admin)])
            .args(["--url", &format!("https://localhost:{}/healthz", target.address.port())])
            .arg("--ca")
            .arg(target.certificate())
            .current_dir(target.folder())
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Ok(Watch { child: program::spawn(&mut command)?, record: target.folder().join(RECORD) })
    }

    /// Ends `watch` and returns the number of its restarts.
    pub(super) fn restarts(self) -> u32 {
        // Without a restart the file does not exist.
        let record = std::fs::read_to_string(&self.record).unwrap_or_default();
        u32::try_from(record.lines().count()).unwrap_or(u32::MAX)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
